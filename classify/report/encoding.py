"""Images, maps and columns of numbers as text in a page."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Array = NDArray[np.float64]

LEVELS = 65_534
"""Number of steps of a quantised map or column; level 0 is no value."""
QUALITY = 70
"""Quality of the image of a sky, WebP."""
FINEST_STEP = 0.001
"""Smallest step of a map of S/N or of a logarithm: its noise is 1, and the page shows two decimals."""


def encoded_map(values: Array, *, finest: float = FINEST_STEP) -> dict[str, Any]:
    """Return a map as quantised PNG data with its range.

    Parameters
    ----------
    values : (n_rows, n_columns) float64 array
        Map; nan for no value.
    finest : float
        Smallest step of the quantisation.

    Returns
    -------
    dict
        ``png``, the data URI of a grey image of 8 bits whose upper half holds the high bytes of the levels and whose
        lower half the low bytes; ``low`` and ``step``, such that a value is ``low + step (level - 1)``, and level 0 is
        no value; ``rows`` and ``columns``. The error of a value is at most half a step.
    """
    low, step, levels = quantised(values, finest)
    halves = np.concatenate([levels >> 8, levels & 255]).astype(np.uint8)
    n_rows, n_columns = levels.shape
    return {"png": image_uri(halves, "PNG"), "low": low, "step": step, "rows": n_rows, "columns": n_columns}


def encoded_column(values: ArrayLike) -> dict[str, Any]:
    """Return a column of numbers: ``data``, the levels as little-endian uint16 in base64, ``low`` and ``step``."""
    low, step, levels = quantised(np.asarray(values, dtype=np.float64), 0.0)
    return {"data": base64.b64encode(levels.astype("<u2").tobytes()).decode("ascii"), "low": low, "step": step}


def quantised(values: Array, finest: float) -> tuple[float, float, NDArray[np.uint16]]:
    """Return the lowest value, the step, and the level of each value: from 1, and 0 for no value."""
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    step = max((high - low) / (LEVELS - 1), finest) or 1.0
    levels = np.where(known, np.round((np.where(known, values, low) - low) / step) + 1, 0)
    return low, step, levels.astype(np.uint16)


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
