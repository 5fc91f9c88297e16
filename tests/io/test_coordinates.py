from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.coordinates import sky_position


def catalog_on(wcs, rng, n=400, side=4000.0):
    """Return galaxies with x and y in pixels, and RA and Dec by the projection of a camera."""
    x, y = rng.uniform(0, side, (2, n))
    ra, dec = wcs.wcs_pix2world(x, y, 0)
    e = np.zeros(n)
    return ShapeCatalog("camera.csv", x, y, e, e.copy(), None, None, ra, dec, (0.0, side, 0.0, side))


def camera(ra, dec, *, scale=0.2 / 3600, roll=0.4):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [2000.0, 2000.0]
    wcs.wcs.cd = scale * np.array([[-np.cos(roll), np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return wcs


@pytest.mark.parametrize("centre", [(150.0, 2.0), (0.01, -30.0), (200.0, 89.9)], ids=["equator", "0 h", "pole"])
@pytest.mark.parametrize("position", [(1800.0, 2500.0), (20.0, 3980.0)], ids=["inside", "corner"])
def test_ra_and_dec_of_a_position_are_those_of_the_camera(rng, centre, position):
    """The tolerance is 0.05 arcsec, a quarter of a pixel."""
    wcs = camera(*centre)
    ra, dec = sky_position(catalog_on(wcs, rng), *position)
    true_ra, true_dec = wcs.wcs_pix2world([position], 0)[0]
    apart = np.hypot((ra - true_ra + 180) % 360 - 180, 0) * np.cos(np.deg2rad(true_dec)), dec - true_dec
    assert np.hypot(*apart) * 3600 < 0.05
    assert 0 <= ra < 360


def test_rows_without_ra_and_dec_are_ignored(rng):
    wcs = camera(150.0, 2.0)
    catalog = catalog_on(wcs, rng)
    lacking = rng.random(len(catalog)) < 0.3
    catalog = replace(catalog, ra=np.where(lacking, np.nan, catalog.ra), dec=np.where(lacking, 99.0, catalog.dec))
    assert sky_position(catalog, 1800.0, 2500.0) == pytest.approx(wcs.wcs_pix2world([[1800.0, 2500.0]], 0)[0], abs=1e-5)


def test_ra_and_dec_that_do_not_belong_to_x_and_y_give_no_position(rng):
    catalog = catalog_on(camera(150.0, 2.0), rng)
    assert sky_position(replace(catalog, ra=rng.permutation(catalog.ra)), 1800.0, 2500.0) is None
    assert sky_position(replace(catalog, ra=None, dec=None), 1800.0, 2500.0) is None
    near = np.hypot(catalog.x - 1800, catalog.y - 2500) < 1000
    for noise, is_known in ((0.01, True), (0.2, False)):
        off = noise * catalog.dec[near].std() * rng.normal(size=len(catalog))
        assert (sky_position(replace(catalog, dec=catalog.dec + off), 1800.0, 2500.0) is not None) == is_known
    assert sky_position(replace(catalog, ra=np.full(len(catalog), np.nan)), 1800.0, 2500.0) is None
