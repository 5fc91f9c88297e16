"""Figure of the benchmark on real fields: ellipticities beside those of HST, and the lens of Abell 370."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from plots.style import BLUE, GREY, INK, ORANGE, new_figure, plain_axes, save

MIN_WEIGHT = 0.6
"""Minimum weight of the galaxies that are drawn."""

MAX_E = 0.75
"""Ends of the axes of ellipticities."""


def draw(path: Path, shapes: Mapping[str, Any], found: Any, *, lens: tuple[Any, Any]) -> None:
    """Draw the ellipticities of galaxies over those by HST, and the S/N maps of Abell 370.

    Parameters
    ----------
    path : Path
        File to write.
    shapes : mapping
        Complex ellipticities on the sky by "HST" and "darkmatter", and the "weight" of the latter, (n,) arrays.
    found : Location
        The lens of the catalogue.
    lens : (float, float), pixels
        Column and row of the true lens.
    """
    figure = new_figure(11.0, 3.5)
    axes = figure.subplots(1, 3, gridspec_kw={"left": 0.06, "right": 0.93, "bottom": 0.14, "top": 0.88, "wspace": 0.28})
    _draw_shapes(axes[0], shapes)
    limit = max(5.0, float(np.ceil(np.abs(found.snr_map).max())))
    maps = (
        (found.snr_map, f"tangential shear of {found.n} galaxies"),
        (found.snr_cross_map, "cross shear: the null test"),
    )
    for panel, (values, name) in zip(axes[1:], maps):
        image = _draw_map(panel, values, found, limit)
        plain_axes(panel, name)
        panel.plot(*lens, marker="+", color=INK, markersize=12, linestyle="none", label="brightest galaxies")
        panel.plot(found.x, found.y, marker="o", color=INK, fillstyle="none", linestyle="none", label="best fit")
    axes[1].legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")
    bar = figure.colorbar(image, cax=figure.add_axes((0.945, 0.14, 0.012, 0.74)))
    bar.set_label("S/N", color=INK, fontsize=8.5)
    bar.ax.tick_params(labelsize=8, colors=INK)
    save(path, figure)


def _draw_shapes(axes: Axes, shapes: Mapping[str, Any]) -> None:
    kept = shapes["weight"] > MIN_WEIGHT
    ours, hst = shapes["darkmatter"][kept], shapes["HST"][kept]
    axes.plot([-1, 1], [-1, 1], color="0.8", linewidth=0.9, zorder=0)
    for part, color, name in ((np.real, BLUE, "e1"), (np.imag, ORANGE, "e2")):
        axes.plot(part(hst), part(ours), ".", color=color, markersize=5, alpha=0.7, label=name)
    axes.set(xlim=(-MAX_E, MAX_E), ylim=(-MAX_E, MAX_E), xlabel="HST/ACS", ylabel="CFHT by darkmatter", aspect="equal")
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right")
    plain_axes(axes, f"ellipticities of {kept.sum()} galaxies")


def _draw_map(axes: Axes, values: Any, found: Any, limit: float) -> Any:
    half = [0.5 * (edge[1] - edge[0]) for edge in (found.columns, found.rows)]
    extent = (
        found.columns[0] - half[0], found.columns[-1] + half[0], found.rows[0] - half[1], found.rows[-1] + half[1],
    )  # fmt: skip
    axes.contour(found.columns, found.rows, values, [-4, -3, 3, 4, 5], colors=GREY, linewidths=0.7)
    axes.set(xlabel="column, px", ylabel="row, px", aspect="equal")
    return axes.imshow(values, extent=extent, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
