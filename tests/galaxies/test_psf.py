"""Width of the PSF from the smallest galaxies: it tracks the true one, and an implausible one is not believed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.psf import (
    MIN_MINOR_VARIANCE,
    PSF_FRACTION,
    SMALLEST_FRACTION,
    are_edges_sharper,
    psf_width,
    shrunk,
)
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.io.sky import Sky

EXPECTED = 0.92
"""Expected width of the default settings, pixels."""

SIDE, SPACING = 330, 22
"""Side of a drawn sky, and distance of its galaxies, pixels: (330 / 22)^2 = 225 galaxies."""


def minor_variances(width, n=400):
    """Return variances of minor axes of which the smallest galaxies are as wide as a PSF allows."""
    smallest = PSF_FRACTION * width**2 + MIN_MINOR_VARIANCE
    return smallest + np.linspace(0.0, 4.0, n) - 4.0 * SMALLEST_FRACTION


def centres():
    return np.arange(SPACING // 2, SIDE, SPACING)


def sky_of_light(light, *, noise=0.0):
    """Return an 8-bit sky of three equal bands; on a pedestal if it has noise."""
    rng = np.random.default_rng(8)
    levels = 40.0 * (noise > 0) + 200 * light[..., None] * np.ones(3) + rng.normal(0, noise, (*light.shape, 1))
    return Sky("grid.png", np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def small_galaxies(psf_sigma, **noise):
    """Return a sky of Gaussian galaxies of equal peaks, of half-axes of 0.2 to 1.5 px before the PSF, on a grid."""
    rng, light = np.random.default_rng(7), np.zeros((SIDE, SIDE))
    y, x = np.mgrid[:SPACING, :SPACING]
    for row in centres():
        for column in centres():
            own = np.sqrt(psf_sigma**2 + rng.uniform(0.2, 1.5, 2) ** 2)
            dy, dx = np.stack([y, x]) - rng.uniform(-0.5, 0.5, (2, 1, 1)) - SPACING // 2
            part = np.exp(-0.5 * ((dy / own[0]) ** 2 + (dx / own[1]) ** 2))
            light[row - SPACING // 2 :, column - SPACING // 2 :][:SPACING, :SPACING] += part
    return sky_of_light(light, **noise)


def large_galaxies(psf_sigma=0.0):
    """Return a sky of uniform square galaxies of 9 to 15 px a side, on a grid."""
    rng, light = np.random.default_rng(8), np.zeros((SIDE, SIDE))
    for row in centres():
        for column in centres():
            h = rng.integers(4, 8, 2)
            light[row - h[0] : row + h[0] + 1, column - h[1] : column + h[1] + 1] = 1.0
    return sky_of_light(gaussian_filter(light, psf_sigma) if psf_sigma else light)


@pytest.mark.parametrize("n", [0, 1, 19])
def test_few_galaxies_have_the_expected_width(n):
    assert psf_width(minor_variances(3.0)[:n], EXPECTED) == EXPECTED


def test_without_an_expected_width_there_is_no_psf():
    assert psf_width(minor_variances(1.0), 0.0) == 0.0


@pytest.mark.parametrize("width", [0.5, 1.5, 2.0, 4.0])
def test_a_width_far_from_the_expected_one_is_kept(width):
    """The error is 0.45 w / 400^(1/2) = 0.02 w, and the broad prior draws by (0.02 w / 0.6 / 0.92)^2 < 1 %."""
    assert psf_width(minor_variances(width), EXPECTED) == pytest.approx(width, rel=0.03)


def test_a_width_near_the_expected_one_is_drawn_to_it_by_its_error():
    """Within the narrow prior, of scatter 0.06 * 0.92, by the ratio of the variances; fewer galaxies draw more."""
    scatter, error, deviation = 0.06 * EXPECTED, 0.05, 0.02
    drawn = shrunk(EXPECTED + deviation, error, EXPECTED) - EXPECTED
    assert drawn == pytest.approx(deviation * scatter**2 / (scatter**2 + error**2), rel=0.02)
    kept = [psf_width(minor_variances(1.0, n), EXPECTED) - EXPECTED for n in (30, 300, 3000)]
    assert 0 < kept[0] < kept[1] < kept[2] < 0.09


def test_the_expected_width_itself_is_never_moved():
    for error in (0.0, 0.1, 1.0):
        assert shrunk(EXPECTED, error, EXPECTED) == pytest.approx(EXPECTED)


def test_variances_below_those_of_a_pixel_have_a_finite_width():
    assert 0.0 <= psf_width(np.zeros(100), EXPECTED) < 0.1


@pytest.mark.parametrize("psf_sigma", [1.3, 1.8, 2.4])
def test_the_psf_of_a_sky_of_small_galaxies_is_measured(psf_sigma):
    """225 galaxies give it to 0.45 / 15 = 3 %; their own half-axes of 0.2 px and more add to it."""
    assert measure(small_galaxies(psf_sigma)).image.psf_sigma == pytest.approx(psf_sigma, rel=0.1)


def test_a_wider_psf_gives_a_wider_estimate():
    found = [measure(small_galaxies(psf_sigma)).image.psf_sigma for psf_sigma in (0.7, 1.1, 1.5, 2.0)]
    assert np.all(np.diff(found) > 0.2)


def test_large_galaxies_of_sharp_edges_leave_the_expected_width():
    """The smallest side of 9 px has a variance of 6.7 px^2, as a PSF of 2.8 px; edges of one pixel exclude that."""
    sky = large_galaxies()
    assert measure(sky).image.psf_sigma == EXPECTED
    segments = segment(sky)
    assert are_edges_sharper(sky.pixels, segments.starts, segments.pixels, 2.8)
    assert not are_edges_sharper(sky.pixels, segments.starts, segments.pixels, 0.5)


def test_the_edges_of_smooth_galaxies_agree_with_their_width():
    """The steepest slope of a Gaussian is 0.607 / sigma of its peak."""
    sky = small_galaxies(2.2)
    segments = segment(sky)
    assert not are_edges_sharper(sky.pixels, segments.starts, segments.pixels, 2.2)


def test_no_galaxies_have_no_edges():
    assert not are_edges_sharper(np.zeros((9, 9, 1)), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), 1.0)


def test_the_psf_is_not_measured_when_switched_off():
    assert measure(small_galaxies(1.8), MeasureConfig(measure_psf=False)).image.psf_sigma == EXPECTED
    noisy = measure(small_galaxies(1.8, noise=4.0), MeasureConfig(measure_psf=False, psf_sigma=0.7)).image
    assert noisy.psf_sigma == pytest.approx(0.7, rel=0.01)
    assert noisy.noise > 1.0


def test_shapes_are_corrected_for_the_measured_width():
    sky = small_galaxies(1.8)
    own = measure(sky)
    given = measure(sky, MeasureConfig(measure_psf=False, psf_sigma=own.image.psf_sigma))
    for name in ("e1", "e2", "size", "fill_factor"):
        np.testing.assert_array_equal(getattr(own, name), getattr(given, name))
    assert own.size.mean() < measure(sky, MeasureConfig(measure_psf=False)).size.mean() - 0.5
