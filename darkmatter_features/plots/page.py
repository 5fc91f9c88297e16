"""Style and layout of all figures: style sheet, page with titles, legend and colour bars, axes of RA and Dec, files."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, cast

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from darkmatter_features.io.table import written_whole
from darkmatter_features.plots.theme import DARK, current_theme, plot_theme

FAINT, LENS, UNLIKE = DARK.faint, DARK.lens, DARK.unlike
"""Colours on the dark page: of secondary lines, of a lens, and of the mark of a sky unlike the training skies."""

MARGIN = 0.1
"""Space at the left of the titles, inches."""

SMALL: dict[str, Any] = {"fontsize": 9.5, "weight": "normal", "linespacing": 1.5}
"""Type of a subtitle."""

BAR_WIDTH = 0.03
"""Width of a colour bar, fraction of the longer side of its panel."""

LAYOUT_PASSES = {"dark": 1, "light": 2, "print": 2}
"""Number of layouts until they converge: each has the labels of the one before; images have the same labels in all."""

WORLD_PASSES = 4
"""The same for a page with axes of RA and Dec."""

MIN_BAR_HEIGHT = 0.17
"""Minimum height of a colour bar, fraction of the width of its panel: its label fits."""

ROW_SPACING = 0.85
"""Space between the rows of a legend whose first row has large marks, widths of a letter."""

FORMATS = ("png", "pdf", "svg")
"""Formats of figures, the default first."""

UNDATED = {"pdf": "CreationDate", "svg": "Date"}
"""Name of the date in the metadata of a vector format: it is left out."""

VECTOR_DPI = 300
"""Resolution of images in vector formats, pixels an inch."""

VECTOR_SETTINGS: Any = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "darkmatter"}
"""TrueType fonts in PDF, outlines of letters in SVG, and names of parts of SVG that are the same each time."""

Arguments = ParamSpec("Arguments")


def in_style(
    name: Literal["dark", "light", "theme"],
) -> Callable[[Callable[Arguments, Figure]], Callable[Arguments, Figure]]:
    """Return a decorator of a function that draws a figure: it sets the style sheet `name`, and computes the layout.

    "theme" is the style sheet of the current theme; the others draw all parts of a figure in the dark theme.
    The settings of the user have no effect and are restored. The layout is computed once: a layout engine that stays
    makes matplotlib draw a figure twice to save it.
    """

    def decorator(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
        @wraps(draw)
        def drawn(*args: Arguments.args, **options: Arguments.kwargs) -> Figure:
            theme = current_theme() if name == "theme" else DARK
            style = theme.style if name == "theme" else name
            with plot_theme(theme), rc_context(fname=Path(__file__).with_name(f"{style}.mplstyle")):
                figure = draw(*args, **options)
                _fix_tick_labels(figure)
                has_world = any(hasattr(axes, "coords") for axes in figure.axes)
                for _ in range(WORLD_PASSES if has_world else LAYOUT_PASSES[style]):
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
        body.suptitle(subtitle, alpha=0.85, **small_type(), **at_left)
    return figure, body


def small_type() -> dict[str, Any]:
    """Return the type of a subtitle, in the size of the titles of panels where these are smaller."""
    return SMALL | {"fontsize": min(SMALL["fontsize"], rcParams["axes.titlesize"])}


def write_legend(figure: Figure, handles: dict[str, Any], *rows: dict[str, Any], n_columns: int | None = None) -> None:
    """Write a legend at the foot of a page, in one row by default; `handles`, and further rows, hold them by label."""
    labels, shown = [*handles.keys()], [*handles.values()]
    if rows:
        n_columns = max(map(len, (handles, *rows)))
        blank = ("", Line2D([], [], linestyle="none"))
        padded = [[*row.items(), *[blank] * (n_columns - len(row))] for row in (handles, *rows)]
        entries = [entry for column in zip(*padded, strict=True) for entry in column]  # columns are filled first
        labels, shown = [label for label, _ in entries], [handle for _, handle in entries]
    spacing = ROW_SPACING if rows else None
    figure.legend(shown, labels, loc="outside lower left", ncols=n_columns or len(handles), labelspacing=spacing)


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


def label_world_axes(axes: Any, names: tuple[str, str], *, at_left: bool = True) -> None:
    """Label WCSAxes by the names of the world coordinates, in the style of the page, below and, if wanted, at the left.

    The coordinate that changes most along the columns is below, whatever the angle of the image on the sky.
    """
    matrix = np.abs(axes.wcs.celestial.pixel_scale_matrix)
    below = int(matrix[1, 0] * matrix[0, 1] > matrix[0, 0] * matrix[1, 1])
    axes.patch.set_linewidth(0)  # the patch has an edge of its own, which is white
    axes.coords.frame.set_color(rcParams["axes.edgecolor"])
    axes.coords.frame.set_linewidth(rcParams["axes.linewidth"])
    for k, (coordinate, name) in enumerate(zip(axes.coords, names, strict=True)):
        side = "b" if k == below else "l" if at_left else ""
        coordinate.set_axislabel(name if side else "")
        coordinate.set_axislabel_position(side)
        coordinate.set_ticklabel_position(side)
        coordinate.set_ticks_position(side)
        coordinate.set_ticks(number=4, color=rcParams["xtick.color"])
        coordinate.set_ticklabel(color=rcParams["xtick.labelcolor"], exclude_overlapping=True)


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, PDF or SVG, by the suffix; the file appears complete or not at all.

    PDF and SVG hold text and marks as vectors, images at 300 pixels an inch, and no date: the same figure gives the
    same bytes. Fonts of PDF are TrueType; the letters of SVG are outlines, which are the same without the font.
    """
    suffix = path.suffix[1:]
    with written_whole(path) as temporary, rc_context(VECTOR_SETTINGS):
        if suffix in UNDATED:
            figure.savefig(temporary, format=suffix, dpi=VECTOR_DPI, metadata={UNDATED[suffix]: None})
        else:
            figure.savefig(temporary, format="png")


def shortened(name: str, n_letters: int) -> str:
    """Return a name of at most `n_letters` letters, without its middle if it is longer."""
    half = (n_letters - 1) // 2
    return name if len(name) <= n_letters else f"{name[:half]}…{name[-half:]}"
