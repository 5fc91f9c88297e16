import gzip
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog

N = 40


@pytest.fixture
def galaxies(rng):
    position, ellipticity = rng.uniform(0, 4200, (2, N)).round(2), rng.normal(0, 0.2, (2, N)).round(6)
    return pd.DataFrame({"x": position[0], "y": position[1], "e1": ellipticity[0], "e2": ellipticity[1]})


@pytest.fixture
def on_sky(galaxies, rng):
    frame = galaxies[["e1", "e2"]].copy()
    frame["RA"], frame["Dec"] = (359.9 + rng.uniform(0, 0.4, N)) % 360, rng.uniform(40.0, 40.3, N)
    return frame


@pytest.fixture
def as_csv(tmp_path):
    def write(frame, name="field.csv", **options):
        frame.to_csv(tmp_path / name, index=False, **options)
        return tmp_path / name

    return write


def write_fits(frame, path):
    Table.from_pandas(frame).write(path, format="fits")


def write_fits_after_another(frame, path):
    """Write a table of one row before the galaxies, as LDAC files have it."""
    header = fits.BinTableHDU(Table({"Field Header Card": ["SIMPLE = T"]}))
    fits.HDUList([fits.PrimaryHDU(), header, fits.BinTableHDU(Table.from_pandas(frame))]).writeto(path)


def write_gzipped(frame, path):
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))


def write_names_in_comment(frame, path):
    path.write_text("# shapes\n# x y e1 e2\n" + frame.to_csv(index=False, header=False, sep=" "))


WRITERS = {
    "commas": lambda frame, path: frame.to_csv(path, index=False),
    "semicolons": lambda frame, path: frame.to_csv(path, index=False, sep=";"),
    "tabs": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "spaces": lambda frame, path: path.write_text(frame.to_string(index=False)),
    "byte order mark": lambda frame, path: frame.to_csv(path, index=False, encoding="utf-8-sig"),
    "names in a comment": write_names_in_comment,
    "gzipped": write_gzipped,
    "ecsv": lambda frame, path: Table.from_pandas(frame).write(path, format="ascii.ecsv"),
    "fits": write_fits,
    "fits, second table": write_fits_after_another,
    "parquet": lambda frame, path: frame.to_parquet(path),
}


def assert_one_line(error, *parts):
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


# Formats


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("suffix", ["cat", "csv"])
def test_galaxies_do_not_depend_on_the_format_or_the_suffix(tmp_path, galaxies, write, suffix):
    path = tmp_path / f"field.{suffix}"
    write(galaxies, path)
    catalog = read_catalog(path)
    for name in galaxies:
        assert_array_equal(getattr(catalog, name), galaxies[name])
    assert (catalog.name, len(catalog), catalog.n_dropped) == (path.name, N, 0)
    assert catalog.weight is catalog.size is catalog.ra is catalog.dec is catalog.wcs is None


@pytest.mark.parametrize("separators", [",", ",,"])
def test_separators_after_the_last_value_are_ignored(as_csv, galaxies, separators):
    path = as_csv(galaxies)
    path.write_text(path.read_text().replace("\n", f"{separators}\n").replace(f"e2{separators}", "e2"))
    assert_array_equal(read_catalog(path).e2, galaxies["e2"])


def test_bounds_are_those_of_the_galaxies(as_csv, galaxies):
    x, y = galaxies["x"], galaxies["y"]
    assert read_catalog(as_csv(galaxies)).bounds == (x.min(), x.max(), y.min(), y.max())


def test_catalogue_is_read_only(as_csv, galaxies):
    catalog = read_catalog(as_csv(galaxies))
    with pytest.raises(ValueError, match="read-only"):
        catalog.e1[0] = 0.0
    with pytest.raises(FrozenInstanceError):
        catalog.name = "another"


def test_unused_columns_of_words_are_ignored(as_csv, galaxies):
    galaxies.insert(0, "GalaxyID", [f"Galaxy{k}" for k in range(N)])
    assert len(read_catalog(as_csv(galaxies))) == N


def test_import_loads_no_table_library():
    heavy = "{'astropy', 'pandas', 'pyarrow'}"
    code = f"import sys, darkmatter_features.io.catalogs; assert not {heavy} & {{m.split('.')[0] for m in sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)


