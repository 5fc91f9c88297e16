"""A picture of what the columns contribute, sky by sky."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from classify.columns import FEATURE_INDICES
from classify.explain.contributions import INPUT_NAMES, Contributions, meaning
from classify.plots.performance import LINE, SECOND
from classify.plots.samples import INK, blank_figure

Array = NDArray[np.float64]

N_ROWS = 12
BINS = 110
"""Across the page: skies in the same bin stand beside each other."""
HALF = 0.42
"""Of the distance between two rows: how far skies stand from the middle, at most."""
WIDTH, ROW, HEAD, FOOT, WORDS, RIGHT = 10.6, 0.36, 0.82, 0.56, 4.25, 0.95
"""Of the page, inches."""
VALUES = LinearSegmentedColormap.from_list("values", [LINE, "#c9c9c9", SECOND])
MISSING = (1.0, 1.0, 1.0, 1.0)


def beeswarm(parts: Contributions, rows: ArrayLike) -> Figure:
    """Draw what the trees add for the columns that contribute most, a dot a sky.

    Parameters
    ----------
    parts : Contributions
        Of n skies.
    rows : (n, n_features) float64 array
        Their feature rows, in the order of ``FEATURES``.

    Returns
    -------
    matplotlib.figure.Figure
        A row a column, the one that contributes most on top; blue dots are skies where its value is low, orange ones
        where it is high, by rank, white ones where it has none.
    """
    values = np.asarray(rows, dtype=np.float64)[:, FEATURE_INDICES]
    mean = np.abs(parts.columns).mean(axis=0)
    largest = np.argsort(-mean, kind="stable")[:N_ROWS]
    largest = largest[mean[largest] > 0]
    height = HEAD + ROW * max(largest.size, 1) + FOOT
    figure = blank_figure(WIDTH, height)
    axes = figure.add_axes((
        WORDS / WIDTH, FOOT / height, 1 - (WORDS + RIGHT) / WIDTH, 1 - (HEAD + FOOT) / height,
    ))  # fmt: skip
    for place, column in enumerate(largest):
        _draw_row(place, parts.columns[:, column], values[:, column], axes=axes)
    _finish(axes, [meaning(INPUT_NAMES[i]) for i in largest])
    if largest.size:
        _color_bar(figure, height)
    left = 0.12 / WIDTH
    figure.text(
        left, 1 - 0.27 / height, "What the trees add, sky by sky", fontsize=11, color=INK, weight="bold", va="center"
    )
    unknown = "" if np.isfinite(values[:, largest]).all() else "; white: the column has no value"
    told = f"a dot for each of {len(values)} validation skies; to the right it speaks for a lens{unknown}"
    figure.text(left, 1 - 0.53 / height, told, fontsize=9, color="0.35", va="center")
    return figure


def offsets(contributions: Array, width: float) -> Array:
    """Return how far from the middle of its row each dot stands, (n,), in -1 to 1: like ones stand beside each other.

    Parameters
    ----------
    contributions : (n,) float64 array
        Where the dots are along the row.
    width : float
        Of a bin.
    """
    bins = np.floor(contributions / width).astype(np.int64)
    place = np.zeros(bins.size)
    for number in np.unique(bins):
        own = np.flatnonzero(bins == number)
        rank = np.arange(own.size)
        place[own] = np.where(rank % 2, -1, 1) * ((rank + 1) // 2)
    return np.asarray(place / max(np.abs(place).max(initial=0), 1))


def ranks(values: Array) -> Array:
    """Return the rank of each value, (n,), from 0 for the lowest to 1; equal ones have the same, nan has none."""
    known = np.isfinite(values)
    levels, place = np.unique(values[known], return_inverse=True)
    rank = np.full(values.size, np.nan)
    rank[known] = place / max(levels.size - 1, 1)
    return rank


def _draw_row(place: int, contributions: Array, values: Array, *, axes: Axes) -> None:
    width = max(float(np.ptp(contributions)) / BINS, 1e-12)
    colors = VALUES(np.nan_to_num(ranks(values)))
    colors[~np.isfinite(values)] = MISSING
    axes.scatter(contributions, place + HALF * offsets(contributions, width), s=7, c=colors, edgecolors="0.45",
                 linewidths=0.15)  # fmt: skip


def _finish(axes: Axes, names: list[str]) -> None:
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    if not names:
        axes.text(0, 0, " nothing: no tree made it better", va="center", fontsize=9, color=INK)
        axes.set_xticks([0])
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("contribution to the log-odds")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK, left=False)
    axes.xaxis.label.set(fontsize=9, color=INK)


def _color_bar(figure: Figure, height: float) -> None:
    axes = figure.add_axes((1 - 0.62 / WIDTH, FOOT / height, 0.12 / WIDTH, 1 - (HEAD + FOOT) / height))
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), VALUES), cax=axes, ticks=[0, 1])
    bar.set_ticklabels(["low", "high"], fontsize=8, color=INK)
    bar.set_label("value of the column", fontsize=8.5, color=INK, labelpad=-12)
    bar.outline.set_visible(False)
    axes.tick_params(length=0)
