"""Figure of the scaling benchmark."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plots.style import BLUE, INK, ORANGE, new_figure, plain_axes, save

Series = Mapping[str, Mapping[int, float]]

TITLES = {"galaxies": "galaxies", "centres": "candidate centres", "image": "side of the image, px"}
COLORS = {"maps": BLUE, "locate": ORANGE, "segment": "0.45", "evidence": "#5b8c3a"}

MIN_SIZE_RATIO = 30
"""Minimum ratio of the largest and the smallest size for which decades serve as ticks."""

LEGEND_HEIGHT = 0.28
"""Height of the legend over that of the data, in the log."""


def draw(path: Path, seconds: Mapping[str, Series], workers: Mapping[int, float], *, n_skies: int) -> None:
    """Draw seconds by the number of galaxies, of centres, the side of the image, and the number of workers."""
    figure = new_figure(12.5, 3.9)
    panels = figure.subplots(1, 4, gridspec_kw={
        "width_ratios": [1, 1, 1, 0.5], "left": 0.055, "right": 0.985, "bottom": 0.1, "top": 0.88, "wspace": 0.3,
    })  # fmt: skip
    for axes, (by, title) in zip(panels, TITLES.items()):
        _draw_series(axes, seconds[by])
        plain_axes(axes, title)
    panels[0].set_ylabel("seconds on one core", fontsize=9, color=INK)
    _draw_workers(panels[3], workers)
    plain_axes(panels[3], "workers")
    panels[3].set_ylabel(f"wall-clock seconds, {n_skies:,} skies", fontsize=9, color=INK)
    save(path, figure)


def _draw_series(axes: Any, series: Series) -> None:
    for name, points in series.items():
        stage, _, method = name.partition(", ")
        style = {"linestyle": "--", "markerfacecolor": "white"} if method == "direct" else {"linestyle": "-"}
        axes.plot(
            list(points), list(points.values()), marker="o", markersize=4.5, color=COLORS[stage], label=name, **style
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left", handlelength=2.6)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** LEGEND_HEIGHT)
    sizes = sorted({size for points in series.values() for size in points})
    if sizes[-1] < MIN_SIZE_RATIO * sizes[0]:
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.set_xticks([], minor=True)
    axes.grid(which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)


def _draw_workers(axes: Any, workers: Mapping[int, float]) -> None:
    bars = axes.bar([str(n) for n in workers], list(workers.values()), width=0.55, color=BLUE)
    axes.bar_label(bars, fmt="%.1f", fontsize=9, color=INK, padding=2)
    axes.margins(y=0.14)