# Choice of columns


@pytest.mark.parametrize(
    "names",
    [
        ("X_IMAGE", "Y_IMAGE", "E1", "E2", "WEIGHT"),
        ("x_pix", "y_pix", "gamma1", "gamma2", "w"),
        ("Xpos", "Ypos", "e_1", "e_2", "shape_weight"),
        ("xc", "yc", "ELL1", "ELL2", "w_iv"),
        ("XWIN_IMAGE", "YWIN_IMAGE", "GAMMA1", "GAMMA2", "wt"),
        ("x", "y", "g1", "g2", "weights"),
    ],
)
def test_common_names_are_recognised(as_csv, galaxies, names):
    galaxies["weight"] = np.arange(1.0, N + 1)
    catalog = read_catalog(as_csv(galaxies.set_axis(list(names), axis=1)))
    for name in galaxies:
        assert_array_equal(getattr(catalog, name), galaxies[name])


def test_given_names_have_priority_whatever_their_case(as_csv, galaxies):
    galaxies["E1_corr"], galaxies["scale"] = galaxies["e1"] / 2, 3.0
    catalog = read_catalog(as_csv(galaxies), e1="e1_CORR", size="scale")
    assert_array_equal(catalog.e1, galaxies["e1"] / 2)
    assert_array_equal(catalog.size, 3.0)


def test_two_columns_with_common_names_are_rejected_unless_one_is_given(as_csv, galaxies):
    galaxies["g1"] = galaxies["e1"] / 2
    path = as_csv(galaxies)
    with pytest.raises(TableError) as error:
        read_catalog(path)
    assert_one_line(error, str(path), "2 columns that may be e1: e1, g1", "--e1 (Python: e1=)")
    assert_array_equal(read_catalog(path, e1="g1").e1, galaxies["g1"])


def test_names_that_differ_only_in_case_must_be_exact(as_csv, galaxies):
    galaxies["shape"], galaxies["Shape"] = galaxies["e1"], galaxies["e1"] / 2
    path = as_csv(galaxies.drop(columns="e1"))
    with pytest.raises(TableError) as error:
        read_catalog(path, e1="SHAPE")
    assert_one_line(error, "2 columns shape, Shape for e1")
    assert_array_equal(read_catalog(path, e1="Shape").e1, galaxies["Shape"])


@pytest.mark.parametrize("missing", ["x", "y", "e1", "e2"])
def test_error_for_a_missing_column_lists_the_present_ones(as_csv, galaxies, missing):
    path = as_csv(galaxies.drop(columns=missing))
    with pytest.raises(TableError) as error:
        read_catalog(path)
    assert_one_line(
        error,
        str(path),
        f"no column that may be {missing}",
        f"--{missing} (Python: {missing}=)",
        *set(galaxies) - {missing},
    )


def test_error_for_an_unknown_column_lists_the_present_ones(as_csv, galaxies):
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(galaxies), weight="lensfit")
    assert_one_line(error, "no column lensfit for weight", "x, y, e1, e2")


def test_error_lists_a_dozen_of_hundreds_of_columns(as_csv, galaxies):
    magnitudes = pd.DataFrame(20.0, index=galaxies.index, columns=[f"mag{k}" for k in range(300)])
    wide = pd.concat([galaxies.drop(columns="e1"), magnitudes], axis=1)
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(wide))
    assert_one_line(error, "(303 in all)")
    assert len(str(error.value)) < 400


# Unusable rows


def test_rows_without_a_usable_shape_are_dropped_and_counted(as_csv, galaxies):
    galaxies["weight"], galaxies["size"] = 2.0, np.nan
    galaxies.loc[0, "e1"] = np.nan
    galaxies.loc[1, "x"] = np.inf
    galaxies.loc[2, ["e1", "e2"]] = 0.8, -0.6  # |e| = 1
    galaxies.loc[3, "e2"] = -99.0
    galaxies.loc[4, "weight"] = 0.0
    galaxies.loc[5:6, "weight"] = np.nan, np.inf
    catalog = read_catalog(as_csv(galaxies))
    assert catalog.n_dropped == 7
    assert_array_equal(catalog.y, galaxies["y"][7:])
    assert_array_equal(catalog.weight, 2.0)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_empty_fields_are_missing_values(as_csv, galaxies, separator):
    galaxies.loc[:2, "y"] = np.nan
    galaxies.insert(0, "mag", np.nan)
    catalog = read_catalog(as_csv(galaxies, sep=separator))
    assert catalog.n_dropped == 3
    assert_array_equal(catalog.e2, galaxies["e2"][3:])


