"""The picture of the throughput benchmark: what a catalogue costs, and how wrong its ellipticities are."""

from pathlib import Path
from typing import Any

from classify.plots.performance import LINE, SECOND
from classify.plots.samples import INK, blank_figure, save_figure

Sides = dict[str, dict[str, float]]

PANELS = {"rms": "rms error of the ellipticity, |Δe|", "median": "median error, |Δe|"}
MARKERS = "sD^vPX"
TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def draw(path: Path, quality: Sides) -> None:
    """Draw each side's error over its milliseconds, ours first and in a colour of its own."""
    figure = blank_figure(11.0, 3.7)
    layout = {"left": 0.06, "right": 0.725, "bottom": 0.155, "top": 0.89, "wspace": 0.2}
    for axes, (key, title) in zip(figure.subplots(1, 2, gridspec_kw=layout), PANELS.items()):
        _draw_sides(axes, quality, key)
        _finish(axes, title, quality, key)
    handles, labels = axes.get_legend_handles_labels()
    place = {"loc": "center left", "bbox_to_anchor": (0.735, 0.53), "labelspacing": 0.9}
    figure.legend(handles, labels, frameon=False, fontsize=8.5, labelcolor=INK, **place)
    save_figure(path, figure)


def _draw_sides(axes: Any, quality: Sides, key: str) -> None:
    markers = iter(MARKERS)
    for name, side in quality.items():
        is_ours = name == "darkmatter"
        look = (
            {"marker": "o", "color": SECOND, "markersize": 10} if is_ours else {"marker": next(markers), "color": LINE}
        )
        label = f"{name}: {side['completeness']:.0%} found"
        axes.plot(side["ms"], side[key], linestyle="", label=label, zorder=2 if is_ours else 3, **look)


def _finish(axes: Any, title: str, quality: Sides, key: str) -> None:
    costs = [side["ms"] for side in quality.values()]
    low, high = min(costs) / 1.5, max(costs) * 1.5
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1.15 * max(side[key] for side in quality.values()))
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("ms from the file to the catalogue, one core", fontsize=8.5, color=INK)
    axes.set_title(title, fontsize=10, weight="bold", color=INK, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=INK)
