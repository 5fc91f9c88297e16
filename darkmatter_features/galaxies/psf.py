"""The PSF of an image: its width, from the smallest galaxies, and the correction of second moments for it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_HALF_AXIS = 0.3
"""Minimum half-axis of a galaxy after the correction for the PSF, pixels (standard deviation of its light)."""


MIN_RESOLUTION = 1 / 3
"""Minimum size of a galaxy whose ellipticity is known, corrected for the PSF, in units of the width of the PSF.

On simulated skies with the PSF twice as wide, such galaxies are a tenth of all; without their ellipticities the log
loss of the evidence falls from 0.45 to 0.19. More than that are not better left out: 0.18 with 0.5, 0.23 with 0.65.
"""

SMALLEST_FRACTION = 0.05
"""Quantile of the minor axes of the galaxies that is compared with the PSF."""

MIN_MINOR_VARIANCE = 0.315
"""Variance of the minor axis at that quantile without a PSF, pixels squared: galaxies and pixels have some width."""

PSF_FRACTION = 0.8
"""Fraction of the variance of the PSF in that of the minor axis, as faint wings are below the detection limit."""

MIN_GALAXIES = 20
"""Minimum number of galaxies for an estimate."""

RELATIVE_ERROR = 0.45
"""Relative standard error of the estimate times the square root of the number of galaxies."""

USUAL_SCATTER = 0.06
"""Relative scatter of the width about the expected one in most images."""

UNUSUAL_SCATTER = 0.6
"""Relative scatter in the other images."""

UNUSUAL_FRACTION = 0.1
"""Prior probability that an image is one of the others."""

CHECKED_FACTOR = 1.1
"""Width over the expected one above which it must agree with the edges of the galaxies."""

SHARPEST_FRACTION = 0.9
"""Quantile of the sharpness of galaxies that is compared with the width."""

MAX_SHARPNESS = 0.66
"""Maximum product of sharpness and width.

The steepest slope of a Gaussian profile of standard deviation s is 0.607 / s of its peak, that of a blurred edge 0.399
/ s. On simulated skies with a PSF of 0.6 to 2 times the expected one, the product is 0.36 to 0.54, and 0.6 with smooth
galaxies.
"""


def psf_width(minor_variance: Array, expected: float) -> float:
    """Return the standard deviation of the PSF of an image.

    Parameters
    ----------
    minor_variance : (n,) float64 array, pixels squared
        Variance of the light of each galaxy along its minor axis, not corrected for the PSF.
    expected : float, pixels
        Width of the PSF in similar images.

    Returns
    -------
    float, pixels
        Posterior mean of the width; the expected one with fewer than 20 galaxies, or if it is 0.

    Notes
    -----
    The smallest galaxies are little wider than the PSF, as stars are in other images. The prior is a narrow Gaussian
    about the expected width, and a broad one: an estimate near the expected width is drawn to it by its own error,
    another is kept.
    """
    if minor_variance.size < MIN_GALAXIES or expected <= 0.0:
        return expected
    variance = (float(np.quantile(minor_variance, SMALLEST_FRACTION)) - MIN_MINOR_VARIANCE) / PSF_FRACTION
    measured = float(np.sqrt(max(variance, 0.0)))
    error = RELATIVE_ERROR * max(measured, expected) / np.sqrt(minor_variance.size)
    return shrunk(measured, error, expected)


def shrunk(measured: float, error: float, expected: float) -> float:
    """Return the posterior mean of a width, given its measured value and error, all in pixels."""
    fractions = np.array([1.0 - UNUSUAL_FRACTION, UNUSUAL_FRACTION])
    scatter = expected * np.array([USUAL_SCATTER, UNUSUAL_SCATTER])
    variance = scatter**2 + error**2
    log_weight = np.log(fractions / np.sqrt(variance)) - 0.5 * (measured - expected) ** 2 / variance
    weight = np.exp(log_weight - log_weight.max())
    means = expected + scatter**2 / variance * (measured - expected)
    return float(weight @ means / weight.sum())


def are_edges_sharper(
    image: NDArray[Any], starts: NDArray[np.int64], pixels: NDArray[np.int64], psf_sigma: float
) -> bool:
    """Return whether galaxies have edges that are too sharp for a PSF: all of them are larger than it.

    Parameters
    ----------
    image : (n_rows, n_columns, n_bands) array
        Image, of which the sum over bands is looked at.
    starts : (n + 1,) int64 array
        Galaxy k has the pixels ``starts[k]:starts[k + 1]``.
    pixels : (m,) int64 array
        Flat indices of the pixels of each galaxy.
    psf_sigma : float, pixels
        Standard deviation of the PSF.
    """
    if starts.size < 2:
        return False
    rows, columns = np.divmod(pixels, image.shape[1])
    last_row, last_column = image.shape[0] - 1, image.shape[1] - 1

    def light(row: NDArray[np.int64], column: NDArray[np.int64]) -> Array:
        return np.asarray(image[row, column].sum(axis=1, dtype=np.float64))

    own, steepest = light(rows, columns), np.zeros(pixels.size)
    for step in (-1, 1):
        for neighbour in (
            light(np.clip(rows + step, 0, last_row), columns),
            light(rows, np.clip(columns + step, 0, last_column)),
        ):
            np.maximum(steepest, np.abs(neighbour - own), out=steepest)
    slope, peak = (np.maximum.reduceat(values, starts[:-1]) for values in (steepest, own))
    sharpness = float(np.quantile(slope / np.maximum(peak, np.finfo(np.float64).tiny), SHARPEST_FRACTION))
    return sharpness * psf_sigma > MAX_SHARPNESS


def without_psf(q_xx: Array, q_yy: Array, q_xy: Array, psf_sigma: float) -> tuple[Array, Array, Array]:
    """Return second moments (n,) less those of a round PSF, each half-axis at least MIN_HALF_AXIS.

    Parameters
    ----------
    q_xx, q_yy, q_xy : (n,) float64 arrays, pixels squared
        Second central moments of the light.
    psf_sigma : float, pixels
        Standard deviation of the PSF.
    """
    mean, half = 0.5 * (q_xx + q_yy), np.hypot(0.5 * (q_xx - q_yy), q_xy)
    major, minor = (np.maximum(mean + sign * half - psf_sigma**2, MIN_HALF_AXIS**2) for sign in (1.0, -1.0))
    stretch = 0.5 * (major - minor) / np.maximum(half, np.finfo(np.float64).tiny)
    middle, plus, cross = 0.5 * (major + minor), 0.5 * (q_xx - q_yy) * stretch, q_xy * stretch
    return middle + plus, middle - plus, cross


def is_unresolved(size: Array, psf_sigma: float) -> NDArray[np.bool_]:
    """Return whether each galaxy is too small for its ellipticity to be known, (n,).

    Parameters
    ----------
    size : (n,) float64 array, pixels
        Size corrected for the PSF; at its minimum, both half-axes are at MIN_HALF_AXIS.
    psf_sigma : float, pixels
        Standard deviation of the PSF.
    """
    floored = MIN_HALF_AXIS * (1.0 + 1e-9)
    return np.asarray(size < max(MIN_RESOLUTION * psf_sigma, floored))
