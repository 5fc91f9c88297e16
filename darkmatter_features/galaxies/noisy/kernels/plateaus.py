"""Flat tops of clipped stars."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, Integers
from darkmatter_features.numerics.jit import compiled


class PlateauLimits(NamedTuple):
    """Limits of a flat top.

    Attributes
    ----------
    ratio : float
        Minimum ratio of two pixels of a rough flat top.
    n_equal : int
        Minimum number of equal neighbours of a pixel where light is clipped at one value.
    stated : float, counts
        Light from which pixels are saturated by the header; infinite if unknown.
    """

    ratio: float
    n_equal: int
    stated: float


@compiled
def flat_tops(light: NDArray[np.float32], bright: Integers, limits: PlateauLimits, kinds: NDArray[np.uint8]) -> Any:
    """Fill `kinds` with 1 on rough flat tops, 2 where neighbours are equal, 3 where the header's level is reached.

    Of all pixels, only those with flat indices `bright` (n,) are examined, and `kinds` (n,) has one value for each, 0
    for the others. On a rough top, the 3 x 3 pixels differ by less than a ratio. Pixels at the border are left out. The
    number of marked pixels is returned.
    """
    n, n_rows, n_columns = 0, light.shape[0], light.shape[1]
    for index in range(bright.size):
        i, j = bright[index] // n_columns, bright[index] % n_columns
        kinds[index] = 0
        if i == 0 or j == 0 or i == n_rows - 1 or j == n_columns - 1:
            continue
        value = light[i, j]
        low, high, n_equal = value, value, -1
        for k in range(i - 1, i + 2):
            for m in range(j - 1, j + 2):
                low, high = min(low, light[k, m]), max(high, light[k, m])
                n_equal += light[k, m] == value
        if n_equal >= limits.n_equal and high <= value:
            kinds[index] = 2
        elif low >= limits.ratio * high:
            kinds[index] = 1
        elif value >= limits.stated:
            kinds[index] = 3
        n += kinds[index] > 0
    return n


@compiled
def flood(light: NDArray[np.float32], start: Any, lowest: Any, is_inside: Booleans, stack: NDArray[np.int64]) -> Any:
    """Mark the pixels of at least `lowest` counts that are connected to a pixel, and return their number.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    start : int
        Flat index of the pixel.
    lowest : float, counts
        Minimum light.
    is_inside : (n_rows, n_columns) bool array
        Marks; pixels that are marked already are borders.
    stack : (n,) int64 array
        Filled with the flat indices of the marked pixels; at most n are marked.
    """
    n_rows, n_columns = light.shape
    stack[0], n, k = start, 1, 0
    is_inside[start // n_columns, start % n_columns] = True
    while k < n:
        row, column = stack[k] // n_columns, stack[k] % n_columns
        k += 1
        for i in range(max(row - 1, 0), min(row + 2, n_rows)):
            for j in range(max(column - 1, 0), min(column + 2, n_columns)):
                if n < stack.size and not is_inside[i, j] and light[i, j] >= lowest:
                    is_inside[i, j] = True
                    stack[n] = i * n_columns + j
                    n += 1
    return n
