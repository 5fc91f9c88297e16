"""Figure of the candidates of a survey: the S/N of tangential and of cross shear, with numbered positions."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from darkmatter_features.plots.page import draw_color_bar, in_style, label_world_axes, titled_page, write_legend
from darkmatter_features.plots.snr import MAX_LIMIT, color_limit, ends
from darkmatter_features.plots.theme import current_theme
from darkmatter_features.surveys.mosaic import Mosaic, mosaic
from darkmatter_features.surveys.result import SurveyCandidates

PANEL = 6.4
"""Length of the longer side of a panel, inches."""

MIN_SIDE = 2.2
"""Minimum length of the shorter side of a panel, inches."""

MARGINS = (1.9, 2.0)
"""Space for labels, colour bars, titles and the legend, inches across and up."""

GAP = 1.1
"""Space between panels one above the other, inches."""

MAX_NUMBERED = 30
"""Maximum number of candidates with a number: those of the highest S/N."""

OFFSET = (5, 4)
"""Offset of a number from its candidate, points."""


@in_style("theme")
def draw_survey(found: SurveyCandidates) -> Figure:
    """Draw the candidates of a survey, in the theme of :func:`~darkmatter_features.plots.theme.plot_theme`.

    Parameters
    ----------
    found : SurveyCandidates
        Result of :func:`~darkmatter_features.surveys.find.find_survey_candidates`.

    Returns
    -------
    matplotlib.figure.Figure
        The S/N of tangential and of cross shear in the same colours, in a projection of equal areas with RA and Dec, or
        x and y, beside each other, or one above the other where the survey is wide. Numbers are the rows of the table.
    """
    sky = mosaic(found)
    n_rows, n_columns = sky.snr.shape
    scale = PANEL / max(n_rows, n_columns)
    width, height = max(scale * n_columns, MIN_SIDE), max(scale * n_rows, MIN_SIDE)
    is_wide = n_columns > n_rows * 1.4
    across, up = (1, 2) if is_wide else (2, 1)
    size = across * width + MARGINS[0], up * height + MARGINS[1] + (GAP if is_wide else 0.0)
    survey, n = found.survey, len(found)
    count = f"{n} candidate{'' if n == 1 else 's'} of S/N {found.threshold:.2f} or more"
    subtitle = f"{survey.n:,} galaxies on {survey.area:.3g} square degrees, {count}"
    figure, body = titled_page(*size, survey.name, subtitle)
    options = {} if sky.is_plane else {"projection": sky.wcs}
    panels = list(np.ravel(body.subplots(up, across, subplot_kw={**options, "anchor": "W"})))
    limit = color_limit(sky.snr, sky.cross, most=MAX_LIMIT)
    for axes, values, title in zip(panels, (sky.snr, sky.cross), ("Tangential shear", "Cross shear: the null test")):
        _draw(axes, sky, values, title, limit)
    for k, axes in enumerate(panels):
        _label(axes, found.search.unit if sky.is_plane else None, is_first=is_wide or k == 0)
        _mark(axes, sky, found, numbered=k == 0)
        if is_wide or k == 1:
            draw_color_bar(axes, "S/N", ticks=MaxNLocator("auto", integer=True), extend=ends(limit, sky.snr, sky.cross))
    marks: dict[str, Any] = {"candidate": _ring()}
    if np.isnan(sky.snr).any():
        marks["too few galaxies"] = Patch(facecolor=_empty_color())
    write_legend(figure, marks)
    return figure


def _empty_color() -> str:
    return str(current_theme().masked)


def _draw(axes: Axes, sky: Mosaic, values: np.ndarray, title: str, limit: float) -> None:
    n_rows, n_columns = values.shape
    extent = None
    if sky.is_plane:
        corners = sky.wcs.wcs_pix2world([[-0.5, -0.5], [n_columns - 0.5, n_rows - 0.5]], 0)
        extent = (corners[0][0], corners[1][0], corners[0][1], corners[1][1])
    axes.imshow(
        values, origin="lower", cmap=current_theme().shear, vmin=-limit, vmax=limit, extent=extent,
        interpolation="nearest",
    )  # fmt: skip
    axes.set_facecolor(_empty_color())
    axes.set_title(title, parse_math=False)


def _label(axes: Axes, unit: str | None, *, is_first: bool) -> None:
    """Label the axes of a panel: x and y in a unit, or RA and Dec without one."""
    if unit is not None:
        axes.set(xlabel=f"x, {unit}", ylabel=f"y, {unit}" if is_first else "")
    else:
        label_world_axes(axes, ("RA", "Dec" if is_first else ""))


def _mark(axes: Axes, sky: Mosaic, found: SurveyCandidates, *, numbered: bool) -> None:
    """Mark each candidate by a ring, and number those of the highest S/N."""
    if not len(found):
        return
    theme = current_theme()
    first, second = np.array([(each.x, each.y) if sky.is_plane else (each.ra, each.dec) for each in found]).T
    x, y = (first, second) if sky.is_plane else sky.pixels(first, second)
    rings = _ring()
    rings.set_data(x, y)
    axes.add_line(rings)
    for k in range(min(len(x), MAX_NUMBERED) if numbered else 0):
        axes.annotate(
            str(k + 1), (x[k], y[k]), OFFSET, textcoords="offset points", color=theme.position, zorder=6, fontsize=8,
            fontweight="bold", path_effects=[withStroke(linewidth=1.8, foreground=theme.border)], annotation_clip=True,
        )  # fmt: skip


def _ring() -> Line2D:
    theme = current_theme()
    return Line2D(
        [], [], linestyle="none", marker="o", markersize=7, markerfacecolor="none", markeredgecolor=theme.position,
        markeredgewidth=1.1, zorder=5, path_effects=[withStroke(linewidth=2.2, foreground=theme.border)],
    )  # fmt: skip
