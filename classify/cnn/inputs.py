"""Input of the network for a sky: cut-outs and shapes of its galaxies, and maps of the evidence. No torch here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.cross_fitting import Templates
from darkmatter_features.features.extract import report
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import Evidence, lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.workers import parallel

Floats = NDArray[np.float32]
Task = tuple[Path, GalaxyCatalog]

CUT_OUT = 16
"""Side of a cut-out, pixels of the cut-out."""
CUT_OUT_STEP = 0.5
"""Pixel of a cut-out, sizes of the galaxy.

A cut-out extends to four sizes from the centre. The edge of a disc lies at two sizes, that of an ellipticity of 0.5 at
three and a half along the major axis.
"""
N_BANDS = 3
"""Bands of a cut-out; those of a grey image are three times the same."""
SCALARS = ("size", "fill_factor", "brightness", "is_partial", "neighbour", "second_neighbour")
"""Quantities of a galaxy that no rotation changes."""
MAPS = ("log_evidence", "log_shear", "log_counts")
"""Maps of `Evidence` that the network reads."""
SKIES_PER_TASK = 16
"""Skies in one task of a worker process."""
MIN_BRIGHTNESS = 1e-6
"""Lower bound of the surface brightness over its median, in its logarithm."""
MIN_DISTANCE = 0.1
"""Lower bound of the distance between neighbours in its logarithm, pixels."""


@dataclass(frozen=True, eq=False)
class FieldInput:
    """Input of the network for a sky of n galaxies, in units of the cells of the evidence.

    Attributes
    ----------
    x, y : (n,) float32 arrays, cells
        Column and row of the galaxies from the corner of the image.
    e : (2, n) float32 array
        Ellipticity less its mean without a lens.
    mean_e : (2, n) float32 array
        Mean ellipticity without a lens in the shape bin of each galaxy. It turns with the field, as `e` does.
    scalars : (len(SCALARS), n) float32 array
        Logarithms of size, fill factor, surface brightness over its median, and distances to two neighbours; whether it
        is partial.
    cut_outs : (n, N_BANDS, CUT_OUT, CUT_OUT) uint8 array
        Image about each galaxy, scaled to its size; the brightest pixel is 255.
    maps : (len(MAPS), n_rows, n_columns) float32 array
        Evidence for a lens in each cell.
    cells_per_pixel : (float, float)
        Number of cells per pixel along the rows' and along the columns' axis; they differ in elongated images.
    """

    x: Floats
    y: Floats
    e: Floats
    mean_e: Floats
    scalars: Floats
    cut_outs: NDArray[np.uint8]
    maps: Floats
    cells_per_pixel: tuple[float, float]

    def __len__(self) -> int:
        return self.x.size

    @property
    def cell(self) -> float:
        """Side of a cell, pixels, the mean over rows and columns."""
        return float(1.0 / np.mean(self.cells_per_pixel))

    def in_cells(self, row: float, column: float) -> tuple[float, float]:
        """Return x and y, cells from the corner of the image, of a position in pixels."""
        return (column + 0.5) * self.cells_per_pixel[1], (row + 0.5) * self.cells_per_pixel[0]

    @classmethod
    def of(cls, sky: Sky, galaxies: PreparedCatalog, evidence: Evidence | None = None) -> Self:
        """Return the input of the network for a sky.

        Parameters
        ----------
        sky : Sky
            Image of the sky.
        galaxies : PreparedCatalog
            Its galaxies, prepared with a template that was fitted to other skies.
        evidence : Evidence, optional
            Their evidence for a lens, if it is computed already.
        """
        catalog, maps = galaxies.catalog, evidence or lens_evidence(galaxies)
        cells = np.array(maps.log_evidence.shape) / catalog.shape
        return cls(
            x=_single((catalog.x + 0.5) * cells[1]),
            y=_single((catalog.y + 0.5) * cells[0]),
            e=_single([galaxies.e1, galaxies.e2]),
            mean_e=_single([galaxies.mean_e1, galaxies.mean_e2]),
            scalars=_single(_scalars(catalog)),
            cut_outs=cut_outs(sky, catalog),
            maps=_single([getattr(maps, name) for name in MAPS]),
            cells_per_pixel=(float(cells[0]), float(cells[1])),
        )


def cut_outs(sky: Sky, catalog: GalaxyCatalog) -> NDArray[np.uint8]:
    """Return the image about each galaxy, scaled to its size.

    A galaxy covers about eight by eight pixels of its cut-out, whatever its size in the image, so that its shape is
    resolved.

    Parameters
    ----------
    sky : Sky
        Image of the sky.
    catalog : GalaxyCatalog
        Its n galaxies.

    Returns
    -------
    (n, N_BANDS, CUT_OUT, CUT_OUT) uint8 array
        Linear in the flux; the brightest pixel of each galaxy is 255.
    """
    from scipy.ndimage import map_coordinates

    offset = (np.arange(CUT_OUT) - (CUT_OUT - 1) / 2) * CUT_OUT_STEP
    rows = catalog.y[:, None, None] + catalog.size[:, None, None] * offset[:, None]
    columns = catalog.x[:, None, None] + catalog.size[:, None, None] * offset[None, :]
    positions = np.stack(np.broadcast_arrays(rows, columns))
    bands = np.broadcast_to(sky.pixels, (*sky.shape, max(sky.pixels.shape[2], N_BANDS)))[..., :N_BANDS]
    each = [map_coordinates(bands[..., band].astype(np.float32), positions, order=1) for band in range(N_BANDS)]
    flux = np.maximum(np.stack(each, axis=1), 0.0)
    brightest = np.maximum(flux.max(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(np.rint(255.0 * flux / brightest), dtype=np.uint8)


def read_inputs(
    tasks: Sequence[Task],
    templates: Templates,
    *,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
) -> list[FieldInput]:
    """Read images and return the inputs of the network.

    Parameters
    ----------
    tasks : sequence of (Path, GalaxyCatalog)
        Image and galaxies of each sky.
    templates : Templates
        Template of each sky, fitted to other skies.
    n_jobs : int
        Number of processes; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.

    Raises
    ------
    SkyError
        If an image cannot be read.
    """
    chunks = [(tasks[start : start + SKIES_PER_TASK], templates) for start in range(0, len(tasks), SKIES_PER_TASK)]
    inputs: list[FieldInput] = []
    report(progress, 0, len(tasks))
    for chunk in parallel(_inputs_of, chunks, n_jobs=n_jobs):
        inputs += [FieldInput(**arrays) for arrays in chunk]
        report(progress, len(inputs), len(tasks))
    return inputs


def measured_inputs(
    paths: Sequence[Path], template: LensTemplate, config: MeasureConfig, *, n_jobs: int = -1
) -> list[FieldInput]:
    """Measure images and return the inputs of the network, by the template of a model.

    Parameters
    ----------
    paths : sequence of Path
        Images.
    template : LensTemplate
        Template of the model.
    config : MeasureConfig
        Settings of the measurement.
    n_jobs : int
        Number of processes; -1 for one a core.

    Raises
    ------
    SkyError
        If an image cannot be read, or nothing can be measured in it.
    """
    starts, compiled = range(0, len(paths), SKIES_PER_TASK), CompiledTemplate(template)
    chunks = [(paths[start : start + SKIES_PER_TASK], compiled, config) for start in starts]
    each = parallel(_measured_inputs, chunks, n_jobs=n_jobs)
    return [FieldInput(**arrays) for chunk in each for arrays in chunk]


def _measured_inputs(paths: Sequence[Path], template: CompiledTemplate, config: MeasureConfig) -> list[dict[str, Any]]:
    skies = [read_sky(path) for path in paths]
    return [vars(FieldInput.of(sky, PreparedCatalog(measure(sky, config), template))) for sky in skies]


def _inputs_of(tasks: Sequence[Task], templates: Templates) -> list[dict[str, Any]]:
    return [
        vars(FieldInput.of(read_sky(path), PreparedCatalog(catalog, templates.of(catalog.name))))
        for path, catalog in tasks
    ]


def _single(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _scalars(catalog: GalaxyCatalog) -> NDArray[np.float64]:
    """Return the quantities `SCALARS` of each galaxy, (len(SCALARS), n)."""
    brightness = np.maximum(catalog.flux / catalog.n_pixels, np.finfo(np.float64).tiny)
    relative = np.maximum(brightness / np.median(brightness), MIN_BRIGHTNESS)
    logs = np.log([catalog.size, catalog.fill_factor, relative, *_neighbour_distances(catalog)])
    return np.insert(logs, SCALARS.index("is_partial"), catalog.is_partial, axis=0)


def _neighbour_distances(catalog: GalaxyCatalog) -> NDArray[np.float64]:
    """Return the distances to the two nearest galaxies, (2, n), pixels; the side of the image where there is none."""
    from scipy.spatial import cKDTree

    positions = np.stack([catalog.x, catalog.y], axis=1)
    distance, _ = cKDTree(positions).query(positions, k=3)
    finite = np.where(np.isfinite(distance[:, 1:]), distance[:, 1:], max(catalog.shape))
    return np.asarray(np.maximum(finite, MIN_DISTANCE).T)