@pytest.mark.parametrize("kind", ["fits", "ecsv"])
def test_masked_values_are_missing_values(tmp_path, galaxies, kind):
    table, path = Table.from_pandas(galaxies), tmp_path / "field.cat"
    table["weight"] = MaskedColumn(np.full(N, 7), mask=np.arange(N) < 3, fill_value=99)
    table.write(path, format={"fits": "fits", "ecsv": "ascii.ecsv"}[kind])
    catalog = read_catalog(path)
    assert catalog.n_dropped == 3
    assert_array_equal(catalog.weight, 7.0)


def test_fewer_than_ten_galaxies_are_rejected(as_csv, galaxies):
    assert len(read_catalog(as_csv(galaxies[:10]))) == 10
    galaxies.loc[0, "e1"] = 1.5
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(galaxies[:10]))
    assert_one_line(error, "9 of 10 rows", "10 are needed")


def test_galaxies_on_one_line_are_rejected(as_csv, galaxies):
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(galaxies.assign(y=7.0)))
    assert_one_line(error, "on one line", "y=)")


# RA and Dec


def test_positions_from_ra_and_dec_are_arcmin_west_and_north(as_csv, on_sky):
    """The field crosses RA = 0. Offsets by astropy differ from the gnomonic projection by a fraction of 1e-5 here."""
    catalog = read_catalog(as_csv(on_sky))
    centre = SkyCoord(*catalog.wcs.wcs.crval, unit="deg")
    east, north = centre.spherical_offsets_to(SkyCoord(on_sky["RA"].to_numpy(), on_sky["Dec"].to_numpy(), unit="deg"))
    assert_allclose(catalog.x, -east.arcmin, atol=3e-3)
    assert_allclose(catalog.y, north.arcmin, atol=3e-3)
    assert_allclose(catalog.e2, on_sky["e2"], atol=5e-3)  # north at a galaxy is 0.13 degrees from that of the centre
    assert_array_equal(catalog.ra, on_sky["RA"])


def test_projection_gives_ra_and_dec_back(as_csv, on_sky):
    catalog = read_catalog(as_csv(on_sky))
    ra, dec = catalog.wcs.wcs_pix2world(catalog.x, catalog.y, 0)
    assert_allclose((ra - on_sky["RA"] + 180) % 360, 180, atol=1e-9)
    assert_allclose(dec, on_sky["Dec"], atol=1e-9)


def test_a_field_over_the_pole_is_projected(as_csv, on_sky):
    on_sky["RA"], on_sky["Dec"] = np.linspace(0, 360, N, endpoint=False), 89.5
    catalog = read_catalog(as_csv(on_sky))
    assert_allclose(np.hypot(catalog.x, catalog.y), 60 * np.rad2deg(np.tan(np.deg2rad(0.5))), rtol=1e-9)


def test_pixels_have_priority_unless_ra_and_dec_are_given(as_csv, galaxies, on_sky):
    path = as_csv(pd.concat([galaxies, on_sky[["RA", "Dec"]]], axis=1))
    assert_array_equal(read_catalog(path).x, galaxies["x"])
    assert_array_equal(read_catalog(path).dec, on_sky["Dec"])
    given = read_catalog(path, ra="ra", dec="dec")
    assert np.abs(given.x).max() < 20
    assert given.wcs is not None


def test_ra_without_dec_is_ignored_if_there_are_pixels(as_csv, galaxies, on_sky):
    assert read_catalog(as_csv(galaxies.assign(ra=on_sky["RA"]))).ra is None


def test_flip_e2_changes_the_sign_of_e2(as_csv, galaxies):
    catalog = read_catalog(as_csv(galaxies), flip_e2=True)
    assert_array_equal(catalog.e2, -galaxies["e2"])
    assert_array_equal(catalog.e1, galaxies["e1"])


