"""Colours of the maps of a page: those of the heatmap, as tables."""

import base64
from typing import Any

import numpy as np
from matplotlib.colors import Colormap

from darkmatter_features.plots.posterior import DECADES
from darkmatter_features.plots.snr import MIN_LIMIT
from darkmatter_features.plots.theme import DARK

N_COLORS = 256
"""Number of colours of a table."""


def color_tables() -> dict[str, Any]:
    """Return the colours of S/N and of the posterior, with the ranges that they stand for."""
    return {
        "shear_colors": _table(DARK.shear), "posterior_colors": _table(DARK.posterior), "min_limit": MIN_LIMIT,
        "decades": DECADES,
    }  # fmt: skip


def _table(colors: Colormap) -> str:
    """Return 256 colours as base64 of their red, green and blue."""
    levels = colors(np.linspace(0, 1, N_COLORS), bytes=True)[:, :3]
    return base64.b64encode(np.ascontiguousarray(levels, dtype=np.uint8).tobytes()).decode("ascii")
