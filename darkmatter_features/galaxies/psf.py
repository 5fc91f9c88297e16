"""Width of the PSF of an image, from its smallest galaxies."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

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
