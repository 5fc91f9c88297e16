"""B-splines that assign galaxies to a mesh, and the part of sums about nearby centres that a mesh does not resolve."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import n_below
from darkmatter_features.numerics.kernels.profiles import shear_at
from darkmatter_features.numerics.kernels.records import Array, Centres, Galaxies, Grid, NearField, Profiles
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR, expansion_coefficients, gaussian_log_ratio

ORDER = 8
"""Order of the B-splines: mesh points along each axis that share a galaxy; their degree is 7."""


@compiled
def spline_weights(fraction: Any, weights: Array) -> None:
    """Fill `weights` (ORDER,) with the cardinal B-spline ``M_n(fraction + k)``, k = 0, 1, ..., n - 1, of order n.

    Notes
    -----
    The recursion is Eq. 4.1 of Essmann et al. (1995).

    References
    ----------
    U. Essmann et al. (1995), J. Chem. Phys. 103, 8577, doi:10.1063/1.470117.
    """
    weights[:] = 0.0
    weights[0] = 1.0
    for n in range(2, weights.size + 1):
        for k in range(n - 1, 0, -1):
            u = fraction + k
            weights[k] = (u * weights[k] + (n - u) * weights[k - 1]) / (n - 1)  # Eq. 4.1
        weights[0] *= fraction / (n - 1)


@compiled
def spread(x: Array, y: Array, real: Array, imaginary: Array, mesh: Any) -> None:
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
    """Return the fraction ``(1 + u) exp(-u)``, ``u = r^2 / 2 width^2``, of a kernel that is summed galaxy by galaxy.

    The remainder, which the mesh carries, starts as r^4: it is smooth at the centre for kernels of spin up to 4.
    """
    u = 0.5 * square / (width * width)
    return (1.0 + u) * np.exp(-u)


@compiled
def index_range(position: Any, centres: Array, radius: Any) -> Any:
    """Return the first index, and the last plus 1, of evenly spaced `centres` within `radius` of a position."""
    first, spacing = centres[0], centres[1] - centres[0]
    start = int(np.ceil((position - radius - first) / spacing))
    stop = int(np.floor((position + radius - first) / spacing)) + 1
    return max(start, 0), min(stop, centres.size)


@compiled
def near_shear(galaxies: Galaxies, grid: Grid, near: NearField, shear: Array) -> None:
    """Add ``sum(n v gamma_t)`` and ``sum(n v gamma_x)`` to `shear` (2, n_rows, n_columns), n the :func:`nearness`.

    The weights v of the galaxies are inverse variances.
    """
    x, y, e1, e2, weight = galaxies
    columns, rows = grid
    width, radius = near
    gauss = np.empty(columns.size)
    for k in range(x.size):
        left, right = index_range(x[k], columns, radius)
        low, high = index_range(y[k], rows, radius)
        for j in range(left, right):
            gauss[j] = weight[k] * np.exp(-0.5 * ((x[k] - columns[j]) / width) ** 2)
        for i in range(low, high):
            dy = y[k] - rows[i]
            along = np.exp(-0.5 * (dy / width) ** 2)
            for j in range(left, right):
                dx = x[k] - columns[j]
                square = dx * dx + dy * dy
                # A galaxy at the centre itself has no tangential direction: its 0/0 becomes 0.
                factor = gauss[j] * along * (1.0 + 0.5 * square / (width * width)) / max(square, 1e-12)
                cos2, sin2 = (dx * dx - dy * dy) * factor, 2.0 * dx * dy * factor
                shear[0, i, j] -= e1[k] * cos2 + e2[k] * sin2
                shear[1, i, j] += e1[k] * sin2 - e2[k] * cos2


@compiled
def narrow_sums(galaxies: Galaxies, grid: Grid, windows: Array, radius: Any, sums: Array) -> None:
    """Add to the sums of :func:`~darkmatter_features.maps.kernels.shear_sums` those in windows too narrow for a mesh.

    The widths `windows` (n_windows,) ascend by factors of sqrt(2). The first is that of ``sum(w^2 v)`` at the smallest
    scale, the others are the first scales. Galaxies beyond `radius` of a centre are neglected.
    """
    x, y, e1, e2, weight = galaxies
    columns, rows = grid
    gauss, w = np.empty(columns.size), np.empty(columns.size)
    for k in range(x.size):
        left, right = index_range(x[k], columns, radius)
        low, high = index_range(y[k], rows, radius)
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
                        factor = w[j] * weight[k] / max(dx * dx + dy * dy, 1e-12)
                        cos2, sin2 = (dx * dx - dy * dy) * factor, 2.0 * dx * dy * factor
                        sums[0, s - 1, i, j] -= e1[k] * cos2 + e2[k] * sin2
                        sums[1, s - 1, i, j] += e1[k] * sin2 - e2[k] * cos2
                        sums[2, s - 1, i, j] += w[j] * weight[k]
                        w[j] *= w[j]


@compiled
def near_profile_sums(
    galaxies: Galaxies,
    profiles: Profiles,
    radius: Any,
    grid: Grid,
    first_row: Any,
    last_row: Any,
    filter_response: Array,
    filter_norm: Array,
) -> None:
    """Add the near part to the sums of :func:`~darkmatter_features.numerics.kernels.profiles.profile_sums`.

    `profiles` has 2 n_profiles columns: the near parts of the profiles, then those of their squares, which are added
    for galaxies within the `radius`. The centres of the sums run over the grid by rows, of which those from `first_row`
    up to `last_row` - 1 are summed.
    """
    x, y, e1, e2, weight = galaxies
    columns, rows = grid
    n_profiles, last_node, one = filter_norm.shape[1], profiles.shear.shape[0] - 1.000001, np.uint64(1)
    node, fraction, parts = np.empty(columns.size, dtype=np.uint32), np.empty(columns.size), np.empty(2 * n_profiles)
    cos2, sin2 = np.empty(columns.size), np.empty(columns.size)
    for k in range(x.size):
        low, high = index_range(y[k], rows, radius)
        for i in range(max(low, first_row), min(high, last_row)):
            dy = y[k] - rows[i]
            left, right = index_range(x[k], columns, np.sqrt(max(radius * radius - dy * dy, 0.0)))
            for j in range(left, right):
                dx = x[k] - columns[j]
                square = max(dx * dx + dy * dy, 1e-24)
                position = min(np.sqrt(square) / profiles.spacing, last_node)
                node[j] = np.int32(position)
                fraction[j] = position - node[j]
                inverse = 1.0 / square
                cos2[j], sin2[j] = (dx * dx - dy * dy) * inverse, 2.0 * dx * dy * inverse
            for j in range(left, right):
                inner, outer = profiles.shear[np.uint64(node[j])], profiles.shear[np.uint64(node[j]) + one]
                inverse_variance, part, norm = weight[k], fraction[j], filter_norm[i * columns.size + j]
                for p in range(2 * n_profiles):
                    parts[p] = inverse_variance * (inner[p] + part * (outer[p] - inner[p]))
                for p in range(n_profiles):
                    norm[p] += parts[n_profiles + p]
                for m in range(e1.shape[1]):
                    gamma_t = -(e1[k, m] * cos2[j] + e2[k, m] * sin2[j])
                    response = filter_response[i * columns.size + j, m]
                    for p in range(n_profiles):
                        response[p] += parts[p] * gamma_t


@compiled
def near_likelihood(
    galaxies: Galaxies,
    variance: Any,
    profiles: Profiles,
    smooth: Profiles,
    near: NearField,
    amplitudes: Array,
    max_expanded_shear: Any,
    centres: Centres,
    likelihood: Array,
) -> None:
    """Add the near part to :func:`~darkmatter_features.numerics.kernels.profiles.profile_likelihood` about each centre.

    The near part is that of the expansion to second order, and the whole difference between the exact log ratio and the
    expansion for shears from `max_expanded_shear` on. `smooth` has 2 n_profiles columns: the profiles, then their
    squares, as the mesh has them before the near part is taken out. Galaxies are in ascending order of y; those beyond
    the near radius are neglected.
    """
    x, y, e1, e2, weight = galaxies
    n_profiles, n_amplitudes = amplitudes.shape
    g, far = np.empty(n_profiles), np.empty(2 * n_profiles)
    for q in range(centres.x.size):
        total = likelihood[q]
        start, stop = n_below(y, centres.y[q] - near.radius), n_below(y, centres.y[q] + near.radius)
        for k in range(start, stop):
            dx, dy = x[k] - centres.x[q], y[k] - centres.y[q]
            square = max(dx * dx + dy * dy, 1e-24)
            if square > near.radius * near.radius:
                continue
            cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
            t, c = -(e1[k] * cos2 + e2[k] * sin2), e1[k] * sin2 - e2[k] * cos2
            one, two = expansion_coefficients(t, c, weight[k], variance)
            meshed = 1.0 - nearness(square, near.width)
            shear_at(profiles, np.sqrt(square), g)
            shear_at(smooth, np.sqrt(square), far)
            for p in range(n_profiles):
                linear, quadratic = g[p] - meshed * far[p], g[p] * g[p] - meshed * far[n_profiles + p]
                for a in range(n_amplitudes - 1, -1, -1):
                    size = amplitudes[p, a] * g[p]
                    total[p, a] += amplitudes[p, a] * (linear * one + amplitudes[p, a] * quadratic * two)
                    if size >= max_expanded_shear:
                        exact = weight[k] * gaussian_log_ratio(t, c, min(size, MAX_SHEAR), variance)
                        total[p, a] += exact - size * (one + size * two)
