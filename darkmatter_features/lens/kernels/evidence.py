"""Compiled log likelihood ratios of a catalogue, for a lens at a centre over none.

With e the ellipticity, g the reduced shear and ``e_s = (e - g) / (1 - g* e)`` the ellipticity before the shear, the
log ratio of a shape is ``log[p0(e_s) |de_s/de|^2 / p0(e)]`` (Seitz & Schneider 1997, arXiv:astro-ph/9601079).
"""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import copy_into
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR

POLYNOMIAL_SHEAR = 0.06
"""Shear below which a polynomial of second order replaces the exact log ratio, dimensionless."""


@compiled
def log_density(table: Any, shape_bin: Any, e1: Any, e2: Any) -> Any:
    """Return log p0(e) by bilinear interpolation in `table` (n_shape_bins, n, n), nodes from -1 to 1 in e1 and e2."""
    n = table.shape[1]
    u = min(max((e1 + 1.0) * 0.5 * (n - 1), 0.0), n - 1.000001)
    v = min(max((e2 + 1.0) * 0.5 * (n - 1), 0.0), n - 1.000001)
    i, j = int(u), int(v)
    u -= i
    v -= j
    low = table[shape_bin, i, j] * (1.0 - u) + table[shape_bin, i + 1, j] * u
    high = table[shape_bin, i, j + 1] * (1.0 - u) + table[shape_bin, i + 1, j + 1] * u
    return low * (1.0 - v) + high * v


@compiled
def sheared_density(table: Any, shape_bin: Any, e1: Any, e2: Any, g1: Any, g2: Any) -> Any:
    """Return log of p0(e_s) |de_s/de|^2, with e_s = (e - g) / (1 - g* e) the ellipticity before the shear."""
    a, b = e1 - g1, e2 - g2
    c, d = 1.0 - g1 * e1 - g2 * e2, g2 * e1 - g1 * e2
    inverse = 1.0 / (c * c + d * d)
    s1, s2 = (a * c + b * d) * inverse, (b * c - a * d) * inverse
    jacobian = (1.0 - g1 * g1 - g2 * g2) * inverse
    return log_density(table, shape_bin, s1, s2) + 2.0 * np.log(jacobian)


@compiled
def log_ratio(table: Any, shape_bin: Any, e1: Any, e2: Any, g1: Any, g2: Any) -> Any:
    """Return log of p0(e_s) |de_s/de|^2 / p0(e)."""
    return sheared_density(table, shape_bin, e1, e2, g1, g2) - log_density(table, shape_bin, e1, e2)


@compiled
def tabulate(table: Any, shape_bin: Any, e1: Any, e2: Any, response: Any, shears: Any, ratios: Any) -> None:
    """Fill `ratios` (n, n_angles + 1, n_shears) with each galaxy's log ratio for ascending `shears` in all directions.

    `table` holds log [p0(e) (1 - |e|^2)^2], the density per invariant area of the unit disc: a ratio of such densities
    needs no Jacobian. Angle j is that of :func:`direction` j; the last is the first again. Below POLYNOMIAL_SHEAR, a
    polynomial of second order that is exact at 0 and at half and full of that shear replaces the exact ratio.
    """
    n_angles, n_weak = ratios.shape[1] - 1, 0
    while n_weak < shears.size and shears[n_weak] < POLYNOMIAL_SHEAR:
        n_weak += 1
    exact, directions = np.empty(2 + shears.size - n_weak), np.empty((n_angles, 2))
    exact[0], exact[1] = 0.5 * POLYNOMIAL_SHEAR, POLYNOMIAL_SHEAR
    for i in range(n_weak, shears.size):
        exact[2 + i - n_weak] = shears[i]
    for j in range(n_angles):
        directions[j, 0], directions[j, 1] = direction(4.0 * j / n_angles)
    n = n_angles * exact.size
    g, rest, values, corner = np.empty((2, n)), np.empty((2, n)), np.empty(n), np.empty(n, dtype=np.int64)
    before = np.empty(shears.size, dtype=ratios.dtype)
    ahead, behind = np.empty(shears.size, dtype=ratios.dtype), np.empty(shears.size, dtype=ratios.dtype)
    _chord_weights(shears, ahead, behind)
    for k in range(e1.size):
        own, density = ratios[k], table[shape_bin[k]]
        _in_all_directions(exact, response[shape_bin[k]], directions, g)
        _unsheared_log_densities(density, e1[k], e2[k], g, corner, rest, values)
        unlensed = log_density(table, shape_bin[k], e1[k], e2[k])
        for j in range(n_angles):
            first = j * exact.size
            half, full = values[first] - unlensed, values[first + 1] - unlensed
            linear, square = (4.0 * half - full) / POLYNOMIAL_SHEAR, 2.0 * (full - 2.0 * half) / POLYNOMIAL_SHEAR**2
            for i in range(n_weak):
                own[j, i] = shears[i] * (linear + shears[i] * square)
            for i in range(n_weak, shears.size):
                own[j, i] = values[first + 2 + i - n_weak] - unlensed
        _sharpen(own, ahead, behind, before)


