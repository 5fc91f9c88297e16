"""Orientation of an image, as stated by EXIF and TIFF: the image as displayed, from the image as stored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ORIENTATION = 274
"""Tag of the orientation, in EXIF and in TIFF."""

UPRIGHT = 1
"""Orientation of an image that is displayed as it is stored."""

_MEANINGS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "transposed",
    6: "turned clockwise by 90 degrees",
    7: "transposed about the other diagonal",
    8: "turned anticlockwise by 90 degrees",
}
"""Steps from the stored to the displayed image, by the value of the tag 274 (EXIF 2.3, section 4.6.4)."""


def oriented(values: NDArray[Any], orientation: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return an image as displayed, and a note if it differs from the stored one.

    Parameters
    ----------
    values : (n_rows, n_columns, ...) array
        Image as stored.
    orientation : int
        Value of the tag 274; others than 2 to 8 leave the image as it is.
    """
    if orientation not in _MEANINGS:
        return values, ()
    turned = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
        8: lambda a: np.rot90(a, 1),
    }[orientation](values)
    return turned, note_on(orientation)


def note_on(orientation: int) -> tuple[str, ...]:
    """Return a note on an image that is displayed otherwise than stored; none on another."""
    if orientation not in _MEANINGS:
        return ()
    return (f"{_MEANINGS[orientation]}, as its orientation states: row and column are those of the image as displayed",)
