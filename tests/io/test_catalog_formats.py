"""Formats and dialects: the same galaxies from each."""

import bz2
import gzip
import lzma
import sys

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog
from tests.support.shape_tables import galaxies, on_sky

NAMES = ["x", "y", "e1", "e2"]
CSV = galaxies().to_csv(index=False)
TEXTS = {
    "hash in an id": galaxies().assign(id=[f"Field#1-{k}" for k in range(60)]).to_csv(index=False),
    "hash in a first id": galaxies().set_axis([f"a #{k}" for k in range(60)]).to_csv(index_label="id"),
    "UTF-16": CSV.encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + CSV.encode("utf-16-be"),
    "Latin-1": "# Größe der Felder\n".encode("latin-1") + CSV.encode(),
    "decimal commas": galaxies().to_csv(index=False, sep=";", decimal=","),
    "decimal commas, tabs": galaxies().to_csv(index=False, sep="\t", decimal=","),
    "decimal commas, first rows whole": galaxies().assign(z=1).to_csv(index=False, sep=";", decimal=","),
    "quoted": galaxies().assign(name='a, "b"; c').to_csv(index=False),
    "comments between": CSV.replace("\n", "\n# comment, 1; 2\n", 3),
    "trailing comments": galaxies()
    .to_csv(index=False, sep=" ")
    .replace("\n", " # good\n")
    .replace(" # good\n", "\n", 1),
    "old Macintosh": CSV.replace("\n", "\r"),
    "units below the names": CSV.replace("\n", "\npix,pix,,\n", 1),
    "VizieR": CSV.replace("\n", "\npix,pix, ,\n---,---,---,---\n", 1).replace(",", "\t"),
    "bars": galaxies().to_csv(index=False, sep="|"),
    "hint of a spreadsheet": "sep=,\n" + CSV,
    "quoted decimal commas": galaxies().map(lambda value: f"{value}".replace(".", ",")).to_csv(index=False),
    "first row without numbers": CSV.replace("\n", "\n,,,\n", 1),
    "bzip2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
}


