"""Figure of the importance of the columns for the trees."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from classify.explain.contributions import INPUT_NAMES, Contributions, meaning
from classify.plots.performance import LINE
from darkmatter_features.plots.page import in_style, titled_page

N_BARS = 15
"""Maximum number of columns."""
N_DARK = 3
"""Number of bars in the dark colour."""
PALER = "#7fa6c9"
"""Colour of the other bars."""
NO_TREES = " no contribution: no tree lowered the loss"
"""Text of a figure without columns."""


@in_style("light")
def importance(parts: Contributions) -> Figure:
    """Return a figure of the mean absolute contributions of the most important columns.

    Parameters
    ----------
    parts : Contributions
        Contributions for a number of skies.

    Returns
    -------
    matplotlib.figure.Figure
        Horizontal bars with the descriptions of the columns; the subtitle has the contribution of the log evidence
        before any tree.
    """
    columns = largest_columns(parts, N_BARS)
    start, n = np.abs(parts.start).mean(), len(parts.start)
    subtitle = f"The log evidence alone has a mean absolute contribution of {start:.2f} ({n} skies)"
    height = 1.3 + 0.235 * max(columns.size, 1)
    figure, body = titled_page(8.6, height, "Contributions of the trees", subtitle)
    names = [meaning(INPUT_NAMES[i]) for i in columns]
    _draw_bars(body.subplots(), names, np.abs(parts.columns[:, columns]).mean(axis=0))
    return figure


def largest_columns(parts: Contributions, n: int) -> NDArray[np.int64]:
    """Return the indices of at most `n` columns with the largest mean absolute contributions, those of 0 left out."""
    mean = np.abs(parts.columns).mean(axis=0)
    return np.array([i for i in np.argsort(-mean, kind="stable")[:n] if mean[i] > 0], dtype=np.int64)


def _draw_bars(axes: Axes, names: list[str], values: NDArray[np.float64]) -> None:
    bars = axes.barh(range(len(names)), values, height=0.68, color=[LINE] * N_DARK + [PALER] * (N_BARS - N_DARK))
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.set(xlim=(0, 1.12 * float(np.max(values, initial=1e-3))), xlabel="mean absolute contribution to the log-odds")
    label_rows(axes, names)


def label_rows(axes: Axes, names: list[str]) -> None:
    """Name the rows of axes, the first on top; without rows, note that no column contributes."""
    if not names:
        axes.text(0, 0, NO_TREES, va="center")
        axes.set_xticks([0])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
