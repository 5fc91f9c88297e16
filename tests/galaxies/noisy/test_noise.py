"""Scale of noise maps and the correlation of noise beside known ones."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import convolve
from scipy.signal import correlate2d

from darkmatter_features.galaxies.noisy.background import background_of
from darkmatter_features.galaxies.noisy.noise import MIN_POWER, noise_correlation, power_spectrum, scaled_noise

CFHT = Path(__file__).parents[4] / "shared" / "real-skies" / "a370_cfht_I.fits.gz"

SHAPE = (512, 512)
KERNEL = np.array([[0.1, 0.3, 0.1], [0.4, 1.0, 0.2], [0.1, 0.3, 0.1]])
KERNEL /= np.sqrt((KERNEL**2).sum())
MAX_OFFSET = 6

CORRELATION_ERROR = 0.006
"""Standard error of a correlation: 0.004 for white noise, times the root of the sum of squares of all correlations."""


def known_correlation(reach=MAX_OFFSET):
    """Return the correlation of white noise convolved with KERNEL."""
    correlation = np.zeros((2 * reach + 1, 2 * reach + 1))
    correlation[reach - 2 : reach + 3, reach - 2 : reach + 3] = correlate2d(KERNEL, KERNEL)
    return correlation


def correlated(rng, shape=SHAPE):
    return convolve(rng.normal(size=shape), KERNEL, mode="wrap").astype(np.float32)


@pytest.fixture
def blank():
    return np.ones(SHAPE, dtype=bool)


def faint_galaxies(rng, n, peak, sigma=2.0):
    image = np.zeros(SHAPE)
    y, x = np.indices((25, 25)) - 12
    stamp = peak * np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    for i, j in rng.integers(0, SHAPE[0] - 25, (n, 2)):
        image[i : i + 25, j : j + 25] += stamp
    return image


def test_known_correlation_is_recovered_within_its_errors(rng, blank):
    noise = 3.0 * np.ones(SHAPE)
    correlation = noise_correlation(3.0 * correlated(rng) + 0.2, noise, blank)
    assert correlation.dtype == np.float64
    assert np.abs(correlation - known_correlation()).max() < 4 * CORRELATION_ERROR


@pytest.mark.parametrize("reach", [0, 1, 3, 6, 10])
def test_correlation_is_one_at_the_centre_and_point_symmetric_with_positive_power(rng, blank, reach):
    correlation = noise_correlation(correlated(rng), np.ones(SHAPE), blank, reach)
    assert correlation.shape == (2 * reach + 1, 2 * reach + 1)
    assert correlation[reach, reach] == 1.0
    np.testing.assert_array_equal(correlation, correlation[::-1, ::-1])
    assert power_spectrum(correlation).min() > 0.99 * MIN_POWER


def test_power_is_positive_where_noise_has_almost_none(rng, blank):
    """White noise smoothed with a Gaussian of 1.5 px has no power at high frequencies."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(rng.normal(size=SHAPE), 1.5)
    correlation = noise_correlation(smooth / smooth.std(), np.ones(SHAPE), blank)
    assert power_spectrum(correlation).min() > 0.99 * MIN_POWER
    assert correlation[MAX_OFFSET, MAX_OFFSET + 1] == pytest.approx(np.exp(-0.25 / 1.5**2), abs=0.04)
    assert correlation[MAX_OFFSET + 2, MAX_OFFSET + 1] == pytest.approx(np.exp(-1.25 / 1.5**2), abs=0.04)


