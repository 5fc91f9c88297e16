"""A picture of which columns the trees look at."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from classify.explain.contributions import INPUT_NAMES, Contributions, meaning
from classify.plots.performance import LINE
from classify.plots.samples import INK, blank_figure

N_BARS, N_DARK = 15, 3
PALER = "#7fa6c9"
WIDTH, BAR, HEAD, FOOT, WORDS, RIGHT = 8.6, 0.235, 0.82, 0.56, 4.25, 0.5
"""Of the page, inches: bars are `BAR` apart, their words `WORDS` wide."""


def importance(parts: Contributions) -> Figure:
    """Draw the mean absolute contribution of the columns that contribute most.

    Parameters
    ----------
    parts : Contributions
        Of a number of skies.

    Returns
    -------
    matplotlib.figure.Figure
        Horizontal bars, each named by what its column means; above them, what the log evidence gives by itself.
    """
    mean = np.abs(parts.columns).mean(axis=0)
    largest = np.argsort(-mean, kind="stable")[:N_BARS]
    largest = largest[mean[largest] > 0]
    height = HEAD + BAR * max(largest.size, 1) + FOOT
    figure = blank_figure(WIDTH, height)
    axes = figure.add_axes((
        WORDS / WIDTH, FOOT / height, 1 - (WORDS + RIGHT) / WIDTH, 1 - (HEAD + FOOT) / height,
    ))  # fmt: skip
    _draw_bars(axes, [meaning(INPUT_NAMES[i]) for i in largest], mean[largest])
    left = 0.12 / WIDTH
    figure.text(left, 1 - 0.27 / height, "What the trees add", fontsize=11, color=INK, weight="bold", va="center")
    told = f"to the log evidence, which alone moves the log-odds by {np.abs(parts.start).mean():.2f} in the mean"
    figure.text(left, 1 - 0.53 / height, f"{told} ({len(parts.start)} skies)", fontsize=9, color="0.35", va="center")
    return figure


def _draw_bars(axes: Axes, names: list[str], values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    places = range(len(names))
    axes.barh(places, values, height=0.68, color=[LINE if k < N_DARK else PALER for k in places])
    for place, value in zip(places, values):
        axes.text(value, place, f" {value:.3f}", va="center", fontsize=8, color=INK)
    if not names:
        axes.text(0, 0, " nothing: no tree made it better", va="center", fontsize=9, color=INK)
        axes.set_xticks([0])
    axes.set(ylim=(max(len(names), 1) - 0.5, -0.5), xlim=(0, 1.12 * float(np.max(values, initial=1e-3))))
    axes.set_yticks(places, names)
    axes.set_xlabel("mean absolute contribution to the log-odds")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK, left=False)
    axes.xaxis.label.set(fontsize=9, color=INK)
