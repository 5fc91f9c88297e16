"""Figure of the benchmark of the CNN stage."""

from pathlib import Path
from typing import Any

from plots.style import BLUE, GREY, INK, ORANGE, new_figure, plain_axes, save

Sides = dict[str, dict[str, float]]

PANELS = {"accuracy": "accuracy", "log_loss": "log loss"}

MAX_LIMIT = {"accuracy": 1.01}
"""Maximum end of the axis of a metric."""


def draw(path: Path, results: dict[str, Sides], titles: dict[str, str], oracle: str, plain: str) -> None:
    """Draw accuracy and log loss of each side with their errors, on all skies and on the uncertain ones.

    The axes are fitted to all sides but `plain`. A value of `plain` outside them is written at the edge.
    """
    figure = new_figure(11.0, 5.2)
    grid = figure.subplots(len(results), len(PANELS), gridspec_kw={
        "left": 0.15, "right": 0.97, "bottom": 0.08, "top": 0.92, "wspace": 0.12, "hspace": 0.5,
    })  # fmt: skip
    for panels, (chosen, sides) in zip(grid, results.items()):
        for axes, (key, label) in zip(panels, PANELS.items()):
            _draw_sides(axes, sides, key, oracle, plain)
            plain_axes(axes, f"{titles[chosen]}: {label}")
        panels[1].set_yticklabels([])
    save(path, figure)


def _draw_sides(axes: Any, sides: Sides, key: str, oracle: str, plain: str) -> None:
    names = list(reversed(sides))
    axes.axvline(sides[oracle][key], color=ORANGE, linewidth=0.9, linestyle="--", zorder=0)
    for height, name in enumerate(names):
        if name != plain:
            color, row = ORANGE if name == oracle else BLUE, sides[name]
            axes.errorbar(row[key], height, xerr=row[f"{key}_error"], fmt="o", color=color, markersize=5.5)
            _write_value(axes, row[key], height, row[key], "center")
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=6)
    low, high = axes.get_xlim()
    high = min(high, MAX_LIMIT.get(key, high))
    value = sides[plain][key]
    x = min(max(value, low), high)
    marker, align = ("<", "left") if value < low else (">", "right") if value > high else ("o", "center")
    axes.plot(x, names.index(plain), marker, color=GREY, clip_on=False)
    _write_value(axes, x, names.index(plain), value, align)
    axes.set(xlim=(low, high), ylim=(-0.5, len(names) - 0.2))
    axes.set_yticks(range(len(names)), names)


def _write_value(axes: Any, x: float, height: int, value: float, align: str) -> None:
    background = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    inward = {"left": 12, "center": 0, "right": -4}[align]
    above = {"xytext": (inward, 7), "textcoords": "offset points", "ha": align}
    axes.annotate(f"{value:.4f}", (x, height), fontsize=8, color=INK, bbox=background, **above)
