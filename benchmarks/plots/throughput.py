"""Figure of the throughput benchmark: time of a catalogue, and error of its ellipticities."""

from pathlib import Path
from typing import Any

from plots.style import BLUE, INK, ORANGE, new_figure, plain_axes, save

Sides = dict[str, dict[str, float]]

PANELS = {"rms": "rms error of the ellipticity, |Δe|", "median": "median error of the ellipticity, |Δe|"}
MARKERS = "sD^vPX"
TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def draw(path: Path, quality: Sides) -> None:
    """Draw the error of each side over its milliseconds, with darkmatter highlighted."""
    figure = new_figure(11.0, 3.7)
    layout = {"left": 0.06, "right": 0.725, "bottom": 0.155, "top": 0.89, "wspace": 0.2}
    for axes, (key, title) in zip(figure.subplots(1, 2, gridspec_kw=layout), PANELS.items()):
        _draw_sides(axes, quality, key)
        _finish(axes, title, quality, key)
    handles, labels = axes.get_legend_handles_labels()
    beside = {"loc": "center left", "bbox_to_anchor": (0.735, 0.53), "labelspacing": 0.9}
    figure.legend(handles, labels, frameon=False, fontsize=8.5, labelcolor=INK, **beside)
    save(path, figure)


def _draw_sides(axes: Any, quality: Sides, key: str) -> None:
    markers = iter(MARKERS)
    for name, side in quality.items():
        if name == "darkmatter":
            style = {"marker": "o", "color": ORANGE, "markersize": 10, "zorder": 2}
        else:
            style = {"marker": next(markers), "color": BLUE, "zorder": 3}
        label = f"{name}: {side['completeness']:.0%} found"
        axes.plot(side["ms"], side[key], linestyle="", label=label, **style)


def _finish(axes: Any, title: str, quality: Sides, key: str) -> None:
    times = [side["ms"] for side in quality.values()]
    low, high = min(times) / 1.5, max(times) * 1.5
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1.15 * max(side[key] for side in quality.values()))
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("ms from the file to the catalogue, one core", fontsize=8.5, color=INK)
    plain_axes(axes, title)
