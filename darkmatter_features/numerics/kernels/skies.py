"""Sums on a mesh for many skies that share their positions: splines and geometry are computed once for all of them.

The values of the skies are adjacent in memory, and the innermost loops run over them. They are in single precision:
skies are compared with each other, and their log Bayes factors are rounded by some 1e-6.
"""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.mesh import ORDER, index_range, spline_weights
from darkmatter_features.numerics.kernels.records import Array, Galaxies, Grid, Profiles

GROUP = 16
"""Number of neighbouring galaxies whose near parts are added to a centre together."""

UNROLLED = 4
"""Number of these in one pass over the skies: a sum is loaded and stored once for all of them."""


@compiled
def spread_skies(x: Array, y: Array, values: Any, mesh: Any) -> None:
    """Add the values (n, m) of galaxies at x, y (in steps) to the points of `mesh` (n_rows, n_columns, m), periodic.

    Values and mesh are float32 arrays.
    """
    n_rows, n_columns, m = mesh.shape
    wx, wy, shares = np.empty(ORDER), np.empty(ORDER), np.empty((ORDER, m), dtype=np.float32)
    flat, flat_shares = mesh.reshape(n_rows, n_columns * m), shares.reshape(ORDER * m)
    for k in range(x.size):
        start, low = int(np.floor(x[k])) - (ORDER // 2 - 1), int(np.floor(y[k])) - (ORDER // 2 - 1)
        spline_weights(x[k] - np.floor(x[k]), wx)
        spline_weights(y[k] - np.floor(y[k]), wy)
        for a in range(ORDER):
            share = np.float32(wx[ORDER - 1 - a])
            for s in range(m):
                shares[a, s] = share * values[k, s]
        for b in range(ORDER):
            i, weight = (low + b) % n_rows, np.float32(wy[ORDER - 1 - b])
            if start >= 0 and start + ORDER <= n_columns:
                points = flat[i, start * m : (start + ORDER) * m]
                for s in range(ORDER * m):
                    points[s] += weight * flat_shares[s]
            else:
                for a in range(ORDER):
                    j = (start + a) % n_columns
                    for s in range(m):
                        mesh[i, j, s] += weight * shares[a, s]


@compiled
def near_sums_of_skies(galaxies: Galaxies, profiles: Profiles, radius: Any, grid: Grid, filter_response: Any) -> None:
    """Add the near part of ``sum(v g gamma_t)`` to `filter_response` (n_centres, n_profiles, m) for m skies.

    The sums are those of :func:`~darkmatter_features.numerics.kernels.mesh.near_profile_sums`, in single precision and
    in another order: consecutive galaxies are neighbours, and GROUP of them are added to a centre together. The sums
    and the ellipticities are float32 arrays.
    """
    x, y, e1, e2, weight = galaxies
    columns, rows = grid
    n_profiles, m = filter_response.shape[1:]
    last_node, end, one = profiles.shear.shape[0] - 1.000001, radius / profiles.spacing, np.uint64(1)
    shear, gamma_t = np.empty((GROUP, n_profiles), dtype=np.float32), np.empty((GROUP, m), dtype=np.float32)
    position, cos2, sin2 = np.empty(GROUP), np.empty(GROUP, dtype=np.float32), np.empty(GROUP, dtype=np.float32)
    for first in range(0, x.size, GROUP):
        size = min(GROUP, x.size - first)
        own_x, own_y = x[first : first + size], y[first : first + size]
        x_least, x_most, y_least, y_most = own_x[0], own_x[0], own_y[0], own_y[0]
        for k in range(size):
            x_least, x_most = min(x_least, own_x[k]), max(x_most, own_x[k])
            y_least, y_most = min(y_least, own_y[k]), max(y_most, own_y[k])
        left, _ = index_range(x_least, columns, radius)
        _, right = index_range(x_most, columns, radius)
        low, _ = index_range(y_least, rows, radius)
        _, high = index_range(y_most, rows, radius)
        for i in range(low, high):
            for j in range(left, right):
                column, row, n = columns[j], rows[i], 0
                for k in range(size):
                    dx, dy = own_x[k] - column, own_y[k] - row
                    square = max(dx * dx + dy * dy, 1e-24)
                    position[k] = np.sqrt(square) / profiles.spacing
                    cos2[k], sin2[k] = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
                for k in range(size):
                    if position[k] > end:
                        continue
                    at = min(position[k], last_node)
                    node = np.uint64(at)
                    part, inner, outer = at - node, profiles.shear[node], profiles.shear[node + one]
                    for p in range(n_profiles):
                        shear[n, p] = weight[first + k] * (inner[p] + part * (outer[p] - inner[p]))
                    cos, sin, own_e1, own_e2, own = cos2[k], sin2[k], e1[first + k], e2[first + k], gamma_t[n]
                    for s in range(m):
                        own[s] = -(own_e1[s] * cos + own_e2[s] * sin)
                    n += 1
                while n % UNROLLED:
                    shear[n], gamma_t[n] = 0.0, 0.0
                    n += 1
                for k in range(0, n, UNROLLED):
                    t0, t1, t2, t3 = gamma_t[k], gamma_t[k + 1], gamma_t[k + 2], gamma_t[k + 3]
                    for p in range(n_profiles):
                        g0, g1, g2, g3 = shear[k, p], shear[k + 1, p], shear[k + 2, p], shear[k + 3, p]
                        total = filter_response[i * columns.size + j, p]
                        for s in range(m):
                            total[s] += g0 * t0[s] + g1 * t1[s] + g2 * t2[s] + g3 * t3[s]
