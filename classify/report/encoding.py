"""Images, maps and columns of numbers as text in a page."""

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Array = NDArray[np.float64]

LEVELS = 65_534
"""Number of steps of a quantised map or column; level 0 is no value."""
QUALITY = 70
"""Quality of the image of a sky, WebP."""
MULTIPLES = (1, 2, 5, 10)
"""Steps are one of these multiples of a power of ten, so that a level is a decimal number of few digits."""


def encoded_map(values: Array) -> dict[str, Any]:
    """Return a map as quantised PNG data with its range.

    Parameters
    ----------
    values : (n_rows, n_columns) float64 array
        Map; nan for no value.

    Returns
    -------
    dict
        ``png``, the data URI of a grey image of 8 bits whose upper half holds the high bytes of the levels and whose
        lower half the low bytes; ``low`` and ``step``, such that a value is ``low + step (level - 1)``, and level 0 is
        no value; ``decimals``, with which such a value is exact; ``rows`` and ``columns``. The error of a value is at
        most half a step, the finest decimal one that its range allows.
    """
    known = values[np.isfinite(values)]
    low, step, decimals = decimal_grid(float(known.min()), float(known.max())) if known.size else (0.0, 1.0, 0)
    levels = levels_of(values, low, step)
    halves = np.concatenate([levels >> 8, levels & 255]).astype(np.uint8)
    n_rows, n_columns = levels.shape
    return {
        "png": image_uri(halves, "PNG"),
        "low": low,
        "step": step,
        "decimals": decimals,
        "rows": n_rows,
        "columns": n_columns,
    }


def encoded_column(values: ArrayLike) -> dict[str, Any]:
    """Return a column of numbers: ``data``, the levels as little-endian uint16 in base64, ``low`` and ``step``."""
    column = np.asarray(values, dtype=np.float64)
    known = column[np.isfinite(column)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    step = (high - low) / (LEVELS - 1) or 1.0
    levels = levels_of(column, low, step)
    return {"data": base64.b64encode(levels.astype("<u2").tobytes()).decode("ascii"), "low": low, "step": step}


def decimal_grid(low: float, high: float) -> tuple[float, float, int]:
    """Return the finest grid of decimal numbers that covers a range: its first number, its step, and its decimals."""
    finest = max((high - low) / (LEVELS - 2), abs(low) * 1e-12, abs(high) * 1e-12, 1e-300)  # a double has 15 digits
    exponent = math.floor(math.log10(finest))
    multiple = next(each for each in MULTIPLES if each * 10.0**exponent >= finest)
    step = float(f"{multiple}e{exponent}")
    decimals = max(0, -exponent - (multiple == MULTIPLES[-1]))
    return round(math.floor(low / step) * step, min(decimals, 300)), step, decimals


def levels_of(values: Array, low: float, step: float) -> NDArray[np.uint16]:
    """Return the level of each value: from 1, and 0 for no value."""
    known = np.isfinite(values)
    levels = np.where(known, np.round((np.where(known, values, low) - low) / step) + 1, 0)
    return levels.astype(np.uint16)


def encoded_image(levels: NDArray[np.uint8]) -> tuple[str, str]:
    """Return levels (n_rows, n_columns, 3) as the media type and the base64 of a compressed image."""
    return "image/webp", _base64(Image.fromarray(levels), "WEBP", quality=QUALITY, method=0)


def image_uri(levels: NDArray[np.uint8], kind: str, **options: Any) -> str:
    """Return the data URI of an image of 8 bits, in a format of Pillow."""
    return f"data:image/{kind.lower()};base64,{_base64(Image.fromarray(levels), kind, **options)}"


def _base64(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode("ascii")


def rounded(values: ArrayLike, digits: int = 6) -> list[float | None]:
    """Return numbers with so many significant digits; None for those that are not finite."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in np.ravel(values).tolist()]
