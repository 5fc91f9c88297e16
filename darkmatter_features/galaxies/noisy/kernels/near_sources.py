"""Pixels on or near a source."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.numerics.jit import compiled


@compiled
def near_sources(
    light: NDArray[np.float32], noise: NDArray[np.float32], limit: Any, margin: Any, is_near: NDArray[np.uint8]
) -> None:
    """Fill `is_near` with 1 within a margin of pixels about which the light is bright, and 0 elsewhere.

    Parameters
    ----------
    light, noise : (n_rows, n_columns) float32 arrays, counts
        Light above the background, and the standard deviation of a pixel.
    limit : float
        The light of the 3 x 3 pixels exceeds this many standard deviations of a pixel; those at the border count twice.
    margin : int, pixels
        Distance along rows and columns.
    is_near : (n_rows, n_columns) uint8 array
        The result.
    """
    n_rows, n_columns = light.shape
    sums, factor = np.empty(n_columns + 2, dtype=np.float32), np.float32(limit)
    is_bright = np.empty(n_columns + 2 * margin, dtype=np.uint8)
    wide = np.empty((n_rows + 2 * margin, n_columns), dtype=np.uint8)
    is_bright[:], wide[:] = 0, 0
    for i in range(n_rows):
        above, own, below = light[max(i - 1, 0)], light[i], light[min(i + 1, n_rows - 1)]
        for j in range(n_columns):
            sums[j + 1] = above[j] + own[j] + below[j]
        sums[0], sums[n_columns + 1] = sums[1], sums[n_columns]
        for j in range(n_columns):
            is_bright[margin + j] = sums[j] + sums[j + 1] + sums[j + 2] > factor * noise[i, j]
        for k in range(2 * margin + 1):
            for j in range(n_columns):
                wide[margin + i, j] |= is_bright[j + k]
    for i in range(n_rows):
        is_near[i] = 0
        for k in range(2 * margin + 1):
            for j in range(n_columns):
                is_near[i, j] |= wide[i + k, j]
