"""Colours and constants of the drawings of a page: those of the heatmap, which the scripts take from it."""

import base64
from typing import Any

import numpy as np
from matplotlib.colors import Colormap

from classify.metrics import THRESHOLD
from darkmatter_features.plots.panels import CREDIBLE, OUTLINE
from darkmatter_features.plots.posterior import DECADES
from darkmatter_features.plots.snr import FIRST_CONTOUR, MAX_CONTOURS, MAX_LIMIT, MIN_LIMIT
from darkmatter_features.plots.theme import DARK

N_COLORS = 256
"""Number of colours of a table."""


CONSTANTS: dict[str, Any] = {
    "min_limit": MIN_LIMIT, "max_limit": MAX_LIMIT, "decades": DECADES, "outline": OUTLINE,
    "first_contour": FIRST_CONTOUR, "max_contours": MAX_CONTOURS, "fractions": CREDIBLE, "threshold": THRESHOLD,
}  # fmt: skip
"""Constants of the drawings, by the names that the scripts and templates of a page have for them."""


def page_constants() -> dict[str, Any]:
    """Return the colours of S/N and of the posterior, with the ranges that they stand for, and `CONSTANTS`."""
    return {"shear_colors": _table(DARK.shear), "posterior_colors": _table(DARK.posterior), **CONSTANTS}


def _table(colors: Colormap) -> str:
    """Return 256 colours as base64 of their red, green and blue."""
    levels = colors(np.linspace(0, 1, N_COLORS), bytes=True)[:, :3]
    return base64.b64encode(np.ascontiguousarray(levels, dtype=np.uint8).tobytes()).decode("ascii")
