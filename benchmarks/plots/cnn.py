"""The picture of the benchmark of the CNN stage."""

from pathlib import Path
from typing import Any

from classify.plots.performance import LINE, SECOND
from classify.plots.samples import INK, blank_figure, save_figure

Sides = dict[str, dict[str, float]]

PANELS = {"accuracy": "accuracy", "log_loss": "log loss"}
# Where the axis of a figure ends at most: beyond 1 there is nothing but room.
MOST = {"accuracy": 1.01}


def draw(path: Path, results: dict[str, Sides], titles: dict[str, str], limit: str, plain: str) -> None:
    """Draw accuracy and log loss of every side, on all skies and on the hard ones, with their errors.

    Where the plain network is so far off that it would press all others together, its value is told at the edge.
    """
    figure = blank_figure(11.0, 5.2)
    grid = figure.subplots(len(results), len(PANELS), gridspec_kw={
        "left": 0.15, "right": 0.97, "bottom": 0.08, "top": 0.92, "wspace": 0.12, "hspace": 0.5,
    })  # fmt: skip
    for panels, (which, sides) in zip(grid, results.items()):
        for axes, (key, told) in zip(panels, PANELS.items()):
            _draw_sides(axes, sides, key, limit, plain)
            axes.set_title(f"{titles[which]}: {told}", fontsize=10, weight="bold", color=INK, loc="left")
        panels[1].set_yticklabels([])
    save_figure(path, figure)


def _draw_sides(axes: Any, sides: Sides, key: str, limit: str, plain: str) -> None:
    names = list(reversed(sides))
    axes.axvline(sides[limit][key], color=SECOND, linewidth=0.9, linestyle="--", zorder=0)
    for place, name in enumerate(names):
        if name != plain:
            color, row = SECOND if name == limit else LINE, sides[name]
            axes.errorbar(row[key], place, xerr=row[f"{key}_error"], fmt="o", color=color, markersize=5.5)
            _tell(axes, row[key], place, row[key], "center")
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=6)
    low, high = axes.get_xlim()
    high = min(high, MOST.get(key, high))
    value = sides[plain][key]
    at = min(max(value, low), high)
    mark, side = ("<", "left") if value < low else (">", "right") if value > high else ("o", "center")
    axes.plot(at, names.index(plain), mark, color="0.55", clip_on=False)
    _tell(axes, at, names.index(plain), value, side)
    axes.set(xlim=(low, high), ylim=(-0.5, len(names) - 0.2))
    axes.set_yticks(range(len(names)), names)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=INK)


def _tell(axes: Any, x: float, place: int, value: float, side: str) -> None:
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    inward = {"left": 12, "center": 0, "right": -4}[side]
    at = {"xytext": (inward, 7), "textcoords": "offset points", "ha": side}
    axes.annotate(f"{value:.4f}", (x, place), fontsize=8, color=INK, bbox=paper, **at)
