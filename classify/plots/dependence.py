"""Figure of the partial dependence of the log-odds on the most important columns."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from classify.explain.contributions import meaning
from classify.explain.dependence import Dependence
from classify.plots.performance import LINE, PALE, SECOND
from darkmatter_features.plots.page import in_style, titled_page

N_COLUMNS = 3
"""Number of panels in a row."""
SUBTITLE = """\
Mean change of the calibrated log-odds of {n} training skies when the column is set to a value, relative to its median.
Band: 80 % of the skies. Orange ticks: deciles of the column. Each panel has its own scale."""


@in_style("light")
def draw_dependence(dependences: Sequence[Dependence], *, n_skies: int) -> Figure:
    """Return a figure of partial dependence, one panel for each column.

    Parameters
    ----------
    dependences : sequence of Dependence
        Dependence on each column, panel by panel.
    n_skies : int
        Number of skies that they are averaged over.
    """
    n_rows = max(-(-len(dependences) // N_COLUMNS), 1)
    title, subtitle = "Partial dependence of the verdict", SUBTITLE.format(n=n_skies)
    figure, body = titled_page(11.0, 0.9 + 2.8 * n_rows, title, subtitle)
    panels = body.subplots(n_rows, N_COLUMNS, squeeze=False)
    for panel in panels.flat[len(dependences) :]:
        panel.set_axis_off()
    for panel, dependence in zip(panels.flat, dependences):
        draw_panel(dependence, axes=panel)
    for panel in panels[:, 0]:
        panel.set_ylabel("change of the log-odds")
    return figure


def draw_panel(dependence: Dependence, *, axes: Axes) -> Axes:
    """Draw the partial dependence on one column, and return the axes."""
    axes.axhline(0, color="0.75", linewidth=0.8, linestyle="--")
    axes.fill_between(dependence.grid, dependence.low, dependence.high, color=PALE, linewidth=0)
    axes.plot(dependence.grid, dependence.change, color=LINE)
    if dependence.values.size:
        deciles = np.quantile(dependence.values, np.linspace(0.1, 0.9, 9))
        axes.plot(deciles, np.zeros(9), "|", color=SECOND, markersize=7, transform=axes.get_xaxis_transform())
    axes.set(title=f"{dependence.name}: range {dependence.reach:.2g}", xlabel=fill(meaning(dependence.name), 48))
    return axes
