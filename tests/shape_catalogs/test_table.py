"""Columns of shape catalogues, and the files in which they are written."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.units import Unit

from classify.cli import main
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.shape_catalogs.table import COLUMNS, WRITERS, columns_of, write_catalog

NOTES = {"image": "field.fits", "PSF": "PSF of β stars"}


@pytest.fixture(scope="module")
def columns(measured):
    return columns_of(measured, 27.0)


@pytest.fixture(params=WRITERS)
def written(request, columns, tmp_path):
    """Return the path of a catalogue in each format."""
    path = tmp_path / f"shapes{request.param}"
    write_catalog(path, columns, NOTES)
    return path


def test_columns_are_those_of_the_catalogue(measured, columns):
    assert list(columns) == [column.name for column in COLUMNS]
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    for values in columns.values():
        assert values.shape == (len(measured),)
    np.testing.assert_array_equal(columns["e1"], measured.e1)
    np.testing.assert_array_equal(columns["e2_sky"], measured.frame.e2)
    np.testing.assert_array_equal(columns["weight"], measured.weight)
    assert not columns["weight"][columns["star"] == 1].any()
    np.testing.assert_allclose(columns["psf_e1"], 0.04, atol=0.003)
    positive = columns["flux"] > 0
    np.testing.assert_allclose(columns["mag"][positive], 27.0 - 2.5 * np.log10(columns["flux"][positive]))
    assert np.isnan(columns["mag"][~positive]).all()
    np.testing.assert_allclose(columns_of(measured)["mag"], columns["mag"] - 27.0, equal_nan=True)


def read_back(path):
    """Return a table with its units and UCDs, by other software than that which wrote it, where there is one."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        about = {f.name: (f.metadata[b"unit"].decode(), f.metadata[b"ucd"].decode()) for f in table.schema}
        return {name: table[name].to_numpy() for name in table.column_names}, about
    table = Table.read(path, format="fits" if path.suffix == ".fits" else "ascii.ecsv")
    if path.suffix == ".ecsv":
        about = {name: (str(table[name].unit or ""), table[name].meta["ucd"]) for name in table.colnames}
    else:
        header = fits.getheader(path, 1)
        about = {
            header[f"TTYPE{k}"]: (header.get(f"TUNIT{k}", ""), header[f"TUCD{k}"]) for k in range(1, len(COLUMNS) + 1)
        }
    return {name: np.asarray(table[name]) for name in table.colnames}, about


def test_values_units_and_ucds_are_written(written, columns):
    table, about = read_back(written)
    assert list(table) == list(columns)
    for column in COLUMNS:
        np.testing.assert_array_equal(table[column.name], columns[column.name])
        assert Unit(about[column.name][0]) == Unit(column.unit)  # FITS has two names for a count
        assert about[column.name][1] == column.ucd


def test_notes_are_written(written):
    if written.suffix == ".parquet":
        assert pq.read_schema(written).metadata[b"PSF"].decode() == NOTES["PSF"]
    elif written.suffix == ".ecsv":
        assert Table.read(written, format="ascii.ecsv").meta["image"] == "field.fits"
    else:
        header = fits.getheader(written, "SHAPES")
        assert "image: field.fits" in str(header["COMMENT"])
        with fits.open(written, checksum=True) as hdus:  # a wrong checksum is a warning
            assert len(hdus["SHAPES"].data) > 10


def test_no_temporary_file_is_left(written):
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_shape_catalogues_are_read_without_options(written, columns):
    catalog = read_catalog(written)
    own = (columns["weight"] > 0.0) & (columns["e1"] ** 2 + columns["e2"] ** 2 < 1.0)
    assert catalog.x.size == pytest.approx(own.sum(), abs=0.1 * own.sum())
    places = {(x, y): k for k, (x, y) in enumerate(zip(columns["x"], columns["y"]))}
    rows = [places[place] for place in zip(catalog.x, catalog.y)]
    assert (columns["weight"][rows] > 0.0).all()
    response = np.average(columns["response"][rows], weights=columns["weight"][rows])
    factor = 1.0 / response
    assert f"divided by the response {response:.4g}" in "; ".join(catalog.notes)
    np.testing.assert_allclose(catalog.e1, factor * columns["e1"][rows], rtol=1e-6)
    np.testing.assert_allclose(catalog.e2, factor * columns["e2"][rows], rtol=1e-6)
    np.testing.assert_allclose(catalog.ra, columns["ra"][rows])


def test_a_lens_is_searched_in_every_format(written, capsys):
    out = written.parent / "locations.csv"
    assert main(["locate", str(written), "--out", str(out), "--jobs", "1", "--randomizations", "0"]) == 0
    assert out.read_text().count("\n") == 2


@pytest.mark.parametrize("name", ["shapes.csv", "shapes", "shapes.fit"])
def test_a_suffix_of_no_format_is_refused(columns, tmp_path, name):
    with pytest.raises(
        ConfigError, match=r"has no suffix of a format of catalogues; use one of .parquet, .ecsv, .fits"
    ):
        write_catalog(tmp_path / name, columns, NOTES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", WRITERS)
def test_catalogues_without_a_source_are_written(columns, tmp_path, suffix):
    write_catalog(tmp_path / f"none{suffix}", {name: values[:0] for name, values in columns.items()}, NOTES)
    table, _ = read_back(tmp_path / f"none{suffix}")
    assert {values.size for values in table.values()} == {0}
