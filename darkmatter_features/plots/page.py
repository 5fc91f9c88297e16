"""Style and layout of all figures: style sheet, page with titles, legend and colour bars, axes of RA and Dec, files."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, cast

from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from darkmatter_features.io.table import written_whole

FAINT = "#8b949e"
"""Colour of secondary lines on the dark page."""

LENS = "#ffb454"
"""Colour of the verdict for a lens, and of the lens in the figure of a template."""

NO_LENS = "#a9b4c0"
"""Colour of the verdict for no lens."""

UNLIKE = "#ff7b72"
"""Colour of the mark of a sky unlike the training skies."""

MARGIN = 0.1
"""Space at the left of the titles, inches."""

SMALL: dict[str, Any] = {"fontsize": 9.5, "weight": "normal", "linespacing": 1.5}
"""Type of a subtitle."""

BAR_WIDTH = 0.03
"""Width of a colour bar, fraction of the longer side of its panel."""

LAYOUT_PASSES = {"dark": 1, "light": 2}
"""Number of layouts until they converge: each has the labels of the one before; images have the same labels in all."""

WORLD_PASSES = 4
"""The same for a page with axes of RA and Dec."""

MIN_BAR_HEIGHT = 0.17
"""Minimum height of a colour bar, fraction of the width of its panel: its label fits."""

Arguments = ParamSpec("Arguments")


def in_style(name: Literal["dark", "light"]) -> Callable[[Callable[Arguments, Figure]], Callable[Arguments, Figure]]:
    """Return a decorator of a function that draws a figure: it sets the style sheet `name`, and computes the layout.

    The settings of the user have no effect and are restored. The layout is computed once: a layout engine that stays
    makes matplotlib draw a figure twice to save it.
    """

    def decorator(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
        @wraps(draw)
        def drawn(*args: Arguments.args, **options: Arguments.kwargs) -> Figure:
            with rc_context(fname=Path(__file__).with_name(f"{name}.mplstyle")):
                figure = draw(*args, **options)
                _fix_tick_labels(figure)
                has_world = any(hasattr(axes, "coords") for axes in figure.axes)
                for _ in range(WORLD_PASSES if has_world else LAYOUT_PASSES[name]):
                    cast(ConstrainedLayoutEngine, figure.get_layout_engine()).execute(figure)
                figure.set_layout_engine("none")
            return figure

        return drawn

    return decorator


def _fix_tick_labels(figure: Figure) -> None:
    """Set the size of tick labels: matplotlib reads it again to count the ticks when it draws, without the style."""
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            if "labelsize" not in axis.get_tick_params():
                axis.set_tick_params(labelsize=rcParams["xtick.labelsize"])


def blank_page(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, with a canvas of its own."""
    figure = Figure((width, height))
    FigureCanvasAgg(figure)
    return figure


def titled_page(width: float, height: float, title: str, subtitle: str = "") -> tuple[Figure, SubFigure]:
    """Return a figure of a size in inches with a title, and its body, on which to draw, with a subtitle of plain text.

    Both start at the left border of the page.
    """
    figure = blank_page(width, height)
    body: SubFigure = figure.add_subfigure(figure.add_gridspec()[0])
    at_left: dict[str, Any] = {"x": MARGIN / width, "ha": "left", "parse_math": False}
    figure.suptitle(title, **at_left)
    if subtitle:
        body.suptitle(subtitle, alpha=0.85, **SMALL, **at_left)
    return figure, body


def write_legend(figure: Figure, handles: dict[str, Any], *rows: dict[str, Any], n_columns: int | None = None) -> None:
    """Write a legend at the foot of a page, in one row by default; `handles`, and further rows, hold them by label."""
    labels, shown = [*handles.keys()], [*handles.values()]
    if rows:
        n_columns = max(map(len, (handles, *rows)))
        blank = ("", Line2D([], [], linestyle="none"))
        padded = [[*row.items(), *[blank] * (n_columns - len(row))] for row in (handles, *rows)]
        entries = [entry for column in zip(*padded, strict=True) for entry in column]  # columns are filled first
        labels, shown = [label for label, _ in entries], [handle for _, handle in entries]
    figure.legend(shown, labels, loc="outside lower left", ncols=n_columns or len(handles))


def draw_color_bar(axes: Axes, label: str, **options: Any) -> Colorbar:
    """Draw the colour bar of the first image of `axes` at their right and return it; `options` as for `colorbar`."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    aspect = abs((x1 - x0) / (y1 - y0))
    width, height = max(BAR_WIDTH, BAR_WIDTH / aspect), max(1.0, MIN_BAR_HEIGHT * aspect)
    frame = axes.inset_axes((1 + width, 0.5 - 0.5 * height, width, height))
    bar = axes.figure.colorbar(axes.images[0], cax=frame, **options)
    bar.outline.set_visible(False)
    bar.set_label(label)
    return bar


def label_world_axes(axes: Any, names: tuple[str, str]) -> None:
    """Label WCSAxes by the names of the world coordinates, in the style of the page."""
    axes.patch.set_linewidth(0)  # the patch has an edge of its own, which is white
    axes.coords.frame.set_color(rcParams["axes.edgecolor"])
    axes.coords.frame.set_linewidth(rcParams["axes.linewidth"])
    for coordinate, name in zip(axes.coords, names, strict=True):
        coordinate.set_axislabel(name)
        coordinate.set_ticks(number=4, color=FAINT)
        coordinate.set_ticklabel(color=FAINT, exclude_overlapping=True)


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG; the file appears complete or not at all."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png")


def shortened(name: str, n_letters: int) -> str:
    """Return a name of at most `n_letters` letters, without its middle if it is longer."""
    half = (n_letters - 1) // 2
    return name if len(name) <= n_letters else f"{name[:half]}…{name[-half:]}"
