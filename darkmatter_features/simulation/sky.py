"""A simulated sky: its image and its true catalogue."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.conditions import SkyConditions

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedSky:
    """A simulated image and its true catalogue.

    Attributes
    ----------
    pixels : (n_rows, n_columns, 3) uint8 or (n_rows, n_columns) float32 array
        Image.
    x, y : (n,) float64 arrays, pixels
        Centroids of the galaxies inside the image.
    e1, e2 : (n,) float64 arrays
        Lensed ellipticities of modulus (a - b) / (a + b), as a perfect measurement would return them.
    lens_row, lens_column : float, pixels
        Position of the lens; nan without a lens.
    amplitude : float
        Shear of the lens at 100 px; nan without a lens.
    header : astropy.io.fits.Header or None
        Header with world coordinates; None for a preset without them.
    conditions : SkyConditions or None
        Properties that differ from sky to sky; None for a preset without them.
    """

    pixels: NDArray[Any]
    x: Array
    y: Array
    e1: Array
    e2: Array
    lens_row: float = float("nan")
    lens_column: float = float("nan")
    amplitude: float = float("nan")
    header: Any = None
    conditions: SkyConditions | None = None

    @property
    def lensed(self) -> bool:
        """Whether the sky has a lens."""
        return not np.isnan(self.amplitude)
