"""Smoothed light and its derivatives at the pixels of an image, from a plane that is sampled at every few pixels."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Floats
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
def take_light(plane: Plane, first_row: int, first_column: int, light: NDArray[np.float32]) -> None:
    """Fill `light` (n_rows, n_columns) with the smoothed light of the pixels from a first row and column on."""
    step, n_taps = plane.step, plane.table.shape[2]
    kernel = plane.table[:, 0, :].astype(np.float32)
    n_columns = light.shape[1]
    start, end = first_column // step + 1, (first_column + n_columns - 1) // step + 1 + n_taps
    line, sums = np.empty(end - start, dtype=np.float32), np.empty(n_columns, dtype=np.float32)
    for i in range(light.shape[0]):
        top, down = (first_row + i) // step + 1, (first_row + i) % step
        line[:] = 0.0
        for k in range(n_taps):
            factor, samples = kernel[down, k], plane.values[top + k, start:end]
            for j in range(line.size):
                line[j] += factor * samples[j]
        for across in range(step):
            first = (across - first_column) % step  # of the columns at this distance from a sample
            left, n = (first_column + first) // step + 1 - start, (n_columns - first + step - 1) // step
            sums[:n] = 0.0
            for k in range(n_taps):
                factor, samples = kernel[across, k], line[left + k : left + k + n]
                for j in range(n):
                    sums[j] += factor * samples[j]
            for j in range(n):
                light[i, first + j * step] = sums[j]


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
