"""Where a lens would be, drawn: the posterior of the evidence, the best-fit position and its error."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.plots.panels import outlines

Array = NDArray[np.float64]

# From nothing to the peak; violet, so that nobody takes it for a map of shear.
POSTERIOR_COLORS = LinearSegmentedColormap.from_list(
    "posterior", ["#05060c", "#161638", "#3b2a73", "#7a4aa8", "#c67fc4", "#ffe3ec"]
)
# Colours end this many powers of ten below the peak.
DECADES = 6
# Shares of the posterior inside the contours.
INSIDE = (0.9, 0.5)
# Each cell is drawn as so many, smoothly, so that neither colours nor contours show the cells.
ZOOM = 8
# The best-fit position; galaxies.
PLACE, GALAXY = "#7df3ff", "#2f3a48"


def draw_posterior(axes: Axes, evidence: Evidence, catalog: GalaxyCatalog | None = None) -> Axes:
    """Draw the probability of each place, given that there is a lens, with contours that hold 50 and 90 % of it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; row 0 will be on top.
    evidence : Evidence
        Of one sky.
    catalog : GalaxyCatalog, optional
        Its galaxies, drawn dimly.

    Returns
    -------
    matplotlib.axes.Axes
        The same; ``axes.images[0]`` holds log10 of the probability over the peak's.
    """
    n_rows, n_columns = evidence.shape
    log_density = _finer(evidence.log_evidence)
    extent = (-0.5, n_columns - 0.5, n_rows - 0.5, -0.5)
    axes.imshow(
        (log_density - log_density.max()) / np.log(10.0), extent=extent, cmap=POSTERIOR_COLORS, vmin=-DECADES, vmax=0,
        interpolation="bilinear", interpolation_stage="data", zorder=0,
    )  # fmt: skip
    levels = _enclosing(log_density)
    if log_density.min() < levels[0] < levels[1] < log_density.max():
        rows, columns = (_centres(n, side) for n, side in zip(log_density.shape, evidence.shape, strict=True))
        axes.contour(
            columns, rows, log_density, levels, colors="white", alpha=0.8, linewidths=0.8, linestyles=["--", "-"],
            zorder=1,
        )  # fmt: skip
    if catalog is not None:
        axes.add_collection(outlines(axes, catalog), autolim=False).set(edgecolor=GALAXY, zorder=0.5)
    axes.set_title("Posterior: where a lens would be")
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    return axes


def draw_position(axes: Axes, evidence: Evidence, *, error: bool = True) -> Axes:
    """Mark the best-fit position of a lens by a dot, its error (if wanted) by a dashed circle; return the same axes."""
    axes.add_line(_dot(evidence.column, evidence.row))
    if not error:
        return axes
    rim = [withStroke(linewidth=1.7, foreground="#05070a")]
    circle = Circle(
        (evidence.column, evidence.row), evidence.position_error, fill=False, edgecolor=PLACE, linewidth=0.9,
        linestyle=(0, (4, 3)), zorder=5.5, gid="error", path_effects=rim,
    )  # fmt: skip
    axes.add_patch(circle)
    return axes


def best_fit() -> tuple[Line2D, Line2D]:
    """Return the mark of the best-fit position, for a key."""
    return _dot(0, 0), Line2D([], [], linestyle="none", marker="o", fillstyle="none", markersize=11, color=PLACE)


def _dot(x: float, y: float) -> Line2D:
    rim = [withStroke(linewidth=2.0, foreground="#05070a")]
    return Line2D(
        [x], [y], linestyle="none", marker="o", markersize=3.2, color=PLACE, markeredgewidth=0, zorder=5.8,
        path_effects=rim, gid="best_fit",
    )  # fmt: skip


def _finer(cells: Array) -> Array:
    """Return values (n_rows, n_columns) at the cells' centres as smooth ones of cells ZOOM times as fine."""
    from scipy.ndimage import map_coordinates

    rows, columns = ((np.arange(n * ZOOM) + 0.5) / ZOOM - 0.5 for n in cells.shape)
    return np.asarray(map_coordinates(cells, np.meshgrid(rows, columns, indexing="ij"), order=3, mode="nearest"))


def _centres(n: int, side: int) -> Array:
    return (np.arange(n) + 0.5) * side / n - 0.5


def _enclosing(log_density: Array) -> list[float]:
    """Return the log densities at the borders of the densest regions that hold the shares INSIDE, ascending."""
    ordered = np.sort(log_density.ravel())[::-1]
    held = np.exp(ordered - ordered[0]).cumsum()
    return [float(ordered[np.searchsorted(held, share * held[-1])]) for share in INSIDE]
