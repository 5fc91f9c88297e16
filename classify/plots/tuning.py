"""Figure of a search by Optuna: history of the trials, importance of the settings, and a slice for each setting."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from classify.plots.performance import SECOND, plain
from classify.plots.samples import blank_figure
from classify.tune.space import Span
from classify.tune.study import PLOTS, Trial, as_optuna_study

COLUMNS = 3
"""Number of slices in a row."""
WIDTH = 11.0
"""Width of the page, inches."""
ROW = 3.2
"""Height of a row, inches."""
HISTORY_WIDTH = 6.4
"""Width of the history, inches; the importances have the rest of the row."""
DPI = 200
"""Resolution of the panels, dots per inch."""
MIN_TRIALS = 12
"""Minimum number of trials for importances, which compare the best tenth of the trials with the others."""
LOSS_RANGE = 1.5
"""Losses are shown up to this multiple of the distance between the lowest and the median loss."""
MARGIN = 0.06
"""Margin below and above that range, fraction of it."""
LOSS = "out-of-fold log loss"


def draw_search(section: str, trials: tuple[Trial, ...], spans: Mapping[str, Span]) -> Figure:
    """Return a page with the figures of Optuna for a search.

    Optuna draws each figure by itself in the global state of pyplot, so they are rendered one by one, in a context
    that restores this state, and put together as images.

    Parameters
    ----------
    section : str
        Section of the configuration.
    trials : tuple of Trial
        Trials of the search; the first has the initial settings.
    spans : mapping of str to Span
        Bounds of the settings, by name.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna's plots are experimental, and warn where a setting is constant
        rows = [[_rendered(each) for each in row] for row in panels(section, trials, spans)]
    height = ROW * len(rows)
    page = blank_figure(WIDTH, height)
    for k, row in enumerate(rows):
        left = 0.0
        for image in row:
            width = image.shape[1] / DPI / WIDTH
            page.add_axes((left, 1 - (k + 1) / len(rows), width, 1 / len(rows))).imshow(image, aspect="auto")
            left += width
    for axes in page.axes:
        axes.set_axis_off()
    return page


def panels(section: str, trials: tuple[Trial, ...], spans: Mapping[str, Span]) -> Iterator[list[Figure]]:
    """Yield the figures of each row of the page."""
    study = as_optuna_study(trials, spans)
    limits = _limits(np.array([trial.loss for trial in trials]))
    if len(trials) >= MIN_TRIALS:
        yield [_history(study, limits, HISTORY_WIDTH), _importances(study)]
    else:
        yield [_history(study, limits, WIDTH)]
    names = list(spans)
    for first in range(0, len(names), COLUMNS):
        yield [_slices(study, section, names[first : first + COLUMNS], limits)]


def _history(study: Any, limits: tuple[float, float], width: float) -> Figure:
    axes = PLOTS.plot_optimization_history(study, target_name=LOSS)
    axes.lines[0].set_label("lowest so far")
    axes.axhline(study.trials[0].value, color=SECOND, linestyle="--", label="initial settings")
    axes.set(title="Trials", xlabel="trial", ylim=limits)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right", fontsize=8)
    return _sized(axes.figure, width)


def _importances(study: Any) -> Figure:
    axes = PLOTS.plot_param_importances(study, target_name=LOSS)
    axes.set(xlabel="importance, fraction of the sum", ylabel="")
    axes.set_title("", loc="left")
    axes.set_title("Importance of the settings")
    axes.get_legend().remove()
    return _sized(axes.figure, WIDTH - HISTORY_WIDTH)


def _slices(study: Any, section: str, names: list[str], limits: tuple[float, float]) -> Figure:
    found = np.atleast_1d(PLOTS.plot_slice(study, params=names, target_name=LOSS))
    for axes in found:
        axes.set(xlabel=f"[{section}] {axes.get_xlabel()}", ylim=limits, title="")
        if axes.get_xscale() == "log":
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
    found[0].figure.suptitle("")
    return _sized(found[0].figure, WIDTH * len(names) / COLUMNS)


def _sized(figure: Figure, width: float) -> Figure:
    for axes in figure.axes:
        plain(axes)
    figure.set_layout_engine("constrained")
    figure.set_dpi(DPI)
    figure.set_size_inches(width, ROW)
    return figure


def _rendered(figure: Figure) -> NDArray[np.uint8]:
    figure.canvas.draw()
    image = np.array(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    plt.close(figure)
    return image


def _limits(losses: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of losses shown; a few bad trials would hide the differences of the others."""
    low = float(losses.min())
    top = max(low + LOSS_RANGE * (float(np.median(losses)) - low), float(losses[0]), low * 1.001)
    return low - MARGIN * (top - low), top + MARGIN * (top - low)
