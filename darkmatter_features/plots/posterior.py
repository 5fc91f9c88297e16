"""The posterior of the position of a lens, its best-fit position and the position's error; all draw on given Axes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.ndimage import zoom

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.plots.panels import density_levels, draw_cells, draw_contours, framed, outlines
from darkmatter_features.plots.theme import current_theme

Array = NDArray[np.float64]

DECADES = 6
"""Range of the colours below the peak, powers of ten."""

_DASHED_CIRCLE = Outline.make_compound_path(*(Outline.arc(angle, angle + 36) for angle in range(0, 360, 60)))

ZOOM = 8
"""Number of drawn cells along the side of one cell of the evidence."""


def draw_posterior(axes: Axes, evidence: Evidence, catalog: GalaxyCatalog | None = None) -> Axes:
    """Draw the probability of each position of a lens, given that there is one, with contours that hold 50 and 90 %.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes to draw on; row 0 is on top.
    evidence : Evidence
        Evidence of one sky.
    catalog : GalaxyCatalog, optional
        Catalogue of the sky, drawn as faint outlines.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were given; ``axes.images[0]`` holds log10 of the probability relative to the peak.
    """
    log_density = zoom(evidence.log_evidence, ZOOM, order=3, mode="nearest", grid_mode=True)
    rows, columns = (
        (np.arange(n) + 0.5) * side / n - 0.5 for n, side in zip(log_density.shape, evidence.shape, strict=True)
    )
    draw_density(axes, log_density / np.log(10.0), columns, rows, vmin=-DECADES, vmax=0)
    if catalog is not None:
        axes.add_collection(outlines(axes, catalog), autolim=False).set(edgecolor=current_theme().galaxy, zorder=0.5)
    axes.set_title("Posterior of the lens position")
    return framed(axes, evidence.shape)


def draw_density(axes: Axes, log_density: Array, columns: Array, rows: Array, **style: Any) -> None:
    """Draw log10 of a probability density relative to its peak, with contours that hold 50 and 90 % of it."""
    relative = log_density - log_density.max()
    draw_cells(axes, relative, columns, rows, cmap=current_theme().posterior, interpolation="bilinear", **style)
    levels = [float(np.log10(level)) for level in density_levels(10.0**relative)]
    if levels[0] < levels[1]:
        draw_contours(
            axes, relative, columns, rows, levels, alpha=0.85, linewidths=0.85, linestyles=["--", "-"], zorder=3
        )


def draw_position(axes: Axes, x: float, y: float, error: float | None = None) -> Axes:
    """Mark the best-fit position by a dot and, if given, its error by a dashed circle; return the axes."""
    axes.add_line(_dot(x, y))
    if error is not None:
        theme = current_theme()
        axes.add_patch(Circle(
            (x, y), error, fill=False, edgecolor=theme.position, linewidth=0.9, linestyle=(0, (4, 3)), zorder=5.5,
            gid="error", path_effects=[withStroke(linewidth=1.7, foreground=theme.border)],
        ))  # fmt: skip
    return axes


def best_fit() -> tuple[Line2D, Line2D]:
    """Return the mark of the best-fit position and of its error, a dashed circle, for a legend."""
    circle = Line2D([], [], linestyle="none", marker=_DASHED_CIRCLE, markersize=11, markerfacecolor="none")
    circle.set_markeredgecolor(current_theme().position)
    return _dot(0, 0), circle


def credible_regions() -> dict[str, Line2D]:
    """Return the contours of a posterior by their label, for a legend."""
    line = Line2D([], [], color=current_theme().contour, alpha=0.85, linewidth=0.85)
    return {"50 % and 90 % (dashed) of the posterior": line}


def _dot(x: float, y: float) -> Line2D:
    theme = current_theme()
    border = [withStroke(linewidth=2.0, foreground=theme.border)]
    return Line2D(
        [x], [y], linestyle="none", marker="o", markersize=3.2, color=theme.position, markeredgewidth=0, zorder=5.8,
        path_effects=border, gid="best_fit",
    )  # fmt: skip
