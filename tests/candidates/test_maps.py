"""Maps: a tangent plane fitted where the catalogue has both positions, and the aperture mass."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_allclose

from darkmatter_features.candidates.aperture_mass import FILTERS, aperture_mass, aperture_radii, schirmer, schneider
from darkmatter_features.candidates.maps import map_header, write_aperture_mass
from darkmatter_features.candidates.projection import field_projection
from darkmatter_features.location.field import field_of
from darkmatter_features.location.locate import locate
from darkmatter_features.location.profiles import default_profiles
from tests.support.located import LENS, SIDE, THETA_E, galaxies


def with_sky(catalog, *, turn=35.0, parity=-1.0, ra=359.99, dec=60.0, distortion=0.0):
    """Return the catalogue with RA and Dec on a rotated tangent plane of 0.2 arcsec a pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, dec], [SIDE / 2, SIDE / 2]
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    wcs.wcs.cdelt, wcs.wcs.pc = [0.2 / 3600] * 2, [[parity * c, -parity * s], [s, c]]
    r2 = ((catalog.x - SIDE / 2) ** 2 + (catalog.y - SIDE / 2) ** 2) / SIDE**2
    x, y = (SIDE / 2 + (each - SIDE / 2) * (1 + distortion * r2) for each in (catalog.x, catalog.y))
    sky = wcs.wcs_pix2world(np.stack([x, y], axis=1), 0)
    return replace(catalog, ra=sky[:, 0].copy(), dec=sky[:, 1].copy()), wcs


@pytest.mark.parametrize(("turn", "parity"), [(0.0, -1.0), (35.0, -1.0), (200.0, 1.0)])
def test_maps_have_the_tangent_plane_of_a_catalogue_with_pixels_and_sky(turn, parity):
    catalog, wcs = with_sky(galaxies(np.random.default_rng(1), theta_e=THETA_E), turn=turn, parity=parity)
    located = locate(catalog)
    fitted = WCS(map_header(catalog, located))
    for column, row in ((0, 0), (199, 0), (60, 150)):
        expected = SkyCoord(*wcs.wcs_pix2world([[located.columns[column], located.rows[row]]], 0)[0], unit="deg")
        found = SkyCoord(*fitted.wcs_pix2world([[column, row]], 0)[0], unit="deg")
        assert expected.separation(found).arcsec < 0.02


def test_a_camera_with_distortion_has_a_plane_and_directions_of_others_have_none():
    catalog = galaxies(np.random.default_rng(1), n=500)
    sky = with_sky(catalog, distortion=0.005)[0]
    assert field_projection(sky) is not None
    order = np.random.default_rng(2).permutation(500)
    assert field_projection(replace(sky, ra=sky.ra[order], dec=sky.dec[order])) is None
    assert field_projection(catalog) is None
    few = np.where(np.arange(500) < 5, sky.ra, np.nan)
    assert field_projection(replace(sky, ra=few)) is None


def test_maps_of_directions_of_other_galaxies_have_the_axes_x_and_y():
    catalog = galaxies(np.random.default_rng(1), n=300)
    order = np.random.default_rng(2).permutation(300)
    sky = with_sky(catalog)[0]
    located = locate(catalog)
    header = map_header(replace(sky, ra=sky.ra[order], dec=sky.dec[order]), located)
    assert "RA" not in str(header.get("CTYPE1", ""))
    assert_allclose(WCS(header).wcs_pix2world([[7, 9]], 0)[0], (located.columns[7], located.rows[9]))


def test_filters_are_those_of_the_literature():
    x = np.linspace(0, 1, 100_001)
    assert_allclose(np.trapezoid(schneider(x) * 2 * np.pi * x, x), 1.0, rtol=1e-6)  # shear 1 gives M_ap 1
    assert schneider(np.array([1.0, 2.0])).max() == schirmer(np.array([1.0, 2.0])).max() == 0.0
    assert_allclose(schirmer(np.array([0.15])), np.tanh(1.0), rtol=1e-3)
    assert_allclose(schirmer(np.array([0.6])), np.tanh(4.0) / 4.0, rtol=1e-3)
    assert schirmer(np.array([0.0]))[0] < 0.01


@pytest.mark.parametrize("weighted", [False, True])
def test_aperture_mass_is_the_sum_over_the_galaxies_in_the_aperture(weighted):
    rng = np.random.default_rng(3)
    catalog = galaxies(rng, theta_e=THETA_E, n=300)
    field = field_of(replace(catalog, weight=rng.random(300)) if weighted else catalog, subtract_mean=False)
    columns, rows, radius = np.array([0.3, 0.4, 0.5]), np.array([0.5, 0.6]), 0.2
    for found, filter_ in zip(aperture_mass(field, columns, rows, radius), FILTERS.values(), strict=True):
        away = field.x - columns[1] + 1j * (field.y - rows[1])
        gamma_t = -((field.e1 + 1j * field.e2) * np.exp(-2j * np.angle(away))).real
        weight = field.weight * (np.abs(away) < radius)
        q = filter_(np.abs(away) / radius)
        assert_allclose(found.mass[1, 1], np.pi * (weight * q * gamma_t).sum() / weight.sum(), rtol=0.02)
        noise = np.sqrt(field.variance * (weight * q**2).sum())
        assert_allclose(found.snr[1, 1], (weight * q * gamma_t).sum() / noise, rtol=0.02)


def test_aperture_mass_peaks_at_the_lens_and_its_cross_shear_does_not():
    catalog = galaxies(np.random.default_rng(4), theta_e=2 * THETA_E, n=1000)
    field = field_of(catalog, subtract_mean=False)
    columns, rows = field.grid(50)
    radii = aperture_radii(default_profiles())
    assert radii == (0.133333, 0.24, 0.333333, 0.426667)
    for found in aperture_mass(field, columns, rows, radii[1]):
        row, column = np.unravel_index(found.snr.argmax(), found.snr.shape)
        assert np.hypot(SIDE * columns[column] - LENS[0], SIDE * rows[row] - LENS[1]) < 0.06 * SIDE
        assert found.snr.max() > 8
        assert abs(found.snr_cross[row, column]) < 3.5


def test_files_of_the_aperture_mass_have_filters_radii_and_the_projection(tmp_path):
    catalog, wcs = with_sky(galaxies(np.random.default_rng(1), theta_e=THETA_E))
    located = locate(catalog)
    write_aperture_mass(tmp_path, catalog, located, default_profiles())
    with fits.open(tmp_path / "aperture_mass.fits") as masses, fits.open(tmp_path / "aperture_mass_snr.fits") as snrs:
        assert len(masses) == 1 + 8
        assert len(snrs) == 1 + 16
        assert masses["MAP", 3].header["FILTER"] == "Schneider 1996"
        assert_allclose(masses["MAP", 3].header["RADIUS"], 0.24 * field_of(catalog, subtract_mean=False).side)
        assert snrs["SNR_CROSS", 8].data.shape == located.snr_map.shape
        expected = wcs.wcs_pix2world([[located.columns[10], located.rows[20]]], 0)
        assert_allclose(WCS(snrs["SNR", 2].header).wcs_pix2world([[10, 20]], 0), expected, atol=1e-5)
