"""Cosmic rays of any width are found, and point sources of any PSF are left alone."""

import galsim
import numpy as np
import pytest

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.noisy.defects.cosmic_rays import find_rays
from darkmatter_features.galaxies.noisy.defects.kinds import Defect
from darkmatter_features.galaxies.noisy.exposure import expose
from darkmatter_features.galaxies.noisy.kernels.rays import RayLimits, ray_pixels
from darkmatter_features.io.sky import Sky
from tests.galaxies.noisy.defects.scenes import noisy_sky


def worm(shape, row, column, degrees, length, width):
    """Return which pixels are within half a width of a line."""
    y, x = np.indices(shape)
    angle = np.radians(degrees)
    along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
    across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
    return (np.abs(along) <= 0.5 * length) & (np.abs(across) <= 0.5 * width)


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("degrees", [0.0, 27.0, 45.0, 90.0])
@pytest.mark.parametrize("signal", [40.0, 1000.0])
def test_wide_tracks_are_found(rng, width, degrees, signal):
    sky, light = noisy_sky(rng)
    is_hit = worm(sky.shape, 120.3, 110.2, degrees, 16, width)
    is_hit &= light < 2
    values = (100 + sky + signal * is_hit * rng.uniform(0.7, 1.3, sky.shape)).astype(np.float32)
    exposure = expose(Sky("sky.fits", values[..., None]), MeasureConfig())
    assert (exposure.defects.kinds[is_hit] & Defect.COSMIC_RAY != 0).mean() > 0.9
    assert exposure.light[is_hit].mean() < 0.1 * signal


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.6, 3.0])
def test_stars_are_left_alone(rng, sigma):
    light = rng.normal(size=(300, 300))
    for row, column in np.ndindex(9, 9):
        flux = 10 ** rng.uniform(2, 5)
        star = galsim.Convolve(galsim.Gaussian(sigma=sigma), galsim.Pixel(0.01)).shift(*rng.uniform(-0.5, 0.5, 2))
        stamp = star.withFlux(flux).drawImage(nx=29, ny=29, scale=1.0, method="no_pixel").array
        light[10 + 30 * row : 39 + 30 * row, 10 + 30 * column : 39 + 30 * column] += stamp
    rays = find_rays(light.astype(np.float32), 1.0, np.zeros(light.shape, bool))
    assert rays is None or rays.sum() <= 1


def test_galaxies_are_left_alone(rng):
    for _ in range(5):
        sky, _ = noisy_sky(rng, n=150)
        assert find_rays(sky, 1.0, np.zeros(sky.shape, bool)) is None


@pytest.mark.parametrize("is_whole", [False, True])
def test_ray_pixels_match_naive(rng, is_whole):
    """Whole numbers reach the limits exactly. In the last images, the median of the nine pixels decides."""
    for limits, high in (
        (RayLimits(5.0, 3.0, 1.0), 0.0), (RayLimits(1.0, 0.5, 4.0), 0.0), (RayLimits(1.0, 0.5, 0.5), 12.0),
        (RayLimits(1.0, 1.0, 1.0), 9.0),
    ):  # fmt: skip
        light = rng.normal(0.0, 1.5, size=(12, 15)) + 12 * (rng.random((12, 15)) < 0.2) + rng.uniform(0, high, (12, 15))
        light = (np.rint(light) if is_whole else light).astype(np.float32)
        is_ray = rng.random(light.shape) < 0.08
        candidates = np.array([i * 15 + j for i in range(1, 11) for j in range(1, 14)])
        found = np.empty(candidates.size, np.int64)
        n = ray_pixels(light, candidates, limits, is_ray, found)
        np.testing.assert_array_equal(found[:n], slow_ray_pixels(light, candidates, limits, is_ray))
        assert n > 0


def slow_ray_pixels(light, candidates, limits, is_ray):
    dark, expected = np.where(is_ray, 0, light), []
    for index in candidates:
        i, j = divmod(int(index), light.shape[1])
        corners = [max(2 * light[i, j] - dark[i + di, j] - dark[i, j + dj], 0) for di in (-1, 1) for dj in (-1, 1)]
        rank = 3 if is_ray[i - 1 : i + 2, j - 1 : j + 2].any() else 4
        laplacian, median = np.mean(corners), np.sort(dark[i - 1 : i + 2, j - 1 : j + 2].ravel())[rank]
        is_sharp = laplacian >= limits.sharpness and laplacian >= limits.fraction * max(median, limits.floor)
        if not is_ray[i, j] and is_sharp:
            expected.append(index)
    return expected
