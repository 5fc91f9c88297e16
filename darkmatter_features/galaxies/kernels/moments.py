"""Flux-weighted moments of footprints."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled


@compiled
def footprint_moments(starts: Any, pixels: Any, flux: Any, n_columns: Any, moments: Any, extents: Any) -> None:
    """Fill each row of `moments` (n, 7): total flux, mean x, mean y, the central Q_xx, Q_yy, Q_xy, and the filled area.

    Bartelmann & Schneider (2001), eq. 4.2, with the flux itself as the weight. Two passes, so that nothing cancels. The
    area that the flux f fills is (sum f)^2 / sum(f^2). `extents` (n, 4) gets the first and last row, and the first and
    last column.
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
        moments[k, :] = np.array((total, x_mean, y_mean, q_xx, q_yy, q_xy, total * total / square))
        extents[k, :] = np.array((top, bottom, left, right))
