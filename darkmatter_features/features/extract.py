"""From a picture to its feature row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import failure_reason
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.workers import parallel

Progress = Callable[[int, int], None]

# Skies a task: enough to hide the cost of handing one out, few enough to show progress and to lose little when killed.
CHUNK = 32


@dataclass(frozen=True)
class SkyRow:
    """What became of one sky.

    Attributes
    ----------
    path : Path
        The picture.
    values : (len(FEATURES),) float64 array or None
        Its feature row; None if it failed.
    shape : (int, int) or None
        Rows and columns of the picture.
    ra, dec : float, degrees
        The peak on the sky; nan without a WCS.
    error : str or None
        Why it failed.
    """

    path: Path
    values: NDArray[np.float64] | None
    shape: tuple[int, int] | None = None
    ra: float = np.nan
    dec: float = np.nan
    error: str | None = None


def extract_sky(
    sky: Sky, *, template: LensTemplate | None = None, config: MeasureConfig | None = None
) -> NDArray[np.float64]:
    """Return the feature row (len(FEATURES),) of a sky: measure, map, summarise.

    Raises
    ------
    SkyError
        If nothing can be measured in it.
    """
    return row_of_catalog(measure(sky, config), template=template, config=config)


def row_of_catalog(
    catalog: GalaxyCatalog, *, template: LensTemplate | None = None, config: MeasureConfig | None = None
) -> NDArray[np.float64]:
    """Return the feature row (len(FEATURES),) of a catalogue: map, weigh, summarise."""
    maps, evidence = shear_maps(catalog, template, config), lens_evidence(catalog, template)
    return feature_row(catalog, maps, evidence, template)


def extract_rows(
    paths: Sequence[Path],
    *,
    template: LensTemplate | None = None,
    config: MeasureConfig | None = None,
    n_jobs: int = -1,
    progress: Progress | None = None,
    debug: bool = False,
) -> list[SkyRow]:
    """Return a :class:`SkyRow` for each picture, in their order; a bad one costs its own row only.

    Parameters
    ----------
    paths : sequence of Path
        Pictures.
    template, config : optional
        What to map and measure with.
    n_jobs : int
        Worker processes; -1 for one a core.
    progress : callable, optional
        Called with (skies done, skies in all).
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.
    """
    rows: list[SkyRow] = []
    report(progress, 0, len(paths))
    tasks = [(chunk, template, config, debug) for chunk in chunks(paths)]
    for chunk in parallel(_rows_of_chunk, tasks, n_jobs=n_jobs if len(tasks) > 1 else 1):
        rows += chunk
        report(progress, len(rows), len(paths))
    return rows


def _rows_of_chunk(
    paths: Sequence[Path], template: LensTemplate | None, config: MeasureConfig | None, debug: bool
) -> list[SkyRow]:
    return [_row_of_file(path, template, config, debug) for path in paths]


def _row_of_file(path: Path, template: LensTemplate | None, config: MeasureConfig | None, debug: bool) -> SkyRow:
    try:
        sky = read_sky(path)
        values = extract_sky(sky, template=template, config=config)
        return SkyRow(path, values, sky.shape, *_sky_coordinates(sky, *values[:2]))
    except Exception as error:
        return SkyRow(path, None, error=failure_reason(error, debug=debug))


def _sky_coordinates(sky: Sky, row: float, column: float) -> tuple[float, float]:
    """Return RA and Dec, in degrees, of a pixel; nan without a WCS."""
    if sky.wcs is None:
        return np.nan, np.nan
    ra, dec = sky.wcs.all_pix2world(column, row, 0)
    return float(ra), float(dec)


def chunks(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Cut a sequence of files into the tasks of workers."""
    return (files[start : start + CHUNK] for start in range(0, len(files), CHUNK))


def report(progress: Progress | None, n_done: int, n_skies: int) -> None:
    """Tell how many skies are done, if anybody wants to know."""
    if progress is not None:
        progress(n_done, n_skies)
