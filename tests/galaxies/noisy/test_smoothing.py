"""Images without their PSF, smoothed by a round Gaussian: shape of a point, noise of the derivatives, its biases."""

import galsim
import numpy as np
import pytest

from darkmatter_features.galaxies.noisy import smoothing
from darkmatter_features.galaxies.noisy.kernels import ellipticity as kernels
from darkmatter_features.galaxies.noisy.kernels.modes import deconvolution
from darkmatter_features.galaxies.noisy.kernels.planes import divide_by_noise
from darkmatter_features.galaxies.noisy.smoothing import SCALES, window_of
from darkmatter_features.galaxies.noisy.stamp_transform import transform_of
from tests.galaxies.noisy import naive_shapes as naive
from tests.galaxies.noisy.naive_shapes import derivatives_of, light_of, smooth
from tests.support import naive_noisy

SIDE = 128


def moffat(e=0.2, fwhm=3.5, side=65):
    """Return an elliptical Moffat PSF of sum 1."""
    stamp = galsim.Moffat(beta=3.0, fwhm=fwhm).shear(g1=0.8 * e, g2=-0.6 * e).drawImage(nx=side, ny=side, scale=1.0)
    return stamp.array.astype(np.float64) / stamp.array.sum(dtype=np.float64)


def gaussian(row, column, sigma, side=SIDE):
    y, x = np.indices((side, side))
    return np.exp(-0.5 * ((x - column) ** 2 + (y - row) ** 2) / sigma**2) / (2 * np.pi * sigma**2)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("e", [0.0, 0.2])
def test_a_point_becomes_the_round_gaussian_of_the_model(scale, e):
    psf = moffat(e)
    light = np.zeros((SIDE, SIDE), dtype=np.float32)
    light[31:96, 38:103] = 1000.0 * psf
    found = smooth(light, psf, None, 1.7, scale)
    expected = 1000.0 * gaussian(63, 70, found.model.sigma)
    np.testing.assert_allclose(light_of(found, light.shape), expected, atol=1e-4 * expected.max())
    d = derivatives_of(found.plane, 63, 70)
    peak = expected.max()
    assert d[:6] == pytest.approx([peak, 0, 0, -peak, 0, -peak], abs=1e-3 * peak)  # round: an elliptical PSF is gone


def test_widths_are_those_of_the_scales():
    narrow, wide = (smooth(np.zeros((64, 64), np.float32), moffat(), None, 1.7, scale).model for scale in (1.0, 4.0))
    assert narrow.sigma == pytest.approx(smoothing.SMOOTHING * 1.7)
    assert wide.sigma == pytest.approx(4.0 * narrow.sigma)
    assert narrow.window == window_of(1.0)
    assert wide.window == window_of(4.0)
    assert narrow.snr_range == smoothing.SNR_RANGE
    assert wide.snr_range == smoothing.WIDE_SNR_RANGE


def test_windows_of_neighbouring_scales_meet():
    """Galaxies of every size have a weight, and none falls where the next does not rise."""
    narrow, middle, wide = (window_of(scale) for scale in SCALES)
    assert narrow[:2] == smoothing.SMALLEST_WINDOW
    assert narrow[2:] == middle[2:] == smoothing.FALLING_WINDOW
    assert middle[:2] == wide[:2] == smoothing.RISING_WINDOW
    assert min(wide[2:]) > 1.0
    for falling, rising in zip(smoothing.FALLING_WINDOW, smoothing.RISING_WINDOW, strict=True):
        area = falling / (1.0 - falling)  # of the galaxy, in units of the narrower Gaussian's
        assert rising == pytest.approx(0.25 * area / (1.0 + 0.25 * area), abs=0.01)


def test_a_psf_too_narrow_or_too_wide_amplifies_no_mode_beyond_the_limit():
    """A PSF wider than its stated standard deviation widens the Gaussian instead."""
    psf = moffat(fwhm=7.0)
    found = smooth(np.zeros((64, 64), np.float32), psf, None, 1.0)
    assert found.model.sigma > smoothing.SMOOTHING * 1.0
    tiny = smooth(np.zeros((64, 64), np.float32), np.pad(np.ones((1, 1)), 2), None, 0.3)
    assert tiny.model.sigma == smoothing.MIN_SIGMA


