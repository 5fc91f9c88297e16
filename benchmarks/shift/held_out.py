"""Families of skies that no choice was made on: neither a constant nor a setting was changed after one was drawn."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from shift.families import Family, drawn_from, scaled

from darkmatter_features.simulation import Preset
from darkmatter_features.simulation.seed import DISTRIBUTION, seed_sky
from darkmatter_features.simulation.sky import SimulatedSky

Pixels = NDArray[np.uint8]

NOISE = 3.0
"""Standard deviation of the noise, counts."""

GAMMA = 0.75
"""Exponent of the brightness curve."""

DRIFT = 1.0
"""Standard deviation of the smoothing along the rows, pixels."""


def _changed(change: Callable[[Pixels, np.random.Generator], Pixels], rng: np.random.Generator) -> SimulatedSky:
    sky = seed_sky(rng)
    return replace(sky, pixels=change(sky.pixels, rng))


def _counts(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def noisy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image on a background of 12 counts with Gaussian noise."""
    return _counts(pixels + 12.0 + NOISE * rng.normal(size=pixels.shape))


def brightened(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image after a brightness curve."""
    return _counts(255.0 * (pixels / 255.0) ** GAMMA)


def drifted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image smoothed along the rows: a PSF that is not round."""
    return _counts(gaussian_filter1d(pixels.astype(np.float64), DRIFT, axis=1))


def mild_jpeg(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the image after JPEG compression at quality 92."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=92)
    return np.asarray(Image.open(buffer))


def _changed_image(name: str, description: str, change: Callable[[Pixels, np.random.Generator], Pixels]) -> Family:
    return Family(Preset(name, partial(_changed, change), ".png"), description)


def _scaled(name: str, description: str, **factors: float) -> Family:
    changed = {field: scaled(getattr(DISTRIBUTION, field), factor) for field, factor in factors.items()}
    return drawn_from(name, description, replace(DISTRIBUTION, **changed))


HELD_OUT = (
    _scaled("steep-halos", "steeper halos with smaller cores", halo_slope=1.4, core_radius=0.5),
    _scaled("large-galaxies", "areas of the galaxies times 1.4", area=1.4),
    _scaled(
        "bad-seeing", "PSF times 1.25, surface brightness times 0.7, density times 0.8",
        psf_sigma=1.25, brightness=0.7, density=0.8,
    ),
    _changed_image("brightness-curve", "brightness curve with exponent 0.75", brightened),
    _changed_image("drift", "smoothed by 1 px along the rows", drifted),
    _changed_image("jpeg-92", "JPEG at quality 92", mild_jpeg),
    _changed_image("noise", "background of 12 counts with noise of 3 counts", noisy),
)  # fmt: skip
"""Families that were first drawn for the table itself."""
