"""Figure of the accuracy benchmark."""

from pathlib import Path
from typing import Any

from matplotlib.patheffects import withStroke
from plots.style import BLUE, GREY, INK, ORANGE, new_figure, plain_axes, save

Sides = dict[str, dict[str, float]]
Curves = dict[str, dict[int, dict[str, float]]]

MIN_LABEL_RATIO = 1.7
"""Minimum ratio of two labelled sizes on the axis of the learning curve."""

TITLES = {"log_loss": "log loss", "auc": "AUC"}


def draw(path: Path, sides: Sides, curve: Curves, oracle: str) -> None:
    """Draw log loss and AUC of each side with their errors, and the learning curve where there is one."""
    figure = new_figure(11.0, 3.7)
    widths = [1.0, 1.0, 1.25] if curve else [1.0, 1.0]
    panels = figure.subplots(1, len(widths), gridspec_kw={
        "width_ratios": widths, "left": 0.185, "right": 0.97, "bottom": 0.16, "top": 0.88, "wspace": 0.14,
    })  # fmt: skip
    for axes, key in zip(panels, TITLES):
        _draw_sides(axes, sides, key, oracle)
    panels[1].set_yticklabels([])
    if curve:
        _draw_curve(panels[2], sides, curve, oracle)
        panels[2].set_position([0.755, 0.16, 0.23, 0.72])
    save(path, figure)


def _draw_sides(axes: Any, sides: Sides, key: str, oracle: str) -> None:
    shown = [name for name in sides if "counts only" not in name]
    decimals = 4 if key == "auc" else 3
    for height, name in enumerate(reversed(shown)):
        value, error = sides[name][key], sides[name][f"{key}_error"]
        color = ORANGE if name.startswith(oracle) else BLUE
        axes.errorbar(value, height, xerr=error, fmt="o", color=color, markersize=5.5, linewidth=1.6)
        above = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        label = axes.annotate(f"{value:.{decimals}f}", (value, height), fontsize=8, color=INK, **above)
        label.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    axes.axvline(sides[oracle][key], color=ORANGE, linewidth=0.9, linestyle="--", zorder=0)
    axes.set_yticks(range(len(shown)), list(reversed(shown)))
    axes.set(ylim=(-0.5, len(shown) - 0.2))
    axes.margins(x=0.12)
    plain_axes(axes, TITLES[key])


def _draw_curve(axes: Any, sides: Sides, curve: Curves, oracle: str) -> None:
    for (name, rows), color in zip(curve.items(), (GREY, BLUE)):
        axes.plot(
            list(rows), [1 - row["accuracy"] for row in rows.values()], "o-", color=color, markersize=4.5, label=name
        )
    axes.axhline(1 - sides[oracle]["accuracy"], color=ORANGE, linewidth=0.9, linestyle="--", label=oracle)
    axes.set_xscale("log")
    _label_sizes(axes, sorted(next(iter(curve.values()))))
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=-0.002)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower left", bbox_to_anchor=(0.0, 0.22))
    axes.set_xlabel("training skies", fontsize=8.5, color=INK)
    plain_axes(axes, "fraction misclassified")


def _label_sizes(axes: Any, sizes: list[int]) -> None:
    """Mark all sizes, and label those far enough from the next labelled one, from the largest down."""
    labelled = [sizes[-1]]
    for size in reversed(sizes[:-1]):
        if labelled[-1] / size >= MIN_LABEL_RATIO:
            labelled.append(size)
    axes.set_xticks(sizes, [f"{size:,}" if size in labelled else "" for size in sizes], minor=False)
