"""Split a segment where its brightness has a saddle."""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats, Integers, PixelGrid, SaddleSettings
from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import falling_order


@compiled
def pixel_grid(rows: Integers, columns: Integers) -> Any:
    """Return the grid of a segment. The input is overwritten with the positions on the grid."""
    top, bottom, left, right = rows[0], rows[0], columns[0], columns[0]
    for p in range(rows.size):
        top, bottom = min(top, rows[p]), max(bottom, rows[p])
        left, right = min(left, columns[p]), max(right, columns[p])
    cells = np.empty((bottom - top + 3, right - left + 3), dtype=np.int32)
    cells[:] = 0
    for p in range(rows.size):
        rows[p] -= top - 1
        columns[p] -= left - 1
        cells[rows[p], columns[p]] = p + 1
    return PixelGrid(rows, columns, cells)


@compiled
def smooth(brightness: Floats, grid: PixelGrid, smoothed: Floats) -> None:
    """Fill `smoothed` (m,) with the mean brightness of the segment's pixels in the 3 x 3 square around each."""
    for p in range(brightness.size):
        total, n = 0.0, 0
        for i in range(grid.rows[p] - 1, grid.rows[p] + 2):
            for j in range(grid.columns[p] - 1, grid.columns[p] + 2):
                q = grid.cells[i, j] - 1
                if q >= 0:
                    total += brightness[q]
                    n += 1
        smoothed[p] = total / n


@compiled
def _root(parent: Integers, k: Any) -> Any:
    """Return the basin into which basin `k` was merged."""
    while parent[k] != k:
        k = parent[k]
    return k


@compiled
def _highest_basin(grid: PixelGrid, p: Any, basin: Integers, parent: Integers, peak: Floats) -> Any:
    """Return the basin with the highest peak among those that touch pixel `p`; -1 if there is none."""
    highest = -1
    for i in range(grid.rows[p] - 1, grid.rows[p] + 2):
        for j in range(grid.columns[p] - 1, grid.columns[p] + 2):
            q = grid.cells[i, j] - 1
            if q >= 0 and basin[q] >= 0:
                other = _root(parent, basin[q])
                if highest < 0 or peak[other] > peak[highest]:
                    highest = other
    return highest


@compiled
def split_saddles(brightness: Floats, grid: PixelGrid, settings: SaddleSettings, patch: Integers) -> Any:
    """Split a segment into the basins of its peaks, fill `patch` (m,) with 1, 2, ..., and return their number.

    Pixels are flooded in the order of falling brightness. Where basins meet, each but the highest is merged into the
    highest, unless it has `n_pixels` pixels and its peak is above the saddle by `contrast` times the peak's brightness
    and by `depth` counts (topological persistence).

    References
    ----------
    Edelsbrunner, Letscher & Zomorodian (2002), doi:10.1007/s00454-002-2885-2
    """
    m = brightness.size
    basin, parent, size = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
    peak = np.empty(m)
    for p in range(m):
        basin[p], parent[p], size[p] = -1, p, 0
    n_basins = 0
    for p in falling_order(brightness):
        own = _highest_basin(grid, p, basin, parent, peak)
        if own < 0:
            own = n_basins
            peak[own] = brightness[p]
            n_basins += 1
        for i in range(grid.rows[p] - 1, grid.rows[p] + 2):
            for j in range(grid.columns[p] - 1, grid.columns[p] + 2):
                q = grid.cells[i, j] - 1
                if q < 0 or basin[q] < 0:
                    continue
                other = _root(parent, basin[q])
                needed = max(settings.contrast * peak[other], settings.depth)
                if other != own and (size[other] < settings.n_pixels or peak[other] - brightness[p] < needed):
                    parent[other] = own
                    size[own] += size[other]
        basin[p] = own
        size[own] += 1
    for p in range(m):
        basin[p] = _root(parent, basin[p])
    return _number(basin, patch)


@compiled
def _number(basin: Integers, patch: Integers) -> Any:
    """Fill `patch` with 1, 2, ... in the order in which basins first occur; return the number of basins."""
    numbers = np.empty(basin.size, dtype=np.int64)
    numbers[:] = 0
    n = 0
    for p in range(basin.size):
        if numbers[basin[p]] == 0:
            n += 1
            numbers[basin[p]] = n
        patch[p] = numbers[basin[p]]
    return n
