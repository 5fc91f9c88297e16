"""Splitting a connected piece where its brightness has a saddle."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled


@compiled
def smooth(brightness: Any, grid: Any, rows: Any, columns: Any, smoothed: Any) -> None:
    """Fill `smoothed` (m,) with the mean brightness of the piece's pixels in the 3 x 3 square around each."""
    for p in range(rows.size):
        total, n = 0.0, 0
        for i in range(rows[p] - 1, rows[p] + 2):
            for j in range(columns[p] - 1, columns[p] + 2):
                q = grid[i, j] - 1
                if q >= 0:
                    total += brightness[q]
                    n += 1
        smoothed[p] = total / n


@compiled
def _root(parent: Any, k: Any) -> Any:
    while parent[k] != k:
        k = parent[k]
    return k


@compiled
def _highest_basin(grid: Any, row: Any, column: Any, basin: Any, parent: Any, peak: Any) -> Any:
    """Return the basin with the highest peak among those that a pixel borders on; -1 if there is none."""
    highest = -1
    for i in range(row - 1, row + 2):
        for j in range(column - 1, column + 2):
            q = grid[i, j] - 1
            if q >= 0 and basin[q] >= 0:
                other = _root(parent, basin[q])
                if highest < 0 or peak[other] > peak[highest]:
                    highest = other
    return highest


@compiled
def split_saddles(
    brightness: Any, grid: Any, rows: Any, columns: Any, contrast: Any, depth: Any, n_pixels: Any, patch: Any
) -> Any:
    """Split a piece into the basins of its peaks, fill `patch` (m,) with 1, 2, ... and return how many there are.

    Pixels are flooded from the brightest down. Where basins meet, each but the highest is given up to it unless it has
    `n_pixels` pixels and its peak stands above the saddle by `contrast` times its own height and by `depth` counts
    (topological persistence).
    """
    m = brightness.size
    basin = np.full(m, -1, dtype=np.int64)
    parent, size, peak = np.arange(m), np.zeros(m, dtype=np.int64), np.empty(m)
    n_basins = 0
    for p in np.argsort(-brightness, kind="mergesort"):
        own = _highest_basin(grid, rows[p], columns[p], basin, parent, peak)
        if own < 0:
            own = n_basins
            peak[own] = brightness[p]
            n_basins += 1
        for i in range(rows[p] - 1, rows[p] + 2):
            for j in range(columns[p] - 1, columns[p] + 2):
                q = grid[i, j] - 1
                if q < 0 or basin[q] < 0:
                    continue
                other = _root(parent, basin[q])
                needed = max(contrast * peak[other], depth)
                if other != own and (size[other] < n_pixels or peak[other] - brightness[p] < needed):
                    parent[other] = own
                    size[own] += size[other]
        basin[p] = own
        size[own] += 1
    for p in range(m):
        basin[p] = _root(parent, basin[p])
    return _number(basin, patch)


@compiled
def _number(basin: Any, patch: Any) -> Any:
    """Fill `patch` with 1, 2, ... in the order in which basins first occur; return how many there are."""
    names = np.zeros(basin.size, dtype=np.int64)
    n = 0
    for p in range(basin.size):
        if names[basin[p]] == 0:
            n += 1
            names[basin[p]] = n
        patch[p] = names[basin[p]]
    return n
