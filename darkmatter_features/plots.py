"""The shear heatmap: a sky with its ellipses, the tangential map, and beside it the cross map as the null.

Figures are made of matplotlib's objects alone; neither pyplot nor anybody's settings are touched.
"""

from typing import Any, Protocol

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import MaxNLocator

from darkmatter_features.panels import (
    ELLIPSE,
    color_limit,
    contour_levels,
    crosshair,
    draw_map,
    draw_marks,
    draw_sky,
    ring,
)
from darkmatter_features.shapes import GalaxyCatalog
from darkmatter_features.shear import Peak, ShearMaps
from darkmatter_features.sky import Sky

__all__ = ["Verdict", "draw_map", "draw_marks", "draw_sky", "heatmap"]

NIGHT, INK, FAINT = "#0d1117", "#e6edf3", "#8b949e"
# Colours of the verdict.
LENS, NO_LENS = "#ffb454", "#a9b4c0"

# The page, in pixels of a figure saved as it is: a picture of 512 x 512 fills a panel pixel by pixel.
DPI = 150
PANEL, MAX_HEIGHT = 512, 800
# Less leaves no room for the colour bar and the titles; a title needs `TITLE` across.
MIN_WIDTH, MIN_HEIGHT, TITLE = 240, 140, 340
LEFT, RIGHT, TOP, BOTTOM = 110, 78, 146, 112
GAP, BAR_GAP, BAR = 34, 22, 16

_THEME: dict[Any, Any] = {
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


class Verdict(Protocol):
    """What a classifier says of a sky."""

    @property
    def label(self) -> int:
        """1 for a lens, 0 for none."""

    @property
    def probability(self) -> float:
        """Probability of a lens."""

    @property
    def decided_by(self) -> str:
        """Which model decided."""


def heatmap(
    sky: Sky,
    catalog: GalaxyCatalog,
    maps: ShearMaps,
    *,
    verdict: Verdict | None = None,
    lens: tuple[float, float] | None = None,
) -> Figure:
    """Draw the shear heatmap of a sky.

    Parameters
    ----------
    sky : Sky
        The picture.
    catalog : GalaxyCatalog
        Its galaxies.
    maps : ShearMaps
        Their maps; the scale with the highest peak is drawn.
    verdict : object with `label`, `probability` and `decided_by`, optional
        What a classifier says of the sky.
    lens : (float, float), pixels, optional
        Row and column of the true lens.

    Returns
    -------
    matplotlib.figure.Figure
        Sky, tangential map and cross map in a row, the two maps in the same colours. Save it with
        ``figure.savefig(path)``; a square picture makes 1830 x 770 pixels.

    Examples
    --------
    >>> sky = read_sky("sky.png")  # doctest: +SKIP
    >>> catalog = measure(sky)  # doctest: +SKIP
    >>> heatmap(sky, catalog, shear_maps(catalog)).savefig("heatmap.png")  # doctest: +SKIP
    """
    with rc_context(_THEME):
        figure, panels, bar = _page(sky.shape)
        draw_sky(panels[0], sky, catalog).set_ylabel("row, px")
        draw_map(panels[1], maps, which="tangential").tick_params(left=False, labelleft=False)
        draw_map(panels[2], maps, which="cross").tick_params(left=False, labelleft=False)
        for axes in panels:
            draw_marks(axes, peak=maps.peak, lens=lens).set(xlabel="column, px", anchor="W")
        _draw_color_bar(figure, bar, panels[1])
        _write_header(figure, sky.name, maps.peak, verdict)
        _write_key(figure, contour_levels(color_limit(maps, maps.best_scale)), has_lens=lens is not None)
    return figure


def _page(shape: tuple[int, int]) -> tuple[Figure, list[Axes], Axes]:
    """Lay out three panels of the picture's proportions and a colour bar, all in whole pixels."""
    zoom = min(PANEL / shape[1], MAX_HEIGHT / shape[0])
    panel, tall = max(round(zoom * shape[1]), MIN_WIDTH), max(round(zoom * shape[0]), MIN_HEIGHT)
    lefts = [LEFT + k * (max(panel, TITLE) + GAP) for k in range(3)]
    width, height = lefts[2] + panel + BAR_GAP + BAR + RIGHT, BOTTOM + tall + TOP
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=NIGHT)
    FigureCanvasAgg(figure)

    def place(left: int, across: int) -> Axes:
        return figure.add_axes((left / width, BOTTOM / height, across / width, tall / height))

    return figure, [place(left, panel) for left in lefts], place(width - RIGHT - BAR, BAR)


def _draw_color_bar(figure: Figure, bar: Axes, axes: Axes) -> None:
    colors = figure.colorbar(axes.images[0], cax=bar, ticks=MaxNLocator("auto", integer=True))
    colors.outline.set_visible(False)
    bar.set_title("S/N", loc="center", fontsize=8.5, color=FAINT)


def _write_header(figure: Figure, name: str, peak: Peak, verdict: Verdict | None) -> None:
    width, height = figure.get_size_inches() * DPI
    left, right = LEFT / width, 1 - (RIGHT + BAR + BAR_GAP) / width
    first, second = 1 - 40 / height, 1 - 78 / height
    big: dict[str, Any] = {"fontsize": 13, "weight": "bold", "va": "center"}
    small: dict[str, Any] = {"fontsize": 9.5, "va": "center"}
    figure.text(left, first, _shortened(name, int(width) // 36), parse_math=False, **big)
    place = f"Peak S/N {peak.snr:.1f} at row {peak.row:.0f}, column {peak.column:.0f}"
    figure.text(left, second, place, **small)
    if verdict is not None:
        says, color = ("Lens", LENS) if verdict.label else ("No lens", NO_LENS)
        figure.text(right, first, says, color=color, ha="right", **big)
        figure.text(right, second, _confidence(verdict), ha="right", **small)


def _confidence(verdict: Verdict) -> str:
    rounded = f"{verdict.probability:.2f}"
    told = {"1.00": "above 0.99", "0.00": "below 0.01"}.get(rounded, rounded)
    return f"probability {told}, by {verdict.decided_by}"


def _shortened(name: str, n_letters: int) -> str:
    """Leave out the middle of a name that is too long."""
    half = (n_letters - 1) // 2
    return name if len(name) <= n_letters else f"{name[:half]}…{name[-half:]}"


def _write_key(figure: Figure, levels: np.ndarray[Any, Any], *, has_lens: bool) -> None:
    """Explain the marks in a row at the foot of the page."""
    oval = MarkerStyle("o", fillstyle="none").scaled(1, 0.5).rotated(deg=25)
    galaxy = Line2D([], [], linestyle="none", marker=oval, markersize=13, markeredgecolor=ELLIPSE)
    contour = Line2D([], [], color="white", alpha=0.55, linewidth=0.8)
    key = {"measured galaxy": galaxy, "peak": crosshair(0, 0)}
    key |= {"true lens": ring(0, 0)} if has_lens else {}
    key["|S/N| = " + ", ".join(f"{level:g}" for level in levels[:3]) + ", … (dashed: negative)"] = contour
    width, height = figure.get_size_inches() * DPI
    figure.legend(
        key.values(), key.keys(), loc="center left", bbox_to_anchor=(LEFT / width, 28 / height), ncols=4,
        frameon=False, labelcolor=FAINT, borderpad=0, borderaxespad=0, handlelength=1.6, columnspacing=2.4,
        handletextpad=0.8,
    )  # fmt: skip
