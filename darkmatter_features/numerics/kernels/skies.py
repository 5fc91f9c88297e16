"""Sums on a mesh for many skies that share their positions: splines and geometry are computed once for all of them.

The values of the skies are adjacent in memory, and the innermost loops run over them.
"""

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.mesh import ORDER, index_range, spline_weights
from darkmatter_features.numerics.kernels.profiles import shear_at
from darkmatter_features.numerics.kernels.records import Array, Galaxies, Grid, NearField, Profiles

GROUP = 16
"""Number of neighbouring galaxies whose near parts are added to a centre together."""

UNROLLED = 4
"""Number of these in one pass over the skies: a sum is loaded and stored once for all of them."""


@compiled
def spread_skies(x: Array, y: Array, values: Array, mesh: Array) -> None:
    """Add the values (n, m) of galaxies at x, y (in steps) to the points of `mesh` (n_rows, n_columns, m), periodic."""
    n_rows, n_columns, m = mesh.shape
    wx, wy, shares = np.empty(ORDER), np.empty(ORDER), np.empty((ORDER, m))
    flat, flat_shares = mesh.reshape(n_rows, n_columns * m), shares.reshape(ORDER * m)
    for k in range(x.size):
        start, low = int(np.floor(x[k])) - (ORDER // 2 - 1), int(np.floor(y[k])) - (ORDER // 2 - 1)
        spline_weights(x[k] - np.floor(x[k]), wx)
        spline_weights(y[k] - np.floor(y[k]), wy)
        for a in range(ORDER):
            for s in range(m):
                shares[a, s] = wx[ORDER - 1 - a] * values[k, s]
        for b in range(ORDER):
            i, weight = (low + b) % n_rows, wy[ORDER - 1 - b]
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
def near_sums_of_skies(
    galaxies: Galaxies, profiles: Profiles, near: NearField, grid: Grid, filter_response: Array
) -> None:
    """Add the near part of ``sum(v g gamma_t)`` to `filter_response` (n_centres, n_profiles, m) for m skies.

    The sums are those of :func:`~darkmatter_features.numerics.kernels.mesh.near_profile_sums`, in another order:
    consecutive galaxies are neighbours, and GROUP of them are added to a centre together. `profiles` has 2 n_profiles
    columns: the profiles, then what the mesh has of them.
    """
    x, y, e1, e2, weight = galaxies
    columns, rows = grid
    width, radius = near
    n_profiles, m = filter_response.shape[1:]
    g, shear, gamma_t = np.empty(2 * n_profiles), np.empty((GROUP, n_profiles)), np.empty((GROUP, m))
    gauss = np.empty((columns.size, GROUP))
    for first in range(0, x.size, GROUP):
        last = min(first + GROUP, x.size)
        left, _ = index_range(x[first:last].min(), columns, radius)
        _, right = index_range(x[first:last].max(), columns, radius)
        low, _ = index_range(y[first:last].min(), rows, radius)
        _, high = index_range(y[first:last].max(), rows, radius)
        for j in range(left, right):
            for k in range(first, last):
                gauss[j, k - first] = np.exp(-0.5 * ((x[k] - columns[j]) / width) ** 2)
        for i in range(low, high):
            along = np.exp(-0.5 * ((y[first:last] - rows[i]) / width) ** 2)
            for j in range(left, right):
                n = 0
                for k in range(first, last):
                    dx, dy = x[k] - columns[j], y[k] - rows[i]
                    square = max(dx * dx + dy * dy, 1e-24)
                    if square > radius * radius:
                        continue
                    shear_at(profiles, np.sqrt(square), g)
                    meshed = 1.0 - (1.0 + 0.5 * square / (width * width)) * gauss[j, k - first] * along[k - first]
                    for p in range(n_profiles):
                        shear[n, p] = weight[k] * (g[p] - meshed * g[n_profiles + p])
                    cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
                    for s in range(m):
                        gamma_t[n, s] = -(e1[k, s] * cos2 + e2[k, s] * sin2)
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
