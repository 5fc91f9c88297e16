"""Pixels of drawn lines."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans
from darkmatter_features.numerics.jit import compiled


class StrokeLimits(NamedTuple):
    """Limits of what is a stroke.

    Attributes
    ----------
    contrast : float, counts
        Minimum difference from the background.
    along : float
        Maximum difference of the neighbours along a stroke, as a fraction of its contrast.
    across : float
        Maximum contrast of a pixel at a distance of two pixels across, as a fraction.
    """

    contrast: float
    along: float
    across: float


@compiled
def stroke_pixels(contrast: NDArray[np.float32], limits: StrokeLimits, is_stroke: Booleans) -> Any:
    """Mark pixels of constant strokes with hard edges, and return their number.

    The `contrast` (n_rows, n_columns) is the image less its background. A pixel is marked if, along one of four
    directions, the neighbours on both sides have its value, and across it a pixel is dark on one side.
    Pixels within three of the border are not marked.
    """
    n, n_rows, n_columns = 0, contrast.shape[0], contrast.shape[1]
    for i in range(3, n_rows - 3):
        for j in range(3, n_columns - 3):
            value = contrast[i, j]
            if abs(value) < limits.contrast:
                continue
            tolerance = limits.along * abs(value)
            for di, dj in ((0, 1), (1, 0), (1, 1), (1, -1)):
                before = abs(contrast[i - di, j - dj] - value) <= tolerance
                after = abs(contrast[i + di, j + dj] - value) <= tolerance
                if not (before and after):
                    continue
                left = contrast[i - 2 * dj, j + 2 * di] / value
                right = contrast[i + 2 * dj, j - 2 * di] / value
                if min(left, right) <= limits.across:
                    is_stroke[i, j] = True
                    n += 1
                    break
    return n
