"""The look of the house's dark pages: colours, type, and where things go, in whole pixels."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

NIGHT, INK, FAINT = "#0d1117", "#e6edf3", "#8b949e"
# Colours of the verdict.
LENS, NO_LENS = "#ffb454", "#a9b4c0"
# Dots an inch of a figure saved as it is.
DPI = 150

THEME: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures are the same everywhere
    "font.size": 8.5,
    "text.color": INK,
    "text.usetex": False,
    "axes.facecolor": "black",
    "axes.edgecolor": "#30363d",
    "axes.linewidth": 0.7,
    "axes.labelcolor": FAINT,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.titlecolor": INK,
    "axes.grid": False,
    "xtick.color": "#484f58",
    "ytick.color": "#484f58",
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
}
"""Matplotlib's settings while a page is drawn: give them to `rc_context`."""

BIG: dict[str, Any] = {"fontsize": 13, "weight": "bold", "va": "center"}
SMALL: dict[str, Any] = {"fontsize": 9.5, "va": "center"}
"""Type of the two lines at the head of a page."""


def blank_page(width: int, height: int) -> Figure:
    """Return an empty page of that many pixels, of no window or global state."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=NIGHT)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, bottom: float, across: float, tall: float) -> Axes:
    """Return new axes at a place of the page, in pixels from its lower left corner."""
    width, height = figure.get_size_inches() * DPI
    return figure.add_axes((left / width, bottom / height, across / width, tall / height))


def write(figure: Figure, x: float, from_top: float, text: str, **type_of: Any) -> None:
    """Write a line of plain text `x` pixels from the left (if negative: from the right) and so many from the top."""
    width, height = figure.get_size_inches() * DPI
    at = x / width if x >= 0 else 1 + x / width
    figure.text(at, 1 - from_top / height, text, parse_math=False, **{"ha": "left" if x >= 0 else "right", **type_of})


def shortened(name: str, n_letters: int) -> str:
    """Leave out the middle of a name that is too long."""
    half = (n_letters - 1) // 2
    return name if len(name) <= n_letters else f"{name[:half]}…{name[-half:]}"
