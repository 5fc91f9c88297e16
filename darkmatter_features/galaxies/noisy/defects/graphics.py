"""Frames and captions of pictures, found before the background is measured."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.defects.drawings import find_drawings
from darkmatter_features.galaxies.noisy.defects.frame import Frame, find_frame
from darkmatter_features.galaxies.noisy.defects.kinds import Defect, Defects, Kinds
from darkmatter_features.galaxies.noisy.defects.text import Drawings, text_blocks

TOLERANCE = 0.05
"""Difference of values that count as one in a picture, as a fraction of white: JPEG changes black by 0.07 of white near
letters, and by 0.02 elsewhere."""

MARGINS = (1, 3)
"""Width of the strip inside a frame that is left out, in data and in pictures, pixels."""

N_SAMPLE = 4096
"""Number of pixels from which pictures are distinguished from data."""


def white_level(pixels: NDArray[Any]) -> float:
    """Return the value of white in a picture (n_rows, n_columns, n_bands), nan for data.

    Pictures have unsigned integers, or the same in floating point, possibly divided by 255.
    """
    if pixels.dtype.kind == "u":
        return float(np.iinfo(pixels.dtype).max)
    sample = pixels.reshape(-1, pixels.shape[-1])[:: max(1, pixels.shape[0] * pixels.shape[1] // N_SAMPLE)]
    low, high = float(sample.min()), float(sample.max())
    if low < 0.0 or high > 255.0:
        return float("nan")
    white = 1.0 if high <= 1.0 else 255.0
    scaled = sample * (255.0 / white)
    is_picture = high > 0.0 and bool((np.abs(scaled - np.rint(scaled)) < 1e-3).all())
    return white if is_picture else float("nan")


def band_sum(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the sum of the bands of an image (n_rows, n_columns, n_bands); with one, possibly the same memory."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0].astype(np.float32, copy=False)
    return np.asarray(pixels.sum(axis=2, dtype=np.float32))


def find_graphics(pixels: NDArray[Any]) -> Defects:
    """Return frames and captions of an image.

    Parameters
    ----------
    pixels : (n_rows, n_columns, n_bands) array, counts
        The image. Captions are searched in pictures only: data in floating point have none.
    """
    values = band_sum(pixels)
    white = white_level(pixels)
    is_picture = bool(np.isfinite(white))
    frame = find_frame(values, 0.0, MARGINS[is_picture])
    if is_picture:
        frame = find_frame(values, TOLERANCE * white * pixels.shape[2], MARGINS[1]) or frame
    kinds = np.zeros(values.shape, dtype=np.uint16)
    n_objects: dict[Defect, int] = {}
    if frame is not None:
        _add_frame(frame, kinds, n_objects)
    if is_picture:
        drawings = find_drawings(pixels.astype(np.float32), kinds != 0)
        _add(drawings, kinds, n_objects)
    return Defects(kinds, n_objects)


def _add_frame(frame: Frame, kinds: Kinds, n_objects: dict[Defect, int]) -> None:
    """Mark a frame and the captions in it."""
    kinds[frame.mask] |= np.uint16(Defect.FRAME)
    n_objects[Defect.FRAME] = 1
    letters = text_blocks(frame.letters)
    _add(Drawings(letters.mask & frame.mask, letters.n_objects), kinds, n_objects)


def _add(drawings: Drawings, kinds: Kinds, n_objects: dict[Defect, int]) -> None:
    """Mark captions."""
    if drawings.n_objects:
        kinds[drawings.mask] |= np.uint16(Defect.CAPTION)
        n_objects[Defect.CAPTION] = n_objects.get(Defect.CAPTION, 0) + drawings.n_objects
