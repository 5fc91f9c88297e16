"""Directions and shapes on the sky: turns, mirrors, distortions, RA 0, and transformations without an inverse."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from darkmatter_features.galaxies.noisy.sky_frame import sky_frame, transformed

PIXEL_SCALE = 0.2 / 3600
MATRICES = [np.array(m, dtype=float) for m in (
    [[1, 0], [0, 1]], [[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[-1, 0], [0, -1]],
    [[0, 1], [1, 0]], [[0, -1], [1, 0]], [[0, 1], [-1, 0]], [[0, -1], [-1, 0]],
)]  # fmt: skip
"""Matrices from pixels to the west and the north of the eight orientations of an image."""


def header(matrix=MATRICES[0], ra=150.0, dec=2.0, projection="TAN", **keys):
    """Return a header in which `matrix` leads from pixels to the west and to the north."""
    cd = PIXEL_SCALE * np.array([[-1.0, 0.0], [0.0, 1.0]]) @ matrix
    values = {"NAXIS": 2, "CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}", "CRVAL1": ra, "CRVAL2": dec}
    values |= {"CRPIX1": 500.5, "CRPIX2": 400.5, "CD1_1": cd[0, 0], "CD1_2": cd[0, 1], "CD2_1": cd[1, 0]}
    return fits.Header((values | {"CD2_2": cd[1, 1]} | keys).items())


@pytest.fixture
def sources(rng):
    """Offsets from the centre, pixels, and ellipticities."""
    z = rng.uniform(-300, 300, (2, 50))
    e = 0.6 * np.sqrt(rng.random(50)) * np.exp(2j * np.pi * rng.random(50))
    return *z, e.real, e.imag


def of_image(matrix, sources):
    """Return positions and shapes in the pixels of an image of that orientation, by the offsets on the sky."""
    x, y, e1, e2 = sources
    dx, dy = np.linalg.inv(matrix) @ np.array([x, y])
    turned = [np.linalg.inv(matrix) @ np.array([[a, b], [b, -a]]) @ np.linalg.inv(matrix).T for a, b in zip(e1, e2)]
    return dx + 499.5, dy + 399.5, np.array([t[0, 0] for t in turned]), np.array([t[0, 1] for t in turned])


@pytest.mark.parametrize("matrix", MATRICES)
def test_turns_and_mirrors_of_the_image_change_nothing_on_the_sky(sources, matrix):
    found = sky_frame(WCS(header(matrix)), *of_image(matrix, sources))
    upright = sky_frame(WCS(header()), *of_image(MATRICES[0], sources))
    for own, expected in zip(found, upright, strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-7)
    np.testing.assert_allclose(found.e1, sources[2], atol=2e-3)  # north turns by 0.03 deg over the field at dec 2
    np.testing.assert_allclose(found.e2, sources[3], atol=2e-3)


def test_shapes_point_to_the_north_and_the_west(sources):
    """A source long in columns, in an image with rows to the north, is east-west: e1 > 0."""
    found = sky_frame(WCS(header()), *(np.array([v]) for v in (499.5, 399.5, 0.3, 0.1)))
    assert (found.ra[0], found.dec[0]) == pytest.approx((150.0, 2.0))
    assert (found.e1[0], found.e2[0]) == pytest.approx((0.3, 0.1), abs=1e-6)
    west = sky_frame(WCS(header()), *(np.array([v]) for v in (599.5, 399.5, 0.0, 0.0)))
    assert west.ra[0] < 150.0


SIP = {
    "A_ORDER": 2, "B_ORDER": 2,
    "A_2_0": 3e-5, "A_1_1": -2e-5, "A_0_2": 1e-5, "B_2_0": 1e-5, "B_1_1": 2e-5, "B_0_2": -4e-5
}  # fmt: skip
TPV = {"PV1_0": 0.0, "PV1_1": 1.0, "PV1_2": 0.02, "PV1_4": 0.9, "PV2_0": 0.0, "PV2_1": 1.0, "PV2_5": 1.3, "PV2_6": -0.8}


@pytest.mark.parametrize(("projection", "keys"), [("TAN-SIP", SIP), ("TPV", TPV)])
@pytest.mark.parametrize("dec", [2.0, -60.0, 88.0])
def test_distortions_count(sources, projection, keys, dec):
    """Moments of a small ellipse of points, moved to the sky one by one: a difference over 0.25 pixels."""
    wcs = WCS(header(projection=projection, dec=dec, **keys))
    x, y, e1, e2 = of_image(MATRICES[0], sources)
    found = sky_frame(wcs, x, y, e1, e2)
    plain = sky_frame(WCS(header(dec=dec)), x, y, e1, e2)
    for k in range(10):
        root = np.array([[1 + e1[k], e2[k]], [e2[k], 1 - e1[k]]])
        phi = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        dx, dy = 0.25 * root @ np.array([np.cos(phi), np.sin(phi)])
        ra, dec_ = wcs.all_pix2world(x[k] + dx, y[k] + dy, 0)
        west = -((ra - found.ra[k] + 180.0) % 360.0 - 180.0) * np.cos(np.deg2rad(found.dec[k]))
        q = np.cov([west, dec_ - found.dec[k]], bias=True)
        expected = (q[0, 0] - q[1, 1] + 2j * q[0, 1]) / (np.trace(q) + 2 * np.sqrt(np.linalg.det(q)))
        assert complex(found.e1[k], found.e2[k]) == pytest.approx(expected, abs=2e-4)
    assert np.abs(found.e1 - plain.e1).max() > 3e-3  # the distortion is no small one


@pytest.mark.parametrize("ra", [0.0, 359.999, 0.002])
def test_fields_across_ra_0_have_the_shapes_of_others(sources, ra):
    own = of_image(MATRICES[1], sources)
    found, plain = sky_frame(WCS(header(MATRICES[1], ra=ra)), *own), sky_frame(WCS(header(MATRICES[1])), *own)
    np.testing.assert_allclose(found.e1, plain.e1, atol=1e-6)
    np.testing.assert_allclose(found.e2, plain.e2, atol=1e-6)
    assert ((found.ra >= 0.0) & (found.ra < 360.0)).all()
    assert (np.abs((found.ra - ra + 180.0) % 360.0 - 180.0) < 0.05).all()


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 2)), np.array([[1.0, 2.0], [0.5, 1.0]]), np.array([[1.0, 1.0], [1.0, 1.00001]])]
)
def test_singular_transformations_give_nan(sources, matrix):
    """wcslib refuses matrices without an inverse, and accepts those that nearly have none."""
    for own in sky_frame(WCS(header(matrix)), *of_image(MATRICES[0], sources)):
        assert np.isnan(own).all()


def test_without_a_transformation_or_sources_there_is_no_direction(sources):
    for own in sky_frame(None, *sources):
        assert own.shape == (50,)
        assert np.isnan(own).all()
    for own in sky_frame(WCS(header()), *np.empty((4, 0))):
        assert own.shape == (0,)


def test_a_stretch_has_the_ellipticity_of_a_stretched_ellipse(rng):
    """Ellipticity by singular values of the root of the moments."""
    jacobian = rng.normal(size=(30, 2, 2)) + 2 * np.eye(2)
    e = 0.7 * rng.random(30) * np.exp(2j * np.pi * rng.random(30))
    e1, e2 = transformed(jacobian, e.real, e.imag)
    for k in range(30):
        root = np.array([[1 + e[k].real, e[k].imag], [e[k].imag, 1 - e[k].real]])
        axes, (a, b), _ = np.linalg.svd(jacobian[k] @ root)
        expected = (a - b) / (a + b) * complex(*axes[:, 0]) ** 2
        assert complex(e1[k], e2[k]) == pytest.approx(expected, abs=1e-9)
