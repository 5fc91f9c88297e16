"""Light above the background of an image with noise, and that noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.artifacts import artifacts_in_noise, repaired
from darkmatter_features.galaxies.noisy.background import background_of
from darkmatter_features.galaxies.noisy.defects.cosmic_rays import find_rays
from darkmatter_features.galaxies.noisy.defects.find import find_defects
from darkmatter_features.galaxies.noisy.defects.graphics import band_sum, find_graphics
from darkmatter_features.galaxies.noisy.defects.kinds import Defects
from darkmatter_features.galaxies.noisy.kernels.near_sources import near_sources
from darkmatter_features.galaxies.noisy.noise import noise_correlation, scaled_noise
from darkmatter_features.io.sky import Sky

Floats = NDArray[np.float32]

SOURCE_SNR = 1.5
"""S/N of the light smoothed over 3 x 3 pixels above which pixels belong to a source."""

SOURCE_MARGIN = 3
"""Distance from such pixels within which the background is not measured, pixels."""


@dataclass(frozen=True)
class Exposure:
    """Light and noise of an image, its bands summed.

    Attributes
    ----------
    name : str
        Name of the sky.
    light : (n_rows, n_columns) float32 array, counts
        Light above the background; 0 where pixels are masked.
    noise : (n_rows, n_columns) float32 array, counts
        Standard deviation of a pixel.
    mask : (n_rows, n_columns) bool array
        True where a pixel has no measurement.
    correlation : (m, m) float64 array
        Correlation of the noise of pixels by their offset, 1 in the middle.
    n_repaired : int
        Number of pixels that were sharper than any source, and interpolated.
    defects : Defects
        What is no galaxy; pixels of frames, captions, saturated stars and tracks are in `mask`.
    """

    name: str
    light: Floats
    noise: Floats
    mask: NDArray[np.bool_]
    correlation: NDArray[np.float64]
    n_repaired: int
    defects: Defects

    @property
    def left_out(self) -> str:
        """Defects by kind and the fraction of other masked pixels, as a line; empty if there are none."""
        without_data = float((self.mask & ~self.defects.mask).mean())
        masked = f"{100.0 * without_data:.1f} % of the pixels masked" if without_data else ""
        return ", ".join(line for line in (self.defects.line(), masked) if line)


def expose(sky: Sky, config: MeasureConfig) -> Exposure:
    """Subtract the background of an image, and measure its noise.

    Parameters
    ----------
    sky : Sky
        The image.
    config : MeasureConfig
        Settings.

    Raises
    ------
    SkyError
        If too many pixels are masked.
    """
    values = band_sum(sky.pixels)
    no_data = np.zeros(sky.shape, dtype=np.bool_) if sky.mask is None else sky.mask
    graphics = find_graphics(sky.pixels)
    mask = no_data | graphics.mask if graphics.n_objects else no_data
    first = background_of(values, mask, config.background_box)
    light = values - first.level
    white_noise = typical_noise(first.noise)
    defects = find_defects(values, light, white_noise, no_data, sky.photometry.saturation, graphics=graphics)
    mask = mask | defects.mask if defects.n_objects else mask
    is_artifact = artifacts_in_noise(light, white_noise) & ~mask
    rays = find_rays(light, white_noise, mask | is_artifact)
    if rays is not None:
        is_artifact |= rays
    if is_artifact.any():
        light = repaired(light[..., np.newaxis], is_artifact, mask | is_artifact)[..., 0]
        defects = defects.with_rays(is_artifact)
    sources = _sources(light, first.noise)
    second = background_of(light, mask, config.background_box, sources)
    light = light - second.level
    noise = second.noise if sky.noise is None else _scaled(light, sky.noise, mask | sources, second.noise)
    correlation = noise_correlation(light, noise, ~(mask | sources))
    light[mask] = 0.0
    return Exposure(sky.name, light, noise, mask, correlation, int(is_artifact.sum()), defects)


def _scaled(light: Floats, noise: Floats, is_bad: NDArray[np.bool_], measured: Floats) -> Floats:
    """Return a noise map in counts, with the measured noise where it has none."""
    known = np.isfinite(noise)
    _, scaled = scaled_noise(light, np.where(known, noise, np.float32(1.0)), is_bad | ~known)
    return np.where(known, scaled, measured)


def _sources(light: Floats, noise: Floats) -> NDArray[np.bool_]:
    """Return which pixels are on or near a source."""
    is_near = np.empty(light.shape, dtype=np.uint8)
    near_sources(light, noise, 6.0 * SOURCE_SNR, SOURCE_MARGIN, is_near)
    return is_near.view(np.bool_)


def typical_noise(noise: Floats) -> float:
    """Return the median of the noise of an image, counts, from one pixel in 16: noise varies slowly."""
    return float(np.median(noise[::4, ::4]))
