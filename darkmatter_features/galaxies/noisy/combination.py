"""Shapes of galaxies of all sizes, from the peaks of the narrowest Gaussian and, for large ones, of wider Gaussians."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes
from darkmatter_features.galaxies.noisy.kernels.matching import find_owners
from darkmatter_features.galaxies.noisy.neighbours import Isolation, isolation
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, size_of

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

SHARED_RADIUS = 1.5
"""Distance within which sources share the light of a peak of a wider Gaussian, its standard deviations."""

MAX_OFFSET = 1.0
"""Maximum distance from a source of the peak that gives its size, standard deviations of the narrowest Gaussian."""

MAX_WEIGHT = 1.0
"""Maximum weight of a source before that of its noise: a galaxy with a cusp fits several Gaussians."""


class Sums(NamedTuple):
    """Fields of :class:`PeakShapes` that add up."""

    weight: Array
    e1: Array
    e2: Array
    response: Array
    bias1: Array
    bias2: Array
    weight1: Array
    weight2: Array

    @classmethod
    def of(cls, shapes: PeakShapes, peaks: Indices) -> "Sums":
        """Return those of some peaks."""
        return cls(*(getattr(shapes, name)[peaks] for name in cls._fields))

    def take(self, indices: Indices) -> "Sums":
        """Return those of some sources."""
        return Sums(*(field[indices] for field in self))

    def times(self, factor: Isolation) -> "Sums":
        """Return the products with a factor; their responses are by the product rule."""
        f, (df1, df2) = factor
        return Sums(
            weight=f * self.weight,
            e1=f * self.e1,
            e2=f * self.e2,
            response=f * self.response + 0.5 * (df1 * self.e1 + df2 * self.e2),
            bias1=f * self.bias1,
            bias2=f * self.bias2,
            weight1=f * self.weight1 + df1 * self.weight,
            weight2=f * self.weight2 + df2 * self.weight,
        )

    def plus(self, other: "Sums") -> "Sums":
        """Return the sums of both."""
        return Sums(*(own + its for own, its in zip(self, other, strict=True)))


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
        Shapes. Each peak of a wider Gaussian that has all its light adds to one source, in proportion to the
        isolation of that source. A narrower Gaussian, whose weight falls with the size of the galaxy, makes up for
        what wider ones lack of the weight without that fall.
    """
    base = scales[0]
    n = base.peaks.rows.size
    if n == 0:
        return Combined(base.shapes, size_of(base.shapes, base.sigma))
    total, errors = Sums(*np.zeros((len(Sums._fields), n))), np.zeros(n)
    size, most = size_of(base.shapes, base.sigma), base.alone.weight.copy()
    for k, scale in reversed(list(enumerate(scales))):
        peak = np.flatnonzero((scale.alone.weight > 0.0) & ~scale.lacks_light)
        source = owners(base, scale, peak) if k else peak
        falling, alone = Sums.of(scale.shapes, peak), Sums.of(scale.alone, peak)
        if k:
            own = isolation(base.shapes, scale.sigma).take(source)
            falling, alone = falling.times(own), alone.times(own)
        sums = falling.plus(alone.times(_lacking(falling.plus(total.take(source)), alone)))
        for whole, part in zip(total, sums, strict=True):
            np.add.at(whole, source, part)
        np.add.at(errors, source, sums.weight * scale.shapes.error[peak])
        _take_sizes(base, scale, source, peak, size, most)
    return Combined(_limited(total, errors, base), size)


def _lacking(measured: Sums, alone: Sums) -> Isolation:
    """Return the fraction of the weight without a fall that measured ones lack, from 0 to 1."""
    inverse = 1.0 / np.where(alone.weight > 0.0, alone.weight, np.inf)
    ratio = measured.weight * inverse
    slopes = (
        (one - ratio * other) * inverse
        for one, other in ((measured.weight1, alone.weight1), (measured.weight2, alone.weight2))
    )
    lacks = ratio < 1.0
    return Isolation(np.where(lacks, 1.0 - ratio, 0.0), np.stack([np.where(lacks, -slope, 0.0) for slope in slopes]))


def owners(base: PeaksAtScale, wider: PeaksAtScale, peaks: Indices) -> Indices:
    """Return the source of each peak of a wider Gaussian: the brightest that shares its light, or else the nearest."""
    found = np.zeros(peaks.size, dtype=np.int64)
    order = np.argsort(base.shapes.x, kind="stable")
    sources = np.stack([base.shapes.x, base.shapes.y, base.shapes.light])[:, order]
    find_owners(sources, np.stack([wider.shapes.x, wider.shapes.y])[:, peaks], SHARED_RADIUS * wider.sigma, found)
    return np.asarray(order[found])


def _take_sizes(
    base: PeaksAtScale, wider: PeaksAtScale, source: Indices, peak: Indices, size: Array, most: Array
) -> None:
    """Replace the sizes of sources by those of peaks at their place that have more weight."""
    offset = np.hypot(base.shapes.x[source] - wider.shapes.x[peak], base.shapes.y[source] - wider.shapes.y[peak])
    weight, sizes = wider.alone.weight[peak], size_of(wider.shapes, wider.sigma)[peak]
    own = np.flatnonzero((offset <= MAX_OFFSET * base.sigma) & (weight > most[source]))
    own = own[np.argsort(weight[own], kind="stable")]  # of several peaks at a source, the last one stays
    size[source[own]], most[source[own]] = sizes[own], weight[own]


def _limited(total: Sums, errors: Array, base: PeaksAtScale) -> PeakShapes:
    """Return sums of a weight of at most MAX_WEIGHT, and the mean error.

    The mean ``E / W`` of weighted ellipticities E responds by ``R / W - (E1 W1 + E2 W2) / (2 W^2)``, with the responses
    R of E and W1, W2 of the weight.
    """
    has_weight = total.weight > 0.0
    mean_error = np.where(has_weight, errors / np.where(has_weight, total.weight, 1.0), base.shapes.error)
    inverse = 1.0 / np.maximum(total.weight, MAX_WEIGHT)
    slopes = np.where(MAX_WEIGHT * inverse < 1.0, -MAX_WEIGHT * inverse**2, 0.0)
    limit = Isolation(MAX_WEIGHT * inverse, slopes * np.stack([total.weight1, total.weight2]))
    return base.shapes._replace(error=mean_error, **total.times(limit)._asdict())