def correlated(rng, n):
    """Return noise of unit variance in which neighbours correlate along x, and the correlation by offset."""
    noise = rng.normal(size=(n, SIDE, SIDE + 1))
    noise = (noise[..., 1:] + noise[..., :-1]) / np.sqrt(2.0)
    correlation = np.zeros((5, 5))
    correlation[2, 1:4] = 0.5, 1.0, 0.5
    return noise.astype(np.float32), correlation


def white(rng, n):
    return rng.normal(size=(n, SIDE, SIDE)).astype(np.float32), None


@pytest.mark.parametrize("draw", [white, correlated])
@pytest.mark.parametrize("scale", SCALES[:2])
def test_noise_of_the_model_is_that_of_smoothed_noise(rng, draw, scale):
    """Ten fields, away from borders: some 50 (or 13) independent places a field, errors of 3 and 6 %."""
    fields, correlation = draw(rng, 10)
    smoothed = [smooth(field, moffat(), correlation, 1.7, scale) for field in fields]
    inner = np.stack([light_of(each, (SIDE, SIDE))[24:-24, 24:-24] for each in smoothed])
    assert inner.std() == pytest.approx(smoothed[0].model.noise, rel=0.04 * scale + 0.04)


def test_steps_are_those_of_the_noise_of_the_derivatives(rng):
    """Sample covariance of the first six derivatives of noise, in units in which it is 1. Some 900 places."""
    fields, correlation = correlated(rng, 16)
    samples, smoothed = noise_derivatives(fields, correlation, moffat())
    whitened = np.linalg.solve(smoothed.steps.T, samples[:, :6].T)
    np.testing.assert_allclose(np.cov(whitened), np.eye(6), atol=5.0 / np.sqrt(len(samples)))


def noise_derivatives(fields, correlation, psf, spacing=10):
    """Return all derivatives of noise at places that are apart, (n, 15), and the model."""
    samples = []
    for field in fields:
        smoothed = smooth(field, psf, correlation, 1.7)
        places = range(20, SIDE - 20, spacing)
        samples += [derivatives_of(smoothed.plane, row, column) for row in places for column in places]
    return np.array(samples), smoothed


def galaxy_derivatives(covariance, model, snr):
    """Return all derivatives of a Gaussian galaxy at its peak; those of odd order are 0."""
    first = naive.gaussian_derivatives(covariance + np.eye(2), np.zeros(2), snr * model.noise)
    d = np.zeros(15)
    d[:6] = first
    a, b, c = first[3:] / first[0]  # minus the inverse covariance
    d[10:] = first[0] * np.array([3 * a * a, 3 * a * b, a * c + 2 * b * b, 3 * b * c, 3 * c * c])
    return d


@pytest.fixture(scope="module")
def noisy_galaxies():
    """Noise of an image with a very elliptical PSF, and a galaxy of S/N 15 on it."""
    rng = np.random.default_rng(4)
    noise, smoothed = noise_derivatives(white(rng, 60)[0], None, moffat(0.35), 8)
    return noise, smoothed.model._replace(window=naive.OPEN)


def test_response_of_the_noise_is_taken_away_on_average(noisy_galaxies):
    """The mean response of noisy light is that to a shear of the galaxy alone, within 4 of its own errors.

    The galaxy alone: the same noise, with derivatives of the galaxy changed by shear.
    """
    noise, model = noisy_galaxies
    galaxy = galaxy_derivatives(naive.covariance_of(0.2 + 0.1j, 0.9), model, 15.0)
    tiny, difference, plain = 1e-3, [], []
    work = kernels.shape_steps(model, np.eye(6))
    for n in noise:
        sums = np.zeros(8)
        kernels.add_pixel(galaxy + n, model, work, sums)
        own = 0.0
        for a in (0, 1):
            step = tiny * (model.response[a] @ galaxy)
            upper, lower = (naive.shape_by_kernel((galaxy + n)[:6] + sign * step, model) for sign in (1, -1))
            own += 0.25 * (upper[a + 1] - lower[a + 1]) / tiny
        difference.append(sums[3] - own)
        plain.append(own)
    error = np.std(difference) / np.sqrt(len(difference))
    assert abs(np.mean(difference)) < 4.0 * error
    assert error < 0.03 * np.mean(plain)


