"""Sources near places."""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats, Integers
from darkmatter_features.numerics.jit import compiled


@compiled
def brightest_near(sources: Floats, places: Floats, radius: Any, found: Integers) -> None:
    """Fill `found` (m, 2) with the brightest and the second brightest source near each place, -1 where there is none.

    Parameters
    ----------
    sources : (3, n) float64 array
        x, y and light of sources, x ascending.
    places : (2, m) float64 array
        x and y of places.
    radius : float
        Maximum distance of a source from its place, in the same unit.
    found : (m, 2) int64 array
        The result. Of equally bright sources, the first one is the brighter.
    """
    x, y, light = sources[0], sources[1], sources[2]
    for k in range(places.shape[1]):
        found[k, 0] = found[k, 1] = -1
        i = np.searchsorted(x, places[0, k] - radius)
        while i < x.size and x[i] <= places[0, k] + radius:
            dx, dy = x[i] - places[0, k], y[i] - places[1, k]
            if dx * dx + dy * dy <= radius * radius:
                if found[k, 0] < 0 or light[i] > light[found[k, 0]]:
                    found[k, 0], found[k, 1] = i, found[k, 0]
                elif found[k, 1] < 0 or light[i] > light[found[k, 1]]:
                    found[k, 1] = i
            i += 1
