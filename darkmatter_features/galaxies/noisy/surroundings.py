"""Distance of sources from the border of an image and from pixels without a measurement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]

LIGHT_RADIUS = 3.0
"""Distance from the border and from masked pixels within which light is lacking, units of the smoothing Gaussian."""


@dataclass(frozen=True)
class Surroundings:
    """Where an image has light.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    distance : (n_rows, n_columns) float64 array or None, pixels
        Distance of each pixel from the next masked one; None if none is masked.
    """

    shape: tuple[int, ...]
    distance: NDArray[np.float64] | None

    @classmethod
    def of(cls, shape: tuple[int, ...], mask: Booleans | None) -> "Surroundings":
        """Return the surroundings in an image with a mask."""
        if mask is None or not mask.any():
            return cls(shape, None)
        from scipy.ndimage import distance_transform_edt

        return cls(shape, np.asarray(distance_transform_edt(~mask)))

    def near_border(self, rows: Indices, columns: Indices, sigma: float) -> Booleans:
        """Return which pixels are so near the border that a Gaussian of `sigma` pixels lacks light there."""
        n_rows, n_columns = self.shape
        border = np.minimum.reduce([rows, columns, n_rows - 1 - rows, n_columns - 1 - columns])
        return np.asarray(border < LIGHT_RADIUS * sigma)

    def near_mask(self, rows: Indices, columns: Indices, sigma: float) -> Booleans:
        """Return which pixels are so near a masked one that a Gaussian of `sigma` pixels lacks light there."""
        if self.distance is None:
            return np.zeros(rows.size, dtype=np.bool_)
        return np.asarray(self.distance[rows, columns] < LIGHT_RADIUS * sigma)

    def lack_light(self, rows: Indices, columns: Indices, sigma: float) -> Booleans:
        """Return which pixels are near either."""
        return self.near_border(rows, columns, sigma) | self.near_mask(rows, columns, sigma)
