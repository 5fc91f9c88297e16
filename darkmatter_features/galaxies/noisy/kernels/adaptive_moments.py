"""Moments of stamps with an elliptical Gaussian weight that is adapted to each of them."""

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats
from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import copy_into

MAX_ITERATIONS = 200
"""Maximum number of iterations; stars need some 10."""

TOLERANCE = 1e-6
"""Change of the centre, in widths, and relative change of the moments at which the iteration ends."""

CUTOFF = 25.0
"""Square of the elliptical radius, in widths, beyond which the weight is 0: it is 4e-6 there."""


@compiled
def _weighted(stamp: Floats, state: Floats, sums: Floats) -> None:
    """Fill `sums` (7,) with those of w^2, w f, w f dx, w f dy, w f dx^2, w f dy^2 and w f dx dy about the centre."""
    x, y, q_xx, q_yy, q_xy = state[0], state[1], state[2], state[3], state[4]
    determinant = q_xx * q_yy - q_xy * q_xy
    n_rows, n_columns = stamp.shape
    reach_x, reach_y = np.sqrt(CUTOFF * q_xx), np.sqrt(CUTOFF * q_yy)
    sums[:] = 0.0
    for i in range(max(0, int(np.ceil(y - reach_y))), min(n_rows, int(y + reach_y) + 1)):
        for j in range(max(0, int(np.ceil(x - reach_x))), min(n_columns, int(x + reach_x) + 1)):
            dx, dy = j - x, i - y
            radius = (q_yy * dx * dx - 2.0 * q_xy * dx * dy + q_xx * dy * dy) / determinant
            if radius < CUTOFF:
                weight = np.exp(-0.5 * radius)
                light = weight * stamp[i, j]
                sums[0] += weight * weight
                sums[1] += light
                sums[2] += light * dx
                sums[3] += light * dy
                sums[4] += light * dx * dx
                sums[5] += light * dy * dy
                sums[6] += light * dx * dy


@compiled
def _stepped(state: Floats, sums: Floats) -> bool:
    """Set the state to the next one: Q^-1 is that of the weighted light less that of the weight; False if impossible.

    The weighted moments are taken about the new centre.
    """
    total = sums[1]
    if not total > 0.0:
        return False
    dx, dy = sums[2] / total, sums[3] / total
    w_xx, w_yy, w_xy = sums[4] / total - dx * dx, sums[5] / total - dy * dy, sums[6] / total - dx * dy
    own, weight = w_xx * w_yy - w_xy * w_xy, state[2] * state[3] - state[4] * state[4]
    if not (w_xx > 0.0 and own > 0.0):
        return False
    i_xx, i_yy, i_xy = w_yy / own - state[3] / weight, w_xx / own - state[2] / weight, state[4] / weight - w_xy / own
    inverse = i_xx * i_yy - i_xy * i_xy
    if not (i_xx > 0.0 and inverse > 0.0):  # the weight is far narrower than the light
        for i in range(2, 5):
            state[i] *= 2.0
        return True
    state[0] += 2.0 * dx  # the weighted centroid of a Gaussian is half way between that of the weight and its own
    state[1] += 2.0 * dy
    state[2], state[3], state[4] = i_yy / inverse, i_xx / inverse, -i_xy / inverse
    return True


@compiled
def adaptive_moments(stamps: Floats, starts: Floats, moments: Floats) -> None:
    """Fill each row of `moments` (n, 6) with x, y, Q_xx, Q_yy, Q_xy and flux of a stamp (n, n_rows, n_columns).

    The weight w = exp(-d^T Q^-1 d / 2), d the offset from (x, y), has the moments of the light that it weighs: the
    weighted centroid is (x, y), and the weighted moments are Q / 2 [1]_. The flux is that of the Gaussian of these
    moments that fits the stamp best. A row is nan where there is no solution within the stamp. `starts` (n, 3) holds
    first estimates of x, y and the width.

    References
    ----------
    .. [1] Bernstein & Jarvis (2002), doi:10.1086/338085; Hirata & Seljak (2003),
       doi:10.1046/j.1365-8711.2003.06683.x
    """
    sums, state, old = np.empty(7), np.empty(5), np.empty(5)
    for k in range(stamps.shape[0]):
        n_rows, n_columns = stamps.shape[1], stamps.shape[2]
        limit = max(n_rows, n_columns) ** 2
        variance = starts[k, 2] ** 2
        state[0], state[1], state[2], state[3], state[4] = starts[k, 0], starts[k, 1], variance, variance, 0.0
        moments[k, :] = np.nan
        for _ in range(MAX_ITERATIONS):
            copy_into(old, state)
            _weighted(stamps[k], state, sums)
            if not _stepped(state, sums) or state[2] + state[3] > limit:
                break
            if not (-0.5 < state[0] < n_columns - 0.5 and -0.5 < state[1] < n_rows - 0.5):
                break
            size = 0.5 * (state[2] + state[3])
            shift = max(abs(state[0] - old[0]), abs(state[1] - old[1])) / np.sqrt(size)
            change = max(abs(state[2] - old[2]), max(abs(state[3] - old[3]), abs(state[4] - old[4])))
            if max(shift, change / size) < TOLERANCE:
                _weighted(stamps[k], state, sums)
                determinant = state[2] * state[3] - state[4] * state[4]
                copy_into(moments[k, :5], state)
                moments[k, 5] = sums[1] / sums[0] * 2.0 * np.pi * np.sqrt(determinant)
                break
