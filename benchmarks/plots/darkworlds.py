"""Figure of the benchmark on "Observing Dark Worlds"."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from plots.style import INK, new_figure, plain_axes, save


def draw(
    path: Path,
    distances: Mapping[str, Sequence[float]],
    statistics: Mapping[str, np.ndarray],
    colors: Mapping[str, str],
    *,
    bold: Collection[str],
    dashed: Collection[str],
    field_side: float,
) -> None:
    """Draw the fraction of skies located within a distance, and the fraction detected at a rate of false alarms.

    Parameters
    ----------
    path : Path
        File to write.
    distances : mapping of sequences, pixels
        Distances from the halo, by method; empty for a method that does not locate.
    statistics : mapping of (n_skies, 1 + n_randomizations) arrays
        Statistic of each sky, followed by those of its randomized copies, by method.
    colors : mapping
        Colour of each method.
    bold, dashed : collections
        Methods with wide and with dashed lines.
    field_side : float, pixels
        Side of a field.
    """
    figure = new_figure(9.4, 3.7)
    left, right = figure.subplots(1, 2, gridspec_kw={"left": 0.07, "right": 0.98, "bottom": 0.15, "top": 0.9})
    for name, statistic in statistics.items():
        style: dict[str, Any] = {"color": colors[name], "linewidth": 2.2 if name in bold else 1.5}
        style["linestyle"] = "--" if name in dashed else "-"
        if len(distance := np.sort(distances[name])):
            left.plot(distance, (np.arange(distance.size) + 1) / distance.size, drawstyle="steps-post", **style)
        null = np.sort(statistic[:, 1:].ravel())[::-1]
        rate = (np.arange(null.size) + 1) / null.size
        right.plot(rate, [(statistic[:, 0] > level).mean() for level in null], label=name, **style)
    left.set(xscale="log", xlim=(5, field_side), ylim=(0, 1), xlabel="distance from the halo, px")
    plain_axes(left, "fraction of single-halo skies within")
    right.set(xscale="log", xlim=(1e-3, 1), ylim=(0.5, 1), xlabel="false-alarm rate in randomized skies")
    plain_axes(right, "fraction of skies detected")
    right.axvline(0.01, color="0.8", linewidth=0.9, linestyle="--", zorder=0)
    right.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right")
    save(path, figure)
