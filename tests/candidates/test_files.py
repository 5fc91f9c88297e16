"""Files of candidates: units, UCDs, regions, and the celestial coordinates of the maps."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from astropy.io.votable.ucd import parse_ucd
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose

from darkmatter_features.candidates.batch import write_candidates
from darkmatter_features.candidates.find import Candidate, Candidates
from darkmatter_features.candidates.known import KnownLenses
from darkmatter_features.candidates.table import COLUMNS, KNOWN_COLUMNS
from darkmatter_features.errors import TableError
from darkmatter_features.location.locate import locate
from tests.support.located import THETA_E, catalog_of, galaxies

NAMES = ("candidates.ecsv", "candidates.fits", "candidates.png", "candidates.reg", "candidates.vot")
FILES = [*NAMES, "cross.fits", "empty.fits", "profiles.ecsv", "snr.fits"]


@pytest.fixture(scope="module")
def plain():
    """A catalogue with a lens, and its candidate."""
    catalog = galaxies(np.random.default_rng(2), theta_e=THETA_E)
    return catalog, candidates_of(catalog)


@pytest.fixture(scope="module")
def sky():
    """The same in arcmin on a tangent plane about RA 200, Dec 60."""
    made = galaxies(np.random.default_rng(2), theta_e=THETA_E)
    catalog = catalog_of((made.x - 2100 + 1j * (made.y - 2100)) / 200, made.e1 + 1j * made.e2)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [200.0, 60.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [1.0, 1.0], [-1.0 / 60.0, 1.0 / 60.0]
    catalog = replace(catalog, wcs=wcs)
    return catalog, candidates_of(catalog)


def candidates_of(catalog):
    one = locate(catalog)
    ra, dec = (np.nan, np.nan) if catalog.wcs is None else catalog.wcs.wcs_pix2world([[one.x, one.y]], 0)[0]
    numbers = one.position_error, one.snr, one.snr_cross, one.log_bayes_factor, 0.05
    return Candidates((Candidate(one.x, one.y, float(ra), float(dec), *numbers, one.profile, 1.5, 40, 0.3, True),), one)


def test_tables_have_units_ucds_and_the_same_values(tmp_path, sky):
    catalog, found = sky
    write_candidates(tmp_path, catalog, found)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    columns = [column for column in COLUMNS if column.name not in KNOWN_COLUMNS]
    for suffix in ("ecsv", "fits", "vot"):
        table = Table.read(tmp_path / f"candidates.{suffix}")
        assert table.colnames == [column.name for column in columns]
        assert [str(table[name].unit) for name in ("ra", "x", "position_error", "scale")] == ["deg", *["arcmin"] * 3]
        for column in columns:
            assert table[column.name][0] == getattr(found[0], column.name)
    header = fits.getheader(tmp_path / "candidates.fits", 1)
    assert header["TUCD1"] == "pos.eq.ra;meta.main"
    assert Table.read(tmp_path / "candidates.ecsv")["snr"].meta["ucd"] == "stat.snr"


def test_the_votable_has_units_valid_ucds_and_the_notes(tmp_path, sky):
    catalog, found = sky
    catalog = replace(catalog, notes=("columns ra, dec, e1, e2", "e = <(a - b) / (a + b)>"))
    write_candidates(tmp_path, catalog, found)
    table = parse(tmp_path / "candidates.vot").get_first_table()
    assert [field.ucd for field in table.fields][:2] == ["pos.eq.ra;meta.main", "pos.eq.dec;meta.main"]
    assert {field.name: str(field.unit) for field in table.fields}["position_error"] == "arcmin"
    assert " ".join(table.description.split()).endswith("e = <(a - b) / (a + b)>")
    assert all(field.description for field in table.fields)


def test_all_ucds_are_words_of_the_standard():
    for column in COLUMNS:
        parse_ucd(column.ucd, check_controlled_vocabulary=True)


def test_regions_are_circles_of_the_position_error(tmp_path, sky, plain):
    write_candidates(tmp_path / "sky", *sky)
    system, circle = (tmp_path / "sky" / "candidates.reg").read_text().splitlines()[1:]
    found = sky[1][0]
    assert system == "fk5"
    assert_allclose([float(word) for word in circle[7:].split('"')[0].split(",")],
                    [found.ra, found.dec, 60 * found.position_error], rtol=1e-5)  # fmt: skip
    write_candidates(tmp_path / "plain", *plain)
    system, circle = (tmp_path / "plain" / "candidates.reg").read_text().splitlines()[1:]
    assert system == "physical"
    assert circle.startswith(f"circle({plain[1][0].x:.9g},")


def test_the_peak_of_the_map_has_the_celestial_coordinates_of_the_lens(tmp_path, sky):
    catalog, found = sky
    write_candidates(tmp_path, catalog, found)
    values, header = fits.getdata(tmp_path / "snr.fits", header=True)
    row, column = np.unravel_index(values.argmax(), values.shape)
    ra, dec = WCS(header).wcs_pix2world([[column, row]], 0)[0]
    expected = catalog.wcs.wcs_pix2world([[found.field.columns[column], found.field.rows[row]]], 0)[0]
    assert_allclose((ra, dec), expected, atol=1e-9)
    assert np.hypot((ra - found[0].ra) * np.cos(np.deg2rad(60)), dec - found[0].dec) * 60 < 3 * found[0].position_error


def test_without_ra_and_dec_the_axes_of_the_map_are_x_and_y(tmp_path, plain):
    catalog, found = plain
    write_candidates(tmp_path, catalog, found)
    wcs = WCS(fits.getheader(tmp_path / "cross.fits"))
    assert_allclose(wcs.wcs_pix2world([[7, 9]], 0)[0], (found.field.columns[7], found.field.rows[9]))
    assert "ra" not in Table.read(tmp_path / "candidates.ecsv").colnames
    assert Table.read(tmp_path / "candidates.ecsv")["x"].unit is None


def test_a_field_without_candidates_has_all_files(tmp_path, plain):
    catalog, found = plain
    write_candidates(tmp_path, catalog, Candidates((), found.field), theme="light")
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for suffix in ("ecsv", "fits", "vot"):
        assert len(Table.read(tmp_path / f"candidates.{suffix}")) == 0


def test_known_lenses_are_columns_of_the_table_in_arcmin_or_the_unit_of_x_and_y(tmp_path, sky, plain):
    catalog, found = sky
    known = KnownLenses("list.csv", ("A1", "A2"), sky=np.array([[found[0].ra, found[0].dec + 0.1], [100.0, 0.0]]))
    assert write_candidates(tmp_path / "sky", catalog, found, known=known)[0].known_name == "A1"
    for suffix in ("ecsv", "fits", "vot"):
        table = Table.read(tmp_path / "sky" / f"candidates.{suffix}")
        assert table.colnames[-3:] == list(KNOWN_COLUMNS)
        assert str(table["known_name"][0]) == "A1"
        assert_allclose(table["known_separation"][0], 6.0, rtol=1e-6)
        assert str(table["known_separation"].unit) == "arcmin"
    catalog, found = plain
    with pytest.raises(TableError, match=r"list\.csv lists known lenses by RA and Dec, which field\.csv lacks"):
        write_candidates(tmp_path / "plain", catalog, found, known=known)
    plane = KnownLenses("list.csv", ("B1",), plane=np.array([[found[0].x + 3, found[0].y + 4]]))
    write_candidates(tmp_path / "plain", catalog, found, known=plane)
    table = Table.read(tmp_path / "plain" / "candidates.ecsv")
    assert table["known_separation"].unit is None
    assert_allclose(table["known_separation"][0], 5.0)
    assert np.isnan(table["known_chance"][0])
