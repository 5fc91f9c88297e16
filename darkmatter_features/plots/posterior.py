"""The posterior of the position of a lens, its best-fit position and the position's error; all draw on given Axes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.ndimage import zoom

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.plots.panels import density_levels, draw_cells, draw_contours, framed, outlines

Array = NDArray[np.float64]

POSTERIOR_COLORS = LinearSegmentedColormap.from_list(
    "posterior", ["#05060c", "#161638", "#3b2a73", "#7a4aa8", "#c67fc4", "#ffe3ec"]
)
"""Colours from zero to the peak: violet, unlike a map of shear."""

DECADES = 6
"""Range of the colours below the peak, powers of ten."""

ZOOM = 8
"""Number of drawn cells along the side of one cell of the evidence."""

POSITION_COLOR = "#7df3ff"
"""Colour of the best-fit position and its error."""

GALAXY = "#2f3a48"
"""Colour of the outlines of galaxies under the posterior."""


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
        axes.add_collection(outlines(axes, catalog), autolim=False).set(edgecolor=GALAXY, zorder=0.5)
    axes.set_title("Posterior of the lens position")
    return framed(axes, evidence.shape)


def draw_density(axes: Axes, log_density: Array, columns: Array, rows: Array, **style: Any) -> None:
    """Draw log10 of a probability density relative to its peak, with contours that hold 50 and 90 % of it."""
    relative = log_density - log_density.max()
    draw_cells(axes, relative, columns, rows, cmap=POSTERIOR_COLORS, interpolation="bilinear", **style)
    levels = [float(np.log10(level)) for level in density_levels(10.0**relative)]
    if levels[0] < levels[1]:
        draw_contours(
            axes, relative, columns, rows, levels, alpha=0.85, linewidths=0.85, linestyles=["--", "-"], zorder=3
        )


def draw_position(axes: Axes, x: float, y: float, error: float | None = None) -> Axes:
    """Mark the best-fit position by a dot and, if given, its error by a dashed circle; return the axes."""
    axes.add_line(_dot(x, y))
    if error is not None:
        axes.add_patch(Circle(
            (x, y), error, fill=False, edgecolor=POSITION_COLOR, linewidth=0.9, linestyle=(0, (4, 3)), zorder=5.5,
            gid="error", path_effects=[withStroke(linewidth=1.7, foreground="#05070a")],
        ))  # fmt: skip
    return axes


def best_fit() -> tuple[Line2D, Line2D]:
    """Return the mark of the best-fit position, for a legend."""
    circle = Line2D([], [], linestyle="none", marker="o", fillstyle="none", markersize=11, color=POSITION_COLOR)
    return _dot(0, 0), circle


def _dot(x: float, y: float) -> Line2D:
    border = [withStroke(linewidth=2.0, foreground="#05070a")]
    return Line2D(
        [x], [y], linestyle="none", marker="o", markersize=3.2, color=POSITION_COLOR, markeredgewidth=0, zorder=5.8,
        path_effects=border, gid="best_fit",
    )  # fmt: skip
