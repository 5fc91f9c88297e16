"""Style and layout of the dark figures: colours, type, header, legend row and colour bars."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

NIGHT = "#0d1117"
"""Background of a page."""

INK = "#e6edf3"
"""Colour of text."""

FAINT = "#8b949e"
"""Colour of secondary text."""

EDGE = "#30363d"
"""Colour of the frame of axes."""

LENS = "#ffb454"
"""Colour of the verdict for a lens."""

NO_LENS = "#a9b4c0"
"""Colour of the verdict for no lens."""

DPI = 150
"""Resolution of a saved figure, pixels per inch."""

BAR_WIDTH = 0.03
"""Width of a colour bar, fraction of the longer side of its panel."""

BORDER = 0.006
"""Width of the empty border at the left and at the right of a page, fraction of its width."""

HEADER_LINE = 34
"""Height of a line of a header, pixels."""

LEGEND_ROW = 58
"""Height of a legend at the foot of a page, pixels."""

THEME: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 8.5,
    "text.color": INK,
    "text.usetex": False,
    "axes.facecolor": "black",
    "axes.edgecolor": EDGE,
    "axes.linewidth": 0.7,
    "axes.labelcolor": FAINT,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.titley": 1.0,  # a fixed position: matplotlib's search for one takes a quarter of the time of a layout
    "axes.titlecolor": INK,
    "axes.grid": False,
    "xtick.color": "#484f58",
    "ytick.color": "#484f58",
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.wspace": 0.0,
    "figure.constrained_layout.hspace": 0.0,
}
"""Matplotlib's settings while a figure is made, for `rc_context`."""

BIG: dict[str, Any] = {"fontsize": 13, "weight": "bold", "va": "center"}
"""Type of the first line of a header."""

SMALL: dict[str, Any] = {"fontsize": 9.5, "va": "center"}
"""Type of the further lines of a header."""


def blank_page(width: float, height: float) -> Figure:
    """Return an empty figure of a size in pixels, with a canvas of its own."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=NIGHT)
    FigureCanvasAgg(figure)
    return figure


def lay_out(figure: Figure, *, n_lines: int, legend: bool = False) -> None:
    """Lay the axes of a figure out between a header of `n_lines` lines below its title and, if wanted, a legend.

    The layout is computed once: a layout engine that stays makes matplotlib draw a figure twice to save it.
    """
    top, bottom = header_height(n_lines) / figure.bbox.height, legend * LEGEND_ROW / figure.bbox.height
    ConstrainedLayoutEngine(rect=(BORDER, bottom, 1 - 2 * BORDER, 1 - top - bottom)).execute(figure)


def header_height(n_lines: int) -> float:
    """Return the height of a header of `n_lines` lines below its title, pixels."""
    return HEADER_LINE * (n_lines + 1.75)


def write_header(axes: Axes, title: str, lines: Sequence[str], *, right: bool = False, **title_style: Any) -> None:
    """Write a title and the lines below it at the top of a page, once it is laid out.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes whose left edge the text starts at.
    title : str
        First line, in large type.
    lines : sequence of str
        Further lines.
    right : bool
        Whether the text ends at the right edge of the axes instead.
    **title_style
        Text properties of the title.
    """
    figure, position = axes.figure, axes.get_position(original=True)
    styles = [{**BIG, **title_style}] + [SMALL] * len(lines)
    for k, (line, style) in enumerate(zip((title, *lines), styles, strict=True)):
        figure.text(
            position.x1 if right else position.x0, 1 - HEADER_LINE * (k + 1.1) / figure.bbox.height, line,
            ha="right" if right else "left", parse_math=False, **style,
        )  # fmt: skip


def write_legend(axes: Axes, handles: dict[str, Any]) -> None:
    """Write a legend in one row at the foot of a page, from the left edge of `axes`; `handles` holds them by label."""
    figure = axes.figure
    foot = (axes.get_position(original=True).x0, 0.45 * LEGEND_ROW / figure.bbox.height)
    figure.legend(
        handles.values(), handles.keys(), loc="center left", bbox_to_anchor=foot, ncols=len(handles), frameon=False,
        labelcolor=FAINT, borderpad=0, borderaxespad=0, handlelength=1.6, columnspacing=2.4, handletextpad=0.8,
    )  # fmt: skip


def draw_color_bar(axes: Axes, label: str, **options: Any) -> Colorbar:
    """Draw the colour bar of the first image of `axes` at their right and return it; `options` as for `colorbar`."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    width = BAR_WIDTH * max(1.0, abs((y1 - y0) / (x1 - x0)))
    bar = axes.figure.colorbar(axes.images[0], cax=axes.inset_axes((1 + width, 0, width, 1)), **options)
    bar.outline.set_visible(False)
    bar.set_label(label)
    return bar


def label_world_axes(axes: Any, names: tuple[str, str]) -> None:
    """Label WCSAxes by the names of the world coordinates, in the style of the page."""
    axes.patch.set_linewidth(0)  # the patch has an edge of its own, which is white
    axes.coords.frame.set_color(EDGE)
    axes.coords.frame.set_linewidth(THEME["axes.linewidth"])
    for coordinate, name in zip(axes.coords, names, strict=True):
        coordinate.set_axislabel(name)
        coordinate.set_ticks(number=4, color=FAINT)
        coordinate.set_ticklabel(color=FAINT, exclude_overlapping=True)


def place(figure: Figure, left: float, bottom: float, across: float, tall: float) -> Axes:
    """Return new axes at a position of the figure, in pixels from its lower left corner."""
    width, height = figure.get_size_inches() * DPI
    return figure.add_axes((left / width, bottom / height, across / width, tall / height))


def write(figure: Figure, x: float, from_top: float, text: str, **style: Any) -> None:
    """Write a line of plain text at `x` pixels from the left (from the right if negative) and `from_top` pixels."""
    width, height = figure.get_size_inches() * DPI
    position = x / width if x >= 0 else 1 + x / width
    figure.text(
        position, 1 - from_top / height, text, parse_math=False, **{"ha": "left" if x >= 0 else "right", **style}
    )


def shortened(name: str, n_letters: int) -> str:
    """Return a name of at most `n_letters` letters, without its middle if it is longer."""
    half = (n_letters - 1) // 2
    return name if len(name) <= n_letters else f"{name[:half]}…{name[-half:]}"
