"""Flux-weighted moments of footprints."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled


@compiled
def footprint_moments(starts: Any, pixels: Any, flux: Any, n_columns: Any, moments: Any) -> None:
    """Fill each row of `moments` (n, 7): total flux, mean x, mean y, the central Q_xx, Q_yy, Q_xy, and the filled area.

    Bartelmann & Schneider (2001), eq. 4.2, with the flux itself as the weight. Two passes, so that nothing cancels. The
    area that the flux f fills is (sum f)^2 / sum(f^2).
    """
    for k in range(starts.size - 1):
        total, x_mean, y_mean = 0.0, 0.0, 0.0
        for p in range(starts[k], starts[k + 1]):
            i, j = divmod(pixels[p], n_columns)
            total += flux[p]
            x_mean += flux[p] * j
            y_mean += flux[p] * i
        x_mean /= total
        y_mean /= total
        q_xx, q_yy, q_xy, square = 0.0, 0.0, 0.0, 0.0
        for p in range(starts[k], starts[k + 1]):
            i, j = divmod(pixels[p], n_columns)
            dx = j - x_mean
            dy = i - y_mean
            q_xx += flux[p] * dx * dx
            q_yy += flux[p] * dy * dy
            q_xy += flux[p] * dx * dy
            square += flux[p] * flux[p]
        q_xx, q_yy, q_xy = q_xx / total, q_yy / total, q_xy / total
        moments[k, :] = np.array((total, x_mean, y_mean, q_xx, q_yy, q_xy, total * total / square))
