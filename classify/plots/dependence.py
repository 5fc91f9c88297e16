"""Picture of the partial dependence of the verdict on its columns."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from classify.explain.contributions import meaning
from classify.explain.dependence import Dependence
from classify.plots.performance import LINE, PALE, SECOND, plain
from classify.plots.samples import INK, blank_figure, wrapped

N_COLUMNS = 3
HEAD, ROW = 1.12, 2.75
"""Of the page, inches."""


def draw_dependence(dependences: Sequence[Dependence], *, n_skies: int) -> Figure:
    """Draw how the log-odds depend on columns, a panel each.

    Parameters
    ----------
    dependences : sequence of Dependence
        Panel by panel.
    n_skies : int
        Over how many they are averaged.
    """
    n_rows = max(-(-len(dependences) // N_COLUMNS), 1)
    height = HEAD + ROW * n_rows
    figure = blank_figure(11.0, height)
    panels = figure.subplots(n_rows, N_COLUMNS, squeeze=False, gridspec_kw={
        "left": 0.06, "right": 0.985, "bottom": 0.62 / height, "top": 1 - HEAD / height, "wspace": 0.25, "hspace": 0.55,
    })  # fmt: skip
    for panel in panels.flat[len(dependences) :]:
        panel.set_axis_off()
    for k, (panel, dependence) in enumerate(zip(panels.flat, dependences)):
        draw_panel(dependence, axes=panel)
        panel.set_ylabel("" if k % N_COLUMNS else "change of the log-odds")
    _write_head(figure, n_skies, height)
    return figure


def _write_head(figure: Figure, n_skies: int, height: float) -> None:
    averaged = (
        f"The mean of the calibrated log-odds of {n_skies} training skies, over what it is at the column's median"
    )
    lines = (
        f"{averaged}, when the column is set to each value and the others stay.",
        "The band holds eight skies in ten; orange ticks part the skies into tenths; each panel has its own scale.",
    )
    left, title = 0.011, "How the verdict depends on a column"
    figure.text(left, 1 - 0.24 / height, title, fontsize=11, color=INK, weight="bold", va="center")
    for k, line in enumerate(lines):
        figure.text(left, 1 - (0.5 + 0.2 * k) / height, line, fontsize=8.5, color="0.35", va="center")


def draw_panel(dependence: Dependence, *, axes: Axes) -> Axes:
    """Draw how the log-odds depend on one column, and return the axes."""
    axes.axhline(0, color="0.75", linewidth=0.8, linestyle="--")
    axes.fill_between(dependence.grid, dependence.low, dependence.high, color=PALE, linewidth=0)
    axes.plot(dependence.grid, dependence.change, color=LINE, linewidth=1.8)
    if dependence.values.size:
        tenths = np.quantile(dependence.values, np.linspace(0.1, 0.9, 9))
        axes.plot(tenths, np.zeros(9), "|", color=SECOND, markersize=7, transform=axes.get_xaxis_transform())
    axes.set(title=f"{dependence.name}: moves it by {dependence.reach:.2g}", xlabel=wrapped(meaning(dependence.name)))
    return plain(axes)
