"""Result and errors of decoding an image."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 2**28
"""Maximum number of pixels of an image, 16384 x 16384: its measurement fits the memory of a workstation."""

MAX_COMPRESSION = 1032
"""Maximum ratio of decoded to stored bytes with deflate (zlib's technical details); a larger one means lost data."""

COPY_AGAIN = "copy or download it again"
"""Remedy for a damaged file."""


class UnreadableError(Exception):
    """Defect of an image and its remedy; the caller adds the path."""


class Decoded(NamedTuple):
    """Content of an image file.

    Attributes
    ----------
    values : (n_rows, n_columns) or (n_rows, n_columns, n_bands) array
        Values as in the file: any type and any number of bands, alpha included. Row 0 is the first row as displayed,
        of FITS the first one stored.
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to RA and Dec; None if the file has none.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement, by a mask or weight in the file; None without one.
    notes : tuple of str
        Choices that were made in reading, such as the part of the file.
    """

    values: NDArray[Any]
    wcs: Any = None
    mask: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


def check_size(n_rows: int, n_columns: int, n_bytes: float, n_stored: int) -> None:
    """Raise an error, before memory is allocated, if an image is too large or `n_stored` bytes cannot encode it."""
    size = f"{n_rows} x {n_columns} pixels"
    if n_bytes > MAX_COMPRESSION * n_stored:
        raise UnreadableError(f"is truncated: its {n_stored} bytes cannot encode {size}; {COPY_AGAIN}")
    if n_rows * n_columns > MAX_PIXELS:
        raise UnreadableError(f"is too large: it has {size}, the limit is {MAX_PIXELS} pixels; cut it into tiles")