def test_bias_by_noise_is_that_of_a_round_galaxy(noisy_galaxies):
    """Noise with spin 2, of an elliptical PSF, moves the mean shape of a round galaxy: 4 errors about the bias."""
    noise, model = noisy_galaxies
    galaxy = galaxy_derivatives(0.8 * np.eye(2), model, 15.0)
    sums, work = [], kernels.shape_steps(model, np.eye(6))
    for n in noise:
        own = np.zeros(8)
        kernels.add_pixel(galaxy + n, model, work, own)
        sums.append(own)
    sums = np.array(sums)
    errors = sums.std(axis=0) / np.sqrt(len(sums))
    for e, bias in ((1, 4), (2, 5)):
        assert abs((sums[:, e] - sums[:, bias]).mean()) < 4.0 * np.hypot(errors[e], errors[bias])
    assert np.hypot(*sums[:, 4:6].mean(axis=0)) > 6.0 * np.hypot(*errors[4:6])  # there is a bias to take away


def test_error_is_the_scatter_by_noise(noisy_galaxies):
    """S/N 40: linear. The error of a standard deviation of 7000 galaxies is 1 %; the steps are as large as noise."""
    noise, model = noisy_galaxies
    galaxy = galaxy_derivatives(naive.covariance_of(0.1j, 0.9), model, 40.0)
    steps = np.linalg.cholesky(np.cov(noise[:, :6].T)).T
    found = np.array([naive.shape_at((galaxy + n)[:6], model)[1] for n in noise[::4]])
    scatter = np.sqrt(0.5 * (found.real.var() + found.imag.var()))
    assert kernels.error_at(galaxy, model, kernels.shape_steps(model, steps)) == pytest.approx(scatter, rel=0.05)


def test_deconvolution_matches_naive(rng):
    transform = (rng.normal(size=(7, 5)) + 1j * rng.normal(size=(7, 5))).astype(np.complex64)
    transform[2, 3] = 0.0
    power, (down, across) = rng.normal(1.0, 1.0, (7, 5)).astype(np.float32), rng.uniform(0.0, 1.0, (2, 7))
    down[4], across[1] = 0.25, 0.75  # at the limit, which is not below it
    found = np.empty_like(transform), np.empty_like(power), power.copy()
    deconvolution(transform, (down, across[:5], 0.8), 0.8, 35, *found)
    expected = naive_noisy.deconvolution(transform, down[:, None] + across[:5], 35, power)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5)


@pytest.mark.parametrize(("first", "spacing"), [((0, 0), 1), ((2, 3), 1), ((4, 2), 2), ((0, 4), 4)])
def test_light_is_divided_by_the_noise_as_by_the_naive_twin(rng, first, spacing):
    light, noise = rng.normal(size=(5, 6)).astype(np.float32), rng.uniform(1.0, 2.0, (30, 40)).astype(np.float32)
    expected = naive_noisy.divided_by_noise(light, noise, 0.3, first, spacing)
    divide_by_noise(light, noise, 0.3, first, spacing)
    np.testing.assert_array_equal(light, expected)


@pytest.mark.parametrize("sides", [(41, 30), (7, 3)])
def test_transform_of_a_stamp_matches_naive(rng, sides):
    stamp, ky, kx = rng.normal(size=(9, 5)), rng.uniform(-3.0, 3.0, sides[0]), rng.uniform(0.0, 3.0, sides[1])
    np.testing.assert_allclose(transform_of(stamp, ky, kx), naive_noisy.transform_of(stamp, ky, kx), atol=2e-5)
