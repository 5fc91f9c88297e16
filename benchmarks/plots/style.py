"""Style of the benchmark figures, shared with those of the package."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from classify.plots.performance import LINE, SECOND
from darkmatter_features.plots.page import save_figure

BLUE = LINE
"""Colour of darkmatter where the oracle is beside it, and of the others where darkmatter is highlighted."""

ORANGE = SECOND
"""Colour of the highlighted side."""

INK = "#222222"
"""Colour of text."""

GREY = "0.55"
"""Colour of a plain method."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, inches."""
    return Figure((width, height), dpi=200, facecolor="white")


def save(path: Path, figure: Figure) -> None:
    """Write a figure to a file."""
    save_figure(path, figure)


def plain_axes(axes: Any, title: str = "") -> None:
    """Remove the upper and right frame, and set the title and the size of the labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=10, weight="bold", color=INK, loc="left")
    axes.tick_params(labelsize=8.5, colors=INK)


__all__ = ["BLUE", "GREY", "INK", "ORANGE", "new_figure", "plain_axes", "save"]
