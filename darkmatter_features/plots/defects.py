"""Pixels of a sky that are left out, as tints over its panel, and its stars."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.catalog import SourceCatalog
from darkmatter_features.galaxies.noisy.defects.kinds import NAMES, Defect, Defects, Kinds
from darkmatter_features.plots.theme import current_theme

MAX_SIDE = 2048
"""Longest side of the drawn mask, pixels; larger ones are drawn in blocks, a block if any of its pixels is left out."""


def draw_defects(axes: Axes, defects: Defects) -> dict[str, Patch]:
    """Tint the pixels of a sky that are left out, by kind.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes of a sky, as drawn by :func:`~darkmatter_features.plots.panels.draw_sky`; their limits are kept.
    defects : Defects
        Defects of the sky.

    Returns
    -------
    dict
        Mark of the legend by its label, the number of defects of a kind; empty if there are none.
    """
    counts = {kind: count.n_objects for kind, count in defects.counts().items() if count.n_objects}
    if not counts:
        return {}
    theme = current_theme()
    step = -(-max(defects.kinds.shape) // MAX_SIDE)
    tinted = _tinted(_blocks(defects.kinds, step))
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        np.ma.masked_equal(tinted, 0),
        extent=(-0.5, tinted.shape[1] * step - 0.5, -0.5, tinted.shape[0] * step - 0.5),
        origin="lower",
        cmap=ListedColormap(list(theme.tints.values())),
        norm=BoundaryNorm(np.arange(len(theme.tints) + 1) + 0.5, len(theme.tints)),
        interpolation="nearest",
        alpha=theme.alpha,
        zorder=1,
        gid="defects",
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    return {
        f"{n} {NAMES[kind][n != 1]}": Patch(
            facecolor=to_rgba(theme.tints[kind], theme.alpha), edgecolor=theme.tints[kind]
        )
        for kind, n in sorted(counts.items()) if kind in theme.tints
    }  # fmt: skip


def draw_stars(axes: Axes, catalog: SourceCatalog) -> dict[str, Line2D]:
    """Mark the stars by which the PSF of a sky was measured; return the mark of the legend by its label, if any."""
    n = int(catalog.is_star.sum())
    if not n:
        return {}
    style: dict[str, Any] = {
        "linestyle": "none",
        "marker": "*",
        "markersize": 5.5,
        "markerfacecolor": "none",
        "markeredgewidth": 0.7,
    }
    at = catalog.sources.x[catalog.is_star], catalog.sources.y[catalog.is_star]
    axes.add_line(Line2D(*at, **style, markeredgecolor=current_theme().star, zorder=3, gid="stars"))
    return {f"{n} {'star' if n == 1 else 'stars'}": Line2D([], [], **style, markeredgecolor=current_theme().star)}


def _blocks(kinds: Kinds, step: int) -> Kinds:
    """Return the kinds that occur in blocks of `step` x `step` pixels, without incomplete blocks at the end."""
    n_rows, n_columns = (n // step for n in kinds.shape)
    blocks = kinds[: n_rows * step, : n_columns * step].reshape(n_rows, step, n_columns, step)
    return np.asarray(np.bitwise_or.reduce(np.bitwise_or.reduce(blocks, axis=3), axis=1))


def _tinted(kinds: Kinds) -> NDArray[np.uint8]:
    """Return the number of the tint of each pixel, from 1; 0 for none."""
    tints = np.zeros(kinds.shape, np.uint8)
    for k, kind in enumerate(current_theme().tints, start=1):
        bits = kind | Defect.HALO if kind == Defect.SATURATED else kind
        tints[(kinds & kinds.dtype.type(bits)) != 0] = k
    return tints
