"""Scatter of the ellipticities of a sky, relative to that of a template."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]

LOG_FACTORS = np.linspace(-0.72, 0.72, 37)
"""Logs of the factors of the scatter at which the likelihood is computed, with a parabola about its maximum."""


def log_scatter(e1: Array, e2: Array, shape_bin: NDArray[np.int64], template: LensTemplate) -> float:
    """Return the log of the factor f by which ellipticities scatter more than a template expects.

    Parameters
    ----------
    e1, e2 : (n,) float64 arrays
        Ellipticities less the means of their shape bins.
    shape_bin : (n,) int64 array
        Shape bins.
    template : LensTemplate
        Densities of the ellipticities.

    Notes
    -----
    f maximises the likelihood: with the density p0 of a bin about its mean, that of an ellipticity is
    ``p0(e / f) / f^2``. On simulated skies its standard error is 0.02, half that of the second moment, and a lens
    changes it by 0.01 instead of 0.03: p0 is no Gaussian. The log loss on skies whose scatter is 15 % smaller or larger
    falls from 0.075 to 0.062 and from 0.142 to 0.101, that on skies like the training ones from 0.064 to 0.063.
    """
    factors = np.exp(LOG_FACTORS)[:, None]
    x, y = (template.mean_e1[shape_bin] + e1 / factors), (template.mean_e2[shape_bin] + e2 / factors)
    log_likelihood = _interpolated(template.log_p0, shape_bin, x, y).sum(axis=1) - 2.0 * LOG_FACTORS * e1.size
    k = int(log_likelihood.argmax())
    if k in (0, LOG_FACTORS.size - 1):
        return float(LOG_FACTORS[k])
    below, peak, above = log_likelihood[k - 1 : k + 2]
    curvature = max(2.0 * peak - below - above, np.finfo(np.float64).tiny)
    return float(LOG_FACTORS[k] + 0.5 * (above - below) / curvature * (LOG_FACTORS[1] - LOG_FACTORS[0]))


def _interpolated(log_p0: Array, shape_bin: NDArray[np.int64], x: Array, y: Array) -> Array:
    """Return log densities of shape bins (n_bins, m, m) at ellipticities x, y (k, n), linear between nodes."""
    n = log_p0.shape[1]
    x, y = (0.5 * (np.clip(own, -1.0, 1.0) + 1.0) * (n - 1) for own in (x, y))
    i, j = (np.minimum(own.astype(np.int64), n - 2) for own in (x, y))
    p, q = x - i, y - j
    flat, corner = log_p0.ravel(), (shape_bin * n + i) * n + j
    low = flat[corner] * (1.0 - q) + flat[corner + 1] * q
    high = flat[corner + n] * (1.0 - q) + flat[corner + n + 1] * q
    return np.asarray(low * (1.0 - p) + high * p)
