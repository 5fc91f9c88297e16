"""From an image to its feature row, and the rows of many images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import DarkmatterError, failure_reason
from darkmatter_features.features.compilation import preparation
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import Evidence, lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.workers import LOST, parallel, run_alone

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

CHUNK = 32
"""Skies of a task: enough to amortise its hand-over, few enough to show progress and to lose little when killed."""

SELECTED_TOGETHER = 8
"""Skies that a :class:`Selector` gets at once, with their images: the limit of what a worker holds in memory."""


@dataclass(frozen=True)
class MeasuredSky:
    """All that was derived from one image.

    Attributes
    ----------
    sky : Sky
        The image.
    galaxies : PreparedCatalog
        Its galaxies.
    evidence : Evidence
        Their evidence for a lens.
    values : (len(FEATURES),) float64 array
        The feature row.
    coordinates : (float, float), degrees
        RA and Dec of the best-fit position; nan without a WCS.
    """

    sky: Sky
    galaxies: PreparedCatalog
    evidence: Evidence
    values: Array
    coordinates: tuple[float, float]


class Selector(Protocol):
    """Derives, in the worker, what is to be kept of measured skies beside their rows."""

    def __call__(self, skies: Sequence[MeasuredSky]) -> Sequence[Any]:
        """Return an object, or None, for each sky."""


@dataclass(frozen=True)
class SkyRow:
    """Result for one image.

    Attributes
    ----------
    path : Path
        The image.
    values : (len(FEATURES),) float64 array or None
        Its feature row; None if it failed.
    shape : (int, int) or None
        Rows and columns of the image.
    ra, dec : float, degrees
        Best-fit position of a lens on the sky; nan without a WCS.
    error : str or None
        Reason of the failure.
    notes : tuple of str
        Choices that were made in reading the image, as in :class:`~darkmatter_features.io.sky.Sky`.
    kept : object or None
        What a :class:`Selector` returned for the sky.
    """

    path: Path
    values: Array | None
    shape: tuple[int, int] | None = None
    ra: float = np.nan
    dec: float = np.nan
    error: str | None = None
    notes: tuple[str, ...] = ()
    kept: Any = None


def extract_sky(
    sky: Sky, *, template: LensTemplate | CompiledTemplate | None = None, config: MeasureConfig | None = None
) -> Array:
    """Return the feature row (len(FEATURES),) of a sky.

    Parameters
    ----------
    sky : Sky
        The image.
    template : LensTemplate or CompiledTemplate, optional
        Model of the galaxies and of a lens; the default with the sky's own mean ellipticity when not given.
    config : MeasureConfig, optional
        Settings; the defaults when not given.

    Raises
    ------
    SkyError
        If nothing can be measured in it.
    """
    return row_of_catalog(measure(sky, config), template=template, config=config)


def row_of_catalog(
    galaxies: GalaxyCatalog | PreparedCatalog,
    *,
    template: LensTemplate | CompiledTemplate | None = None,
    config: MeasureConfig | None = None,
) -> Array:
    """Return the feature row (len(FEATURES),) of a catalogue."""
    return _row_and_evidence(prepare(galaxies, template), config)[0]


def _row_and_evidence(galaxies: PreparedCatalog, config: MeasureConfig | None) -> tuple[Array, Evidence]:
    evidence = lens_evidence(galaxies)
    return feature_row(galaxies, shear_maps(galaxies, config=config), evidence), evidence


def extract_rows(
    paths: Sequence[Path],
    *,
    template: LensTemplate | None = None,
    config: MeasureConfig | None = None,
    select: Selector | None = None,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Progress | None = None,
    debug: bool = False,
) -> list[SkyRow]:
    """Return a :class:`SkyRow` for each image, in their order; a bad one costs only its own row.

    Parameters
    ----------
    paths : sequence of Path
        Images.
    template : LensTemplate, optional
        Model of the galaxies and of a lens; the default with each sky's own mean ellipticity when not given.
    config : MeasureConfig, optional
        Settings; the defaults when not given.
    select : Selector, optional
        Derives what is kept of each sky beside its row.
    n_jobs : int
        Worker processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Called with (skies done, skies in all).
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.
    """
    rows: list[SkyRow] = []
    report(progress, 0, len(paths))
    parts = list(chunks(paths))
    compiled = _compiled(template, paths if len(parts) > 1 else [])
    tasks = [(chunk, compiled, config, select, debug) for chunk in parts]
    workers = partial(parallel, n_jobs=n_jobs, dask=dask)
    for chunk in workers(_rows_of_chunk, tasks, **preparation(paths), lost=_rows_one_by_one):
        rows += chunk
        report(progress, len(rows), len(paths))
    return rows


def _rows_one_by_one(task: tuple[Any, ...]) -> list[SkyRow]:
    """Return the rows of a chunk whose process was lost, each measured in a process of its own."""
    paths, *others = task
    return [
        row
        for path in paths
        for row in run_alone(_rows_of_chunk, ([path], *others), lost=lambda own: [SkyRow(own[0][0], None, error=LOST)])
    ]


def _compiled(template: LensTemplate | None, paths: Sequence[Path]) -> CompiledTemplate | None:
    """Return the template for all workers, with the mean counts for images of the first one's shape."""
    if template is None:
        return None
    compiled = CompiledTemplate(template)
    for path in paths[:1]:
        try:
            compiled.mean_counts(read_sky(path).shape)
        except DarkmatterError:
            break  # its own row will state the reason
    return compiled


