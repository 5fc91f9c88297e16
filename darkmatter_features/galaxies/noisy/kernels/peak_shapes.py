"""Shapes at the peaks of a smoothed plane."""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats
from darkmatter_features.galaxies.noisy.kernels.ellipticity import add_pixel, error_at, shape_steps
from darkmatter_features.galaxies.noisy.kernels.planes import take_derivatives
from darkmatter_features.numerics.jit import compiled


@compiled
def measure_peaks(
    plane: Any, rows: Any, columns: Any, noise: Floats, model: Any, steps: Floats, shapes: Any, with_shapes: bool
) -> None:
    """Fill `shapes` for the peaks of a smoothed :class:`Plane` at pixels (`rows`, `columns`), with a pixel's `noise`.

    Independent noise is that of `steps` (6, 6). Without `with_shapes`, only the position, the light, the curvature and
    the stretch are filled.
    """
    work, n = shape_steps(model, steps), 3 if with_shapes else 1
    d, lines, sums = np.empty((n * n, 15)), np.empty((plane.table.shape[1], plane.table.shape[2] + n)), np.empty(8)
    for k in range(rows.size):
        take_derivatives(plane, rows[k] - n // 2, columns[k] - n // 2, n, 1.0 / noise[k], lines, d)
        middle = d[n * n // 2]
        _fill_position(middle, rows[k], columns[k], model, shapes, k)
        if with_shapes:
            shapes.error[k] = error_at(middle, model, work)
            sums[:] = 0.0
            for i in range(n * n):
                add_pixel(d[i], model, work, sums)
            shapes.weight[k], shapes.e1[k], shapes.e2[k], shapes.response[k] = sums[0], sums[1], sums[2], sums[3]
            shapes.bias1[k], shapes.bias2[k], shapes.weight1[k], shapes.weight2[k] = sums[4], sums[5], sums[6], sums[7]


@compiled
def _fill_position(d: Floats, row: Any, column: Any, model: Any, shapes: Any, k: Any) -> None:
    """Fill position, light, its response (which is 0), curvature and stretch of peak `k`.

    The position is within a pixel of the peak's pixel.
    """
    f = d[0]
    for j in range(d.size):
        shapes.light1[k] += model.response[0, 0, j] * d[j]
        shapes.light2[k] += model.response[1, 0, j] * d[j]
    gx, gy = d[1] / f, d[2] / f
    axx, axy, ayy = gx * gx - d[3] / f, gx * gy - d[4] / f, gy * gy - d[5] / f
    a = 0.5 * (axx + ayy)
    shapes.light[k], shapes.curvature[k], shapes.stretch[k] = f, a, np.hypot(0.5 * (axx - ayy), axy)
    reach = model.sigma / max(axx * ayy - axy * axy, 0.01)
    shapes.x[k] = column + min(max(reach * (ayy * gx - axy * gy), -1.0), 1.0)
    shapes.y[k] = row + min(max(reach * (axx * gy - axy * gx), -1.0), 1.0)
