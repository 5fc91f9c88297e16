"""Figures of a data set as SVG for a page: their colours are those of its style sheet, in light and in dark."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from PIL import Image

from classify.explore.bias import Bias
from classify.explore.distributions import Distribution, by_class, mean_scatter
from classify.explore.profile import Profile
from darkmatter_features.io.sky import Sky
from darkmatter_features.plots.page import VECTOR_SETTINGS
from darkmatter_features.plots.panels import draw_marks, draw_sky

SIZE = (4.3, 2.9)
"""Width and height of a figure, inches: a phone shows it at this size."""

TEXT, LENS, NO_LENS, FAINT = "#a00001", "#a00002", "#a00003", "#a00004"
"""Colours that stand for those of the style sheet."""

VARIABLES = {TEXT: "--text", LENS: "--second", NO_LENS: "--main", FAINT: "--edge"}
"""Variables of the style sheet by these colours."""

STYLE: Any = VECTOR_SETTINGS | {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "legend.frameon": False,
    "legend.labelcolor": TEXT,
    "lines.linewidth": 1.6,
}
"""Settings of the figures."""

MAX_POINTS = 2000
"""Maximum number of skies in the figure of mean ellipticities."""

EXAMPLE = 320
"""Side of an example, pixels."""

QUALITY = 85
"""Quality of the JPEG of an example."""

MARKS: dict[str, dict[str, Any]] = {
    "with a lens": {"color": LENS, "marker": "^", "linestyle": "--"},
    "without a lens": {"color": NO_LENS, "marker": "o", "linestyle": "-"},
    "unlabelled": {"color": TEXT, "marker": "s", "linestyle": "-"},
}
"""Colour, marker and line of each class: colour and shape."""


def svg_of(draw: Callable[[Axes], None], name: str) -> str:
    """Return the drawing of a function on axes as an SVG element for a page; `name` makes its identifiers its own."""
    with rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(SIZE, layout="constrained")
        draw(figure.subplots())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in all figures of a page
    svg = svg.replace("'DejaVu Sans'", "system-ui, sans-serif")
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true" focusable="false">', svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg


def draw_counts(axes: Axes, distribution: Distribution) -> None:
    """Draw the number of skies of each class by their number of galaxies."""
    for name, counts in distribution.values.items():
        style = {key: MARKS[name][key] for key in ("color", "linestyle")}
        axes.stairs(counts, distribution.edges, linewidth=1.6, label=name, **style)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10], integer=True))
    axes.set(xlabel="galaxies of a sky", ylabel="skies", ylim=(0, 1.2 * axes.get_ylim()[1]))  # room for the key
    axes.legend(loc="upper left", ncols=3, columnspacing=1.2, handlelength=1.6)


def draw_ellipticities(axes: Axes, distribution: Distribution) -> None:
    """Draw the distribution of both components of the ellipticities of all galaxies."""
    for (name, fractions), color, line in zip(distribution.values.items(), (NO_LENS, LENS), ("-", "--"), strict=True):
        axes.stairs(fractions, distribution.edges, color=color, linestyle=line, linewidth=1.6, label=name)
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.set(
        xlabel="component of the ellipticity", ylabel="fraction of galaxies", xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1)
    )
    axes.legend()


def drawn(skies: pd.DataFrame) -> pd.DataFrame:
    """Return the skies whose mean ellipticity is drawn: those that are known, or a regular selection of many."""
    known = skies[skies["mean_e1"].notna()]
    return known.iloc[:: max(1, -(-len(known) // MAX_POINTS))]


def draw_means(axes: Axes, skies: pd.DataFrame, bias: Bias | None) -> None:
    """Draw the mean ellipticity of each sky, and that of all."""
    for name, own in by_class(drawn(skies)):
        style = MARKS[name] | {"linestyle": "none"}
        axes.plot(own["mean_e1"], own["mean_e2"], markersize=3, alpha=0.6, label=name, **style)
    side = 4 * mean_scatter(skies)
    axes.add_patch(Ellipse((0, 0), side, side, fill=False, edgecolor=TEXT, linestyle=":", linewidth=1.4, zorder=3))
    for line in (axes.axhline, axes.axvline):
        line(0, color=FAINT, linewidth=0.8, zorder=0)
    if bias is not None:
        axes.plot(bias.e1, bias.e2, "+", color=TEXT, markersize=13, markeredgewidth=2, label="mean", zorder=4)
    axes.set(xlabel="mean e1 of a sky", ylabel="mean e2 of a sky", aspect="equal")
    axes.margins(0.1)
    axes.set_adjustable("datalim")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def draw_profile(axes: Axes, profile: Profile) -> None:
    """Draw the tangential and the cross shear about lenses by distance, with their errors."""
    style: dict[str, Any] = {"linestyle": "none", "capsize": 2.5, "elinewidth": 1.2}
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.errorbar(profile.radius, profile.gamma_t, profile.error_t, fmt="o", color=LENS, label="tangential", **style)
    axes.errorbar(
        profile.radius, profile.gamma_x, profile.error_x, fmt="s", color=NO_LENS, markerfacecolor="none", label="cross",
        **style,
    )  # fmt: skip
    axes.set(xlabel="distance from the lens, px of a 512 px frame", ylabel="mean shear", xlim=(0, None))
    axes.legend()


def example_of(sky: Sky, lens: tuple[float, float] | None) -> bytes:
    """Return a JPEG of a sky and, if known, a ring about its lens (row, column)."""
    figure = Figure((EXAMPLE / 100, EXAMPLE / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_marks(draw_sky(axes, sky), lens=lens).axis("off")
    axes.set_title("")
    figure.set_facecolor("black")
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    stream = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3]).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
