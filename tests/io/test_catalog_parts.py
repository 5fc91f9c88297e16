"""Files of several tables: the one that has the columns is read, or the one that is named."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_array_equal

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog
from tests.support.shape_tables import galaxies, write_tables


def other(seed, n=60):
    return galaxies(n, seed)


HEADER = pd.DataFrame({"Field Header Card": ["SIMPLE = T"] * 500})


def test_the_table_with_the_columns_is_read_however_long_the_others_are(tmp_path):
    path = write_tables(tmp_path / "a.cat", LDAC_IMHEAD=HEADER, LDAC_OBJECTS=galaxies())
    catalog = read_catalog(path)
    assert_array_equal(catalog.e1, galaxies()["e1"])
    assert catalog.notes[0] == "table LDAC_OBJECTS"


def test_a_file_of_one_table_needs_no_word_on_it(tmp_path):
    assert "table" not in "; ".join(read_catalog(write_tables(tmp_path / "a.cat", CAT=galaxies())).notes)


WANTED = {"NOSHEAR", "unsheared", "CAT", "NOSHEAR_CAT", "ORIG", "COLUMNS", "1P_CAT"}


@pytest.mark.parametrize(
    "tables",
    [
        ("NOSHEAR", "1P", "1M", "2P", "2M"),
        ("1P", "1M", "NOSHEAR", "2P", "2M"),
        ("sheared_1p", "unsheared", "sheared_1m"),
        ("1P", "CAT"),
        ("1P_SHEARED", "NOSHEAR_CAT"),
        ("SHEARED", "ORIG"),
        ("mcal_1p", "COLUMNS", "mcal_2m"),
        ("PSF", "STARS", "CAT"),
        ("STAR_NS", "1P_CAT"),
    ],
)
def test_galaxies_without_artificial_shear_are_read(tmp_path, tables):
    wanted = next(name for name in tables if name in WANTED)
    content = {name: galaxies() if name == wanted else other(k, 80) for k, name in enumerate(tables)}
    catalog = read_catalog(write_tables(tmp_path / "a.fits", **content))
    assert_array_equal(catalog.e1, galaxies()["e1"])
    assert catalog.notes[0].startswith(f"table {wanted.upper()}, not ")


def test_artificially_sheared_rows_of_one_table_are_left_out(tmp_path):
    parts = [galaxies().assign(mdet_step=step) for step in ("noshear", "1p", "1m")]
    path = tmp_path / "a.csv"
    pd.concat(parts).to_csv(path, index=False)
    catalog = read_catalog(path)
    assert (len(catalog), catalog.n_dropped) == (60, 120)
    assert "120 rows artificially sheared left out" in catalog.notes[-1]


@pytest.mark.parametrize("unsheared", ["none", "noshear", "ns", "0", "orig", ""])
@pytest.mark.parametrize("name", ["mdet_step", "mcal_type", "shear", "metacal_step"])
def test_rows_without_artificial_shear_are_kept_whatever_their_name(tmp_path, name, unsheared):
    steps = ("1p", "1m", unsheared, "2p", "2m")
    parts = [
        (galaxies() if step == unsheared else other(k + 10)).assign(**{name: step}) for k, step in enumerate(steps)
    ]
    pd.concat(parts).to_csv(tmp_path / "a.csv", index=False)
    catalog = read_catalog(tmp_path / "a.csv")
    assert_array_equal(catalog.e1, galaxies()["e1"])
    assert "240 rows artificially sheared left out" in catalog.notes[-1]


@pytest.mark.parametrize("steps", [("a", "b"), ("1p", "a", "b"), ("1p", "1m"), (0, 1, 2)])
def test_artificial_shears_of_unknown_names_are_refused(tmp_path, steps):
    pd.concat([other(k).assign(mcal_step=step) for k, step in enumerate(steps)]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(TableError, match=r"column mcal_step has \d artificial shears, .*; name it noshear, or keep"):
        read_catalog(tmp_path / "a.csv")


def test_a_column_of_shears_is_no_step(tmp_path):
    galaxies().assign(shear=np.linspace(0, 0.1, 60)).to_csv(tmp_path / "a.csv", index=False)
    assert read_catalog(tmp_path / "a.csv").n_dropped == 0


@pytest.mark.parametrize("part", ["B", "b", "B,1", "2"])
def test_a_named_table_is_read(tmp_path, part):
    path = write_tables(tmp_path / "a.fits", A=other(1), B=galaxies(), B_v2=other(2))
    for catalog in (read_catalog(f"{path}[{part}]"), read_catalog(path, hdu=part)):
        assert_array_equal(catalog.e1, galaxies()["e1"])
        assert catalog.notes[0] == "table B"


def test_versions_distinguish_tables_of_one_name(tmp_path):
    path = write_tables(tmp_path / "a.fits", B=other(1), B_v2=galaxies())
    assert_array_equal(read_catalog(f"{path}[B,2]").e1, galaxies()["e1"])


def test_the_number_of_an_extension_may_be_an_integer(tmp_path):
    path = write_tables(tmp_path / "a.fits", A=other(1), B=galaxies())
    assert_array_equal(read_catalog(path, hdu=2).e1, galaxies()["e1"])


def test_a_file_with_brackets_in_its_name_is_that_file(tmp_path):
    write_tables(tmp_path / "a.fits", A=other(1), B=other(2))
    path = write_tables(tmp_path / "a.fits[2]", A=galaxies())
    assert_array_equal(read_catalog(path).e1, galaxies()["e1"])


def test_an_unknown_table_is_refused_with_the_names_of_those_present(tmp_path):
    path = write_tables(tmp_path / "a.fits", A=other(1), B=galaxies())
    with pytest.raises(TableError, match=r"has no table C; its tables are A, B: choose one with --hdu"):
        read_catalog(f"{path}[C]")


def test_without_a_complete_table_the_message_is_on_the_nearest(tmp_path):
    path = write_tables(tmp_path / "a.fits", HEAD=HEADER, CAT=galaxies().drop(columns="e2"), X=HEADER)
    with pytest.raises(TableError, match=r"no column that may be e2.*\(table CAT of 3\)"):
        read_catalog(path)


def test_a_compressed_image_is_no_table(tmp_path):
    image = fits.CompImageHDU(np.zeros((64, 64), np.int16))
    fits.HDUList([fits.PrimaryHDU(), image, fits.BinTableHDU(Table.from_pandas(galaxies()))]).writeto(tmp_path / "a")
    assert len(read_catalog(tmp_path / "a")) == 60


def test_a_hidden_choice_is_named(tmp_path):
    catalog = read_catalog(write_tables(tmp_path / "a.fits", A=galaxies(), B=other(1)))
    assert catalog.notes[0] == "table A, not B (--hdu)"
