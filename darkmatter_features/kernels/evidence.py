"""The log likelihood ratio of a catalogue: with a lens at a centre, over without one."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled

# Shears are kept below this: beyond 1 an image would be of the other parity.
MAX_SHEAR = 0.95
# The expansion to second order in shear is taken from a circle of this radius, so that it holds up to there.
CIRCLE = 0.1
N_ANGLES = 8


@compiled
def log_density(table: Any, kind: Any, e1: Any, e2: Any) -> Any:
    """Return log p0(e) by bilinear interpolation in `table` (n_kinds, n, n), whose nodes span [-1, 1] in e1 and e2."""
    n = table.shape[1]
    u = min(max((e1 + 1.0) * 0.5 * (n - 1), 0.0), n - 1.000001)
    v = min(max((e2 + 1.0) * 0.5 * (n - 1), 0.0), n - 1.000001)
    i, j = int(u), int(v)
    u -= i
    v -= j
    low = table[kind, i, j] * (1.0 - u) + table[kind, i + 1, j] * u
    high = table[kind, i, j + 1] * (1.0 - u) + table[kind, i + 1, j + 1] * u
    return low * (1.0 - v) + high * v


@compiled
def log_ratio(table: Any, kind: Any, e1: Any, e2: Any, g1: Any, g2: Any) -> Any:
    """Return log of p0(e_s) |de_s/de|^2 / p0(e), with e_s = (e - g) / (1 - g* e) the ellipticity before the shear."""
    a, b = e1 - g1, e2 - g2
    c, d = 1.0 - g1 * e1 - g2 * e2, g2 * e1 - g1 * e2
    square = c * c + d * d
    s1, s2 = (a * c + b * d) / square, (b * c - a * d) / square
    jacobian = (1.0 - g1 * g1 - g2 * g2) / square
    return log_density(table, kind, s1, s2) + 2.0 * np.log(jacobian) - log_density(table, kind, e1, e2)


@compiled
def expand(table: Any, kind: Any, e1: Any, e2: Any, coefficients: Any) -> None:
    """Fill `coefficients` (n, 5) of each galaxy's log ratio to second order in a shear g exp(i psi).

    In the order of: g cos psi, g sin psi, g^2, g^2 cos 2psi, g^2 sin 2psi.
    """
    coefficients[:] = 0.0
    for k in range(e1.size):
        for turn in range(N_ANGLES):
            psi = 2.0 * np.pi * turn / N_ANGLES
            value = log_ratio(table, kind[k], e1[k], e2[k], CIRCLE * np.cos(psi), CIRCLE * np.sin(psi)) / N_ANGLES
            coefficients[k, 0] += 2.0 * value * np.cos(psi) / CIRCLE
            coefficients[k, 1] += 2.0 * value * np.sin(psi) / CIRCLE
            coefficients[k, 2] += value / CIRCLE**2
            coefficients[k, 3] += 2.0 * value * np.cos(2.0 * psi) / CIRCLE**2
            coefficients[k, 4] += 2.0 * value * np.sin(2.0 * psi) / CIRCLE**2


@compiled
def lens_likelihood(
    x: Any,
    y: Any,
    e1: Any,
    e2: Any,
    kind: Any,
    response: Any,
    table: Any,
    coefficients: Any,
    shear: Any,
    step: Any,
    amplitudes: Any,
    weak: Any,
    columns: Any,
    rows: Any,
    likelihood: Any,
) -> None:
    """Fill `likelihood` (m, n_profiles, n_amplitudes): log ratio of the shapes for a lens at each (columns, rows).

    Profile p has tangential shear ``amplitude * shear[p, r / step]``, linear between nodes and zero beyond them; a
    galaxy answers to it with the `response` of its kind. Shear from `weak` on is undone exactly; of less, two sums
    serve every amplitude.
    """
    n_profiles, n_nodes = shear.shape
    n_amplitudes = amplitudes.size
    for m in range(rows.size):
        for p in range(n_profiles):
            first, second = 0.0, 0.0
            total = likelihood[m, p]
            total[:] = 0.0
            for k in range(x.size):
                dx, dy = x[k] - columns[m], y[k] - rows[m]
                square = max(dx * dx + dy * dy, 1e-12)
                place = np.sqrt(square) / step
                node = int(place)
                if node >= n_nodes - 1:
                    continue
                g = shear[p, node] + (place - node) * (shear[p, node + 1] - shear[p, node])
                g *= response[kind[k]]
                cos, sin = -(dx * dx - dy * dy) / square, -2.0 * dx * dy / square
                own = coefficients[k]
                linear = g * (own[0] * cos + own[1] * sin)
                quadratic = g * g * (own[2] + own[3] * (cos * cos - sin * sin) + own[4] * 2.0 * cos * sin)
                first += linear
                second += quadratic
                for a in range(n_amplitudes - 1, -1, -1):
                    if amplitudes[a] * abs(g) < weak:
                        break
                    size = min(amplitudes[a] * g, MAX_SHEAR)
                    exact = log_ratio(table, kind[k], e1[k], e2[k], size * cos, size * sin)
                    total[a] += exact - amplitudes[a] * (linear + amplitudes[a] * quadratic)
            for a in range(n_amplitudes):
                total[a] += amplitudes[a] * (first + amplitudes[a] * second)


@compiled
def count_likelihood(
    x: Any, y: Any, kind: Any, log_counts: Any, step: Any, columns: Any, rows: Any, likelihood: Any
) -> None:
    """Fill `likelihood` (m,) with sum(log n(r_i)) about each centre, n of a galaxy's `kind` with nodes `step` apart.

    The last node holds beyond the end.
    """
    last = log_counts.shape[1] - 1
    for m in range(rows.size):
        total = 0.0
        for k in range(x.size):
            place = min(np.sqrt((x[k] - columns[m]) ** 2 + (y[k] - rows[m]) ** 2) / step, last - 1e-9)
            node = int(place)
            own = log_counts[kind[k]]
            total += own[node] + (place - node) * (own[node + 1] - own[node])
        likelihood[m] = total


@compiled
def sheared_likelihood(table: Any, kind: Any, e1: Any, e2: Any, g1: Any, g2: Any) -> Any:
    """Return the sum over galaxies of the log ratio, each with a shear of its own."""
    total = 0.0
    for k in range(e1.size):
        total += log_ratio(table, kind[k], e1[k], e2[k], g1[k], g2[k])
    return total
