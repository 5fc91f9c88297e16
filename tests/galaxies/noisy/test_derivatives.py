"""Derivatives of smoothed images: kernels, response to shear, and covariance of the noise."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermeval
from scipy.ndimage import gaussian_filter1d

from darkmatter_features.galaxies.noisy.derivatives import (
    MAX_ORDER,
    N_SHAPE,
    ORDERS,
    kernel_table,
    noise_covariance,
    shear_response,
)


def gaussian_derivative(x, sigma, p):
    """Return the derivative of order p of a Gaussian of unit sum."""
    he = hermeval(x / sigma, np.eye(MAX_ORDER + 1)[p])
    return (-1.0 / sigma) ** p * he * np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("p", range(MAX_ORDER + 1))
def test_sampled_gaussian_has_the_derivatives_of_the_wider_gaussian(p):
    """A Gaussian of 1.6 px smoothed by one of 1.2 px has 2 px; sums over pixels are exact to 1e-5 or better."""
    x, inner, sigma = np.arange(-40.0, 41.0), 1.2, 3.0
    kernel = kernel_table(sigma, inner)[p]
    m = kernel.size // 2
    for place in (0.0, 0.3, -2.6, 4.1):
        near = np.abs(x) <= m
        found = kernel @ gaussian_derivative(x[near] - place, 1.6, 0)
        assert found == pytest.approx(sigma**p * gaussian_derivative(-place, 2.0, p), abs=2e-5 * sigma**p)


@pytest.mark.parametrize("inner", [1.2, 2.0])
def test_kernel_of_order_0_smooths_and_the_others_remove_a_constant(inner):
    table = kernel_table(2.0, inner)
    assert table.shape == (MAX_ORDER + 1, 2 * int(np.ceil(6 * inner)) + 1)
    assert table.sum(axis=1) == pytest.approx([1, 0, 0, 0, 0], abs=2e-4)
    line = np.arange(table.shape[1]) - table.shape[1] // 2
    assert table[1] @ line == pytest.approx(2.0, rel=1e-4)
    assert table[2] @ line**2 == pytest.approx(2.0 * 2.0**2, rel=1e-3)


def sheared_disc(x, y, g1, g2):
    """Return an elliptical exponential disc off the origin after a shear about the origin."""
    a, b, c, d = np.linalg.inv([[1 + g1, g2], [g2, 1 - g1]]).ravel()
    u, v = a * x + b * y - 0.9, c * x + d * y + 0.4
    return np.exp(-np.sqrt(0.8 * u**2 + 0.3 * u * v + 1.4 * v**2 + 0.05))


def derivatives_at_origin(light, axis, sigma):
    """Return the derivatives of smoothed light, as sums of the light times derivatives of a Gaussian."""
    along = [sigma**p * gaussian_derivative(-axis, sigma, p) for p in range(MAX_ORDER + 1)]
    return np.array([along[q] @ light @ along[p] for p, q in ORDERS]) * (axis[1] - axis[0]) ** 2


def test_response_is_the_difference_of_sheared_images():
    axis = np.linspace(-14.0, 14.0, 561)
    x, y = np.meshgrid(axis, axis)
    sigma, g = 1.7, 1e-3
    plain = derivatives_at_origin(sheared_disc(x, y, 0.0, 0.0), axis, sigma)
    response = shear_response()
    for a, step in enumerate(((g, 0.0), (0.0, g))):
        upper, lower = (
            derivatives_at_origin(sheared_disc(x, y, s * step[0], s * step[1]), axis, sigma) for s in (1, -1)
        )
        expected = (upper - lower)[:N_SHAPE] / (2 * g)
        np.testing.assert_allclose(response[a] @ plain, expected, atol=1e-5 * np.abs(plain).max())
        assert (np.abs(expected) > 1e-3 * plain[0]).all()  # no derivative is without a response here


def test_orders_are_those_of_the_derivatives():
    assert ORDERS[:N_SHAPE] == ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    assert len(set(ORDERS)) == 15
    assert max(p + q for p, q in ORDERS) == MAX_ORDER


def modes_of(side, sigma, elongation):
    """Return wave numbers, and the power of noise that is smoothed more along a diagonal than across it."""
    k = 2 * np.pi * np.fft.fftfreq(side)
    kx, ky = np.meshgrid(k, k)
    gain = np.exp(-0.5 * sigma**2 * (kx**2 + ky**2 + elongation * kx * ky + 0.2 * kx**2))
    return k, kx, ky, gain


def test_covariance_matches_naive():
    sigma, (k, kx, ky, gain) = 1.8, modes_of(24, 1.8, 0.7)
    power = gain**2 / gain.size
    field = np.array([(1j * sigma * kx) ** p * (1j * sigma * ky) ** q * gain for p, q in ORDERS])
    expected = np.array([[(one * other.conj()).sum().real for other in field] for one in field]) / gain.size
    np.testing.assert_allclose(noise_covariance(power, sigma * k, sigma * k), expected, atol=1e-10)


def test_half_of_the_modes_with_doubled_power_has_the_covariance_of_all():
    """The outer column is not doubled: it is its own opposite."""
    sigma, (k, _, _, gain) = 2.0, modes_of(24, 2.0, 0.7)
    power = gain**2 / gain.size
    half = power[:, :13].copy()
    half[:, 1:12] *= 2.0
    found = noise_covariance(half, sigma * np.abs(k[:13]), sigma * k)
    np.testing.assert_allclose(found, noise_covariance(power, sigma * k, sigma * k), atol=1e-8)


def test_covariance_is_that_of_many_fields(rng):
    """White noise smoothed by a Gaussian. 60 fields with about 60 independent places: errors of 1.7 % times root 2."""
    side, sigma = 64, 3.0
    k = 2 * np.pi * np.fft.fftfreq(side)
    power = np.exp(-(sigma**2) * (k[:, None] ** 2 + k**2)) / side**2
    expected = noise_covariance(power, sigma * k, sigma * k)
    fields = rng.normal(size=(60, side, side))
    found = np.array([
        sigma ** (p + q) * gaussian_filter1d(
            gaussian_filter1d(fields, sigma, axis=2, order=p, mode="wrap", truncate=7), sigma, axis=1, order=q,
            mode="wrap", truncate=7,
        ).ravel()
        for p, q in ORDERS
    ])  # fmt: skip
    scatter = np.sqrt(np.diag(expected))
    difference = np.cov(found, bias=True) / np.outer(scatter, scatter) - expected / np.outer(scatter, scatter)
    assert np.abs(difference).max() < 0.12  # 5 standard errors
