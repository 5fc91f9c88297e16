"""Figure of the simulation benchmark: distributions over simulated skies, and the published values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from plots.style import BLUE, INK, ORANGE, new_figure, plain_axes, save
from realism.comparison import Comparison, samples
from realism.measurement import SkyFigures
from realism.published import GAMMA_T, GAMMA_T_ERRORS, QUANTITIES, RADII, Quantity

N_BINS = 24

MAX_LEVEL = 0.96
"""Fraction of the simulated skies that are drawn: the largest values would compress the others."""


def draw(path: Path, skies: Sequence[SkyFigures], comparisons: Sequence[Comparison]) -> None:
    """Draw the distribution of each quantity, the shear profile and the pulls.

    Lines mark quantiles, points and bars the mean and standard deviation: solid and orange of the published skies,
    dashed or blue of the simulated ones.
    """
    figure = new_figure(12.0, 6.4)
    panels = figure.subplots(2, 4, gridspec_kw={
        "left": 0.045, "right": 0.985, "bottom": 0.085, "top": 0.945, "wspace": 0.22, "hspace": 0.36,
    }).ravel()  # fmt: skip
    for axes, quantity in zip(panels, QUANTITIES):
        _draw_distribution(axes, quantity, skies)
    profile = [each for each in comparisons if each.name.startswith("gamma_t, ")]
    _draw_profile(panels[6], [each.simulated for each in profile])
    _draw_pulls(panels[7], [each.pull for each in comparisons])
    save(path, figure)


def _draw_distribution(axes: Any, quantity: Quantity, skies: Sequence[SkyFigures]) -> None:
    values = samples(skies, quantity.column, quantity.n_lensed, quantity.n_unlensed).ravel()
    published = [value for _, value in quantity.quantiles]
    low, high = min([np.quantile(values, 0.001), *published]), max([np.quantile(values, MAX_LEVEL), *published])
    axes.hist(values, np.linspace(low, high, N_BINS), density=True, color=BLUE, alpha=0.35)
    for level, value in quantity.quantiles:
        axes.axvline(value, color=ORANGE, linewidth=1.2)
        if 0.0 < level < 1.0:
            axes.axvline(np.quantile(values, level), color=BLUE, linewidth=0.9, linestyle="--")
    if quantity.mean is not None:
        axes.errorbar(quantity.mean, 0.9 * axes.get_ylim()[1], xerr=quantity.scatter, fmt="o", color=ORANGE,
                      markersize=4, linewidth=1.2)  # fmt: skip
        axes.errorbar(values.mean(), 0.8 * axes.get_ylim()[1], xerr=values.std(), fmt="o", color=BLUE,
                      markersize=4, linewidth=1.2)  # fmt: skip
    axes.set_yticks([])
    plain_axes(axes, quantity.name)


def _draw_profile(axes: Any, simulated: Sequence[float]) -> None:
    middles = 0.5 * (RADII[1:] + RADII[:-1])
    axes.errorbar(middles, GAMMA_T, yerr=GAMMA_T_ERRORS, fmt="o", color=ORANGE, markersize=4, linewidth=1.2,
                  label="published")  # fmt: skip
    axes.plot(middles, simulated, color=BLUE, linewidth=1.4, label="simulated")
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper right")
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_xlabel("distance from the lens, px", fontsize=8.5, color=INK)
    plain_axes(axes, "gamma_t of all galaxies")


def _draw_pulls(axes: Any, pulls: Sequence[float]) -> None:
    axes.hist(np.clip(pulls, -3.9, 3.9), np.arange(-4.0, 4.1, 0.5), color=BLUE, alpha=0.35)
    for limit in (-2.0, 2.0):
        axes.axvline(limit, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xlabel("(simulated - published) / error", fontsize=8.5, color=INK)
    plain_axes(axes, "pulls of all statistics")
