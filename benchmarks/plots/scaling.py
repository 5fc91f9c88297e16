"""The picture of the scaling benchmark."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classify.plots.performance import LINE, SECOND
from classify.plots.samples import INK, blank_figure, save_figure

Series = Mapping[str, Mapping[int, float]]

TITLES = {"galaxies": "galaxies", "centres": "candidate centres", "picture": "side of the picture, px"}
COLORS = {"maps": LINE, "locate": SECOND, "segment": "0.45", "evidence": "#5b8c3a"}


def draw(path: Path, told: Mapping[str, Series], workers: Mapping[int, float], *, n_skies: int) -> None:
    """Draw seconds by galaxies, centres, side of the picture, and workers."""
    figure = blank_figure(12.5, 3.9)
    panels = figure.subplots(1, 4, gridspec_kw={
        "width_ratios": [1, 1, 1, 0.5], "left": 0.055, "right": 0.985, "bottom": 0.1, "top": 0.88, "wspace": 0.3,
    })  # fmt: skip
    for axes, (by, title) in zip(panels, TITLES.items()):
        _draw_series(axes, told[by])
        _plain(axes, title)
    panels[0].set_ylabel("seconds of one core", fontsize=9, color=INK)
    _draw_workers(panels[3], workers)
    _plain(panels[3], "workers")
    panels[3].set_ylabel(f"seconds by the clock, {n_skies:,} skies", fontsize=9, color=INK)
    save_figure(path, figure)


def _draw_series(axes: Any, series: Series) -> None:
    for name, points in series.items():
        what, _, how = name.partition(", ")
        style = {"linestyle": "--", "markerfacecolor": "white"} if how == "direct" else {"linestyle": "-"}
        axes.plot(
            list(points), list(points.values()), marker="o", markersize=4.5, color=COLORS[what], label=name, **style
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left", handlelength=2.6)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.28)  # room for the legend
    sizes = sorted({size for points in series.values() for size in points})
    if sizes[-1] < 30 * sizes[0]:  # too few decades for their own ticks
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.set_xticks([], minor=True)
    axes.grid(which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)


def _draw_workers(axes: Any, workers: Mapping[int, float]) -> None:
    bars = axes.bar([str(n) for n in workers], list(workers.values()), width=0.55, color=LINE)
    axes.bar_label(bars, fmt="%.1f", fontsize=9, color=INK, padding=2)
    axes.margins(y=0.14)


def _plain(axes: Any, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=10, weight="bold", color=INK, loc="left")
    axes.tick_params(labelsize=8.5, colors=INK)
