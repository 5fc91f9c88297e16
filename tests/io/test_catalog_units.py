"""Angles in the unit that the file states."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_allclose

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog
from tests.support.shape_tables import galaxies, on_sky

SKY = on_sky(galaxies(), 150.0, 20.0)
FORMATS = {"fits": "fits", "ecsv": "ascii.ecsv", "votable": "votable", "ipac": "ascii.ipac", "parquet": "parquet"}


def assert_on_sky(catalog, atol=1e-9):
    assert_allclose(catalog.ra, SKY["ra"], atol=atol)
    assert_allclose(catalog.dec, SKY["dec"], atol=atol)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("unit", [u.rad, u.arcmin, u.arcsec, u.deg], ids=str)
def test_angles_are_read_in_the_unit_of_the_file(tmp_path, form, unit):
    table = Table.from_pandas(SKY)
    table["ra"], table["dec"] = (np.asarray(SKY[key]) * u.deg for key in ("ra", "dec"))
    table["ra"], table["dec"] = table["ra"].to(unit), table["dec"].to(unit)
    table.write(tmp_path / "a", format=form)
    catalog = read_catalog(tmp_path / "a")
    assert_on_sky(catalog)
    assert (f"ra from {unit}, dec from {unit}" in catalog.notes) == (unit != u.deg)


@pytest.mark.parametrize("unit", ["hourangle", "h", "hr", "hour", "hours", "HOURS", "[h]"])
def test_hours_are_fifteen_degrees(tmp_path, unit):
    columns = [fits.Column(name, "D", unit if name == "ra" else "deg", array=SKY[name].to_numpy()) for name in SKY]
    columns[0].array = SKY["ra"].to_numpy() / 15.0
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a")
    assert_on_sky(read_catalog(tmp_path / "a"))


@pytest.mark.parametrize("unit", ["radians", "Radian", "RAD", "'rad'"])
def test_spellings_of_radians_are_understood(tmp_path, unit):
    columns = [fits.Column(name, "D", array=SKY[name].to_numpy()) for name in SKY]
    for column in columns[:2]:
        column.array, column.unit = np.deg2rad(column.array), unit
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a")
    assert_on_sky(read_catalog(tmp_path / "a"))


@pytest.mark.parametrize("names", [("RA [rad]", "Dec [rad]"), ("ra(rad)", "dec (rad)"), ("ra_rad", "dec_radians")])
def test_units_in_names_are_understood(tmp_path, names):
    table = SKY.assign(ra=np.deg2rad(SKY["ra"]), dec=np.deg2rad(SKY["dec"]))
    table.set_axis([*names, "e1", "e2"], axis=1).to_csv(tmp_path / "a.csv", index=False)
    assert_on_sky(read_catalog(tmp_path / "a.csv"))


def as_words(separator):
    ra = Angle(SKY["ra"].to_numpy(), "deg").to_string(u.hourangle, sep=separator, precision=6, pad=True)
    dec = Angle(SKY["dec"].to_numpy(), "deg").to_string(u.deg, sep=separator, precision=5, alwayssign=True, pad=True)
    return SKY.assign(ra=ra, dec=dec)


@pytest.mark.parametrize("separator", [":", " ", "hms"])
def test_sexagesimal_ra_is_in_hours_and_dec_in_degrees(tmp_path, separator):
    table = as_words(separator)
    if separator == "hms":
        table["dec"] = table["dec"].str.replace("h", "d")
    table.to_csv(tmp_path / "a.csv", index=False)
    catalog = read_catalog(tmp_path / "a.csv")
    assert_on_sky(catalog, atol=1e-7)
    assert "ra from sexagesimal, dec from sexagesimal" in catalog.notes


def test_sexagesimal_words_in_fits_may_have_gaps(tmp_path):
    table = as_words(":")
    table.loc[:2, "ra"] = ""
    Table.from_pandas(table).write(tmp_path / "a.fits")
    catalog = read_catalog(tmp_path / "a.fits")
    assert catalog.n_dropped == 3
    assert_allclose(catalog.ra, SKY["ra"][3:], atol=1e-7)


def test_sexagesimal_southern_declinations_keep_their_sign(tmp_path):
    south = on_sky(galaxies(), 150.0, -0.1)
    dec = Angle(south["dec"].to_numpy(), "deg").to_string(u.deg, sep=":", precision=5)
    south.assign(dec=dec).to_csv(tmp_path / "a.csv", index=False)
    assert_allclose(read_catalog(tmp_path / "a.csv").dec, south["dec"], atol=1e-7)


@pytest.mark.parametrize("unit", ["furlong", "m", "parsnip/s"])
def test_an_unknown_unit_of_a_position_is_refused_by_name(tmp_path, unit):
    columns = [fits.Column(name, "D", unit if name == "ra" else None, array=SKY[name].to_numpy()) for name in SKY]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a")
    with pytest.raises(TableError, match=f"column ra has the unit {unit!r}, which is no angle"):
        read_catalog(tmp_path / "a")


def test_pixels_need_no_unit_of_ra(tmp_path):
    frame = galaxies().assign(ra=SKY["ra"], dec=SKY["dec"])
    columns = [fits.Column(name, "D", "furlong" if name == "ra" else None, array=frame[name]) for name in frame]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a")
    assert read_catalog(tmp_path / "a").ra is None


def test_x_and_y_in_two_units_become_one(tmp_path):
    table = Table.from_pandas(galaxies())
    table["x"].unit, table["y"].unit = "arcsec", "arcmin"
    table.write(tmp_path / "a.fits")
    assert_allclose(read_catalog(tmp_path / "a.fits").y, galaxies()["y"] * 60)
    table["y"].unit = "pix"
    table.write(tmp_path / "b.fits")
    with pytest.raises(TableError, match=r"x is in 'arcsec' and y in 'pix', which cannot be compared"):
        read_catalog(tmp_path / "b.fits")


def test_percent_are_hundredths(tmp_path):
    table = Table.from_pandas(galaxies())
    for name in ("e1", "e2"):
        table[name] *= 100
        table[name].unit = "%"
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv")
    assert_allclose(read_catalog(tmp_path / "a.ecsv").e1, galaxies()["e1"])


def test_scaled_integers_are_read_with_their_null(tmp_path):
    """TNULL is a value before TSCAL and TZERO are applied."""
    raw = np.rint(galaxies()["x"].to_numpy() * 5 - 10000).astype(np.int16)
    raw[:4] = -32768
    columns = [fits.Column(name, "D", array=galaxies()[name].to_numpy()) for name in ("y", "e1", "e2")]
    fits.BinTableHDU.from_columns([*columns, fits.Column("x", "I", array=raw)]).writeto(tmp_path / "a.fits")
    for key, value in {"TSCAL4": 0.2, "TZERO4": 2000.0, "TNULL4": -32768}.items():
        fits.setval(tmp_path / "a.fits", key, value=value, ext=1)
    catalog = read_catalog(tmp_path / "a.fits")
    assert catalog.n_dropped == 4
    assert_allclose(catalog.x, galaxies()["x"][4:], atol=0.11)


def test_unsigned_integers_are_read_with_their_null(tmp_path):
    x = np.rint(galaxies()["x"]).astype(np.uint16)
    x[:4] = 65535
    columns = [fits.Column(name, "D", array=galaxies()[name].to_numpy()) for name in ("y", "e1", "e2")]
    columns.append(fits.Column("x", "I", bzero=32768, null=32767, array=x))
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    assert read_catalog(tmp_path / "a.fits").n_dropped == 4


def test_text_tables_in_fits_have_nulls(tmp_path):
    columns = [fits.Column(name, "F12.6", array=galaxies()[name].to_numpy()) for name in galaxies()]
    columns[0].null = "***"
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    first = f"{galaxies()['x'][0]:12.6f}".encode()
    assert content.count(first) == 1
    (tmp_path / "a.fits").write_bytes(content.replace(first, b"***         "))
    catalog = read_catalog(tmp_path / "a.fits")
    assert catalog.n_dropped == 1
    assert_allclose(catalog.x, galaxies()["x"][1:])


@pytest.mark.parametrize("ruled", [True, False])
def test_units_below_the_names_are_used(tmp_path, ruled):
    table = SKY.assign(ra=np.deg2rad(SKY["ra"]), dec=np.deg2rad(SKY["dec"]))
    names, *rows = table.to_csv(index=False, sep="\t").splitlines()
    lines = [names, "rad\trad\t \t", *(["---\t---\t---\t---"] if ruled else []), *rows]
    (tmp_path / "a.tsv").write_text("#VizieR\n" + "\n".join(lines))
    assert_on_sky(read_catalog(tmp_path / "a.tsv"))
