"""Symmetry fill: the flux of a galaxy in pixels where another covers it, estimated from the opposite side.

A galaxy that is rotated by 180 degrees about its centre looks the same.
"""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats, PixelGrid, VisiblePixels
from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import copy_into

OCCLUSION_COST = 0.1
"""Cost of flux opposite a covered pixel in the search for a centre, relative to flux opposite a dark pixel.

It is small enough that any asymmetry outweighs it, and large enough to choose the least covered of several symmetric
centres. Errors of blended ellipticities on simulated training skies: 0.097 with any value from 0.05 to 0.3, 0.101 with
1.
"""


@compiled
def _flux_at(image: Floats, row: Any, column: Any) -> Any:
    """Return the visible flux at a position, which may lie outside the grid; -1 where the segment has no pixel."""
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return image[row, column] if inside else -1.0


@compiled
def _asymmetry(
    image: Floats, galaxy: VisiblePixels, noise: float, twice_row: Any, twice_column: Any, limit: float
) -> Any:
    """Return the sum of differences between each pixel's flux and that opposite, about twice the row and column.

    Opposite a covered pixel, a fraction `OCCLUSION_COST` of the flux is added. The sum stops once it exceeds `limit`.
    """
    rows, columns, flux = galaxy
    cost = 0.0
    for k in range(flux.size):
        value = _flux_at(image, twice_row - rows[k], twice_column - columns[k])
        if 0.0 <= value <= noise:
            cost += OCCLUSION_COST * flux[k]
        else:
            cost += abs(flux[k] - max(value, 0.0))
        if cost > limit:
            break
    return cost


@compiled
def _doubled_centre(image: Floats, galaxy: VisiblePixels, noise: float) -> Any:
    """Return twice the row and column of least asymmetry, integers: steepest descent from the centroid."""
    rows, columns, flux = galaxy
    total, row_sum, column_sum = 0.0, 0.0, 0.0
    for k in range(flux.size):
        total += flux[k]
        row_sum += flux[k] * rows[k]
        column_sum += flux[k] * columns[k]
    row, column = int(np.rint(2.0 * row_sum / total)), int(np.rint(2.0 * column_sum / total))
    least = _asymmetry(image, galaxy, noise, row, column, np.inf)
    moved, last_row, last_column = True, row + 3, column + 3  # the square tried last: none yet
    while moved:
        moved, from_row, from_column = False, row, column
        for i in range(from_row - 1, from_row + 2):
            for j in range(from_column - 1, from_column + 2):
                if abs(i - last_row) <= 1 and abs(j - last_column) <= 1:
                    continue
                cost = _asymmetry(image, galaxy, noise, i, j, least)
                if cost < least:
                    least, row, column, moved = cost, i, j, True
        last_row, last_column = from_row, from_column
    return row, column


@compiled
def fill_by_symmetry(grid: PixelGrid, noise: float, visible: Floats, filled: Floats) -> None:
    """Fill `filled` (m,) with the flux of a galaxy: `visible` (m,), or the flux opposite where another covers it.

    The centre minimises the asymmetry of the visible flux, on a lattice of half pixels. A pixel counts as covered where
    the visible flux is at most `noise`.
    """
    image = np.empty(grid.cells.shape)
    image[:] = -1.0
    m, n = visible.size, 0
    rows, columns, flux = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32), np.empty(m)
    for p in range(m):
        image[grid.rows[p], grid.columns[p]] = visible[p]
        if visible[p] > noise:
            rows[n], columns[n], flux[n] = grid.rows[p], grid.columns[p], visible[p]
            n += 1
    row, column = _doubled_centre(image, VisiblePixels(rows[:n], columns[:n], flux[:n]), noise)
    copy_into(filled, visible)
    for k in range(n):
        i, j = row - rows[k], column - columns[k]
        if 0.0 <= _flux_at(image, i, j) <= noise:
            filled[grid.cells[i, j] - 1] = flux[k]
