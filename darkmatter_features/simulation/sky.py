"""A simulated sky: its image and its true catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    objects : mapping of (n,) float64 arrays
        Further columns of the truth, :data:`~darkmatter_features.io.truth.OBJECT_COLUMNS`; stars are then included.
    planes : mapping of (n_rows, n_columns) arrays
        Weight and mask by the names of their FITS extensions; the image is then the extension ``SCI``.
    psf : (65, 65) float32 array or None
        PSF at the centre of the image, written beside the truth.
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
    objects: Mapping[str, Array] = field(default_factory=dict)
    planes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    psf: NDArray[np.float32] | None = None

    @property
    def lensed(self) -> bool:
        """Whether the sky has a lens."""
        return not np.isnan(self.amplitude)
