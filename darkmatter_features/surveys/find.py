"""Candidate lenses of a survey, searched in patches."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from darkmatter_features.features.extract import report
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.surveys.conventions import MapMoments, convention_line
from darkmatter_features.surveys.distribute import REDSHIFT, Survey, distribute
from darkmatter_features.surveys.mass_completeness import halo_grid
from darkmatter_features.surveys.patch_search import PatchResult, PatchTask, randomize_patch, search_patch
from darkmatter_features.surveys.peaks import NULL_FLOOR, Randomized
from darkmatter_features.surveys.profiles import usable_scales
from darkmatter_features.surveys.purity import NullPeaks
from darkmatter_features.surveys.result import SurveyCandidates, assembled
from darkmatter_features.surveys.rows import open_survey
from darkmatter_features.surveys.settings import UNITS, SurveySearch
from darkmatter_features.surveys.structure import structure_factor
from darkmatter_features.workers import parallel

N_BLOCKS = 4
"""Number of parts of the randomized skies of a patch, which are separate tasks."""


def find_survey_candidates(
    path: str | Path,
    search: SurveySearch | None = None,
    *,
    columns: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
) -> SurveyCandidates:
    """Find all lenses of a survey.

    Parameters
    ----------
    path : str or Path
        Table of galaxies, of any length if it is a Parquet, FITS or HDF5 file that is not packed.
    search : SurveySearch, optional
        Settings.
    columns : mapping, optional
        Options of :func:`~darkmatter_features.io.catalogs.read_catalog`: names of columns, table and conventions.
    folder : str or Path, optional
        Folder for a temporary folder with the galaxies of each patch, 40 bytes each; that of the system by default.
        The workers of Dask must see it.
    n_jobs : int
        Number of processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Function of the number of tasks done and of all tasks.
    reading : callable, optional
        The same for rows, before the tasks, see :func:`~darkmatter_features.surveys.distribute.distribute`.

    Returns
    -------
    SurveyCandidates

    Raises
    ------
    TableError
        If the table cannot be read, or has too few galaxies.
    ConfigError
        If a setting is out of its range.

    Notes
    -----
    Patches of 3 degrees with a margin are searched in their tangent planes, in a frame that turns and moves with the
    galaxies. Peaks of the maps of S/N are halos, the highest first, each without the shear of those before. Each is
    then located in the galaxies about it without the shear of the others. The result does not depend on the number of
    processes.
    """
    search = search or SurveySearch()
    halos = None if search.n_of_z is None else halo_grid(search.n_of_z)
    table = open_survey(
        Path(path),
        CatalogOptions(**dict(columns or {})),
        selection=search.selection,
        factors=search.calibration.columns | ({} if search.redshift is None else {REDSHIFT: search.redshift}),
    )
    with tempfile.TemporaryDirectory(prefix="darkmatter-", dir=folder) as temporary:
        survey = distribute(
            table,
            Path(temporary),
            calibration=search.calibration,
            subtract_mean=search.subtract_mean,
            unit=UNITS[search.unit],
            progress=reading,
        )
        scales = usable_scales(search.scales, survey.density)
        task = PatchTask(
            frame=survey.frame,
            scales=scales,
            lens_redshifts=search.lens_redshifts if search.redshift is not None else (),
            threshold=search.search_threshold,
            minimum_snr=search.minimum_snr,
            null_floor=min(NULL_FLOOR, search.search_threshold),
            seed=search.seed,
            plant=search.completeness,
            halos=halos,
            aperture_mass=search.aperture_mass,
        )
        results, randomized = _run(
            survey, task, search.n_randomizations, partial(parallel, n_jobs=n_jobs, dask=dask), progress
        )
    null = NullPeaks(np.sort(randomized.peaks)[::-1], len(randomized.cubes), task.null_floor)
    structure = structure_factor(np.sum([each.squares for each in results], axis=0), randomized.squares)
    real = MapMoments(*(np.sum(each, axis=0) for each in zip(*(each.moments for each in results))))
    line = convention_line(real, MapMoments(randomized.squares.sum(axis=1), randomized.cubes), table.options)
    return assembled(survey, search, scales, results, null, structure, () if line is None else (line,))


def _run(
    survey: Survey,
    task: PatchTask,
    n_randomizations: int,
    workers: Callable[..., Iterator[Any]],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[PatchResult], Randomized]:
    """Return the results of all patches, and the randomized skies of all patches together."""
    n_pairs = -(-n_randomizations // 2)
    ends = np.unique(np.linspace(0, n_pairs, N_BLOCKS + 1).astype(int)).tolist()
    tasks: list[tuple[Any, ...]] = [(search_patch, files, task) for files in survey.patches]
    tasks += [(randomize_patch, files, task, *block) for files in survey.patches for block in pairwise(ends)]
    report(progress, 0, len(tasks))
    results: list[PatchResult] = []
    skies: dict[int, Randomized] = {}
    for k, done in enumerate(workers(_call, tasks), start=1):
        if isinstance(done, PatchResult):
            results.append(done)
        else:
            block, more = done
            skies[block] = skies[block].with_patch(more) if block in skies else more
        report(progress, k, len(tasks))
    blocks = [skies[block] for block in sorted(skies)]
    if not blocks:
        return results, Randomized(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros((0, 1)), np.zeros(0))
    return results, Randomized(*(np.concatenate(each) for each in zip(*blocks)))


def _call(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)
