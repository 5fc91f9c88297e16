"""The picture of the accuracy benchmark."""

from pathlib import Path
from typing import Any

from matplotlib.patheffects import withStroke

from classify.plots.performance import LINE, SECOND
from classify.plots.samples import INK, blank_figure, save_figure

Sides = dict[str, dict[str, float]]
Curves = dict[str, dict[int, dict[str, float]]]

APART = 1.7
TITLES = {"accuracy": "accuracy", "auc": "AUC"}


def draw(path: Path, sides: Sides, curve: Curves, limit: str) -> None:
    """Draw accuracy and AUC of every side with their errors, and the learning curve where there is one."""
    figure = blank_figure(11.0, 3.7)
    widths = [1.0, 1.0, 1.25] if curve else [1.0, 1.0]
    panels = figure.subplots(1, len(widths), gridspec_kw={
        "width_ratios": widths, "left": 0.185, "right": 0.97, "bottom": 0.16, "top": 0.88, "wspace": 0.14,
    })  # fmt: skip
    for axes, key in zip(panels, TITLES):
        _draw_sides(axes, sides, key, limit)
    panels[1].set_yticklabels([])
    if curve:
        _draw_curve(panels[2], sides, curve, limit)
        panels[2].set_position([0.755, 0.16, 0.23, 0.72])
    save_figure(path, figure)


def _draw_sides(axes: Any, sides: Sides, key: str, limit: str) -> None:
    shown = [name for name in sides if "counts only" not in name]
    places = 4 if key == "auc" else 3
    for place, name in enumerate(reversed(shown)):
        value, error = sides[name][key], sides[name][f"{key}_error"]
        color = SECOND if name.startswith(limit) else LINE
        axes.errorbar(value, place, xerr=error, fmt="o", color=color, markersize=5.5, linewidth=1.6)
        at = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        told = axes.annotate(f"{value:.{places}f}", (value, place), fontsize=8, color=INK, **at)
        told.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    axes.axvline(sides[limit][key], color=SECOND, linewidth=0.9, linestyle="--", zorder=0)
    axes.set_yticks(range(len(shown)), list(reversed(shown)))
    axes.set(ylim=(-0.5, len(shown) - 0.2))
    axes.margins(x=0.12)
    _plain(axes, TITLES[key])


def _draw_curve(axes: Any, sides: Sides, curve: Curves, limit: str) -> None:
    for (name, rows), color in zip(curve.items(), ("0.55", LINE)):
        axes.plot(
            list(rows), [1 - row["accuracy"] for row in rows.values()], "o-", color=color, markersize=4.5, label=name
        )
    axes.axhline(1 - sides[limit]["accuracy"], color=SECOND, linewidth=0.9, linestyle="--", label=limit)
    axes.set_xscale("log")
    _name_sizes(axes, sorted(next(iter(curve.values()))))
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=-0.002)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower left", bbox_to_anchor=(0.0, 0.22))
    axes.set_xlabel("training skies", fontsize=8.5, color=INK)
    _plain(axes, "share called wrongly")


def _name_sizes(axes: Any, sizes: list[int]) -> None:
    """Mark all sizes, and name those that stand apart enough from the next one named, from the largest down."""
    named = [sizes[-1]]
    for size in reversed(sizes[:-1]):
        if named[-1] / size >= APART:
            named.append(size)
    axes.set_xticks(sizes, [f"{size:,}" if size in named else "" for size in sizes], minor=False)


def _plain(axes: Any, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=10, weight="bold", color=INK, loc="left")
    axes.tick_params(labelsize=8.5, colors=INK)
