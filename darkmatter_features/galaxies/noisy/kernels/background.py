"""Pixels of the boxes of an image, the level and noise of each box, and their interpolation to all pixels."""

from math import erf, exp, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, Floats, Integers
from darkmatter_features.numerics.jit import compiled

LOWER_CUT = 3.0
"""Pixels further below the level than this are left out, standard deviations."""

NARROW_CUT, WIDE_CUT = 1.0, 2.5
"""Pixels further above the level than this are left out: with galaxies in the box, and without, standard deviations."""

COARSE_CUT = 2.0
"""Minimum of the upper cut where the noise is a few counts only, standard deviations."""

FINE = 0.25
"""Steps of a quantised image from which the minimum of the cut is raised, in standard deviations of the noise."""

COARSE_SLOPE = 4.0
"""Increase of that minimum with the step, both in standard deviations."""

TINY = float(np.finfo(np.float32).tiny)
"""Positive number that replaces a standard deviation of 0 in a division."""

EXTRAPOLATION = 0.5
"""Fraction of the difference between the levels with the narrow cut and with the wide one that is subtracted once more
where the cut is narrow: light of galaxies is left with any cut."""

CUT_SLOPE = 12.0
"""Decrease of the upper cut for each unit of the fraction of pixels that have light of galaxies."""

TAIL = 2.0
"""Distance from the level of the pixels that are counted for that fraction, standard deviations."""

EXCESS_ERROR = 0.6
"""Twice the standard error of that fraction without galaxies, times the root of the number of pixels; it is subtracted.

Otherwise the level of few pixels is low, for the cut is lowered more often where the level is low by chance.
"""

MAX_STEPS = 30
"""Maximum number of steps of a fit."""

CONVERGED = 1e-3
"""Change of level and noise at which a fit ends, standard deviations."""


START_TOLERANCE = 0.03
"""Change at which the first fit ends, which serves to find the cut of the second."""

RELAXATION = 1.5
"""Step of a fit, in units of the difference between new and old values: the plain step is too short."""

MIN_TIES = 0.05
"""Minimum fraction of equal neighbours among the ascending pixels of quantised images."""


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
def spread_ties(values: NDArray[np.float32]) -> Any:
    """Spread equal values among the ascending `values` (n,), and return the width of the interval at the median.

    The width is 0 if the value at the median occurs once, or if few values are equal.
    """
    n, n_ties = values.size, 0
    for k in range(n - 1):
        n_ties += values[k] == values[k + 1]
    if n_ties < MIN_TIES * n:
        return 0.0
    first, before, width = 0, values[0], 0.0
    while first < n:
        value, end = values[first], first + 1
        while end < n and values[end] == value:
            end += 1
        if end - first > 1:
            after = values[end] if end < n else value + (value - before)
            if first == 0:
                before = value - (after - value)
            low, high = 0.5 * (before + value), 0.5 * (value + after)
            step = (high - low) / (end - first)
            for k in range(first, end):
                values[k] = low + (k - first + 0.5) * step
            if first <= n // 2 < end:
                width = high - low
        before, first = value, end
    return width


@compiled
def level_and_noise(values: NDArray[np.float32], width: Any, sums: Floats) -> Any:
    """Return level and standard deviation of the background, given the ascending `values` (n,).

    A Gaussian is fitted to the pixels from LOWER_CUT below the level to a cut above it, which is lower the more pixels
    have light of galaxies. `width` is the interval over which equal values are spread: where the noise is a few counts
    only, the faint side is not that of a Gaussian, and the cut is not lowered. `sums` (2, n + 1) is overwritten.
    """
    n = values.size
    level, sigma = _shortest_half(values)
    origin = level
    sums[0, 0] = sums[1, 0] = 0.0
    for k in range(n):
        offset = values[k] - origin
        sums[0, k + 1] = sums[0, k] + offset
        sums[1, k + 1] = sums[1, k] + offset * offset
    coarseness = max(0.0, width / max(sigma, TINY) - FINE)
    narrow = min(NARROW_CUT + COARSE_SLOPE * coarseness, COARSE_CUT)
    level, sigma = _truncated_fit(values, sums, origin, level, sigma, narrow, START_TOLERANCE)
    n_above = n - np.searchsorted(values, level + TAIL * sigma)
    n_below = np.searchsorted(values, level - TAIL * sigma)
    excess = (n_above - n_below) / n - EXCESS_ERROR / sqrt(n)
    cut = min(max(WIDE_CUT - CUT_SLOPE * excess, narrow), WIDE_CUT)
    wide_level, _ = _truncated_fit(values, sums, origin, level, sigma, WIDE_CUT, START_TOLERANCE)
    level, sigma = _truncated_fit(values, sums, origin, level, sigma, cut, CONVERGED)
    level += EXTRAPOLATION * (WIDE_CUT - cut) / (WIDE_CUT - NARROW_CUT) * min(level - wide_level, 0.0)
    return level, sqrt(max(sigma * sigma - width * width / 12.0, 0.0))


@compiled
def _shortest_half(values: NDArray[np.float32]) -> Any:
    """Return the middle of the shortest interval with half of the ascending `values`, and its standard deviation.

    The latter is that of a Gaussian with an interval of this length.
    """
    n = values.size
    half, best, shortest = n // 2, 0, np.inf
    for k in range(n - half):
        length = values[k + half] - values[k]
        if length < shortest:
            shortest, best = length, k
    return 0.5 * (values[best] + values[best + half]), shortest / 1.349


@compiled
def _truncated_fit(
    values: NDArray[np.float32], sums: Floats, origin: Any, level: Any, sigma: Any, cut: Any, tolerance: Any
) -> Any:
    """Return level and standard deviation of a Gaussian whose mean and variance between the cuts are those of `values`.

    `sums` (2, n + 1) has the sums of the values less `origin` and of their squares before each.
    """
    lower, upper = exp(-0.5 * LOWER_CUT**2) / sqrt(2.0 * pi), exp(-0.5 * cut**2) / sqrt(2.0 * pi)
    inside = 0.5 * (erf(cut / sqrt(2.0)) + erf(LOWER_CUT / sqrt(2.0)))
    shift = (lower - upper) / inside
    width = sqrt(1.0 - (LOWER_CUT * lower + cut * upper) / inside - shift * shift)
    for _ in range(MAX_STEPS):
        first = np.searchsorted(values, level - LOWER_CUT * sigma)
        end = np.searchsorted(values, level + cut * sigma, side="right")
        if end - first < 2:
            break
        mean = (sums[0, end] - sums[0, first]) / (end - first)
        variance = (sums[1, end] - sums[1, first]) / (end - first) - mean * mean
        new_sigma = sqrt(max(variance, 0.0)) / width
        step, growth = origin + mean - shift * new_sigma - level, new_sigma - sigma
        level += RELAXATION * step
        sigma = max(sigma + RELAXATION * growth, 0.5 * sigma)
        if abs(step) + abs(growth) <= tolerance * sigma:
            break
    return level, sigma


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
