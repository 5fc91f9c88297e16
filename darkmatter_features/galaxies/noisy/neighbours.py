"""How far the light of a source is its own within the reach of a Gaussian."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NEIGHBOUR_RADIUS = (2.0, 3.0)
"""Distances between which a neighbour ceases to count, standard deviations of the Gaussian: equal peaks merge at 2."""

NEIGHBOUR_LIGHT = (0.15, 0.45)
"""Smoothed light of the neighbours, in units of the source's, from which on and up to which the isolation falls."""

SHEAR_STEP = 1e-4
"""Shear of the differences that give the response."""


class Isolation(NamedTuple):
    """Isolation of sources: 1 where no neighbour has comparable light, and 0 where one does.

    Attributes
    ----------
    value : (n,) float64 array
        Isolation.
    response : (2, n) float64 array
        Its response to both components of the shear.
    """

    value: Array
    response: Array

    def take(self, indices: Indices) -> "Isolation":
        """Return that of some sources."""
        return Isolation(self.value[indices], self.response[:, indices])


def smooth_step(x: Array, low: float, high: float) -> Array:
    """Return a function that rises from 0 at `low` to 1 at `high` with two continuous derivatives."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * t * (10.0 - 15.0 * t + 6.0 * t * t))


def isolation(shapes: PeakShapes, sigma: float) -> Isolation:
    """Return the isolation of sources within the reach of a Gaussian.

    The light of each source responds to shear by the derivatives at its peak, and the distances of neighbours are
    sheared: so does the isolation, and no threshold decides.

    Parameters
    ----------
    shapes : PeakShapes
        Shapes of sources.
    sigma : float, pixels
        Standard deviation of the Gaussian.
    """
    n = shapes.light.size
    source, neighbour, dx, dy = pairs_within(shapes.x, shapes.y, NEIGHBOUR_RADIUS[1] * sigma)
    d_light = np.stack([shapes.light1, shapes.light2])

    def value(shear: tuple[float, float]) -> Array:
        light = shapes.light + shear[0] * d_light[0] + shear[1] * d_light[1]
        x, y = dx * (1.0 + shear[0]) + dy * shear[1], dy * (1.0 - shear[0]) + dx * shear[1]
        counted = 1.0 - smooth_step(np.hypot(x, y) / sigma, *NEIGHBOUR_RADIUS)
        ratio = np.maximum(light[neighbour], 0.0) / np.where(light[source] > 0.0, light[source], np.inf)
        neighbours = np.bincount(source, counted * ratio, n).astype(np.float64)
        return 1.0 - smooth_step(neighbours, *NEIGHBOUR_LIGHT)

    slopes = [
        (value(step) - value((-step[0], -step[1]))) / (2.0 * SHEAR_STEP)
        for step in ((SHEAR_STEP, 0.0), (0.0, SHEAR_STEP))
    ]
    return Isolation(value((0.0, 0.0)), np.array(slopes))


def pairs_within(x: Array, y: Array, radius: float) -> tuple[Indices, Indices, Array, Array]:
    """Return ordered pairs of points closer than a radius, and the offsets from the first to the second."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(np.column_stack([x, y])).query_pairs(radius, output_type="ndarray").astype(np.int64)
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    return first, second, x[second] - x[first], y[second] - y[first]
