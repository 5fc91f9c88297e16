"""Position of a lens from samples or cells of its posterior: the geometric median, and the radius of its error."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CREDIBLE_FRACTION = 0.68
"""Fraction of the posterior within the position error."""

MAX_ITERATIONS = 200
"""Maximum number of steps towards the geometric median."""

MEDIAN_TOLERANCE = 1e-6
"""Largest last step towards the geometric median, sides of the field."""


def credible_radius(distance: Array, weight: Array, cell_area: float) -> float:
    """Return the radius about a position that holds :data:`CREDIBLE_FRACTION` of a posterior.

    Parameters
    ----------
    distance : (n,) float64 array
        Distances of the centres of cells from the position.
    weight : (n,) float64 array
        Posterior of each cell; the sum is 1.
    cell_area : float
        Area of a cell within which the posterior is constant, in the unit of the distance squared.

    Notes
    -----
    Each cell is spread evenly in the square of the distance, over the range that a disc of its area covers.
    """
    reach = np.sqrt(cell_area / np.pi)
    low, high = np.maximum(distance - reach, 0.0) ** 2, (distance + reach) ** 2
    density = weight / (high - low)
    edges = np.concatenate([low, high])
    order = np.argsort(edges, kind="stable")
    square = edges[order]
    rate = np.cumsum(np.concatenate([density, -density])[order])
    cumulative = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(square))])
    return float(np.sqrt(np.interp(CREDIBLE_FRACTION, cumulative, square)))


def geometric_median(x: Array, y: Array, weight: Array) -> tuple[float, float]:
    """Return the point of the least mean distance from points of some weights, by the iteration of Weiszfeld.

    Parameters
    ----------
    x, y : (n,) float64 arrays, sides of the field
        Points.
    weight : (n,) float64 array
        Weights, whose sum is 1.

    References
    ----------
    E. Weiszfeld (1937), Tohoku Math. J. 43, 355; in English, E. Weiszfeld, F. Plastria (2009), Ann. Oper. Res. 167, 7,
    doi:10.1007/s10479-008-0352-z.
    """
    z = x + 1j * y
    median = complex((weight * z).sum())
    for _ in range(MAX_ITERATIONS):
        pull = weight / np.maximum(np.abs(z - median), MEDIAN_TOLERANCE)
        before, median = median, complex((pull * z).sum() / pull.sum())
        if abs(median - before) < MEDIAN_TOLERANCE:
            break
    return median.real, median.imag