def assert_galaxies(catalog):
    for name in NAMES:
        assert_array_equal(getattr(catalog, name), galaxies()[name])


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_galaxies_do_not_depend_on_the_dialect(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert_galaxies(read_catalog(path))


def ascii_head(table):
    units = {"X_IMAGE": "[pixel]", "Y_IMAGE": "[pixel]"}
    lines = [f"#{k:4d} {name:<22} Some words on it {units.get(name, '')}" for k, name in enumerate(table, 1)]
    return "\n".join([*lines, table.to_string(index=False, header=False)]) + "\n"


@pytest.mark.parametrize("names", [["X_IMAGE", "Y_IMAGE", "E1", "E2"], ["XWIN_IMAGE", "YWIN_IMAGE", "e1", "e2"], NAMES])
def test_sextractor_heads_name_the_columns(tmp_path, names):
    path = tmp_path / "a.cat"
    path.write_text(ascii_head(galaxies().set_axis(names, axis=1).assign(NUMBER=1)))
    assert_galaxies(read_catalog(path))


def test_sextractor_vectors_take_several_columns(tmp_path):
    path, table = tmp_path / "a.cat", galaxies()
    table.insert(2, "MAG_APER", 20.0)
    head = ascii_head(table).replace("#   4 e1", "#   6 e1").replace("#   5 e2", "#   7 e2")
    table.insert(2, "second", 20.0)
    table.insert(2, "third", 20.0)
    path.write_text("".join(head.splitlines(keepends=True)[:5]) + table.to_string(index=False, header=False))
    assert_galaxies(read_catalog(path))


@pytest.mark.parametrize("style", ["tabledata", "binary", "binary2"])
def test_votables_are_read_with_their_masks(tmp_path, style):
    table, path = Table.from_pandas(galaxies()), tmp_path / "a.xml"
    table["weight"] = MaskedColumn(np.ones(60), mask=np.arange(60) < 3)
    table.write(path, format="votable", tabledata_format=style)
    catalog = read_catalog(path)
    assert_array_equal(catalog.e1, galaxies()["e1"][3:])


def test_votable_with_data_elsewhere_is_refused(tmp_path):
    path = tmp_path / "a.vot"
    Table.from_pandas(galaxies()).write(path, format="votable", tabledata_format="binary")
    path.write_text(path.read_text().replace("<STREAM", '<STREAM href="http://localhost/a"'))
    with pytest.raises(TableError, match="refers to data in another place"):
        read_catalog(path)


def test_xml_that_is_no_votable_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text("<?xml version='1.0'?><html></html>")
    with pytest.raises(TableError, match="no VOTable"):
        read_catalog(tmp_path / "a.xml")


def test_ipac_tables_are_read(tmp_path):
    Table.from_pandas(galaxies()).write(tmp_path / "a.tbl", format="ascii.ipac")
    assert_galaxies(read_catalog(tmp_path / "a.tbl"))


# One row that holds whole columns, and several values in a cell


@pytest.mark.parametrize("form", ["60D", "PD()", "vector"])
def test_a_row_of_whole_columns_is_read_as_columns(tmp_path, form):
    table, path = galaxies(), tmp_path / "a.fits"
    if form == "vector":
        cells = Table({name: table[name].to_numpy()[None] for name in "xy"})
        cells["g"] = table[["e1", "e2"]].to_numpy()[None]
        cells.write(path)
    else:
        columns = [fits.Column(name, form, array=table[name].to_numpy()[None]) for name in NAMES]
        fits.BinTableHDU.from_columns(columns).writeto(path)
    assert_galaxies(read_catalog(path))


VECTORS = {
    "fits": lambda table, path: table.write(path, format="fits"),
    "parquet": lambda table, path: pd.DataFrame(
        {name: list(table[name]) for name in table.colnames}
    ).to_parquet(path),
    "votable": lambda table, path: table.write(path, format="votable"),
    "ecsv": lambda table, path: table.write(path, format="ascii.ecsv"),
}  # fmt: skip


@pytest.mark.parametrize("write", VECTORS.values(), ids=VECTORS)
def test_a_column_of_two_components_is_e1_and_e2(tmp_path, write):
    table = Table.from_pandas(galaxies())
    table["g"] = galaxies()[["e1", "e2"]].to_numpy()
    table.remove_columns(["e1", "e2"])
    write(table, tmp_path / "a")
    assert_galaxies(read_catalog(tmp_path / "a"))
    assert_galaxies(read_catalog(tmp_path / "a", e1="g[0]", e2="g[1]"))
    assert_array_equal(read_catalog(tmp_path / "a", e1="g[1]", e2="g[0]").e1, galaxies()["e2"])


def test_the_unsheared_vector_is_chosen_among_those_of_metacal(tmp_path):
    table = Table.from_pandas(galaxies()[["x", "y"]])
    table["mcal_g_noshear"] = galaxies()[["e1", "e2"]].to_numpy()
    table["mcal_g_1p"] = np.full((60, 2), 0.5)
    table.write(tmp_path / "a.fits")
    assert_galaxies(read_catalog(tmp_path / "a.fits"))


def test_a_column_of_that_very_name_wins_over_a_component(tmp_path):
    table = galaxies().rename(columns={"e1": "g[0]", "e2": "g[1]"})
    table.to_csv(tmp_path / "a.csv", index=False)
    assert_galaxies(read_catalog(tmp_path / "a.csv", e1="g[0]", e2="g[1]"))


@pytest.mark.parametrize("name", ["g[2]", "g[0,0]", "h[0]"])
def test_a_component_that_is_not_there_is_refused(tmp_path, name):
    table = Table.from_pandas(galaxies())
    table["g"] = np.zeros((60, 2))
    table.write(tmp_path / "a.fits")
    with pytest.raises(TableError, match=r"no column .*for e1; give one of: .*g\[0\], g\[1\]"):
        read_catalog(tmp_path / "a.fits", e1=name)


# HDF5


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py")


def test_groups_of_columns_in_hdf5_are_tables(tmp_path, h5py):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["meta/version"] = 3
        for name, seed in (("1p", 1), ("noshear", 5)):
            for key, values in galaxies(seed=seed).items():
                file[f"shear/{name}/{key}"] = values
    assert_galaxies(read_catalog(tmp_path / "a.h5"))
    assert_galaxies(read_catalog(f"{tmp_path / 'a.h5'}[shear/noshear]"))
    assert_array_equal(read_catalog(tmp_path / "a.h5", hdu="1p").e1, galaxies(seed=1)["e1"])


def test_compound_data_sets_in_hdf5_are_tables(tmp_path, h5py):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["catalog"] = galaxies().to_records(index=False)
        file["spare"] = np.arange(3)
    assert_galaxies(read_catalog(tmp_path / "a.h5"))


@pytest.mark.parametrize("where", ["cat", "group/cat"])
def test_units_that_astropy_writes_beside_hdf5_tables_are_read(tmp_path, h5py, where):
    sky = on_sky(galaxies(), 150.0, 2.0)
    table = Table.from_pandas(sky)
    table["ra"], table["dec"] = np.deg2rad(table["ra"]) * u.rad, np.deg2rad(table["dec"]) * u.rad
    table.write(tmp_path / "a.hdf5", path=where, serialize_meta=True)
    catalog = read_catalog(tmp_path / "a.hdf5")
    assert_allclose(catalog.ra, sky["ra"], rtol=1e-12)
    assert "ra from rad, dec from rad" in catalog.notes


def test_hdf5_without_tables_is_refused(tmp_path, h5py):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("empty")
    with pytest.raises(TableError, match="holds no table"):
        read_catalog(tmp_path / "a.h5")


def test_hdf5_without_its_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(TableError, match=r"HDF5.*pip install 'darkmatter-lensing\[hdf5\]'"):
        read_catalog(tmp_path / "a.h5")


def test_packed_fits_is_read(tmp_path):
    Table.from_pandas(galaxies()).write(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        (tmp_path / "b").write_bytes(pack(content))
        assert_galaxies(read_catalog(tmp_path / "b"))


@pytest.mark.parametrize("name", ["gauss_g", "e", "shear", "bdf_g_noshear", "SHAPES_ELLIPTICITY"])
def test_vectors_of_shapes_are_found_by_the_end_of_their_names(tmp_path, name):
    table = Table.from_pandas(galaxies()[["x", "y"]])
    table[name], table["psf_g"], table["g_cov"] = (
        galaxies()[["e1", "e2"]].to_numpy(),
        np.ones((60, 2)),
        np.ones((60, 2)),
    )
    table.write(tmp_path / "a.fits")
    assert_galaxies(read_catalog(tmp_path / "a.fits"))


def test_coordinates_of_astropy_are_positions(tmp_path):
    sky = on_sky(galaxies(), 150.0, 20.0)
    table = QTable({"coord": SkyCoord(sky["ra"], sky["dec"], unit="deg"), "e1": sky["e1"], "e2": sky["e2"]})
    table["e1"].unit = ""
    table.write(tmp_path / "a.ecsv")
    assert np.abs(read_catalog(tmp_path / "a.ecsv").ra - sky["ra"]).max() < 1e-9


@pytest.mark.parametrize("units", ["pix pix - -", "pixel pixel -- --", "pix pix none none"])
def test_units_in_a_comment_below_the_names_are_no_names(tmp_path, units):
    rows = galaxies().to_csv(index=False, header=False, sep=" ")
    (tmp_path / "a.txt").write_text(f"# x y e1 e2\n# {units}\n{rows}")
    catalog = read_catalog(tmp_path / "a.txt")
    assert_array_equal(catalog.e2, galaxies()["e2"])


def test_units_in_a_comment_below_the_names_are_used(tmp_path):
    sky = on_sky(galaxies(), 150.0, 2.0).assign(ra=lambda f: np.deg2rad(f["ra"]), dec=lambda f: np.deg2rad(f["dec"]))
    (tmp_path / "a.txt").write_text("# ra dec e1 e2\n# rad rad - -\n" + sky.to_csv(index=False, header=False, sep=" "))
    assert_allclose(np.deg2rad(read_catalog(tmp_path / "a.txt").ra), sky["ra"], rtol=1e-12)
