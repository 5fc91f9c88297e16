"""Sources near places."""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats, Integers
from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import n_below


@compiled
def find_owners(sources: Floats, places: Floats, radius: Any, owners: Integers) -> None:
    """Fill `owners` (m,) with the brightest source within a radius of each place, or else with the nearest one.

    Parameters
    ----------
    sources : (3, n) float64 array
        x, y and light of sources, x ascending.
    places : (2, m) float64 array
        x and y of places.
    radius : float
        Maximum distance of a source from its place, in the same unit.
    owners : (m,) int64 array
        The result. Of equally bright or near sources, it is the first one.
    """
    x, y, light = sources[0], sources[1], sources[2]
    for k in range(places.shape[1]):
        owner, nearest = -1, 0
        i = n_below(x, places[0, k] - radius)
        while i < x.size and x[i] <= places[0, k] + radius:
            is_near = (x[i] - places[0, k]) ** 2 + (y[i] - places[1, k]) ** 2 <= radius * radius
            if is_near and (owner < 0 or light[i] > light[owner]):
                owner = i
            i += 1
        if owner < 0:
            least = np.inf
            for i in range(x.size):
                square = (x[i] - places[0, k]) ** 2 + (y[i] - places[1, k]) ** 2
                if square < least:
                    least, nearest = square, i
        owners[k] = owner if owner >= 0 else nearest
