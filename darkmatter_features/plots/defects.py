"""Pixels of a sky that are left out, as a tint over its panel."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from darkmatter_features.galaxies.noisy.defects.kinds import Defects

TINT = "#ff9a3c"
"""Colour over pixels that are left out."""

ALPHA = 0.35
"""Opacity of that colour."""

MAX_SIDE = 2048
"""Longest side of the drawn mask, pixels; larger ones are drawn in blocks, a block if any of its pixels is left out."""


def draw_defects(axes: Axes, defects: Defects) -> dict[str, Patch]:
    """Tint the pixels of a sky that are left out.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes of a sky, as drawn by :func:`~darkmatter_features.plots.panels.draw_sky`; their limits are kept.
    defects : Defects
        Defects of the sky.

    Returns
    -------
    dict
        Mark of the legend by its label, which gives the numbers of defects; empty if there are none.
    """
    line = defects.line()
    if not line:
        return {}
    mask = defects.mask
    step = -(-max(mask.shape) // MAX_SIDE)
    n_rows, n_columns = (n // step * step for n in mask.shape)
    blocks = mask[:n_rows, :n_columns].reshape(n_rows // step, step, n_columns // step, step).any(axis=(1, 3))
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        np.ma.masked_equal(blocks.astype(np.uint8), 0),
        extent=(-0.5, n_columns - 0.5, -0.5, n_rows - 0.5),
        origin="lower",
        cmap=ListedColormap([TINT]),
        interpolation="nearest",
        alpha=ALPHA,
        zorder=1,
        gid="defects",
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    return {line: Patch(facecolor=TINT, alpha=ALPHA)}
