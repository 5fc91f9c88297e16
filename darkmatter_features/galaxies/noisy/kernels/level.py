"""Level and noise of the background from sorted pixels, some of which have light of galaxies."""

from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Floats
from darkmatter_features.numerics.jit import compiled

LOWER_CUT = 3.0
"""Pixels further below the level than this are left out, standard deviations."""

NARROW_CUT, WIDE_CUT = 1.0, 2.5
"""Pixels further above the level than this are left out: with galaxies in the box, and without, standard deviations."""

COARSE_CUT = 2.0
"""Minimum of the upper cut where the noise is a few counts only, standard deviations."""

FINE = 0.25
"""Steps of a quantised image from which the minimum of the cut is raised, in standard deviations of the noise."""

COARSE_SLOPE = 4.0
"""Increase of that minimum with the step, both in standard deviations."""

HALF_SIGMA = 0.6745
"""Half of the pixels of a Gaussian lie within this distance of its centre, standard deviations."""

SPARSE_CUT = 2.5
"""Pixels further from the level than this are left out where half of the pixels are equal, steps of the image."""

TINY = float(np.finfo(np.float32).tiny)
"""Positive number that replaces a standard deviation of 0 in a division."""

EXTRAPOLATION = 0.5
"""Fraction of the difference between the levels with the narrow cut and with the wide one that is subtracted once more
where the cut is narrow: light of galaxies is left with any cut."""

CUT_SLOPE = 12.0
"""Decrease of the upper cut for each unit of the fraction of pixels that have light of galaxies."""

TAIL = 2.0
"""Distance from the level of the pixels that are counted for that fraction, standard deviations."""

EXCESS_ERROR = 0.6
"""Twice the standard error of that fraction without galaxies, times the root of the number of pixels; it is subtracted.

Otherwise the level of few pixels is low, for the cut is lowered more often where the level is low by chance.
"""

MAX_STEPS = 30
"""Maximum number of steps of a fit."""

CONVERGED = 1e-3
"""Change of level and noise at which a fit ends, standard deviations."""


START_TOLERANCE = 0.03
"""Change at which the first fit ends, which serves to find the cut of the second."""

RELAXATION = 1.5
"""Step of a fit, in units of the difference between new and old values: the plain step is too short."""

MIN_TIES = 0.05
"""Minimum fraction of equal neighbours among the ascending pixels of quantised images."""


@compiled
def spread_ties(values: NDArray[np.float32]) -> Any:
    """Spread equal values among the ascending `values` (n,), and return the width of the interval at the median.

    The width is 0 if the value at the median occurs once, or if few values are equal.
    """
    n, n_ties = values.size, 0
    for k in range(n - 1):
        n_ties += values[k] == values[k + 1]
    if n_ties < MIN_TIES * n:
        return 0.0
    first, before, width = 0, values[0], 0.0
    while first < n:
        value, end = values[first], first + 1
        while end < n and values[end] == value:
            end += 1
        if end - first > 1:
            after = values[end] if end < n else value + (value - before)
            if first == 0:
                before = value - (after - value)
            low, high = 0.5 * (before + value), 0.5 * (value + after)
            step = (high - low) / (end - first)
            for k in range(first, end):
                values[k] = low + (k - first + 0.5) * step
            if first <= n // 2 < end:
                width = high - low
        before, first = value, end
    return width


