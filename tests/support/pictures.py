"""Comparison of figures with baseline pictures, panel by panel.

A change of the font moves panels by some pixels, and a missing mark changes a few pixels only: an RMS over the page, as
of pytest-mpl, is larger for the first than for the second. Here panels are cut out, scaled to one square and compared
in blocks of pixels.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from tests.plots.figures import rendered

BASELINES = Path(__file__).parents[1] / "plots" / "baseline"
"""Folder of the baseline pictures; `BASELINE=write pytest tests/plots/test_pictures.py` writes them anew."""

SIDE = 160
"""Width of a compared panel, pixels."""

BLOCK = 8
"""Side of the blocks of pixels that are compared, pixels."""

TOLERANCE = 16.0
"""Maximum difference of the mean colour of a block, of 255: a shift of a panel by half a pixel makes 9, a mark 40."""


def panels_of(figure):
    """Return the panels of a figure, without what is outside their frames, side by side; (n_rows, n_columns, 3)."""
    page = Image.fromarray(rendered(figure).astype(np.uint8))
    cut = []
    for axes in figure.axes:
        box = axes.get_window_extent()
        corners = (box.x0 + 1, page.height - box.y1 + 1, box.x1 - 1, page.height - box.y0 - 1)
        size = SIDE, SIDE
        cut.append(np.asarray(page.resize(size, Image.Resampling.BOX, box=corners)))
    return np.concatenate(cut, axis=1)


def difference(one, other):
    """Return the largest difference between the mean colours of the blocks of two pictures; infinite for two sizes."""
    if one.shape != other.shape:
        return np.inf
    n_rows, n_columns, _ = one.shape
    change = (one.astype(float) - other).reshape(n_rows // BLOCK, BLOCK, n_columns // BLOCK, BLOCK, 3)
    return float(np.abs(change.mean(axis=(1, 3))).max())


def assert_as_baseline(figure, name):
    """Assert that the panels of a figure are those of a baseline picture, or write it."""
    path, drawn = BASELINES / f"{name}.jpg", panels_of(figure)
    if os.environ.get("BASELINE") == "write":
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(drawn).save(path, quality=90, subsampling=0)
    found = difference(drawn, np.asarray(Image.open(path).convert("RGB")))
    assert found < TOLERANCE, f"{name}: a block differs by {found:.0f} of 255; look at the figure, then write it anew"
