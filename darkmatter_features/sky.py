"""A picture of the sky, as it was read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError


@dataclass(frozen=True)
class Sky:
    """A picture of the sky.

    Attributes
    ----------
    name : str
        The file's name, for messages and tables.
    pixels : (n_rows, n_columns, n_bands) uint8, uint16 or float32 array, read-only
        1 band for grey pictures, 3 for colour; an alpha channel is laid over black.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel holds no measurement (NaN in a FITS picture); None where all do.
    wcs : astropy.wcs.WCS or None
        From pixels to RA and Dec, where the file has one.
    """

    name: str
    pixels: NDArray[Any]
    mask: NDArray[np.bool_] | None = None
    wcs: Any = None

    def __post_init__(self) -> None:
        self.pixels.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return self.pixels.shape[0], self.pixels.shape[1]


def read_sky(path: str | Path) -> Sky:
    """Read a picture of the sky."""
    raise SkyError(f"{path}: not readable yet")
