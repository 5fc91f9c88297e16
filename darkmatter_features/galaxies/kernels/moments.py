"""Flux-weighted moments of footprints."""

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats, Integers
from darkmatter_features.numerics.jit import compiled


@compiled
def footprint_moments(
    starts: Integers, pixels: Integers, flux: Floats, n_columns: int, moments: Floats, extents: Integers
) -> None:
    """Fill each row of `moments` (n, 7) with total flux, mean x, mean y, Q_xx, Q_yy, Q_xy and filled area of a galaxy.

    With the flux f itself as the weight, x_mean = sum(f x) / sum(f) and Q_xy = sum(f dx dy) / sum(f), where dx and dy
    are offsets from the mean (Eq. 4.2 of the reference). The filled area is sum(f)^2 / sum(f^2). Two passes avoid
    cancellation. `extents` (n, 4) gets the first and last row, and the first and last column.

    References
    ----------
    Bartelmann & Schneider (2001), doi:10.1016/S0370-1573(00)00082-X
    """
    for k in range(starts.size - 1):
        first, n = starts[k], starts[k + 1] - starts[k]
        x, y = np.empty(n), np.empty(n)
        top, bottom, left, right = pixels[first] // n_columns, 0, n_columns, 0
        total, x_mean, y_mean = 0.0, 0.0, 0.0
        for p in range(n):
            i, j = divmod(pixels[first + p], n_columns)
            y[p], x[p] = i, j
            top, bottom, left, right = min(top, i), max(bottom, i), min(left, j), max(right, j)
            total += flux[first + p]
            x_mean += flux[first + p] * x[p]
            y_mean += flux[first + p] * y[p]
        x_mean /= total
        y_mean /= total
        q_xx, q_yy, q_xy, square = 0.0, 0.0, 0.0, 0.0
        for p in range(n):
            dx = x[p] - x_mean
            dy = y[p] - y_mean
            q_xx += flux[first + p] * dx * dx
            q_yy += flux[first + p] * dy * dy
            q_xy += flux[first + p] * dx * dy
            square += flux[first + p] * flux[first + p]
        q_xx, q_yy, q_xy = q_xx / total, q_yy / total, q_xy / total
        moments[k, 0], moments[k, 1], moments[k, 2] = total, x_mean, y_mean
        moments[k, 3], moments[k, 4], moments[k, 5] = q_xx, q_yy, q_xy
        moments[k, 6] = total * total / square
        extents[k, 0], extents[k, 1], extents[k, 2], extents[k, 3] = top, bottom, left, right
