"""What the network sees of a sky: every galaxy with its cut-out, and the maps of the evidence. No torch here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.extract import report
from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.workers import parallel

Floats = NDArray[np.float32]
Task = tuple[Path, GalaxyCatalog, LensTemplate]

CUT_OUT = 16
"""Pixels along a side of a cut-out."""
CUT_OUT_STEP = 0.5
"""Distance between them, in sizes of the galaxy: a cut-out reaches four sizes from its middle, a disc's edge being two
from it (three and a half, along the major axis, at an ellipticity of 0.5)."""
N_BANDS = 3
"""Of a cut-out; a grey picture is repeated."""
SCALARS = ("size", "fill_factor", "brightness", "is_partial", "neighbour", "second_neighbour")
"""Of a galaxy, none of which a rotation changes."""
MAPS = ("log_evidence", "log_shear", "log_counts")
SKIES_A_TASK = 16


@dataclass(frozen=True, eq=False)
class FieldInput:
    """A sky of n galaxies for the network, in units of its cells.

    Attributes
    ----------
    x, y : (n,) float32 arrays, cells
        Places of the galaxies, from the corner of the picture: column and row.
    e : (2, n) float32 array
        Ellipticity less its mean without a lens.
    mean_e : (2, n) float32 array
        That mean: where the drawings lean to, by kind of galaxy. It turns with the field, as `e` does.
    scalars : (len(SCALARS), n) float32 array
        Logarithms of size, fill factor, surface brightness and distances to two neighbours; whether it is partial.
    cut_outs : (n, N_BANDS, CUT_OUT, CUT_OUT) uint8 array
        The picture about each galaxy, scaled to its size, 255 where it is brightest.
    maps : (len(MAPS), n_rows, n_columns) float32 array
        Of the evidence for a lens in each cell.
    cell : float, pixels
        Side of a cell.
    """

    x: Floats
    y: Floats
    e: Floats
    mean_e: Floats
    scalars: Floats
    cut_outs: NDArray[np.uint8]
    maps: Floats
    cell: float

    def __len__(self) -> int:
        return self.x.size

    @classmethod
    def of(cls, sky: Sky, catalog: GalaxyCatalog, template: LensTemplate) -> Self:
        """Lay out a sky, its catalogue and its evidence for the network.

        Parameters
        ----------
        sky : Sky
            The picture.
        catalog : GalaxyCatalog
            Its galaxies.
        template : LensTemplate
            Fitted to other skies than this one.
        """
        galaxies = PreparedCatalog(catalog, template)
        maps = lens_evidence(galaxies)
        cells = np.array(maps.log_evidence.shape) / catalog.shape
        mean_e1, mean_e2 = galaxies.mean_e1, galaxies.mean_e2
        return cls(
            x=_single((catalog.x + 0.5) * cells[1]),
            y=_single((catalog.y + 0.5) * cells[0]),
            e=_single([catalog.e1 - mean_e1, catalog.e2 - mean_e2]),
            mean_e=_single([mean_e1, mean_e2]),
            scalars=_single(_scalars(catalog)),
            cut_outs=cut_outs(sky, catalog),
            maps=_single([getattr(maps, name) for name in MAPS]),
            cell=float(1.0 / cells.mean()),
        )


def cut_outs(sky: Sky, catalog: GalaxyCatalog) -> NDArray[np.uint8]:
    """Return the picture about each galaxy, scaled to its size: ``(n, N_BANDS, CUT_OUT, CUT_OUT)``, each at most 255.

    Nothing is shrunk below what tells a shape: a galaxy has some eight by eight pixels here, whatever its size there.
    """
    from scipy.ndimage import map_coordinates

    offset = (np.arange(CUT_OUT) - (CUT_OUT - 1) / 2) * CUT_OUT_STEP
    rows = catalog.y[:, None, None] + catalog.size[:, None, None] * offset[:, None]
    columns = catalog.x[:, None, None] + catalog.size[:, None, None] * offset[None, :]
    places = np.stack(np.broadcast_arrays(rows, columns))
    planes = np.broadcast_to(sky.pixels, (*sky.shape, max(sky.pixels.shape[2], N_BANDS)))[..., :N_BANDS]
    each = [map_coordinates(planes[..., band].astype(np.float32), places, order=1) for band in range(N_BANDS)]
    light = np.maximum(np.stack(each, axis=1), 0.0)
    brightest = np.maximum(light.max(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(np.rint(255.0 * light / brightest), dtype=np.uint8)


def read_inputs(
    tasks: Sequence[Task], *, n_jobs: int = -1, progress: Callable[[int, int], None] | None = None
) -> list[FieldInput]:
    """Read pictures and lay them out.

    Parameters
    ----------
    tasks : sequence of (Path, GalaxyCatalog, LensTemplate)
        Picture, galaxies and template of each sky.
    n_jobs : int
        Processes; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.

    Raises
    ------
    SkyError
        If a picture cannot be read.
    """
    chunks = [(tasks[start : start + SKIES_A_TASK],) for start in range(0, len(tasks), SKIES_A_TASK)]
    found: list[FieldInput] = []
    report(progress, 0, len(tasks))
    for chunk in parallel(_inputs_of, chunks, n_jobs=n_jobs if len(chunks) > 1 else 1):
        found += [FieldInput(**arrays) for arrays in chunk]
        report(progress, len(found), len(tasks))
    return found


def measured_inputs(
    paths: Sequence[Path], template: LensTemplate, config: MeasureConfig, *, n_jobs: int = -1
) -> list[FieldInput]:
    """Measure pictures and lay them out, with the template of a model.

    Raises
    ------
    SkyError
        If a picture cannot be read, or nothing can be measured in it.
    """
    chunks = [(paths[start : start + SKIES_A_TASK], template, config) for start in range(0, len(paths), SKIES_A_TASK)]
    each = parallel(_measured_inputs, chunks, n_jobs=n_jobs if len(chunks) > 1 else 1)
    return [FieldInput(**arrays) for chunk in each for arrays in chunk]


def _measured_inputs(paths: Sequence[Path], template: LensTemplate, config: MeasureConfig) -> list[dict[str, Any]]:
    skies = [read_sky(path) for path in paths]
    return [vars(FieldInput.of(sky, measure(sky, config), template)) for sky in skies]


def _inputs_of(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    return [vars(FieldInput.of(read_sky(path), catalog, template)) for path, catalog, template in tasks]


def _single(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _scalars(catalog: GalaxyCatalog) -> NDArray[np.float64]:
    """Return what tells of a galaxy how far its shape is to be trusted, and of what kind it is, ``(6, n)``."""
    near = _neighbours(catalog)
    logs = np.log([catalog.size, catalog.fill_factor, np.maximum(catalog.flux, 1e-9) / catalog.n_pixels, *near])
    return np.insert(logs, SCALARS.index("is_partial"), catalog.is_partial, axis=0)


def _neighbours(catalog: GalaxyCatalog) -> NDArray[np.float64]:
    """Return the distances to the two nearest galaxies, ``(2, n)``, pixels."""
    from scipy.spatial import cKDTree

    places = np.stack([catalog.x, catalog.y], axis=1)
    distance, _ = cKDTree(places).query(places, k=3)
    whole = np.where(np.isfinite(distance[:, 1:]), distance[:, 1:], max(catalog.shape))
    return np.asarray(np.maximum(whole, 0.1).T)
