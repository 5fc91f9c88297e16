"""Sums over galaxies for many shear profiles about trial positions of a lens, and their likelihoods."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.records import Array, Centres, Galaxies, Profiles
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR, expansion_coefficients, gaussian_log_ratio


@compiled
def shear_at(profiles: Profiles, radius: Any, g: Array) -> None:
    """Fill `g` (n_profiles,) with the profiles at a radius, linear between nodes."""
    position = min(radius / profiles.spacing, profiles.shear.shape[0] - 1.000001)
    node = int(position)
    fraction, inner, outer = position - node, profiles.shear[node], profiles.shear[node + 1]
    for p in range(g.size):
        g[p] = inner[p] + fraction * (outer[p] - inner[p])


@compiled
def profile_sums(
    galaxies: Galaxies, profiles: Profiles, centres: Centres, filter_response: Array, filter_norm: Array
) -> None:
    """Fill the sums of the matched filter: ``sum(v g gamma_t)`` and ``sum(v g^2)`` about each centre.

    The weights v are inverse variances. `galaxies.e1` and `galaxies.e2` (n, m) hold m skies that share their positions,
    so that geometry and profiles are computed once; a sky of (e2, -e1) gives the cross shear. Shapes are
    `filter_response` (n_centres, m, n_profiles) and `filter_norm` (n_centres, n_profiles).
    """
    x, y, e1, e2, weight = galaxies
    g = np.empty(profiles.shear.shape[1])
    for q in range(centres.x.size):
        filter_response[q] = 0.0
        filter_norm[q] = 0.0
        for k in range(x.size):
            dx, dy = x[k] - centres.x[q], y[k] - centres.y[q]
            # A galaxy at the centre itself has no tangential direction: its 0/0 becomes 0.
            square = max(dx * dx + dy * dy, 1e-24)
            cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
            shear_at(profiles, np.sqrt(square), g)
            for p in range(g.size):
                filter_norm[q, p] += weight[k] * g[p] * g[p]
                g[p] *= weight[k]
            for j in range(e1.shape[1]):
                gamma_t = -(e1[k, j] * cos2 + e2[k, j] * sin2)
                for p in range(g.size):
                    filter_response[q, j, p] += g[p] * gamma_t


@compiled
def log_mean_likelihood_ratio(
    filter_response: Array, filter_norm: Array, amplitudes: Array, log_bayes_factor: Array
) -> None:
    """Fill `log_bayes_factor` (n_centres, m) with ``ln <exp(A filter_response - A^2 filter_norm / 2)>``.

    The mean is over profiles and their `amplitudes` A (n_profiles, n_amplitudes).
    """
    n_profiles, n_amplitudes = amplitudes.shape
    values = np.empty(n_profiles * n_amplitudes)
    for q in range(log_bayes_factor.shape[0]):
        for j in range(log_bayes_factor.shape[1]):
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
            log_bayes_factor[q, j] = largest + np.log(total / values.size)


@compiled
def profile_likelihood(
    galaxies: Galaxies,
    variance: Any,
    profiles: Profiles,
    amplitudes: Array,
    max_expanded_shear: Any,
    centres: Centres,
    likelihood: Array,
) -> None:
    """Fill `likelihood` (n_centres, n_profiles, n_amplitudes) with log likelihood ratios for a lens at each centre.

    The log ratio of a galaxy is multiplied by its relative weight. It is exact for shears from `max_expanded_shear` on;
    smaller ones use the expansion to second order, whose two sums serve every amplitude. `amplitudes` (n_profiles,
    n_amplitudes) ascend.
    """
    x, y, e1, e2, weight = galaxies
    n_profiles, n_amplitudes = amplitudes.shape
    g = np.empty(n_profiles)
    linear, quadratic = np.empty(n_profiles), np.empty(n_profiles)
    for q in range(centres.x.size):
        total = likelihood[q]
        total[:] = 0.0
        linear[:] = 0.0
        quadratic[:] = 0.0
        for k in range(x.size):
            dx, dy = x[k] - centres.x[q], y[k] - centres.y[q]
            square = max(dx * dx + dy * dy, 1e-24)
            cos2, sin2 = (dx * dx - dy * dy) / square, 2.0 * dx * dy / square
            t, c = -(e1[k] * cos2 + e2[k] * sin2), e1[k] * sin2 - e2[k] * cos2
            one, two = expansion_coefficients(t, c, weight[k], variance)
            shear_at(profiles, np.sqrt(square), g)
            for p in range(n_profiles):
                linear[p] += g[p] * one
                quadratic[p] += g[p] * g[p] * two
                for a in range(n_amplitudes - 1, -1, -1):
                    size = amplitudes[p, a] * g[p]
                    if size < max_expanded_shear:
                        break
                    exact = weight[k] * gaussian_log_ratio(t, c, min(size, MAX_SHEAR), variance)
                    total[p, a] += exact - size * (one + size * two)
        for p in range(n_profiles):
            for a in range(n_amplitudes):
                total[p, a] += amplitudes[p, a] * (linear[p] + amplitudes[p, a] * quadratic[p])