@compiled
def _in_all_directions(shears: Any, response: Any, directions: Any, g: Any) -> None:
    """Fill `g` (2, n_directions n_shears) with both components of the shears in each of the directions."""
    n = shears.size
    for j in range(directions.shape[0]):
        cos, sin = directions[j, 0], directions[j, 1]
        for i in range(n):
            shear = min(shears[i] * response, MAX_SHEAR)
            g[0, j * n + i], g[1, j * n + i] = shear * cos, shear * sin


@compiled
def _unsheared_log_densities(table: Any, e1: Any, e2: Any, g: Any, corner: Any, rest: Any, values: Any) -> None:
    """Fill `values` (n,) from `table` at the ellipticities of one galaxy before the shears `g` (2, n).

    The arithmetic is separate from the look-up, so that it vectorises: `corner` (n,) holds the flat index of the node
    below each ellipticity in `table`, and `rest` (2, n) the distance from it, in nodes.
    """
    side, flat = table.shape[0], table.ravel()
    half, last = 0.5 * (side - 1), side - 1 - 1e-6
    for i in range(values.size):
        g1, g2 = g[0, i], g[1, i]
        a, b = e1 - g1, e2 - g2
        c, d = 1.0 - g1 * e1 - g2 * e2, g2 * e1 - g1 * e2
        inverse = 1.0 / (c * c + d * d)
        u = min(max(((a * c + b * d) * inverse + 1.0) * half, 0.0), last)
        v = min(max(((b * c - a * d) * inverse + 1.0) * half, 0.0), last)
        rest[0, i], rest[1, i] = u - np.int64(u), v - np.int64(v)
        corner[i] = np.int64(u) * side + np.int64(v)
    for i in range(values.size):
        k = corner[i]
        low = flat[k] + rest[0, i] * (flat[k + side] - flat[k])
        high = flat[k + 1] + rest[0, i] * (flat[k + side + 1] - flat[k + 1])
        values[i] = low + rest[1, i] * (high - low)


@compiled
def _sharpen(own: Any, ahead: Any, behind: Any, before: Any) -> None:
    """Correct `own` (n_angles + 1, n_shears), whose last angle is the first, for linear interpolation between nodes.

    Between nodes, the chord of a curve deviates from it by 1/12 of its second difference on average. This is subtracted
    along the shears, with the weights of :func:`_chord_weights`, and then along the angles. `before` (n_shears,) is
    scratch space.
    """
    n_angles, n_shears = own.shape[0] - 1, own.shape[1]
    for j in range(n_angles):
        copy_into(before, own[j])
        for i in range(1, n_shears - 1):
            own[j, i] -= ahead[i] * (before[i + 1] - before[i]) - behind[i] * (before[i] - before[i - 1])
    copy_into(before, own[n_angles - 1])
    copy_into(own[n_angles], own[0])
    for j in range(n_angles):
        for i in range(n_shears):
            here = own[j, i]
            own[j, i] = here - (before[i] - 2.0 * here + own[j + 1, i]) / 12.0
            before[i] = here
    copy_into(own[n_angles], own[0])


@compiled
def _chord_weights(nodes: Any, ahead: Any, behind: Any) -> None:
    """Fill the weights (n,) of the differences ahead and behind in 1/12 of a curve's second difference at `nodes`.

    For uneven nodes that is its second derivative times both steps; the nodes at the ends have none.
    """
    ahead[:], behind[:] = 0.0, 0.0
    for i in range(1, nodes.size - 1):
        down, up = nodes[i] - nodes[i - 1], nodes[i + 1] - nodes[i]
        ahead[i], behind[i] = down / (6.0 * (up + down)), up / (6.0 * (up + down))


@compiled
def direction(turn: Any) -> Any:
    """Return cosine and sine of the direction at `turn`, from 0 to 4, around the square |x| + |y| = 1."""
    quarter = turn % 4.0
    across = 1.0 - quarter if quarter < 2.0 else quarter - 3.0
    up = (1.0 - abs(across)) * (1.0 if quarter < 2.0 else -1.0)
    length = np.sqrt(across * across + up * up)
    return across / length, up / length


@compiled
def _polar(x: Any, y: Any, columns: Any, rows: Any, per_pixel: Any, n_angles: Any, radius: Any, turn: Any) -> None:
    """Fill `radius` (m,), in steps of the profiles, and `turn` (m,), the direction of the shear at (x, y).

    The shear about (row, column) is tangential, along -exp(2i phi); its direction is a fractional index among
    `n_angles` on the square |x| + |y| = 1, as in :func:`direction`, the end included. No branches: it vectorises.
    """
    for m in range(rows.size):
        dx, dy = x - columns[m], y - rows[m]
        cos, sin = dy * dy - dx * dx, -2.0 * dx * dy
        across = cos / (abs(cos) + abs(sin) + 1e-12)
        radius[m] = np.sqrt(dx * dx + dy * dy) * per_pixel + 0.5
        turn[m] = (1.0 - across if sin >= 0.0 else 3.0 + across) * (0.25 * n_angles)