def _rows_of_chunk(
    paths: Sequence[Path],
    template: CompiledTemplate | None,
    config: MeasureConfig | None,
    select: Selector | None,
    debug: bool,
) -> list[SkyRow]:
    n = SELECTED_TOGETHER if select is not None else 1
    groups = (paths[start : start + n] for start in range(0, len(paths), n))
    return [row for group in groups for row in _rows_of_group(group, template, config, select, debug)]


def _rows_of_group(
    paths: Sequence[Path],
    template: CompiledTemplate | None,
    config: MeasureConfig | None,
    select: Selector | None,
    debug: bool,
) -> list[SkyRow]:
    """Return the rows of images that are in memory together."""
    results = [_measured(path, template, config, debug) for path in paths]
    skies = [found for found in results if isinstance(found, MeasuredSky)]
    try:
        selected = [None] * len(skies) if select is None else select(skies)
        kept = dict(zip(map(id, skies), selected, strict=True))
    except Exception as error:
        reason = failure_reason(error, debug=debug)
        results = [reason if isinstance(found, MeasuredSky) else found for found in results]
    return [
        SkyRow(path, found.values, found.sky.shape, *found.coordinates, notes=found.sky.notes, kept=kept[id(found)])
        if isinstance(found, MeasuredSky)
        else SkyRow(path, None, error=found)
        for path, found in zip(paths, results, strict=True)
    ]


def _measured(
    path: Path, template: CompiledTemplate | None, config: MeasureConfig | None, debug: bool
) -> MeasuredSky | str:
    """Return what was derived from an image, or the reason of its failure."""
    try:
        sky = read_sky(path)
        galaxies = PreparedCatalog(measure(sky, config), template)
        values, evidence = _row_and_evidence(galaxies, config)
        return MeasuredSky(sky, galaxies, evidence, values, _sky_coordinates(sky, *values[:2]))
    except Exception as error:
        return failure_reason(error, debug=debug)


def _sky_coordinates(sky: Sky, row: float, column: float) -> tuple[float, float]:
    """Return RA and Dec, in degrees, of a pixel; nan without a WCS."""
    if sky.wcs is None:
        return np.nan, np.nan
    ra, dec = sky.wcs.all_pix2world(column, row, 0)
    return float(ra), float(dec)


def chunks(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Divide a sequence of files into the tasks of workers."""
    return (files[start : start + CHUNK] for start in range(0, len(files), CHUNK))


def report(progress: Progress | None, n_done: int, n_total: int) -> None:
    """Report progress, if there is a callback."""
    if progress is not None:
        progress(n_done, n_total)