def test_white_noise_has_few_correlations(rng, blank):
    """Of 84 pairs of offsets, 1 in 22 exceeds two standard errors by chance."""
    correlation = noise_correlation(rng.normal(size=SHAPE), np.ones(SHAPE), blank)
    assert np.count_nonzero(correlation) <= 1 + 2 * 12
    assert np.abs(np.delete(correlation.ravel(), correlation.size // 2)).max() < 4 * 0.004


def test_known_sources_and_missing_pixels_do_not_count(rng, blank):
    light = correlated(rng)
    light[100:180, 50:300] += 50.0
    light[300:310] = np.nan
    light[:, 400] = -1e30
    blank[90:190, 40:310] = blank[300:310] = blank[:, 400] = False
    blank[420:430] = False
    noise = np.ones(SHAPE)
    noise[420:430] = 0.0
    correlation = noise_correlation(light, noise, blank)
    assert np.abs(correlation - known_correlation()).max() < 5 * CORRELATION_ERROR


def test_cosmic_rays_among_blank_pixels_are_clipped(rng, blank):
    light = correlated(rng)
    light[rng.random(SHAPE) < 2e-3] = 300.0
    correlation = noise_correlation(light, np.ones(SHAPE), blank)
    assert np.abs(correlation - known_correlation()).max() < 5 * CORRELATION_ERROR


def test_undetected_galaxies_add_at_most_their_variance(rng, blank):
    """500 galaxies of 1.2 standard deviations, of 25 pixels each."""
    galaxies = faint_galaxies(rng, 500, peak=1.2)
    correlation = noise_correlation(correlated(rng) + galaxies, np.ones(SHAPE), blank)
    excess = correlation - known_correlation()
    assert excess.min() > -4 * CORRELATION_ERROR
    assert excess.max() < galaxies.var() + 4 * CORRELATION_ERROR


def test_noise_that_changes_across_the_image_does_not_correlate(rng, blank):
    noise = np.linspace(1.0, 4.0, SHAPE[1]) * np.ones(SHAPE)
    correlation = noise_correlation(noise * rng.normal(size=SHAPE), noise, blank)
    assert np.abs(np.delete(correlation.ravel(), correlation.size // 2)).max() < 4 * 0.004


def test_same_image_gives_the_same_bits(rng, blank):
    light = correlated(rng)
    first, second = (noise_correlation(light.copy(), np.ones(SHAPE), blank) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("shape", [(4, 5), (1, 1), (3, 400)])
def test_small_images_have_a_correlation(rng, shape):
    correlation = noise_correlation(rng.normal(size=shape), np.ones(shape), np.ones(shape, dtype=bool))
    assert correlation.shape == (13, 13)
    assert np.isfinite(correlation).all()
    assert correlation[6, 6] == 1.0


def test_image_without_blank_pixels_has_white_noise(blank):
    correlation = noise_correlation(np.zeros(SHAPE), np.ones(SHAPE), ~blank, 2)
    np.testing.assert_array_equal(np.flatnonzero(correlation), [12])


@pytest.mark.parametrize("true_factor", [0.02, 1.0, 37.0])
def test_relative_noise_map_is_scaled_to_the_scatter_of_blank_pixels(rng, blank, true_factor):
    """Weights of three exposures that overlap; a tenth of the pixels have light of galaxies, a stripe has none."""
    weight = 1.0 + (np.arange(512) > 200) + (np.arange(512) > 350)[:, None]
    relative = 1.0 / np.sqrt(weight)
    light = true_factor * relative * rng.normal(size=SHAPE)
    light[rng.random(SHAPE) < 0.1] += 20.0 * true_factor
    light[50:60] = np.nan
    is_bad = np.zeros(SHAPE, dtype=bool)
    is_bad[:, :20] = True
    light[:, :20] = 1e5
    relative[100, :] = np.inf
    factor, noise = scaled_noise(light, relative, is_bad)
    assert factor == pytest.approx(true_factor, rel=0.02)
    np.testing.assert_array_equal(noise, np.float32(factor * relative.astype(np.float32)))
    assert noise.dtype == np.float32
    assert not noise.flags.writeable


def test_correlated_noise_has_the_scatter_of_single_pixels(rng, blank):
    factor, _ = scaled_noise(correlated(rng), np.ones(SHAPE), ~blank)
    assert factor == pytest.approx(1.0, rel=0.015)


def test_noise_map_without_measured_pixels_is_left_as_it_is(blank):
    for light, noise in ((np.ones(SHAPE), np.zeros(SHAPE)), (np.full(SHAPE, np.nan), np.ones(SHAPE))):
        factor, scaled = scaled_noise(light, noise, ~blank)
        assert factor == 1.0
        np.testing.assert_array_equal(scaled, noise)


@pytest.mark.skipif(not CFHT.exists(), reason="the CFHT image is not beside this checkout (../shared/real-skies)")
def test_pixels_of_a_resampled_image_correlate_as_pairs_of_blank_pixels_do():
    """The same correlation as that by NumPy from all pairs, and less power in differences than in single pixels."""
    from astropy.io import fits
    from scipy.ndimage import binary_dilation, gaussian_filter

    image = fits.getdata(CFHT)
    is_bad = np.zeros(image.shape, dtype=bool)
    first = background_of(image, is_bad, 32)
    smoothed = gaussian_filter((image - first.level) / first.noise, 1.5)
    sources = binary_dilation(smoothed > 1.2, iterations=5)
    background = background_of(image, is_bad, 32, sources)
    pixels = (image - background.level) / background.noise
    correlation = noise_correlation(image - background.level, background.noise, ~sources)
    is_clean = ~sources & (np.abs(pixels) < 3.5)
    for dy, dx in ((0, 1), (1, 0), (1, 1)):
        one, other = (slice(0, -dy or None), slice(0, -dx or None)), (slice(dy, None), slice(dx, None))
        is_pair = is_clean[one] & is_clean[other]
        expected = np.corrcoef(pixels[one][is_pair], pixels[other][is_pair])[0, 1]
        assert correlation[MAX_OFFSET + dy, MAX_OFFSET + dx] == pytest.approx(expected, abs=0.02)
    assert background.noise.mean() == pytest.approx(8.5, rel=0.03)