def test_survey_is_rejected_as_too_wide(as_csv, on_sky):
    on_sky["RA"] = np.linspace(100, 160, N)
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(on_sky))
    assert_one_line(error, "23 degrees from its centre", "divide it into fields")


def test_directions_that_are_not_degrees_are_rejected(as_csv, on_sky):
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(on_sky), ra="Dec", dec="RA")
    assert_one_line(error, "Dec 359.9", "give degrees")


@pytest.mark.parametrize("key", ["ra", "dec"])
def test_ra_or_dec_alone_is_rejected(as_csv, galaxies, on_sky, key):
    column = {"ra": "RA", "dec": "Dec"}[key]
    other = {"ra": "dec", "dec": "ra"}[key]
    with pytest.raises(TableError) as error:
        read_catalog(as_csv(galaxies.assign(**{column: on_sky[column]})), **{key: column})
    assert_one_line(error, f"no column that may be {other}", f"--{other} (Python: {other}=)")


# Rejected files


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "has no row"),
        (b"1,2,0.1,0.2\n2,3,0.1,0.2\n", "has no column names"),
        (b"PAR1" + b"\0" * 40, "cannot be read as a table"),
        (b"SIMPLE  =                    T" + b"\0" * 40, "cannot be read as a table"),
        (b"# %ECSV 1.0\n# ---\n# nonsense: [\nx y\n", "cannot be read as a table"),
        (b"\x1f\x8b" + b"\0" * 40, "cannot be read as a table"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(128, 200)), "cannot be read as a table"),
        (b"x,y,e1,e2\n1,2,.1,.2\n1,2,.1,.2,3,4,5\n", "cannot be read as a table"),
        (b"x,y,e1,e2\n" + b"3,4,1,2,.1,.2\n" * 20, "row 1 has more values than the 4 named columns"),
        (b"x,y,e1,e2\n1,2,.1,.2\n1,2,.1,.2,3\n", "row 2 has more values than the 4 named columns"),
    ],
)
def test_file_that_is_not_a_table_is_rejected_in_one_line(tmp_path, content, found):
    path = tmp_path / "field.cat"
    path.write_bytes(content)
    with pytest.raises(TableError) as error:
        read_catalog(path)
    assert_one_line(error, str(path), found)


@pytest.mark.parametrize(("name", "found"), [("missing.fits", "does not exist"), ("", "is a folder")])
def test_path_without_a_file_is_rejected(tmp_path, name, found):
    with pytest.raises(TableError) as error:
        read_catalog(tmp_path / name)
    assert_one_line(error, str(tmp_path), found)


def test_fits_image_is_rejected(tmp_path):
    fits.PrimaryHDU(np.zeros((8, 8), np.float32)).writeto(tmp_path / "sky.fits")
    with pytest.raises(TableError) as error:
        read_catalog(tmp_path / "sky.fits")
    assert_one_line(error, "contains images but no table")


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_column_of_words_is_rejected(tmp_path, galaxies, write):
    if write is write_names_in_comment:
        galaxies = galaxies.astype({"x": str})
        galaxies.loc[3, "x"] = "bad"
    else:
        galaxies["x"] = ["12h30m"] * N
    write(galaxies, tmp_path / "field.cat")
    with pytest.raises(TableError) as error:
        read_catalog(tmp_path / "field.cat")
    assert_one_line(error, "column x contains", "not numbers")


def test_column_with_several_values_per_row_is_rejected(tmp_path, galaxies):
    table = Table.from_pandas(galaxies)
    table["e1"] = np.zeros((N, 2))
    table.write(tmp_path / "field.fits")
    with pytest.raises(TableError) as error:
        read_catalog(tmp_path / "field.fits")
    assert_one_line(error, "column e1 has 2 values per row")


def test_python_calls_in_a_table_are_not_run(tmp_path, galaxies):
    """ECSV stores objects as JSON; a YAML tag with a Python call is rejected."""
    path = tmp_path / "field.ecsv"
    Table.from_pandas(galaxies).write(path, format="ascii.ecsv")
    mark = tmp_path / "called"
    tag = f"# meta: !!python/object/apply:os.mkdir ['{mark}']\n# datatype:"
    path.write_text(path.read_text().replace("# datatype:", tag, 1))
    with pytest.raises(TableError):
        read_catalog(path)
    assert not mark.exists()
