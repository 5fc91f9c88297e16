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
        _convolve_rows(plane.values[top : top + n_taps], start, kernel[down], line)
        for first in range(min(n_places, n_columns)):  # of the pixels at the same distance from a sample
            left, across = (column + first * spacing) // step + 1 - start, (column + first * spacing) % step
            n = (n_columns - first + n_places - 1) // n_places
            _convolve(line[left : left + n + n_taps - 1], kernel[across], sums[:n])
            for j in range(n):
                light[i, first + j * n_places] = sums[j]


@compiled
def divide_by_noise(
    light: NDArray[np.float32], noise: NDArray[np.float32], factor: Any, first: Any, spacing: Any
) -> None:
    """Divide `light` (n_rows, n_columns) by a factor times the noise of an image at every `spacing` pixels.

    `first` is (row, column) of the first pixel. It takes a third of the time of arrays for each step.
    """
    row, column = first
    for i in range(light.shape[0]):
        own, levels = light[i], noise[row + i * spacing][column:]
        if spacing == 1:
            for j in range(own.size):
                own[j] /= np.float32(factor) * levels[j]
        else:
            for j in range(own.size):
                own[j] /= np.float32(factor) * levels[np.uint64(j * spacing)]


@compiled
def _convolve_rows(
    rows: NDArray[np.float32], start: Any, kernel: NDArray[np.float32], sums: NDArray[np.float32]
) -> None:
    """Fill `sums` (n,) with those of `rows` (n_taps, n_columns), from a column on, times a kernel (n_taps,).

    Eight taps at once: sums are read and written an eighth as often. Slices of single rows are contiguous by their
    type, those of several rows are not.
    """
    sums[:] = 0.0
    n_taps, end = kernel.size, start + sums.size
    for k in range(0, n_taps - 7, 8):
        a, b, c, d = kernel[k], kernel[k + 1], kernel[k + 2], kernel[k + 3]
        e, f, g, h = kernel[k + 4], kernel[k + 5], kernel[k + 6], kernel[k + 7]
        r0, r1, r2, r3 = rows[k][start:end], rows[k + 1][start:end], rows[k + 2][start:end], rows[k + 3][start:end]
        r4, r5, r6, r7 = rows[k + 4][start:end], rows[k + 5][start:end], rows[k + 6][start:end], rows[k + 7][start:end]
        for j in range(sums.size):
            total = sums[j] + ((a * r0[j] + b * r1[j]) + (c * r2[j] + d * r3[j]))
            sums[j] = total + ((e * r4[j] + f * r5[j]) + (g * r6[j] + h * r7[j]))
    for k in range(n_taps - n_taps % 8, n_taps):
        factor, samples = kernel[k], rows[k][start:end]
        for j in range(sums.size):
            sums[j] += factor * samples[j]


@compiled
def _convolve(line: NDArray[np.float32], kernel: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """Fill `sums` (n,) with those of `line` (n + n_taps - 1,) times a kernel (n_taps,), eight taps at once."""
    sums[:] = 0.0
    n_taps = kernel.size
    for k in range(0, n_taps - 7, 8):
        a, b, c, d = kernel[k], kernel[k + 1], kernel[k + 2], kernel[k + 3]
        e, f, g, h = kernel[k + 4], kernel[k + 5], kernel[k + 6], kernel[k + 7]
        r0, r1, r2, r3, r4, r5, r6, r7 = (
            line[k:], line[k + 1 :], line[k + 2 :], line[k + 3 :],
            line[k + 4 :], line[k + 5 :], line[k + 6 :], line[k + 7 :],
        )  # fmt: skip
        for j in range(sums.size):
            total = sums[j] + ((a * r0[j] + b * r1[j]) + (c * r2[j] + d * r3[j]))
            sums[j] = total + ((e * r4[j] + f * r5[j]) + (g * r6[j] + h * r7[j]))
    for k in range(n_taps - n_taps % 8, n_taps):
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
            samples = plane.values[top + k][start : start + width]
            for q in range(n_orders):
                factor, line = scale * plane.table[down, q, k], lines[q]
                for j in range(width):
                    line[j] += factor * samples[j]
        for j in range(n):
            left, across, m = (column + j) // step + 1 - start, (column + j) % step, 0
            for order in range(n_orders):
                for q in range(order + 1):
                    total, kernel, line = 0.0, plane.table[across, order - q], lines[q][left : left + n_taps]
                    for k in range(n_taps):
                        total += kernel[k] * line[k]
                    values[i * n + j, m] = total
                    m += 1
