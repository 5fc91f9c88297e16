"""Centre, ellipticity and width of stars and PSFs, by an adaptive Gaussian weight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels import adaptive_moments as kernels

Array = NDArray[np.float64]

FIRST_SIGMA = 1.5
"""Width of the weight with which the iteration starts by default, pixels."""


@dataclass(frozen=True)
class AdaptiveMoments:
    """Moments of n stamps; all are nan for a stamp without a solution.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Centre: column and row, 0 at the centre of the first pixel of the stamp.
    e1, e2 : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)`` of the half-axes a and b of the weight.
    sigma : (n,) float64 array, pixels
        Width sqrt(a b) of the weight.
    flux : (n,) float64 array, counts
        Flux of the Gaussian of these moments that fits the stamp best.
    """

    x: Array
    y: Array
    e1: Array
    e2: Array
    sigma: Array
    flux: Array


def adaptive_moments(
    stamps: Array, *, x: Array | None = None, y: Array | None = None, sigma: float = FIRST_SIGMA
) -> AdaptiveMoments:
    """Return the moments of stamps with a Gaussian weight of the same moments.

    Parameters
    ----------
    stamps : (n, n_rows, n_columns) float64 array, counts
        Stamps less their background.
    x, y : (n,) float64 arrays, pixels, optional
        First estimates of the centres; the middle of the stamp by default.
    sigma : float, pixels
        First estimate of the width.

    Returns
    -------
    AdaptiveMoments
        Centre, ellipticity, width and flux.

    Notes
    -----
    With the weight w = exp(-d^T Q^-1 d / 2) of moments Q, the weighted moments of the light are Q / 2 [1]_.
    The ellipticity is ``(Q_xx - Q_yy + 2i Q_xy) / (Q_xx + Q_yy + 2 sqrt(det Q))``.

    References
    ----------
    .. [1] Bernstein & Jarvis (2002), doi:10.1086/338085.
    """
    stamps = np.ascontiguousarray(stamps, dtype=np.float64)
    n, n_rows, n_columns = stamps.shape
    starts, moments = np.empty((n, 3)), np.empty((n, 6))
    starts[:, 0] = 0.5 * (n_columns - 1) if x is None else x
    starts[:, 1] = 0.5 * (n_rows - 1) if y is None else y
    starts[:, 2] = sigma
    kernels.adaptive_moments(stamps, starts, moments)
    x0, y0, q_xx, q_yy, q_xy, flux = moments.T
    root = np.sqrt(q_xx * q_yy - q_xy**2)
    norm = q_xx + q_yy + 2.0 * root
    return AdaptiveMoments(x0, y0, (q_xx - q_yy) / norm, 2.0 * q_xy / norm, np.sqrt(root), flux)
