"""Figure of the log losses on shifted families of skies."""

from pathlib import Path
from typing import Any

from plots.style import BLUE, GREY, INK, ORANGE, new_figure, plain_axes, save

COLORS = {"default": BLUE, "adapted": "#3a9d5d", "trained": ORANGE, "oracle": GREY}
LABELS = {
    "default": "model of the default preset",
    "adapted": "the same, adapted to 100 unlabelled skies",
    "trained": "model trained on the family",
    "oracle": "oracle",
}
OFFSETS = {"default": 0.24, "adapted": 0.08, "trained": -0.08, "oracle": -0.24}
"""Vertical offsets of the sides of a family."""


TICKS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Labelled log losses."""


def draw(table: dict[str, Any], path: Path) -> None:
    """Draw the log loss of each side on each family, with its error, and the share of skies called unlike."""
    figure = new_figure(8.2, 0.36 * len(table) + 1.3)
    axes, unlike = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    figure.set_layout_engine("constrained")
    rows = range(len(table))[::-1]
    for side, color in COLORS.items():
        own = [(row, found[side]) for row, found in zip(rows, table.values()) if side in found]
        axes.errorbar(
            [each["log_loss"] for _, each in own],
            [row + OFFSETS[side] for row, _ in own],
            xerr=[each["log_loss_error"] for _, each in own],
            fmt="o", markersize=4, color=color, elinewidth=1, label=LABELS[side],
        )  # fmt: skip
    axes.set(
        xscale="log",
        xlim=(0.01, None),
        xlabel="log loss",
        yticks=list(rows),
        yticklabels=list(table),
        ylim=(-0.6, len(table) - 0.4),
    )
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    for row in rows[::2]:
        for panel in (axes, unlike):
            panel.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0)
    unlike.barh(list(rows), [100 * found["default"]["unlike"] for found in table.values()], height=0.5, color=BLUE)
    unlike.set(xlabel="called unlike, %", xlim=(0, 100))
    plain_axes(axes, "Log loss on skies of other kinds")
    plain_axes(unlike)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5, labelcolor=INK)
    save(path, figure)
