"""Smoothed light and its derivatives at the pixels of an image, from a plane that is sampled at every few pixels."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Floats, Integers
from darkmatter_features.numerics.jit import compiled


class Plane(NamedTuple):
    """Light smoothed by a Gaussian somewhat narrower than that after which derivatives are taken.

    Attributes
    ----------
    values : (n_down, n_across) float32 array
        Samples at every `step` pixels along rows and columns, with a margin of n // 2 + 1 samples before the first
        pixel and after the last one, so that derivatives can be taken next to the border.
    step : int, pixels
        Distance of the samples.
    table : (step, 5, n) float64 array
        Kernels of the derivatives: those of order p at a pixel k pixels after a sample are ``table[k, p]``.
    """

    values: NDArray[np.float32]
    step: int
    table: Floats


@compiled
def take_light(plane: Plane, row: Any, column: Any, spacing: Any, light: NDArray[np.float32]) -> None:
    """Fill `light` with the smoothed light of pixels.

    Parameters
    ----------
    plane : Plane
        The smoothed light.
    row, column : int, pixels
        First pixel.
    spacing : int, pixels
        Distance of the pixels along rows and columns, a divisor of `plane.step`.
    light : (n_rows, n_columns) float32 array
        The result.
    """
    step, n_taps = plane.step, plane.table.shape[2]
    kernel = plane.table[:, 0, :].astype(np.float32)
    n_columns, n_places = light.shape[1], step // spacing
    start, end = column // step + 1, (column + spacing * (n_columns - 1)) // step + 1 + n_taps
    line, sums = np.empty(end - start, dtype=np.float32), np.empty(n_columns, dtype=np.float32)
    for i in range(light.shape[0]):
        top, down = (row + i * spacing) // step + 1, (row + i * spacing) % step
        line[:] = 0.0
        for k in range(0, n_taps - 3, 4):  # four at once: sums are read and written a quarter as often
            a, b, c, d = kernel[down, k], kernel[down, k + 1], kernel[down, k + 2], kernel[down, k + 3]
            rows = plane.values[top + k : top + k + 4, start:end]
            for j in range(line.size):
                line[j] += (a * rows[0, j] + b * rows[1, j]) + (c * rows[2, j] + d * rows[3, j])
        for k in range(n_taps - n_taps % 4, n_taps):
            factor, samples = kernel[down, k], plane.values[top + k, start:end]
            for j in range(line.size):
                line[j] += factor * samples[j]
        for first in range(min(n_places, n_columns)):  # of the pixels at the same distance from a sample
            left, across = (column + first * spacing) // step + 1 - start, (column + first * spacing) % step
            n = (n_columns - first + n_places - 1) // n_places
            _convolve(line[left : left + n + n_taps - 1], kernel[across], sums[:n])
            for j in range(n):
                light[i, first + j * n_places] = sums[j]


@compiled
def _convolve(line: NDArray[np.float32], kernel: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """Fill `sums` (n,) with those of `line` (n + n_taps - 1,) times a kernel (n_taps,)."""
    sums[:] = 0.0
    n_taps = kernel.size
    for k in range(0, n_taps - 3, 4):
        a, b, c, d = kernel[k], kernel[k + 1], kernel[k + 2], kernel[k + 3]
        first, second, third, fourth = line[k:], line[k + 1 :], line[k + 2 :], line[k + 3 :]
        for j in range(sums.size):
            sums[j] += (a * first[j] + b * second[j]) + (c * third[j] + d * fourth[j])
    for k in range(n_taps - n_taps % 4, n_taps):
        factor, samples = kernel[k], line[k:]
        for j in range(sums.size):
            sums[j] += factor * samples[j]


@compiled
def climb(plane: Plane, rows: Integers, columns: Integers, shape: Any, light: Floats) -> None:
    """Move peaks among the samples of a plane to the brightest pixel near each, in an image of a shape.

    `rows` and `columns` (n,) are changed, `light` (n,) is filled with the smoothed light there.
    """
    reach = plane.step
    near = np.empty((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    for k in range(rows.size):
        top, left = max(rows[k] - reach, 0), max(columns[k] - reach, 0)
        own = near[: min(rows[k] + reach + 1, shape[0]) - top, : min(columns[k] + reach + 1, shape[1]) - left]
        take_light(plane, top, left, 1, own)
        best = 0
        for p in range(own.size):
            if own[p // own.shape[1], p % own.shape[1]] > own[best // own.shape[1], best % own.shape[1]]:
                best = p
        rows[k], columns[k] = top + best // own.shape[1], left + best % own.shape[1]
        light[k] = own[best // own.shape[1], best % own.shape[1]]


@compiled
def take_derivatives(plane: Plane, row: Any, column: Any, n: Any, scale: Any, lines: Floats, values: Floats) -> None:
    """Fill `values` with the derivatives at n x n pixels from (row, column) on, times `scale`.

    Parameters
    ----------
    plane : Plane
        The smoothed light.
    row, column : int, pixels
        First pixel.
    n : int
        Pixels along an axis.
    scale : float
        Factor of the derivatives.
    lines : (5, m) float64 array
        Work space; m is n plus the length of a kernel.
    values : (n * n, 15) float64 array
        Derivatives of each pixel, row by row.
    """
    step, n_orders, n_taps = plane.step, plane.table.shape[1], plane.table.shape[2]
    start = column // step + 1
    width = (column + n - 1) // step + 1 + n_taps - start
    for i in range(n):
        top, down = (row + i) // step + 1, (row + i) % step
        lines[:] = 0.0
        for k in range(n_taps):
            samples = plane.values[top + k, start : start + width]
            for q in range(n_orders):
                factor = scale * plane.table[down, q, k]
                for j in range(width):
                    lines[q, j] += factor * samples[j]
        for j in range(n):
            left, across, m = (column + j) // step + 1 - start, (column + j) % step, 0
            for order in range(n_orders):
                for q in range(order + 1):
                    total = 0.0
                    for k in range(n_taps):
                        total += plane.table[across, order - q, k] * lines[q, left + k]
                    values[i * n + j, m] = total
                    m += 1
