"""Shapes of galaxies of all sizes, from the peaks of the narrowest Gaussian and, for large ones, of wider Gaussians."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes
from darkmatter_features.galaxies.noisy.kernels.matching import brightest_near
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, size_of

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

COMPARABLE_RADIUS = 1.5
"""Distance within which sources share the light of a peak of a wider Gaussian, its standard deviations."""

COMPARABLE_LIGHT = 0.3
"""Smoothed light of a second source, in units of the first, above which a peak of a wider Gaussian is that of both."""

MAX_OFFSET = 1.0
"""Maximum distance of a peak of a wider Gaussian from its source, standard deviations of the narrowest one."""

MAX_WEIGHT = 1.0
"""Maximum weight of a source before that of its noise: a galaxy with a cusp fits several Gaussians."""

SUMS = ("weight", "e1", "e2", "response", "bias1", "bias2", "weight1", "weight2")
"""Fields of the shapes that add up."""


class Combined(NamedTuple):
    """Shapes of sources, one for each peak of the narrowest Gaussian.

    Attributes
    ----------
    shapes : PeakShapes
        Their shapes.
    size : (n,) float64 array, pixels
        Size as measured with the Gaussian that has most of the weight.
    """

    shapes: PeakShapes
    size: Array


def combined(base: PeaksAtScale, wider: Sequence[PeaksAtScale], is_defective: Sequence[NDArray[np.bool_]]) -> Combined:
    """Return the shapes of the peaks of the narrowest Gaussian, those measured with wider ones added.

    Parameters
    ----------
    base : PeaksAtScale
        Peaks of the narrowest Gaussian: the sources.
    wider : sequence of PeaksAtScale
        Peaks of wider ones, in ascending order.
    is_defective : sequence of (n,) bool arrays
        Whether each peak of the narrowest Gaussian, and then of each wider one, lacks light within its reach.

    Returns
    -------
    Combined
        Shapes. The widest Gaussian that measures a source has the weight that does not fall with the size of the
        galaxy: where neighbours or masked pixels leave no wider one, that is the narrowest.
    """
    n = base.peaks.rows.size
    total = PeakShapes(*(field.copy() for field in base.shapes))
    last, last_peak = np.zeros(n, dtype=np.int64), np.arange(n)
    size, most = size_of(base.shapes, base.sigma), base.alone.weight.copy()
    errors = np.zeros(n)
    scales = [base, *wider]
    for name in SUMS:
        getattr(total, name)[:] = 0.0
    for k, scale in enumerate(wider, start=1):
        source, peak = matches(base, scale, is_defective)
        is_next = (last[source] == k - 1) & (scale.alone.weight[peak] > 0.0) & ~is_defective[k][peak]
        source, peak = source[is_next], peak[is_next]
        _add(total, errors, scales[k - 1].shapes, source, last_peak[source])
        last[source], last_peak[source] = k, peak
        is_larger = scale.alone.weight[peak] > most[source]
        size[source[is_larger]] = size_of(scale.shapes, scale.sigma)[peak[is_larger]]
        most[source] = np.maximum(most[source], scale.alone.weight[peak])
    for k, scale in enumerate(scales):
        own = np.flatnonzero(last == k)
        _add(total, errors, scale.alone, own, last_peak[own])
    return Combined(_limited(total, errors, base), size)


def _add(total: PeakShapes, errors: Array, shapes: PeakShapes, source: Indices, peak: Indices) -> None:
    """Add the shapes of peaks, one for each source, to the sums of these."""
    for name in SUMS:
        getattr(total, name)[source] += getattr(shapes, name)[peak]
    errors[source] += shapes.weight[peak] * shapes.error[peak]


def _limited(total: PeakShapes, errors: Array, base: PeaksAtScale) -> PeakShapes:
    """Return sums of a weight of at most MAX_WEIGHT, and the mean error.

    The mean ``E / W`` of weighted ellipticities E responds by ``R / W - (E1 W1 + E2 W2) / (2 W^2)``, with the responses
    R of E and W1, W2 of the weight.
    """
    has_weight = total.weight > 0.0
    mean_error = np.where(has_weight, errors / np.where(has_weight, total.weight, 1.0), base.shapes.error)
    factor = MAX_WEIGHT / np.maximum(total.weight, MAX_WEIGHT)
    of_weight = 0.5 * (total.e1 * total.weight1 + total.e2 * total.weight2) / np.maximum(total.weight, MAX_WEIGHT)
    total.response[:] -= np.where(factor < 1.0, of_weight, 0.0)
    return total._replace(error=mean_error, **{name: factor * getattr(total, name) for name in SUMS})


def matches(
    base: PeaksAtScale, wider: PeaksAtScale, is_defective: Sequence[NDArray[np.bool_]]
) -> tuple[Indices, Indices]:
    """Return sources and the peaks of a wider Gaussian that belong to them, (m,) each.

    A peak belongs to the source at its position, and to none where another source nearby is comparable: then it is the
    light of both.
    """
    order = np.argsort(base.shapes.x, kind="stable")
    sources = np.stack([base.shapes.x, base.shapes.y, base.shapes.light])[:, order]
    own = np.flatnonzero(wider.alone.weight > 0.0)
    places = np.stack([wider.shapes.x, wider.shapes.y])[:, own]
    found = np.empty((own.size, 2), dtype=np.int64)
    brightest_near(sources, places, COMPARABLE_RADIUS * wider.sigma, found)
    known = found[:, 0] >= 0
    first, second, peak = found[known, 0], found[known, 1], own[known]
    x, y, light = sources
    is_alone = (second < 0) | (light[second] < COMPARABLE_LIGHT * light[first])
    offset = np.hypot(x[first] - places[0, known], y[first] - places[1, known])
    fits = is_alone & (offset <= MAX_OFFSET * base.sigma) & ~is_defective[0][order[first]]
    source, which = np.unique(order[first[fits]], return_index=True)
    return source, peak[fits][which]
