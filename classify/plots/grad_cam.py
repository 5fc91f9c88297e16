"""Figure of the Grad-CAM of the networks beside the shear map, to compare their maxima."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

from classify.cnn.inputs import FieldInput
from classify.tables.columns import FEATURE_NAMES
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.layouts import image_files
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.maps.shear import ShearMaps, shear_maps
from darkmatter_features.plots.page import MARGIN, SMALL, in_style, save_figure, shortened, titled_page
from darkmatter_features.plots.panels import draw_marks, draw_sky
from darkmatter_features.plots.snr import draw_map
from darkmatter_features.plots.theme import current_theme

if TYPE_CHECKING:
    from classify.model import LensModel

Array = NDArray[np.float64]

N_SKIES = 4
"""Maximum number of skies."""
WIDTH = 11.2
"""Width of the figure, inches."""
ROW = 4.6
"""Height of a row, inches."""


@dataclass(frozen=True)
class ExplainedSky:
    """One sky with its shear map and Grad-CAM.

    Attributes
    ----------
    sky, catalog, maps
        Image, galaxies and shear maps.
    cam : (n_rows, n_columns) float64 array
        Grad-CAM in each cell.
    verdict : str
        Probabilities before and after the CNN stage.
    lens : (float, float) or None
        Row and column of the true lens, pixels.
    """

    sky: Sky
    catalog: GalaxyCatalog
    maps: ShearMaps
    cam: Array
    verdict: str
    lens: tuple[float, float] | None

    @property
    def peak(self) -> tuple[float, float]:
        """Row and column of the maximum of the Grad-CAM, pixels."""
        row, column = np.unravel_index(int(np.argmax(self.cam)), self.cam.shape)
        cell = np.array(self.sky.shape) / self.cam.shape
        y, x = (np.array([row, column]) + 0.5) * cell - 0.5
        return float(y), float(x)


def draw_uncertain_lenses(path: Path, model: "LensModel", rows: pd.DataFrame, dataset: Path) -> tuple[str, ...]:
    """Draw the Grad-CAM of the most uncertain skies with a lens.

    Parameters
    ----------
    path : Path
        File of the figure, PNG.
    model : LensModel
        Model with the CNN stage.
    rows : pandas.DataFrame
        Rows of a feature table.
    dataset : Path
        Folder of the data set.

    Returns
    -------
    tuple of str
        Reason for a missing figure; empty if it was drawn.
    """
    assert model.cnn_stage is not None
    log_odds = model.log_odds(rows[list(FEATURE_NAMES)])
    is_lens = (rows["label"] == 1).fillna(False).to_numpy(dtype=np.bool_)
    uncertain = model.is_uncertain(log_odds, rows[list(FEATURE_NAMES)]) & is_lens
    chosen = [i for i in np.argsort(np.abs(log_odds), kind="stable") if uncertain[i]][:N_SKIES]
    if not chosen:
        return (f"{path.name} not drawn: no uncertain validation sky has a lens",)
    files = image_files(dataset, rows["sky"].iloc[chosen])
    skies = [_explained(model, log_odds[i], rows.iloc[i], file) for i, file in zip(chosen, files, strict=True)]
    save_figure(path, grad_cam_figure(skies))
    return ()


def _explained(model: "LensModel", log_odds: float, row: "pd.Series[float]", file: Path) -> ExplainedSky:
    from classify.cnn.grad_cam import grad_cam

    assert model.cnn_stage is not None
    sky = read_sky(file)
    catalog = measure(sky, model.config)
    field = FieldInput.of(sky, PreparedCatalog(catalog, model.compiled))
    stacked = model.cnn_stage.stacked(np.array([log_odds]), [field])[0]
    verdict = f"probability {expit(log_odds):.3f} by the trees, {expit(stacked):.3f} after the CNN stage"
    lens = float(row["lens_row"]), float(row["lens_column"])
    maps = shear_maps(catalog, model.template, model.config)
    cam = grad_cam(model.cnn_stage, field)
    return ExplainedSky(sky, catalog, maps, cam, verdict, lens if np.isfinite(lens).all() else None)


@in_style("dark")
def grad_cam_figure(skies: Sequence[ExplainedSky]) -> Figure:
    """Return a figure with a row for each sky: the image, the map of tangential shear, and the Grad-CAM."""
    title = "Grad-CAM of the networks beside the shear map"
    figure, page = titled_page(WIDTH, 0.53 + ROW * len(skies), title)
    for body, sky in zip(page.subfigures(len(skies), 1, squeeze=False).flat, skies):
        lines = f"{shortened(sky.sky.name, 40)}: {sky.verdict}\n{_distances(sky)}"
        body.suptitle(lines, x=MARGIN / WIDTH, ha="left", parse_math=False, **SMALL)
        _draw_row(body.subplots(1, 3, sharey=True), sky)
    return figure


def _draw_row(panels: Sequence[Axes], sky: ExplainedSky) -> None:
    draw_sky(panels[0], sky.sky, sky.catalog).set_ylabel("row, px")
    draw_map(panels[1], sky.maps)
    n_rows, n_columns = sky.sky.shape
    extent = (-0.5, n_columns - 0.5, n_rows - 0.5, -0.5)
    panels[2].imshow(sky.cam, extent=extent, cmap=current_theme().posterior, vmin=0.0, interpolation="bicubic")
    panels[2].set_title("Grad-CAM")
    panels[2].plot(*sky.peak[::-1], marker="+", color="white", markersize=11, markeredgewidth=1.3)
    for k, axes in enumerate(panels):
        draw_marks(axes, peak=sky.maps.peak if k < 2 else None, lens=sky.lens).set(xlabel="column, px")
        axes.set(xlim=extent[:2], ylim=extent[2:])


def _distances(sky: ExplainedSky) -> str:
    row, column = sky.peak
    to_peak = np.hypot(row - sky.maps.peak.row, column - sky.maps.peak.column)
    text = f"maximum of the Grad-CAM (cross): {to_peak:.0f} px from the peak of the shear map (crosshairs)"
    if sky.lens is None:
        return text
    return f"{text}, {np.hypot(row - sky.lens[0], column - sky.lens[1]):.0f} px from the true lens (ring)"
