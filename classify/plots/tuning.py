"""A picture of a search: how the trials went, which settings decide, and where in each the good values lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from classify.plots.performance import LINE, PALE, SECOND, plain
from classify.plots.samples import INK, blank_figure
from classify.tune.space import Span
from classify.tune.study import Trial

Array = NDArray[np.float64]

COLUMNS = 3
"""Slices in a row."""
WIDTH, ROW, HEAD, FOOT = 11.0, 2.55, 0.36, 0.8
"""Of the page, inches."""
START: dict[str, Any] = {"marker": "D", "color": SECOND, "markersize": 6, "linestyle": "none"}
BEST: dict[str, Any] = {"marker": "*", "color": LINE, "markersize": 13, "markeredgecolor": "white", "linestyle": "none"}
BEYOND: dict[str, Any] = {"marker": "^", "color": "0.75", "markersize": 4.5, "linestyle": "none"}
DOT: dict[str, Any] = {
    "marker": "o",
    "color": PALE,
    "markeredgecolor": LINE,
    "markeredgewidth": 0.5,
    "linestyle": "none",
}
REACH = 1.5
"""The losses are shown up to this many times the distance of the middle one from the lowest; worse ones at the rim."""


def draw_search(
    section: str, trials: tuple[Trial, ...], importances: Mapping[str, float], spans: Mapping[str, Span]
) -> Figure:
    """Draw a search.

    Parameters
    ----------
    section : str
        Of the configuration, that was searched.
    trials : tuple of Trial
        The first with the settings that the search started from.
    importances : mapping
        By setting; may be empty.
    spans : mapping of str to Span
        What was searched, by the name of the setting.

    Returns
    -------
    matplotlib.figure.Figure
        The losses of the trials with the lowest so far; the importance of the settings; a slice for each setting.
    """
    n_rows = 1 + -(-len(spans) // COLUMNS)
    height = ROW * n_rows + FOOT
    figure = blank_figure(WIDTH, height)
    sides: dict[str, Any] = {"left": 0.075, "right": 0.985, "bottom": FOOT / height, "top": 1 - HEAD / height}
    grid = figure.add_gridspec(n_rows, COLUMNS, **sides, wspace=0.24, hspace=0.5)
    upper = figure.add_gridspec(n_rows, 2, **sides, width_ratios=(2.1, 1), wspace=0.29, hspace=0.5)
    losses = np.array([trial.loss for trial in trials])
    top = _top(losses)
    history(losses, top, axes=figure.add_subplot(upper[0, 0]))
    importance_bars(importances, axes=figure.add_subplot(upper[0, 1]))
    for k, (name, span) in enumerate(spans.items()):
        values = np.array([trial.settings[name] for trial in trials], dtype=np.float64)
        axes = figure.add_subplot(grid[1 + k // COLUMNS, k % COLUMNS])
        slice_of(f"[{section}] {name}", values, losses, top, is_log=span.is_log, axes=axes)
        axes.set_ylabel("" if k % COLUMNS else "log loss, out of fold")
    _legend(figure)
    return figure


def history(losses: Array, top: float, *, axes: Axes) -> Axes:
    """Draw the losses of the trials, (n,), in their order, with the lowest so far, and return the axes."""
    places = np.arange(losses.size)
    beyond = losses > top
    axes.plot(places[~beyond], losses[~beyond], **DOT, markersize=4)
    axes.plot(places, np.minimum.accumulate(losses), color=LINE, linewidth=1.6, drawstyle="steps-post", label="lowest")
    axes.axhline(losses[0], color=SECOND, linewidth=1.0, linestyle="--", label="start")
    axes.plot(places[beyond], np.full(beyond.sum(), top), **BEYOND, clip_on=False)
    axes.set(title="Trials", xlabel="trial", ylabel="log loss, out of fold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8, loc="upper right", bbox_to_anchor=(1.0, 0.97), framealpha=1.0, edgecolor="none")
    return plain(axes)


def importance_bars(importances: Mapping[str, float], *, axes: Axes) -> Axes:
    """Draw how much each setting decides which trials do well, and return the axes."""
    names = sorted(importances, key=lambda name: importances[name])
    axes.barh(names, [importances[name] for name in names], color=LINE, height=0.62)
    axes.set(title="Which settings decide", xlabel="share of the importance")
    if not names:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "too few trials to tell", ha="center", va="center", transform=axes.transAxes, fontsize=9)
    return plain(axes)


def slice_of(name: str, values: Array, losses: Array, top: float, *, is_log: bool, axes: Axes) -> Axes:
    """Draw the losses of the trials, (n,), over the values of one setting, (n,), and return the axes."""
    beyond = losses > top
    order = np.arange(losses.size)
    axes.scatter(values[~beyond], losses[~beyond], c=order[~beyond], cmap="Blues", vmin=-losses.size / 2, s=20,
                 edgecolors=LINE, linewidths=0.4)  # fmt: skip
    axes.plot(values[beyond], np.full(beyond.sum(), top), **BEYOND, clip_on=False)
    axes.plot(values[0], losses[0], **START)
    best = int(losses.argmin())
    axes.plot(values[best], losses[best], **BEST)
    axes.set_title(name)
    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    return plain(axes)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], **START, label="start"),
        Line2D([], [], **BEST, label="lowest"),
        Line2D([], [], **DOT, markersize=5, label="a trial: the darker, the later"),
        Line2D([], [], **BEYOND, label="worse than is shown"),
    ]
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=8.5,
        handletextpad=0.3, columnspacing=2.2, borderaxespad=0.3, labelcolor=INK,
    )  # fmt: skip


def _top(losses: Array) -> float:
    """Return up to where losses are shown: without the worst, whose scale would hide the others."""
    low = float(losses.min())
    return max(low + REACH * (float(np.median(losses)) - low), float(losses[0]), low * 1.001)
