"""Sums over galaxies for many profiles of shear about every candidate centre, and what they say of a lens there."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR


@compiled
def shear_at(shear: Any, step: Any, radius: Any, g: Any) -> None:
    """Fill `g` (n_profiles,) with `shear` (n_nodes, n_profiles) at a radius, linear between nodes."""
    place = min(radius / step, shear.shape[0] - 1.000001)
    node = int(place)
    part = place - node
    for p in range(g.size):
        g[p] = shear[node, p] + part * (shear[node + 1, p] - shear[node, p])


@compiled
def profile_sums(
    x: Any,
    y: Any,
    e1: Any,
    e2: Any,
    weight: Any,
    shear: Any,
    step: Any,
    columns: Any,
    rows: Any,
    filter_response: Any,
    filter_norm: Any,
) -> None:
    """Add up ``sum(v g gamma_t)`` and ``sum(v g^2)`` about the centres (columns, rows), with v the inverse variances.

    `e1`, `e2` (n, m) hold m skies that differ in orientations alone, so that geometry and profiles are worked out once;
    a sky of (e2, -e1) gives the cross shear. `filter_response` (n_centres, m, n_profiles), `filter_norm` (n_centres, n_profiles).
    """
    g = np.empty(shear.shape[1])
    for q in range(columns.size):
        filter_response[q] = 0.0
        filter_norm[q] = 0.0
        for k in range(x.size):
            dx, dy = x[k] - columns[q], y[k] - rows[q]
            # A galaxy at the centre itself has no tangential direction: its 0/0 becomes 0.
            square = max(dx * dx + dy * dy, 1e-24)
            cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
            shear_at(shear, step, np.sqrt(square), g)
            for p in range(g.size):
                filter_norm[q, p] += weight[k] * g[p] * g[p]
                g[p] *= weight[k]
            for j in range(e1.shape[1]):
                gamma_t = -(e1[k, j] * cos2 + e2[k, j] * sin2)
                for p in range(g.size):
                    filter_response[q, j, p] += g[p] * gamma_t


@compiled
def log_mean_likelihood_ratio(filter_response: Any, filter_norm: Any, amplitudes: Any, odds: Any) -> None:
    """Fill `odds` (n_centres, m) with the log of the mean of ``exp(A filter_response - A^2 filter_norm / 2)``.

    The mean is over profiles and their `amplitudes` A (n_profiles, n_amplitudes).
    """
    n_profiles, n_amplitudes = amplitudes.shape
    values = np.empty(n_profiles * n_amplitudes)
    for q in range(odds.shape[0]):
        for j in range(odds.shape[1]):
            largest = -np.inf
            for p in range(n_profiles):
                for a in range(n_amplitudes):
                    size = amplitudes[p, a]
                    value = size * (filter_response[q, j, p] - 0.5 * size * filter_norm[q, p])
                    values[p * n_amplitudes + a] = value
                    largest = max(largest, value)
            total = 0.0
            for value in values:
                total += np.exp(value - largest)
            odds[q, j] = largest + np.log(total / values.size)


@compiled
def gaussian_log_ratio(gamma_t: Any, gamma_x: Any, g: Any, variance: Any) -> Any:
    """Return log of p0(e_s) |de_s/de|^2 / p0(e) for a tangential shear g, with p0 a Gaussian of that variance.

    In the frame of the centre the ellipticity is ``E = gamma_t + i gamma_x`` and ``e_s = (E - g) / (1 - g E)``.
    """
    square = (1.0 - g * gamma_t) ** 2 + (g * gamma_x) ** 2
    source = ((gamma_t - g) ** 2 + gamma_x * gamma_x) / square
    return (gamma_t * gamma_t + gamma_x * gamma_x - source) / (2.0 * variance) + 2.0 * np.log((1.0 - g * g) / square)


@compiled
def profile_likelihood(
    x: Any,
    y: Any,
    e1: Any,
    e2: Any,
    share: Any,
    variance: Any,
    shear: Any,
    step: Any,
    amplitudes: Any,
    weak: Any,
    columns: Any,
    rows: Any,
    likelihood: Any,
) -> None:
    """Fill `likelihood` (n_centres, n_profiles, n_amplitudes): log ratio of the shapes for a lens at each centre.

    A galaxy's log ratio counts `share` times. Shear from `weak` on is undone exactly; of less, the expansion to second
    order, whose two sums serve every amplitude. `amplitudes` (n_profiles, n_amplitudes) ascend.
    """
    n_profiles, n_amplitudes = amplitudes.shape
    g = np.empty(n_profiles)
    linear, quadratic = np.empty(n_profiles), np.empty(n_profiles)
    for q in range(columns.size):
        total = likelihood[q]
        total[:] = 0.0
        linear[:] = 0.0
        quadratic[:] = 0.0
        for k in range(x.size):
            dx, dy = x[k] - columns[q], y[k] - rows[q]
            square = max(dx * dx + dy * dy, 1e-24)
            cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
            t, c = -(e1[k] * cos2 + e2[k] * sin2), e1[k] * sin2 - e2[k] * cos2
            m = t * t + c * c
            one = share[k] * t * ((1.0 - m) / variance + 4.0)
            two = share[k] * (-(1.0 - m) * (1.0 + m - 4.0 * t * t) / (2.0 * variance) - 2.0 * (1.0 + m) + 4.0 * t * t)
            shear_at(shear, step, np.sqrt(square), g)
            for p in range(n_profiles):
                linear[p] += g[p] * one
                quadratic[p] += g[p] * g[p] * two
                for a in range(n_amplitudes - 1, -1, -1):
                    size = amplitudes[p, a] * g[p]
                    if size < weak:
                        break
                    exact = share[k] * gaussian_log_ratio(t, c, min(size, MAX_SHEAR), variance)
                    total[p, a] += exact - size * (one + size * two)
        for p in range(n_profiles):
            for a in range(n_amplitudes):
                total[p, a] += amplitudes[p, a] * (linear[p] + amplitudes[p, a] * quadratic[p])
