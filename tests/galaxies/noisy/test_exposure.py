"""Light and noise of an image, with the noise maps beside it."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.noisy.exposure import expose
from darkmatter_features.io.sky import Sky

SIDE = 200


@pytest.fixture(scope="module")
def noisy():
    """Return an image of noise 4 in its left half and 8 in its right one, about a level of 100."""
    rng = np.random.default_rng(3)
    sigma = np.where(np.arange(SIDE) < SIDE // 2, 4.0, 8.0) * np.ones((SIDE, 1))
    pixels = (100.0 + sigma * rng.normal(size=(SIDE, SIDE))).astype(np.float32)
    return Sky("noisy", pixels[..., np.newaxis]), sigma.astype(np.float32)


def test_noise_is_measured_where_no_map_gives_it(noisy):
    sky, sigma = noisy
    exposure = expose(sky, MeasureConfig())
    assert abs(float(exposure.light.mean())) < 0.3
    for half in (slice(0, 80), slice(120, 200)):
        assert np.median(exposure.noise[:, half]) == pytest.approx(sigma[0, half][0], rel=0.05)


def test_a_map_gives_the_noise_up_to_a_factor(noisy):
    sky, sigma = noisy
    relative = 0.01 * sigma
    exposure = expose(replace(sky, noise=relative), MeasureConfig())
    np.testing.assert_allclose(exposure.noise, sigma, rtol=0.03)


def test_pixels_without_weight_have_the_measured_noise_and_no_light(noisy):
    sky, sigma = noisy
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[90:100] = True
    weightless = np.where(mask, np.float32(np.inf), sigma)
    exposure = expose(replace(sky, noise=weightless, mask=mask), MeasureConfig())
    assert np.isfinite(exposure.noise).all()
    assert not exposure.light[mask].any()
