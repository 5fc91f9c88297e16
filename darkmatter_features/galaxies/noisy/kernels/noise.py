"""Sums over pairs of pixels for the correlation of their noise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, Floats, Integers
from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import n_below


@compiled
def pair_sums(pixels: NDArray[np.float32], rows: Integers, sums: Floats) -> None:
    """Fill `sums` with the sums of products of pixels and their neighbours at offsets of one half-plane.

    Parameters
    ----------
    pixels : (n_rows, n_columns) float32 array
        The image.
    rows : (m,) int64 array
        Rows of the first pixels, ascending.
    sums : (reach + 1, 2 * reach + 1) float64 array
        Sum by offset, from 0 to reach along y and from -reach to reach along x.
    """
    reach, n_rows, n_columns = sums.shape[0] - 1, pixels.shape[0], pixels.shape[1]
    totals = np.empty(n_columns, dtype=np.float32)  # by column: without a sum in the loop, it is vectorised
    for dy in range(reach + 1):
        for dx in range(-reach, reach + 1):
            totals[:] = 0.0
            first, end = np.uint64(max(0, -dx)), np.uint64(max(0, n_columns - abs(dx)))  # unsigned: no test for < 0
            for row in rows[: n_below(rows, n_rows - dy)]:
                i, k, shift = np.uint64(row), np.uint64(row + dy), np.uint64(max(0, dx))
                for j in range(end):
                    totals[j] += pixels[i, j + first] * pixels[k, j + shift]
            sums[dy, dx + reach] = 0.0
            for j in range(n_columns):
                sums[dy, dx + reach] += totals[j]


@compiled
def pair_counts(is_kept: NDArray[np.uint8], rows: Integers, counts: Floats) -> None:
    """Fill `counts` with the number of the same pairs in which both pixels are 1; the arguments are alike.

    Small integers take a fourth of the time of real numbers. There are at most 65,535 rows.
    """
    reach, n_rows, n_columns = counts.shape[0] - 1, is_kept.shape[0], is_kept.shape[1]
    totals = np.empty(n_columns, dtype=np.uint16)
    for dy in range(reach + 1):
        for dx in range(-reach, reach + 1):
            totals[:] = 0
            first, end = np.uint64(max(0, -dx)), np.uint64(max(0, n_columns - abs(dx)))
            for row in rows[: n_below(rows, n_rows - dy)]:
                i, k, shift = np.uint64(row), np.uint64(row + dy), np.uint64(max(0, dx))
                for j in range(end):
                    totals[j] += is_kept[i, j + first] & is_kept[k, j + shift]
            counts[dy, dx + reach] = 0.0
            for j in range(n_columns):
                counts[dy, dx + reach] += totals[j]


@compiled
def standardise(
    light: NDArray[np.float32],
    noise: NDArray[np.float32],
    is_blank: Booleans,
    limits: Any,
    pixels: NDArray[np.float32],
    is_kept: NDArray[np.uint8],
) -> None:
    """Fill `pixels` with light over noise less its mean and `is_kept` with 1; both with 0 where a pixel is left out.

    Pixels are left out if they are not blank, or further from the mean than a maximum: `limits` is (mean, maximum).
    """
    mean, most = np.float32(limits[0]), np.float32(limits[1])
    zero = np.float32(0.0)
    for i in range(light.shape[0]):
        for j in range(light.shape[1]):
            value = light[i, j] / noise[i, j] - mean
            is_near = is_blank[i, j] & (abs(value) <= most)  # false for nan
            pixels[i, j] = value if is_near else zero
            is_kept[i, j] = is_near
