"""Figure of a search by Optuna: history of the trials, importance of the settings, and a slice for each setting."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from classify.plots.importance import label_rows
from classify.plots.performance import LINE, SECOND
from classify.tune.space import Span
from classify.tune.study import Trial, importances
from darkmatter_features.plots.page import in_style, titled_page

COLUMNS = 3
"""Number of slices in a row."""
WIDTH = 11.0
"""Width of the page, inches."""
ROW = 3.0
"""Height of a row, inches."""
MIN_TRIALS = 12
"""Minimum number of trials for importances, which compare the best tenth of the trials with the others."""
LOSS_RANGE = 1.5
"""Losses are shown up to this multiple of the distance between the lowest and the median loss."""
MARGIN = 0.06
"""Margin below and above that range, fraction of it."""
LOSS = "out-of-fold log loss"


@in_style("light")
def draw_search(section: str, trials: tuple[Trial, ...], spans: Mapping[str, Span]) -> Figure:
    """Return a page with the history of a search, the importance of the settings, and the loss against each setting.

    Parameters
    ----------
    section : str
        Section of the configuration.
    trials : tuple of Trial
        Trials of the search; the first has the initial settings.
    spans : mapping of str to Span
        Bounds of the settings, by name.
    """
    losses = np.array([trial.loss for trial in trials])
    n_rows = -(-len(spans) // COLUMNS)
    figure, body = titled_page(WIDTH, ROW * (1 + n_rows), f"Search for settings of [{section}]")
    rows = body.subfigures(2, 1, height_ratios=(1, n_rows), squeeze=False)
    upper, lower = rows[:, 0]
    history, *others = upper.subplots(1, 2 if len(trials) >= MIN_TRIALS else 1, squeeze=False)[0]
    _draw_history(history, losses)
    for axes in others:
        _draw_importances(axes, importances(trials, spans))
    slices = lower.subplots(n_rows, COLUMNS, sharey=True, squeeze=False)
    for axes, name in zip(slices.flat, sorted(spans)):
        dots = _draw_slice(axes, [trial.settings[name] for trial in trials], losses, is_log=spans[name].is_log)
        axes.set_xlabel(f"[{section}] {name}")
    for axes in slices.flat[len(spans) :]:
        axes.set_axis_off()
    for axes in slices[:, 0]:
        axes.set_ylabel(LOSS)
    bar = lower.colorbar(dots, ax=slices, ticks=MaxNLocator(integer=True), label="trial", pad=0.02)
    bar.outline.set_visible(False)
    return figure


def _draw_history(axes: Axes, losses: NDArray[np.float64]) -> None:
    axes.plot(np.minimum.accumulate(losses), color=LINE, drawstyle="steps-post", label="lowest so far")
    axes.axhline(losses[0], color=SECOND, linestyle="--", label="initial settings")
    axes.plot(losses, "o", color=LINE, markersize=4, label="trials")
    axes.set(title="Trials", xlabel="trial", ylabel=LOSS, ylim=_limits(losses))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right")


def _draw_importances(axes: Axes, importance: dict[str, float]) -> None:
    bars = axes.barh(range(len(importance)), list(importance.values()), color=LINE)
    axes.bar_label(bars, fmt=lambda value: f"{value:.2f}" if value >= 0.01 else "<0.01", padding=3, fontsize=8)
    axes.set(title="Importance of the settings", xlabel="importance, fraction of the sum", xlim=(0, 1.1))
    label_rows(axes, list(importance))


def _draw_slice(axes: Axes, values: list[float], losses: NDArray[np.float64], *, is_log: bool) -> PathCollection:
    axes.set_ylim(_limits(losses))
    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    return axes.scatter(values, losses, c=range(losses.size), cmap="Blues", s=22, edgecolors="0.5", linewidths=0.6)


def _limits(losses: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of losses shown; a few bad trials would hide the differences of the others."""
    low = float(losses.min())
    top = max(low + LOSS_RANGE * (float(np.median(losses)) - low), float(losses[0]), low * 1.001)
    return low - MARGIN * (top - low), top + MARGIN * (top - low)