@compiled
def level_and_noise(values: NDArray[np.float32], width: Any, sums: Floats) -> Any:
    """Return level and standard deviation of the background, given the ascending `values` (n,).

    A Gaussian is fitted to the pixels from LOWER_CUT below the level to a cut above it, which is lower the more pixels
    have light of galaxies. `width` is the interval over which equal values are spread: where the noise is a few counts
    only, the faint side is not that of a Gaussian, and the cut is not lowered. `sums` (2, n + 1) is overwritten.
    """
    n = values.size
    level, sigma = _shortest_half(values)
    origin = level
    sums[0, 0] = sums[1, 0] = total = squares = 0.0
    for k in range(n):
        offset = values[k] - origin
        total += offset
        squares += offset * offset
        sums[0, k + 1], sums[1, k + 1] = total, squares
    if width >= 2.0 * HALF_SIGMA * sigma:  # half the pixels are equal: the shape of the noise is not resolved
        level, sigma = _moments(values, sums, origin, level - SPARSE_CUT * width, level + SPARSE_CUT * width)
        return level, sqrt(max(sigma * sigma - width * width / 12.0, 0.0))
    coarseness = max(0.0, width / max(sigma, TINY) - FINE)
    narrow = min(NARROW_CUT + COARSE_SLOPE * coarseness, COARSE_CUT)
    level, sigma = _truncated_fit(values, sums, origin, level, sigma, narrow, START_TOLERANCE)
    n_above = n - _count_below(values, level + TAIL * sigma)
    n_below = _count_below(values, level - TAIL * sigma)
    excess = (n_above - n_below) / n - EXCESS_ERROR / sqrt(n)
    cut = min(max(WIDE_CUT - CUT_SLOPE * excess, narrow), WIDE_CUT)
    wide_level, _ = _truncated_fit(values, sums, origin, level, sigma, WIDE_CUT, START_TOLERANCE)
    level, sigma = _truncated_fit(values, sums, origin, level, sigma, cut, CONVERGED)
    level += EXTRAPOLATION * (WIDE_CUT - cut) / (WIDE_CUT - NARROW_CUT) * min(level - wide_level, 0.0)
    return level, sqrt(max(sigma * sigma - width * width / 12.0, 0.0))


@compiled
def _shortest_half(values: NDArray[np.float32]) -> Any:
    """Return the middle of the shortest interval with half of the ascending `values`, and its standard deviation.

    The latter is that of a Gaussian with an interval of this length.
    """
    n = values.size
    half, best, shortest = n // 2, 0, np.inf
    for k in range(n - half):
        length = values[k + half] - values[k]
        if length < shortest:
            shortest, best = length, k
    return 0.5 * (values[best] + values[best + half]), shortest / (2.0 * HALF_SIGMA)


@compiled
def _count_below(values: NDArray[np.float32], limit: Any) -> Any:
    """Return the number of ascending `values` below a limit. Without branches, it takes a third of the time."""
    first, n = 0, values.size
    while n > 0:
        half = (n + 1) // 2
        first += half if values[np.uintp(first + half - 1)] < limit else 0
        n -= half
    return first


@compiled
def _moments(values: NDArray[np.float32], sums: Floats, origin: Any, low: Any, high: Any) -> Any:
    """Return mean and standard deviation of the ascending `values` from `low` to `high`, nan if there are none.

    `sums` (2, n + 1) has the sums of the values less `origin` and of their squares before each.
    """
    first, end = _count_below(values, low), _count_below(values, np.nextafter(high, np.inf))
    mean = (sums[0, end] - sums[0, first]) / (end - first)
    variance = (sums[1, end] - sums[1, first]) / (end - first) - mean * mean
    return origin + mean, sqrt(max(variance, 0.0))


@compiled
def _truncated_fit(
    values: NDArray[np.float32], sums: Floats, origin: Any, level: Any, sigma: Any, cut: Any, tolerance: Any
) -> Any:
    """Return level and standard deviation of a Gaussian whose mean and variance between the cuts are those of `values`.

    `sums` and `origin` are those of :func:`_moments`.
    """
    lower, upper = exp(-0.5 * LOWER_CUT**2) / sqrt(2.0 * pi), exp(-0.5 * cut**2) / sqrt(2.0 * pi)
    inside = 0.5 * (erf(cut / sqrt(2.0)) + erf(LOWER_CUT / sqrt(2.0)))
    shift = (lower - upper) / inside
    width = sqrt(1.0 - (LOWER_CUT * lower + cut * upper) / inside - shift * shift)
    for _ in range(MAX_STEPS):
        mean, deviation = _moments(values, sums, origin, level - LOWER_CUT * sigma, level + cut * sigma)
        if not deviation >= 0.0:  # nan: no pixel is left
            break
        step, growth = mean - shift * deviation / width - level, deviation / width - sigma
        level += RELAXATION * step
        sigma = max(sigma + RELAXATION * growth, 0.5 * sigma)
        if abs(step) + abs(growth) <= tolerance * sigma:
            break
    return level, sigma
