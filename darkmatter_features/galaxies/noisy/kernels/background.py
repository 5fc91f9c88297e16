"""Pixels of the boxes of an image, the level and noise of each box, and their interpolation to all pixels."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, Floats, Integers
from darkmatter_features.galaxies.noisy.kernels.level import level_and_noise, spread_ties
from darkmatter_features.numerics.jit import compiled


class Mesh(NamedTuple):
    """Boxes that tile an image.

    Attributes
    ----------
    rows, columns : (n + 1,) int64 arrays, pixels
        First row, or column, of each box, and the number of rows or columns of the image.
    """

    rows: Integers
    columns: Integers


class BoxPixels(NamedTuple):
    """Measured pixels of each box.

    Attributes
    ----------
    values : (n_boxes, n_most) float32 array
        Pixels of each box; infinite beyond their number.
    n_pixels : (n_boxes,) int64 array
        Number of measured pixels.
    x, y : (n_boxes,) float64 arrays, pixels
        Mean position of the measured pixels.
    """

    values: NDArray[np.float32]
    n_pixels: Integers
    x: Floats
    y: Floats


class Taps(NamedTuple):
    """Weights of the four coefficients of a cubic spline at each pixel along an axis.

    Attributes
    ----------
    starts : (n,) int64 array
        Index of the first of the four.
    weights : (n, 4) float64 array
        Weight of each.
    """

    starts: Integers
    weights: Floats


@compiled
def gather_boxes(image: NDArray[np.float32], is_good: Booleans, mesh: Mesh, boxes: BoxPixels) -> None:
    """Fill `boxes` with the pixels that are in `is_good` (n_rows, n_columns)."""
    for p in range(mesh.rows.size - 1):
        for q in range(mesh.columns.size - 1):
            box = np.uint64(p * (mesh.columns.size - 1) + q)  # unsigned: no test for an index from the end
            first, width = np.uint64(mesh.columns[q]), np.uint64(mesh.columns[q + 1] - mesh.columns[q])
            n, x, y = np.uint64(0), 0.0, 0.0
            for row in range(mesh.rows[p], mesh.rows[p + 1]):
                i, n_before, are_good = np.uint64(row), n, True
                for j in range(width):
                    are_good &= is_good[i, first + j]
                if are_good:  # without conditions, the loop takes a fifth of the time
                    for j in range(width):
                        boxes.values[box, n + j] = image[i, first + j]
                    n += width
                    x += width * (mesh.columns[q] + 0.5 * (width - 1.0))
                else:
                    for j in range(width):
                        if is_good[i, first + j]:
                            boxes.values[box, n] = image[i, first + j]
                            n += np.uint64(1)
                            x += mesh.columns[q] + float(j)
                y += row * float(n - n_before)
            boxes.values[box, n:] = np.inf
            boxes.n_pixels[box] = n
            boxes.x[box], boxes.y[box] = x / max(float(n), 1.0), y / max(float(n), 1.0)


@compiled
def box_statistics(boxes: BoxPixels, min_pixels: Any, level: Floats, noise: Floats) -> None:
    """Fill level and noise of each box (n_boxes,) from its ascending pixels, nan with fewer than `min_pixels` pixels.

    Pixels of equal value are spread over the interval that is nearer to it than to other values: those of integer
    images then have quantiles like those of real numbers. `boxes.values` is changed by this.
    """
    sums = np.empty((2, boxes.values.shape[1] + 1), dtype=np.float64)
    for box in range(level.size):
        n = boxes.n_pixels[box]
        level[box] = noise[box] = np.nan
        if n >= min_pixels:
            values = boxes.values[box, :n]
            width = spread_ties(values)
            level[box], sigma = level_and_noise(values, width, sums)
            noise[box] = sigma


@compiled
def median_of_nine(padded: Floats, medians: Floats) -> None:
    """Fill `medians` (n, m) with the medians of the 3 x 3 values of `padded` (n + 2, m + 2) about each."""
    nine = np.empty(9, dtype=np.float64)
    for p in range(medians.shape[0]):
        for q in range(medians.shape[1]):
            for k in range(9):
                value, m = padded[p + k // 3, q + k % 3], k
                while m > 0 and nine[m - 1] > value:
                    nine[m] = nine[m - 1]
                    m -= 1
                nine[m] = value
            medians[p, q] = nine[4]


@compiled
def interpolate(coefficients: Floats, rows: Taps, columns: Taps, image: NDArray[np.float32]) -> None:
    """Fill `image` (n_rows, n_columns) with the bicubic spline of `coefficients` (n_down, n_across)."""
    n_rows, n_columns = image.shape
    lines = np.empty((coefficients.shape[0], n_columns), dtype=np.float64)
    for p in range(coefficients.shape[0]):
        for j in range(n_columns):
            q = columns.starts[j]
            lines[p, j] = (
                columns.weights[j, 0] * coefficients[p, q]
                + columns.weights[j, 1] * coefficients[p, q + 1]
                + columns.weights[j, 2] * coefficients[p, q + 2]
                + columns.weights[j, 3] * coefficients[p, q + 3]
            )
    for i in range(n_rows):
        p = rows.starts[i]
        a, b, c, d = rows.weights[i, 0], rows.weights[i, 1], rows.weights[i, 2], rows.weights[i, 3]
        line0, line1, line2, line3 = lines[p], lines[p + 1], lines[p + 2], lines[p + 3]
        for j in range(n_columns):
            image[i, j] = a * line0[j] + b * line1[j] + c * line2[j] + d * line3[j]
