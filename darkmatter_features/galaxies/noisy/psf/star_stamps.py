"""Stamps of the stars of an image: cut, cleaned of neighbours, and centred."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.adaptive_moments import AdaptiveMoments, adaptive_moments
from darkmatter_features.galaxies.noisy.psf.stamps import cropped, shifted

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FIRST_HALF = 10
"""Half-side of the stamps that give a first width, pixels."""

HALF_IN_SIGMAS = 8.0
"""Half-side of the stamps, widths of the PSF."""

HALF_RANGE = (6, 40)
"""Minimum and maximum half-side of the stamps, pixels."""

CORE_IN_SIGMAS = 2.0
"""Radius of the core of a star, widths of the PSF."""

MAX_BAD = 0.1
"""Maximum fraction of bad pixels in the core of a star."""

NEIGHBOUR_SIGMAS = 4.0
"""Deviation from the model that marks a neighbour, standard deviations of the noise."""

MEAN_SIGMAS = 1.6
"""The same for the mean of 3 x 3 pixels; its standard deviation is a third of the noise, or twice that in coadds."""

MAX_REPLACED = 0.4
"""Maximum fraction of the pixels within two cores of a star that are replaced."""

MODEL_ERROR = 0.15
"""Deviation from the model in its own units that marks none: the PSF varies over the image."""

PEAK_ERROR = 0.01
"""The same in units of its peak, for wings and centres that differ."""


@dataclass(frozen=True)
class StarStamps:
    """Stamps of n stars.

    Attributes
    ----------
    values : (n, side, side) float64 array, counts
        Light, where bad pixels have that of the opposite side.
    is_bad : (n, side, side) bool array
        True where a pixel has no measurement.
    noise : (n,) float64 array, counts
        Standard deviation of the noise of a pixel at the star.
    x, y : (n,) float64 arrays, pixels
        Column and row of the middle pixel.
    """

    values: Array
    is_bad: Mask
    noise: Array
    x: Array
    y: Array

    @property
    def half(self) -> int:
        """Half-side, pixels."""
        return int(self.values.shape[1] // 2)


def cut_stamps(
    light: NDArray[Any], noise: NDArray[Any] | float, is_bad: Mask | None, x: Array, y: Array, half: int
) -> StarStamps:
    """Return stamps of half-side `half` about the pixels nearest to the positions; pixels off the image are bad."""
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    offset = np.arange(-half, half + 1)
    rows, columns = row[:, None] + offset, column[:, None] + offset
    inside = ((rows >= 0) & (rows < light.shape[0]))[:, :, None] & ((columns >= 0) & (columns < light.shape[1]))[
        :, None
    ]
    rows, columns = rows.clip(0, light.shape[0] - 1)[:, :, None], columns.clip(0, light.shape[1] - 1)[:, None, :]
    values = light[rows, columns].astype(np.float64)
    bad = ~(inside & np.isfinite(values)) if is_bad is None else ~(inside & np.isfinite(values)) | is_bad[rows, columns]
    opposite, is_opposite_bad = values[:, ::-1, ::-1], bad[:, ::-1, ::-1]
    values = np.where(bad, np.where(is_opposite_bad, 0.0, opposite), values)
    levels = np.broadcast_to(noise, light.shape)
    own = levels[row.clip(0, light.shape[0] - 1), column.clip(0, light.shape[1] - 1)].astype(np.float64)
    return StarStamps(values, bad, own, column.astype(np.float64), row.astype(np.float64))


def stamps_of_stars(
    light: NDArray[Any], noise: NDArray[Any] | float, is_bad: Mask | None, x: Array, y: Array
) -> StarStamps:
    """Return stamps as large as the light of the stars, by the median of their widths."""
    first = cut_stamps(light, noise, is_bad, x, y, FIRST_HALF)
    sigma = adaptive_moments(first.values).sigma
    width = float(np.median(sigma[np.isfinite(sigma)])) if np.isfinite(sigma).any() else 0.0
    half = int(np.clip(np.ceil(HALF_IN_SIGMAS * width), *HALF_RANGE))
    return cut_stamps(light, noise, is_bad, x, y, half)


def have_core(stamps: StarStamps, found: AdaptiveMoments) -> Mask:
    """Return whether each star has moments, near the middle of its stamp, and a core of measured pixels, (n,)."""
    sigma = float(np.nanmedian(found.sigma)) if np.isfinite(found.sigma).any() else 1.0
    offset = np.arange(-stamps.half, stamps.half + 1)
    is_core = np.hypot(offset[:, None], offset) <= CORE_IN_SIGMAS * sigma
    is_near = np.hypot(found.x - stamps.half, found.y - stamps.half) <= CORE_IN_SIGMAS * sigma
    return np.asarray(is_near & (stamps.is_bad[:, is_core].mean(axis=1) <= MAX_BAD))


def without_neighbours(
    stamps: StarStamps, predicted: Array, where: AdaptiveMoments, radius: float
) -> tuple[Array, Array]:
    """Return stamps with the model (n, side, side) where a pixel is bad or deviates from it, and next to these.

    The deviation is that of a pixel or of the mean about it. Pixels of the core stay: a star with a neighbour there is
    an outlier by its shape. The second result is the part of the pixels within two cores that is replaced, (n,).
    """
    deviation = stamps.values - predicted
    peak = predicted.max(axis=(1, 2), keepdims=True)
    tolerance = MODEL_ERROR * np.abs(predicted) + PEAK_ERROR * peak
    noise = stamps.noise[:, None, None]
    is_neighbour = np.abs(deviation) > NEIGHBOUR_SIGMAS * noise + tolerance
    is_neighbour |= np.abs(_means(deviation)) > MEAN_SIGMAS * noise + tolerance
    for axis in (1, 2):
        along = np.moveaxis(is_neighbour, axis, 0)
        along[1:-1] = along[:-2] | along[1:-1] | along[2:]
    pixels = np.arange(predicted.shape[1])
    distance = np.hypot(pixels - where.x[:, None, None], pixels[:, None] - where.y[:, None, None])
    is_replaced = stamps.is_bad | (is_neighbour & (distance > radius))
    inside = distance < 2.0 * radius
    part = (is_replaced & inside).sum(axis=(1, 2)) / inside.sum(axis=(1, 2))
    return np.where(is_replaced, predicted, stamps.values), part


def _means(values: Array) -> Array:
    """Return the means over 3 x 3 pixels of stamps (n, side, side); the outermost pixels are 0."""
    rows = values[:, :-2] + values[:, 1:-1] + values[:, 2:]
    means = np.zeros_like(values)
    means[:, 1:-1, 1:-1] = (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9.0
    return means


def centred(values: Array, found: AdaptiveMoments) -> Array:
    """Return stamps (n, side, side) with the centroids on the middle pixel."""
    middle = values.shape[1] // 2
    return shifted(values, middle - found.x, middle - found.y)


def at_stars(model: Array, found: AdaptiveMoments, flux: Array) -> Array:
    """Return model stamps (n, side, side) moved to the centroids of stars and times their flux."""
    middle = model.shape[1] // 2
    return shifted(model, found.x - middle, found.y - middle) * flux[:, None, None]


def fitted_flux(values: Array, model: Array, sigma: float) -> Array:
    """Return the factor of each model stamp (n, side, side) that fits the core of a stamp best, (n,)."""
    half = min(model.shape[1] // 2, int(np.ceil(2.0 * CORE_IN_SIGMAS * sigma)))
    own, other = cropped(values, half), cropped(model, half)
    return np.asarray(np.einsum("nij,nij->n", own, other) / np.einsum("nij,nij->n", other, other))
