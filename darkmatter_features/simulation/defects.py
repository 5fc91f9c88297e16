"""Noise and defects of images of surveys: correlated noise, saturated columns, bad columns and cosmic rays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

Array = NDArray[np.float64]
Bits = NDArray[np.int16]

BAD_COLUMN, SATURATED = 1, 2
"""Bits of the mask."""

HALF_WIDTHS = {"none": 0, "bilinear": 1, "lanczos3": 3, "lanczos5": 5}
"""Half widths of the interpolations in pixels, by name."""

FULL_COLUMN = 0.98
"""Signal of the columns of saturated stars relative to the level of saturation."""

COLUMN_OFFSET = 25.0
"""Scatter of the signal of bad columns, standard deviations of the noise."""

RAY_LENGTH, RAY_SIGNAL = 9.0, 60.0
"""Mean length of a cosmic ray, pixels, and mean signal in a pixel, standard deviations of the noise."""


def interpolation_kernel(name: str, phase: float) -> Array:
    """Return the weights by which an interpolation shifts an image by a fraction of a pixel along an axis.

    Parameters
    ----------
    name : str
        ``none``, ``bilinear``, ``lanczos3`` or ``lanczos5``.
    phase : float, pixels
        Shift, 0 to 1.

    Returns
    -------
    (n,) float64 array
        Weights of the sum 1, n odd.

    Examples
    --------
    >>> interpolation_kernel("bilinear", 0.25)
    array([0.  , 0.75, 0.25])
    """
    half = HALF_WIDTHS[name]
    t = np.arange(-half, half + 1) - (phase if half else 0.0)
    weights = (
        np.maximum(1.0 - np.abs(t), 0.0) if half < 2 else np.where(np.abs(t) < half, np.sinc(t) * np.sinc(t / half), 0)
    )
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def neighbour_correlation(kernel: Array) -> float:
    """Return the correlation of adjacent pixels after white noise is convolved with a kernel."""
    return float((kernel[1:] * kernel[:-1]).sum() / (kernel**2).sum())


def correlated_noise(rng: np.random.Generator, sigma: Array, kernels: Sequence[Array]) -> Array:
    """Draw normal noise of a standard deviation sigma (n_rows, n_columns), convolved along columns and along rows."""
    noise = rng.normal(0.0, 1.0, sigma.shape) * sigma
    for axis, kernel in enumerate(kernels):
        noise = convolve1d(noise, kernel, axis=axis, mode="wrap")
    return noise


def bleed(image: Array, light: Array, level: float, mask: Bits) -> None:
    """Limit an image to the level of saturation; what exceeds it fills the pixels above and below, in both directions.

    Parameters
    ----------
    image : (n_rows, n_columns) float64 array, counts
        Image, changed in place.
    light : (n_rows, n_columns) float64 array, counts
        Light without noise.
    level : float, counts
        Level of saturation.
    mask : (n_rows, n_columns) int16 array
        Mask, in which the bit of saturated pixels is set.
    """
    excess = np.maximum(light - level, 0.0)
    for column in np.flatnonzero(excess.any(axis=0)):
        full = np.flatnonzero(excess[:, column])
        for run in np.split(full, np.flatnonzero(np.diff(full) > 1) + 1):
            length = int(excess[run, column].sum() / level / 2.0)
            rows = slice(max(0, run[0] - length), run[-1] + length + 1)
            image[rows, column] = FULL_COLUMN * level
            mask[rows, column] |= SATURATED


def spoil_columns(rng: np.random.Generator, image: Array, n_mean: float, sigma: float, mask: Bits) -> None:
    """Add an offset to some columns, or parts of them, and mark them in the mask."""
    n_rows, n_columns = image.shape
    for column in rng.integers(0, n_columns, rng.poisson(n_mean)):
        rows = slice(int(rng.integers(0, n_rows // 2)), None)
        image[rows, column] += sigma * COLUMN_OFFSET * rng.normal()
        mask[rows, column] |= BAD_COLUMN


def add_cosmic_rays(rng: np.random.Generator, image: Array, n_mean: float, sigma: float) -> None:
    """Add straight tracks of cosmic rays, one pixel wide."""
    for _ in range(rng.poisson(n_mean)):
        length, angle = 1.0 + rng.exponential(RAY_LENGTH), rng.uniform(0.0, np.pi)
        along = np.linspace(0.0, length, int(4 * length))
        start = rng.uniform(0.0, np.array(image.shape) - 1.0)
        track = np.rint(start[:, None] + along * np.array([[np.sin(angle)], [np.cos(angle)]])).astype(np.int64)
        rows, columns = np.unique(track, axis=1)
        inside = (rows >= 0) & (columns >= 0) & (rows < image.shape[0]) & (columns < image.shape[1])
        signal = sigma * RAY_SIGNAL * rng.exponential() * rng.uniform(0.5, 1.5, inside.sum())
        image[rows[inside], columns[inside]] += signal
