"""Galaxies onto a mesh, and the part of the sums about nearby centres that a mesh cannot tell."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.profiles import gaussian_log_ratio, shear_at
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR

# Points of the mesh along each axis that a galaxy is shared among: B-splines of degree 7.
ORDER = 8


@compiled
def spline_weights(part: Any, weights: Any) -> None:
    """Fill `weights` (ORDER,) with the B-spline ``M(part + k)``, k = 0, 1, ..., by its recursion (de Boor 1978)."""
    weights[:] = 0.0
    weights[0] = 1.0
    for n in range(2, weights.size + 1):
        for k in range(n - 1, 0, -1):
            u = part + k
            weights[k] = (u * weights[k] + (n - u) * weights[k - 1]) / (n - 1)
        weights[0] *= part / (n - 1)


@compiled
def spread(x: Any, y: Any, real: Any, imaginary: Any, mesh: Any) -> None:
    """Add ``real + i imaginary`` of galaxies at x, y (in steps) to the points of `mesh`, which is periodic."""
    n_rows, n_columns = mesh.shape
    wx, wy = np.empty(ORDER), np.empty(ORDER)
    columns = np.empty(ORDER, dtype=np.int64)
    for k in range(x.size):
        left, low = int(np.floor(x[k])), int(np.floor(y[k]))
        spline_weights(x[k] - left, wx)
        spline_weights(y[k] - low, wy)
        for a in range(ORDER):
            columns[a] = (left + ORDER // 2 - a) % n_columns
        for b in range(ORDER):
            i = (low + ORDER // 2 - b) % n_rows
            value = complex(real[k] * wy[b], imaginary[k] * wy[b])
            for a in range(ORDER):
                mesh[i, columns[a]] += value * wx[a]


@compiled
def nearness(square: Any, width: Any) -> Any:
    """Return the share ``(1 + u) exp(-u)``, ``u = r^2 / 2 width^2``, of a kernel that is summed galaxy by galaxy.

    What it leaves for the mesh begins as r^4: smooth at the centre whatever the spin of the kernel is, up to 4.
    """
    u = 0.5 * square / (width * width)
    return (1.0 + u) * np.exp(-u)


@compiled
def index_range(place: Any, first: Any, spacing: Any, n: Any, reach: Any) -> Any:
    """Return the range of those of n centres, `spacing` apart from `first` on, that lie within `reach` of a place."""
    start = int(np.ceil((place - reach - first) / spacing))
    stop = int(np.floor((place + reach - first) / spacing)) + 1
    return max(start, 0), min(stop, n)


@compiled
def near_shear(
    x: Any, y: Any, e1: Any, e2: Any, weight: Any, columns: Any, rows: Any, width: Any, reach: Any, shear: Any
) -> None:
    """Add to `shear` (2, n_rows, n_columns) sum(n v gamma_t) and sum(n v gamma_x), with n the :func:`nearness`.

    v is the inverse variance `weight` of a galaxy. `columns` and `rows` are even; n is nothing beyond `reach`.
    """
    gauss = np.empty(columns.size)
    for k in range(x.size):
        left, right = index_range(x[k], columns[0], columns[1] - columns[0], columns.size, reach)
        low, high = index_range(y[k], rows[0], rows[1] - rows[0], rows.size, reach)
        for j in range(left, right):
            gauss[j] = weight[k] * np.exp(-0.5 * ((x[k] - columns[j]) / width) ** 2)
        for i in range(low, high):
            dy = y[k] - rows[i]
            along = np.exp(-0.5 * (dy / width) ** 2)
            for j in range(left, right):
                dx = x[k] - columns[j]
                square = dx * dx + dy * dy
                # A galaxy at the centre itself has no tangential direction: its 0/0 becomes 0.
                share = gauss[j] * along * (1.0 + 0.5 * square / (width * width)) / max(square, 1e-12)
                cos2, sin2 = (dx * dx - dy * dy) * share, 2.0 * dx * dy * share
                shear[0, i, j] -= e1[k] * cos2 + e2[k] * sin2
                shear[1, i, j] += e1[k] * sin2 - e2[k] * cos2


@compiled
def narrow_sums(
    x: Any, y: Any, e1: Any, e2: Any, weight: Any, columns: Any, rows: Any, windows: Any, reach: Any, sums: Any
) -> None:
    """Add to the sums of :func:`~darkmatter_features.maps.kernels.shear_sums` those in windows too narrow for a mesh.

    `windows` ascend from that of sum(w^2 v) of the smallest scale, each sqrt(2) times as large as the one before; none
    is anything beyond `reach`. All but the first are those of the first scales. `columns` and `rows` are even.
    """
    gauss, w = np.empty(columns.size), np.empty(columns.size)
    for k in range(x.size):
        left, right = index_range(x[k], columns[0], columns[1] - columns[0], columns.size, reach)
        low, high = index_range(y[k], rows[0], rows[1] - rows[0], rows.size, reach)
        for j in range(left, right):
            gauss[j] = np.exp(-0.5 * ((x[k] - columns[j]) / windows[-1]) ** 2)
        for i in range(low, high):
            dy = y[k] - rows[i]
            along = np.exp(-0.5 * (dy / windows[-1]) ** 2)
            for j in range(left, right):
                w[j] = gauss[j] * along
            for s in range(windows.size - 1, -1, -1):
                if s < sums.shape[1]:
                    for j in range(left, right):
                        sums[3, s, i, j] += w[j] * weight[k]
                if s > 0:
                    for j in range(left, right):
                        dx = x[k] - columns[j]
                        share = w[j] * weight[k] / max(dx * dx + dy * dy, 1e-12)
                        cos2, sin2 = (dx * dx - dy * dy) * share, 2.0 * dx * dy * share
                        sums[0, s - 1, i, j] -= e1[k] * cos2 + e2[k] * sin2
                        sums[1, s - 1, i, j] += e1[k] * sin2 - e2[k] * cos2
                        sums[2, s - 1, i, j] += w[j] * weight[k]
                        w[j] *= w[j]


@compiled
def near_profile_sums(
    x: Any,
    y: Any,
    e1: Any,
    e2: Any,
    weight: Any,
    shear: Any,
    smooth: Any,
    step: Any,
    columns: Any,
    rows: Any,
    width: Any,
    reach: Any,
    filter_response: Any,
    filter_norm: Any,
) -> None:
    """Add to the sums of :func:`~darkmatter_features.numerics.kernels.profiles.profile_sums` what a mesh leaves out.

    Of the profiles and then their squares, `smooth` (n_nodes, 2 n_profiles) holds what a mesh has where nothing is
    near. Here `columns` (n_columns,) and `rows` (n_rows,) are the sides of an even grid, whose centres run by rows.
    """
    n_profiles = shear.shape[1]
    g, far = np.empty(n_profiles), np.empty(2 * n_profiles)
    for k in range(x.size):
        left, right = index_range(x[k], columns[0], columns[1] - columns[0], columns.size, reach)
        low, high = index_range(y[k], rows[0], rows[1] - rows[0], rows.size, reach)
        for i in range(low, high):
            for j in range(left, right):
                dx, dy, q = x[k] - columns[j], y[k] - rows[i], i * columns.size + j
                square = max(dx * dx + dy * dy, 1e-24)
                if square > reach * reach:
                    continue
                cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
                shear_at(shear, step, np.sqrt(square), g)
                shear_at(smooth, step, np.sqrt(square), far)
                meshed = 1.0 - nearness(square, width)
                for p in range(n_profiles):
                    filter_norm[q, p] += weight[k] * (g[p] * g[p] - meshed * far[n_profiles + p])
                    g[p] = weight[k] * (g[p] - meshed * far[p])
                for m in range(e1.shape[1]):
                    gamma_t = -(e1[k, m] * cos2 + e2[k, m] * sin2)
                    for p in range(g.size):
                        filter_response[q, m, p] += g[p] * gamma_t


@compiled
def near_likelihood(
    x: Any,
    y: Any,
    e1: Any,
    e2: Any,
    share: Any,
    variance: Any,
    shear: Any,
    smooth: Any,
    step: Any,
    amplitudes: Any,
    weak: Any,
    columns: Any,
    rows: Any,
    width: Any,
    reach: Any,
    likelihood: Any,
) -> None:
    """Add to `likelihood` what a mesh leaves out of the log ratio about each centre (columns, rows) paired.

    That is what is near of the expansion to second order, as in :func:`near_profile_sums`, and all of what differs from
    the expansion where shears are not `weak`. The galaxies lie in the order of their y; none beyond `reach` matters.
    Else as :func:`~darkmatter_features.numerics.kernels.profiles.profile_likelihood`.
    """
    n_profiles, n_amplitudes = amplitudes.shape
    g, far = np.empty(n_profiles), np.empty(2 * n_profiles)
    for q in range(columns.size):
        total = likelihood[q]
        start, stop = np.searchsorted(y, rows[q] - reach), np.searchsorted(y, rows[q] + reach)
        for k in range(start, stop):
            dx, dy = x[k] - columns[q], y[k] - rows[q]
            square = max(dx * dx + dy * dy, 1e-24)
            if square > reach * reach:
                continue
            cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
            t, c = -(e1[k] * cos2 + e2[k] * sin2), e1[k] * sin2 - e2[k] * cos2
            m = t * t + c * c
            one = share[k] * t * ((1.0 - m) / variance + 4.0)
            two = share[k] * (-(1.0 - m) * (1.0 + m - 4.0 * t * t) / (2.0 * variance) - 2.0 * (1.0 + m) + 4.0 * t * t)
            meshed = 1.0 - nearness(square, width)
            shear_at(shear, step, np.sqrt(square), g)
            shear_at(smooth, step, np.sqrt(square), far)
            for p in range(n_profiles):
                linear, quadratic = g[p] - meshed * far[p], g[p] * g[p] - meshed * far[n_profiles + p]
                for a in range(n_amplitudes - 1, -1, -1):
                    size = amplitudes[p, a] * g[p]
                    total[p, a] += amplitudes[p, a] * (linear * one + amplitudes[p, a] * quadratic * two)
                    if size >= weak:
                        exact = share[k] * gaussian_log_ratio(t, c, min(size, MAX_SHEAR), variance)
                        total[p, a] += exact - size * (one + size * two)
