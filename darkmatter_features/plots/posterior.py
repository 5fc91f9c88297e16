"""The posterior of the position of a lens, its best-fit position and the position's error; all draw on given Axes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.plots.panels import density_levels, framed, outlines

POSTERIOR_COLORS = LinearSegmentedColormap.from_list(
    "posterior", ["#05060c", "#161638", "#3b2a73", "#7a4aa8", "#c67fc4", "#ffe3ec"]
)
"""Colours from zero to the peak: violet, unlike a map of shear."""

DECADES = 6
"""Range of the colours below the peak, powers of ten."""

CREDIBLE = (0.9, 0.5)
"""Probabilities inside the contours, the outer one first."""

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
    from scipy.ndimage import zoom

    log_density = zoom(evidence.log_evidence, ZOOM, order=3, mode="nearest", grid_mode=True)
    log_density = (log_density - log_density.max()) / np.log(10.0)
    n_rows, n_columns = evidence.shape
    extent = (-0.5, n_columns - 0.5, n_rows - 0.5, -0.5)
    axes.imshow(
        log_density, extent=extent, cmap=POSTERIOR_COLORS, vmin=-DECADES, vmax=0,
        interpolation="bilinear", interpolation_stage="data", zorder=0,
    )  # fmt: skip
    levels = np.log10(density_levels(10.0**log_density, CREDIBLE))
    if log_density.min() < levels[0] < levels[1] < log_density.max():
        axes.contour(
            log_density, levels, extent=extent, origin="upper", colors="white", alpha=0.8, linewidths=0.8,
            linestyles=["--", "-"], zorder=1,
        )  # fmt: skip
    if catalog is not None:
        axes.add_collection(outlines(axes, catalog), autolim=False).set(edgecolor=GALAXY, zorder=0.5)
    axes.set_title("Posterior of the lens position")
    return framed(axes, evidence.shape)


def draw_position(axes: Axes, evidence: Evidence, *, error: bool = True) -> Axes:
    """Mark the best-fit position by a dot and, with `error`, its error by a dashed circle; return the axes."""
    axes.add_line(_dot(evidence.column, evidence.row))
    if not error:
        return axes
    border = [withStroke(linewidth=1.7, foreground="#05070a")]
    circle = Circle(
        (evidence.column, evidence.row), evidence.position_error, fill=False, edgecolor=POSITION_COLOR, linewidth=0.9,
        linestyle=(0, (4, 3)), zorder=5.5, gid="error", path_effects=border,
    )  # fmt: skip
    axes.add_patch(circle)
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
