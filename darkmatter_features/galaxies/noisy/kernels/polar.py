"""Light in polar coordinates about a star."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, Floats
from darkmatter_features.numerics.jit import compiled


@compiled
def sample_circles(
    light: NDArray[np.float32], mask: Booleans, centre: Any, first: Any, angles: Floats, polar: Floats
) -> None:
    """Fill `polar` (n_radii, n_angles) with the light at radii from `first` on, nan where there is none.

    The centre is (row, column), in pixels, as radii are; angles run from the x axis towards the y axis, in radians.
    """
    for k in range(angles.size):
        sine, cosine = np.sin(angles[k]), np.cos(angles[k])
        for n in range(polar.shape[0]):
            i = int(np.rint(centre[0] + (first + n) * sine))
            j = int(np.rint(centre[1] + (first + n) * cosine))
            polar[n, k] = np.nan
            if 0 <= i < light.shape[0] and 0 <= j < light.shape[1] and not mask[i, j]:
                polar[n, k] = light[i, j]
