"""The log likelihood ratio of a catalogue: with a lens at a centre, over without one."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled

# Shears are kept below this: beyond 1 an image would be of the other parity.
MAX_SHEAR = 0.95
# Up to this shear a polynomial of second order serves.
WEAK = 0.06


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
def tabulate(table: Any, kind: Any, e1: Any, e2: Any, response: Any, shears: Any, ratios: Any) -> None:
    """Fill `ratios` (n, n_angles + 1, n_shears): each galaxy's log ratio for `shears`, ascending, in all directions.

    Angle j is the one of :func:`direction` j; the last is the first again. Where shears are weak, a polynomial of
    second order, which agrees with the exact ratio at 0, WEAK / 2 and WEAK, serves.
    """
    n_angles = ratios.shape[1] - 1
    n_weak = np.searchsorted(shears, WEAK)
    for j in range(n_angles):
        cos, sin = direction(4.0 * j / n_angles)
        for k in range(e1.size):
            answer, own = response[kind[k]], ratios[k, j]
            half = log_ratio(table, kind[k], e1[k], e2[k], 0.5 * WEAK * answer * cos, 0.5 * WEAK * answer * sin)
            full = log_ratio(table, kind[k], e1[k], e2[k], WEAK * answer * cos, WEAK * answer * sin)
            linear, square = (4.0 * half - full) / WEAK, 2.0 * (full - 2.0 * half) / WEAK**2
            for i in range(n_weak):
                own[i] = shears[i] * (linear + shears[i] * square)
            for i in range(n_weak, shears.size):
                g = min(shears[i] * answer, MAX_SHEAR)
                own[i] = log_ratio(table, kind[k], e1[k], e2[k], g * cos, g * sin)
    ratios[:, n_angles] = ratios[:, 0]


@compiled
def direction(turn: Any) -> Any:
    """Return cosine and sine of the direction that is `turn`, of 4, around the square |x| + |y| = 1."""
    quarter = turn % 4.0
    across = 1.0 - quarter if quarter < 2.0 else quarter - 3.0
    up = (1.0 - abs(across)) * (1.0 if quarter < 2.0 else -1.0)
    length = np.sqrt(across * across + up * up)
    return across / length, up / length


@compiled
def lens_likelihood(
    x: Any, y: Any, ratios: Any, places: Any, step: Any, columns: Any, rows: Any, likelihood: Any
) -> None:
    """Fill `likelihood` (m, n_profiles, n_amplitudes): log ratio of the shapes for a lens at each (columns, rows).

    `places` (n_profiles, n_radii), radii `step` apart, holds where among the tabulated shears the shear of the least
    amplitude lies, linear between two of them; negative where there is none. Amplitudes are spaced as the shears are:
    that of amplitude a lies a places further.
    """
    n_angles = ratios.shape[1] - 1
    n_radii = places.shape[1]
    for m in range(rows.size):
        likelihood[m] = 0.0
        for k in range(x.size):
            dx, dy = x[k] - columns[m], y[k] - rows[m]
            square = dx * dx + dy * dy
            i = int(np.sqrt(square) / step + 0.5)
            if i >= n_radii:
                continue
            # The shear is tangential: along -exp(2i phi). Its direction, as a place on the square |x| + |y| = 1.
            cos, sin = dy * dy - dx * dx, -2.0 * dx * dy
            across = cos / (abs(cos) + abs(sin) + 1e-12)
            turn = (1.0 - across if sin >= 0.0 else 3.0 + across) * (0.25 * n_angles)
            j = int(turn)
            turn -= j
            for p in range(places.shape[0]):
                place = places[p, i]
                if place < 0.0:
                    continue
                node = int(place)
                part = place - node
                here, there = ratios[k, j], ratios[k, j + 1]
                for a in range(likelihood.shape[2]):
                    low = here[node + a] + turn * (there[node + a] - here[node + a])
                    high = here[node + a + 1] + turn * (there[node + a + 1] - here[node + a + 1])
                    likelihood[m, p, a] += low + part * (high - low)


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
