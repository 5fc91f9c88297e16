"""Shapes of galaxies of all sizes, from the peaks of the narrowest Gaussian and, for large ones, of wider Gaussians."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, size_of

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

SHARED_RADIUS = 1.5
"""Distance within which sources share the light of a peak of a wider Gaussian, its standard deviations."""

MAX_OFFSET = 1.0
"""Maximum distance from a source of the peak that gives its size, standard deviations of the narrowest Gaussian."""

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


def combined(scales: Sequence[PeaksAtScale]) -> Combined:
    """Return the shapes of the peaks of the narrowest Gaussian, those of the peaks of wider ones added.

    Parameters
    ----------
    scales : sequence of PeaksAtScale
        Peaks of Gaussians, in ascending order of the width; those of the first are the sources.

    Returns
    -------
    Combined
        Shapes. Each peak of a wider Gaussian that has all its light adds to one source: were it left out by
        a threshold, the shear could move it across, which no response counts.
    """
    base = scales[0]
    total = PeakShapes(*(field.copy() for field in base.shapes))
    errors = base.shapes.weight * base.shapes.error
    size, most = size_of(base.shapes, base.sigma), base.shapes.weight.copy()
    for scale in scales[1:]:
        peak = np.flatnonzero((scale.shapes.weight > 0.0) & ~scale.lacks_light)
        if peak.size == 0 or size.size == 0:
            continue
        source = owners(base, scale, peak)
        for name in SUMS:
            np.add.at(getattr(total, name), source, getattr(scale.shapes, name)[peak])
        np.add.at(errors, source, (scale.shapes.weight * scale.shapes.error)[peak])
        _take_sizes(base, scale, source, peak, size, most)
    return Combined(_limited(total, errors, base), size)


def owners(base: PeaksAtScale, wider: PeaksAtScale, peaks: Indices) -> Indices:
    """Return the source of each peak of a wider Gaussian: the brightest that shares its light, or else the nearest."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.column_stack([base.shapes.x, base.shapes.y]))
    places = np.column_stack([wider.shapes.x, wider.shapes.y])[peaks]
    _, owner = tree.query(places)
    for k, near in enumerate(tree.query_ball_point(places, SHARED_RADIUS * wider.sigma, return_sorted=True)):
        if near:
            owner[k] = near[int(np.argmax(base.shapes.light[near]))]
    return np.asarray(owner, dtype=np.int64)


def _take_sizes(
    base: PeaksAtScale, wider: PeaksAtScale, source: Indices, peak: Indices, size: Array, most: Array
) -> None:
    """Replace the sizes of sources by those of peaks at their place that have more weight."""
    offset = np.hypot(base.shapes.x[source] - wider.shapes.x[peak], base.shapes.y[source] - wider.shapes.y[peak])
    weight, sizes = wider.shapes.weight[peak], size_of(wider.shapes, wider.sigma)[peak]
    own = np.flatnonzero((offset <= MAX_OFFSET * base.sigma) & (weight > most[source]))
    own = own[np.argsort(weight[own], kind="stable")]  # of several peaks at a source, the last one stays
    size[source[own]], most[source[own]] = sizes[own], weight[own]


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
