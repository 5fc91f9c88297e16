"""The picture of where the networks look, beside the shear map: whether both look at the same place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

from classify.cnn.inputs import FieldInput
from classify.columns import FEATURE_NAMES
from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.io.table import written_whole
from darkmatter_features.maps.shear import ShearMaps, shear_maps
from darkmatter_features.plots.page import BIG, FAINT, SMALL, THEME, blank_page, place, shortened, write
from darkmatter_features.plots.panels import draw_marks, draw_sky
from darkmatter_features.plots.posterior import POSTERIOR_COLORS
from darkmatter_features.plots.snr import draw_map

if TYPE_CHECKING:
    from classify.model import LensModel

Array = NDArray[np.float64]

N_SKIES = 4
"""Drawn at most."""
PANEL, GAP, LEFT, RIGHT, TOP, HEAD, FOOT = 480, 40, 110, 50, 90, 118, 96
"""Of the page, pixels: a sky, the space between two, the borders, the line above a sky, the room below one."""


@dataclass(frozen=True)
class Seen:
    """One sky as the shear map and the networks see it.

    Attributes
    ----------
    sky, catalog, maps
        The picture, its galaxies and their maps.
    cam : (n_rows, n_columns) float64 array
        Grad-CAM, cells.
    told : str
        What came of the CNN stage.
    lens : (float, float) or None
        Row and column of the true lens, pixels.
    """

    sky: Sky
    catalog: GalaxyCatalog
    maps: ShearMaps
    cam: Array
    told: str
    lens: tuple[float, float] | None

    @property
    def peak(self) -> tuple[float, float]:
        """Row and column where the networks look most, pixels."""
        row, column = np.unravel_index(int(np.argmax(self.cam)), self.cam.shape)
        cell = np.array(self.sky.shape) / self.cam.shape
        y, x = (np.array([row, column]) + 0.5) * cell - 0.5
        return float(y), float(x)


def draw_uncertain_lenses(path: Path, model: "LensModel", rows: pd.DataFrame, dataset: Path) -> tuple[str, ...]:
    """Draw where the networks look on the uncertain skies with a lens of which the trees are least sure.

    Parameters
    ----------
    path : Path
        The picture, PNG.
    model : LensModel
        With the CNN stage.
    rows : pandas.DataFrame
        Of a feature table.
    dataset : Path
        Folder of the pictures.

    Returns
    -------
    tuple of str
        Why nothing could be drawn; empty if it was.
    """
    assert model.cnn_stage is not None
    log_odds = model.log_odds(rows[list(FEATURE_NAMES)])
    hard = model.cnn_stage.is_uncertain(log_odds) & (rows["label"] == 1).fillna(False).to_numpy(dtype=np.bool_)
    chosen = [i for i in np.argsort(np.abs(log_odds), kind="stable") if hard[i]][:N_SKIES]
    if not chosen:
        return (f"{path.name} not drawn: no hard validation sky has a lens",)
    skies = [_seen(model, log_odds[i], rows.iloc[i], dataset) for i in chosen]
    with written_whole(path) as temporary:
        grad_cam_figure(skies).savefig(temporary, format="png")
    return ()


def _seen(model: "LensModel", log_odds: float, row: "pd.Series[float]", dataset: Path) -> Seen:
    from classify.cnn.grad_cam import grad_cam

    assert model.cnn_stage is not None
    sky = read_sky(dataset / str(row["sky"]))
    catalog = measure(sky, model.config)
    laid_out = FieldInput.of(sky, catalog, model.template)
    after = model.cnn_stage.stacked(np.array([log_odds]), [laid_out])[0]
    told = f"probability {expit(log_odds):.3f} by the trees, {expit(after):.3f} after the CNN stage"
    lens = float(row["lens_row"]), float(row["lens_column"])
    maps = shear_maps(catalog, model.template, model.config)
    cam = grad_cam(model.cnn_stage, laid_out)
    return Seen(sky, catalog, maps, cam, told, lens if np.isfinite(lens).all() else None)


def grad_cam_figure(skies: Sequence[Seen]) -> Figure:
    """Return a page with a row for each sky: the picture, the map of tangential shear, and the Grad-CAM."""
    row_height = HEAD + PANEL + FOOT
    height = TOP + len(skies) * row_height
    with rc_context(THEME):
        figure = blank_page(LEFT + 3 * PANEL + 2 * GAP + RIGHT, height)
        write(figure, LEFT, 46, "Where the networks look, beside the shear map", **BIG)
        for k, seen in enumerate(skies):
            above = TOP + k * row_height
            for j, line in enumerate((f"{shortened(seen.sky.name, 40)}: {seen.told}", _distances(seen))):
                write(figure, LEFT, above + 18 + 34 * j, line, color=FAINT, **SMALL)
            bottom = height - above - HEAD - PANEL
            panels = [place(figure, LEFT + j * (PANEL + GAP), bottom, PANEL, PANEL) for j in range(3)]
            _draw_row(panels, seen)
    return figure


def _draw_row(panels: Sequence[Axes], seen: Seen) -> None:
    draw_sky(panels[0], seen.sky, seen.catalog).set_ylabel("row, px")
    draw_map(panels[1], seen.maps)
    n_rows, n_columns = seen.sky.shape
    extent = (-0.5, n_columns - 0.5, n_rows - 0.5, -0.5)
    panels[2].imshow(seen.cam, extent=extent, cmap=POSTERIOR_COLORS, vmin=0.0, interpolation="bicubic")
    panels[2].set_title("Grad-CAM: where the networks see a lens")
    panels[2].plot(*seen.peak[::-1], marker="+", color="white", markersize=11, markeredgewidth=1.3)
    for k, axes in enumerate(panels):
        draw_marks(axes, peak=seen.maps.peak if k < 2 else None, lens=seen.lens).set(xlabel="column, px")
        axes.set(xlim=extent[:2], ylim=extent[2:])
        axes.tick_params(left=k == 0, labelleft=k == 0)


def _distances(seen: Seen) -> str:
    row, column = seen.peak
    apart = np.hypot(row - seen.maps.peak.row, column - seen.maps.peak.column)
    told = f"The networks look {apart:.0f} px from the peak of the shear map (crosshairs)"
    if seen.lens is None:
        return told
    return f"{told} and {np.hypot(row - seen.lens[0], column - seen.lens[1]):.0f} px from the true lens (ring)"
