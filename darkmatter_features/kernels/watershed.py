"""Splitting a connected piece where its brightness has a saddle."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled


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
def split_saddles(brightness: Any, grid: Any, rows: Any, columns: Any, contrast: Any, n_pixels: Any, patch: Any) -> Any:
    """Split a piece into the basins of its peaks, fill `patch` (m,) with 1, 2, ... and return how many there are.

    Pixels are flooded from the brightest down. Where two basins meet, the lower one is given up unless it has `n_pixels`
    pixels and its peak stands above the saddle by `contrast` times its own height (topological persistence).
    """
    m = brightness.size
    order = np.argsort(-brightness, kind="mergesort")
    basin = np.full(m, -1, dtype=np.int64)
    parent = np.empty(m, dtype=np.int64)
    peak = np.empty(m)
    size = np.zeros(m, dtype=np.int64)
    n_basins = 0
    for p in order:
        own = -1
        for i in range(rows[p] - 1, rows[p] + 2):
            for j in range(columns[p] - 1, columns[p] + 2):
                q = grid[i, j] - 1
                if q < 0 or basin[q] < 0:
                    continue
                other = _root(parent, basin[q])
                if own < 0:
                    own = other
                elif other != own:
                    if peak[other] > peak[own]:
                        own, other = other, own
                    if size[other] < n_pixels or peak[other] - brightness[p] < contrast * peak[other]:
                        parent[other] = own
                        size[own] += size[other]
        if own < 0:
            own = n_basins
            parent[own], peak[own] = own, brightness[p]
            n_basins += 1
        basin[p] = own
        size[own] += 1
    names = np.zeros(m, dtype=np.int64)
    n_patches = 0
    for p in range(m):
        root = _root(parent, basin[p])
        if names[root] == 0:
            n_patches += 1
            names[root] = n_patches
        patch[p] = names[root]
    return n_patches
