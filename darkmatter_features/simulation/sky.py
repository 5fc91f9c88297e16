"""A simulated sky: its picture and the truth behind it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedSky:
    """A picture and its true catalogue.

    Attributes
    ----------
    pixels : (n_rows, n_columns, 3) uint8 or (n_rows, n_columns) float32 array
    x, y : (n,) float64 arrays, pixels
        Centres of the galaxies whose centre is in the picture.
    e1, e2 : (n,) float64 arrays
        Their ellipticities (a - b) / (a + b) as lensed: what a perfect measurement would give.
    lens_row, lens_column : float, pixels
        nan where there is no lens.
    strength : float
        Shear of the lens at 100 px; nan where there is none.
    header : astropy.io.fits.Header or None
        World coordinates, where the preset has them.
    """

    pixels: NDArray[Any]
    x: Array
    y: Array
    e1: Array
    e2: Array
    lens_row: float = float("nan")
    lens_column: float = float("nan")
    strength: float = float("nan")
    header: Any = None

    @property
    def lensed(self) -> bool:
        """Whether a lens is there."""
        return not np.isnan(self.strength)