@compiled
def lens_likelihood(
    x: Any, y: Any, ratios: Any, shear_node: Any, shear_part: Any, step: Any, columns: Any, rows: Any, likelihood: Any
) -> None:
    """Fill `likelihood` (m, n_profiles, n_amplitudes) with the log ratio of the shapes for a lens at (columns, rows).

    `shear_node` and `shear_part` (n_profiles, n_radii, n_amplitudes), at radii `step` apart, locate the shear of each
    amplitude among the tabulated ones; `shear_part` is negative where there is no shear. The outer loop runs over
    galaxies, so that the ratios of one galaxy stay in the cache. Indices are unsigned: signed ones may count from the
    end, which is checked at each use.
    """
    n_angles, n_radii, n_amplitudes = ratios.shape[1] - 1, shear_node.shape[1], shear_node.shape[2]
    radius, turn = np.empty(rows.size, dtype=np.int32), np.empty(rows.size, dtype=np.float32)
    angle, one = np.empty(rows.size, dtype=np.uint32), np.uint64(1)
    likelihood[:] = 0.0
    for k in range(x.size):
        own = ratios[k]
        _polar(x[k], y[k], columns, rows, 1.0 / step, n_angles, radius, turn)
        for m in range(rows.size):
            angle[m] = min(np.int32(turn[m]), np.int32(n_angles - 1))
            turn[m] -= np.float32(angle[m])
        for p in range(shear_node.shape[0]):
            for m in range(rows.size):
                r, j, between = np.uint64(radius[m]), np.uint64(angle[m]), turn[m]
                if radius[m] >= n_radii or shear_part[p, r, 0] < 0.0:
                    continue
                near, far = own[j], own[j + one]
                nodes, parts, total = shear_node[p, r], shear_part[p, r], likelihood[m, p]
                for a in range(n_amplitudes):
                    i, part = np.uint64(nodes[a]), parts[a]
                    low = near[i] + part * (near[i + one] - near[i])
                    high = far[i] + part * (far[i + one] - far[i])
                    total[a] += low + between * (high - low)


@compiled
def count_likelihood(
    x: Any, y: Any, size_bin: Any, log_counts: Any, step: Any, columns: Any, rows: Any, likelihood: Any
) -> None:
    """Fill `likelihood` (m,) with sum(log n(r_i)) about each centre, with n(r) of each galaxy's size bin.

    Nodes of `log_counts` are `step` apart: the nearest is read, and the last beyond the end.
    """
    last = log_counts.shape[1] - 1
    node = np.empty(rows.size, dtype=np.uint32)
    likelihood[:] = 0.0
    for k in range(x.size):
        own = log_counts[size_bin[k]]
        for m in range(rows.size):
            dx, dy = x[k] - columns[m], y[k] - rows[m]
            node[m] = np.int32(min(np.sqrt(dx * dx + dy * dy) / step + 0.5, last))
        for m in range(rows.size):
            likelihood[m] += own[node[m]]


@compiled
def read_lattice(lattice: Any, rows: Any, columns: Any, values: Any) -> None:
    """Fill `values` (m, n) from `lattice` (n_rows, n_columns, n), bilinearly, at positions (m,) in its nodes."""
    for m in range(rows.size):
        i = min(max(int(rows[m]), 0), lattice.shape[0] - 2)
        j = min(max(int(columns[m]), 0), lattice.shape[1] - 2)
        down, across = min(max(rows[m] - i, 0.0), 1.0), min(max(columns[m] - j, 0.0), 1.0)
        for a in range(lattice.shape[2]):
            above = lattice[i, j, a] + across * (lattice[i, j + 1, a] - lattice[i, j, a])
            below = lattice[i + 1, j, a] + across * (lattice[i + 1, j + 1, a] - lattice[i + 1, j, a])
            values[m, a] = above + down * (below - above)


@compiled
def log_mean_exp(values: Any, weights: Any, means: Any) -> None:
    """Fill `means` (m,) with the log of the mean of exp(`values`) (m, n), weighted by `weights` (n,) that sum to 1."""
    for m in range(values.shape[0]):
        largest, total = values[m, 0], 0.0
        for i in range(weights.size):
            largest = max(largest, values[m, i])
        for i in range(weights.size):
            total += weights[i] * np.exp(values[m, i] - largest)
        means[m] = largest + np.log(total)


@compiled
def log_ratios(table: Any, shape_bin: Any, e1: Any, e2: Any, g1: Any, g2: Any, ratios: Any) -> None:
    """Fill `ratios` (n,) with the log ratio of each galaxy for its own shear."""
    for k in range(e1.size):
        ratios[k] = log_ratio(table, shape_bin[k], e1[k], e2[k], g1[k], g2[k])
