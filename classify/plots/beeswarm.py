"""Figure of the contributions of the columns to the log-odds, sky by sky."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from classify.explain.contributions import INPUT_NAMES, Contributions, meaning
from classify.plots.importance import label_rows, largest_columns
from classify.plots.performance import LINE, SECOND
from classify.tables.columns import FEATURE_INDICES
from darkmatter_features.plots.page import in_style, titled_page

Array = NDArray[np.float64]

N_ROWS = 12
"""Maximum number of columns."""
N_BINS = 110
"""Number of bins along a row; dots of one bin are drawn side by side."""
HALF_HEIGHT = 0.42
"""Maximum distance of a dot from the middle of its row, in units of the distance between rows."""
VALUES = LinearSegmentedColormap.from_list("values", [LINE, "#c9c9c9", SECOND])
"""Colours of the rank of a value, from low to high."""
MISSING = (1.0, 1.0, 1.0, 1.0)
"""Colour of a missing value."""


@in_style("light")
def beeswarm(parts: Contributions, rows: ArrayLike) -> Figure:
    """Return a figure of the contributions of the trees for the most important columns, one dot for each sky.

    Parameters
    ----------
    parts : Contributions
        Contributions for n skies.
    rows : (n, n_features) float64 array
        Feature rows of the skies, in the order of ``FEATURES``.

    Returns
    -------
    matplotlib.figure.Figure
        One row for each column, the most important on top. Dots are blue for low and orange for high values, by rank,
        and white for missing ones.
    """
    values = np.asarray(rows, dtype=np.float64)[:, FEATURE_INDICES]
    columns = largest_columns(parts, N_ROWS)
    missing = "" if np.isfinite(values[:, columns]).all() else "; white: no value"
    subtitle = f"One dot for each of {len(values)} validation skies; positive values favour a lens{missing}"
    height = 1.3 + 0.36 * max(columns.size, 1)
    figure, body = titled_page(10.6, height, "Contributions of the trees, sky by sky", subtitle)
    axes = body.subplots()
    for row, column in enumerate(columns):
        _draw_row(row, parts.columns[:, column], values[:, column], axes=axes)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_xlabel("contribution to the log-odds")
    label_rows(axes, [meaning(INPUT_NAMES[i]) for i in columns])
    if columns.size:
        bar = body.colorbar(ScalarMappable(Normalize(0, 1), VALUES), ax=axes, ticks=[0, 1], aspect=36, pad=0.02)
        bar.set_ticklabels(["low", "high"])
        bar.set_label("value of the column", labelpad=-12)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
    return figure


def offsets(contributions: Array, width: float) -> Array:
    """Return the offsets of dots from the middle of their row, such that dots of one bin do not overlap.

    Parameters
    ----------
    contributions : (n,) float64 array
        Positions of the dots along the row.
    width : float
        Width of a bin.

    Returns
    -------
    (n,) float64 array
        Offsets, -1 to 1.
    """
    bins = np.floor(contributions / width).astype(np.int64)
    offset = np.zeros(bins.size)
    for number in np.unique(bins):
        own = np.flatnonzero(bins == number)
        rank = np.arange(own.size)
        offset[own] = np.where(rank % 2, -1, 1) * ((rank + 1) // 2)
    return np.asarray(offset / max(np.abs(offset).max(initial=0), 1))


def ranks(values: Array) -> Array:
    """Return the rank of each value, (n,), from 0 for the lowest to 1; equal values share a rank, nan has none."""
    known = np.isfinite(values)
    levels, index = np.unique(values[known], return_inverse=True)
    rank = np.full(values.size, np.nan)
    rank[known] = index / max(levels.size - 1, 1)
    return rank


def _draw_row(row: int, contributions: Array, values: Array, *, axes: Axes) -> None:
    width = max(float(np.ptp(contributions)) / N_BINS, 1e-12)
    colors = VALUES(np.nan_to_num(ranks(values)))
    colors[~np.isfinite(values)] = MISSING
    axes.scatter(contributions, row + HALF_HEIGHT * offsets(contributions, width), s=7, c=colors, edgecolors="0.45",
                 linewidths=0.15)  # fmt: skip
