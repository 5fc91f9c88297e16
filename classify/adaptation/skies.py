"""What an adaptation does with each sky, in several processes: measurement, evidence and features."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError, failure_reason, path_text
from darkmatter_features.features.compilation import preparation
from darkmatter_features.features.extract import chunks, report, row_of_catalog
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import Evidence, lens_evidence
from darkmatter_features.lens.mixture import N_FOLDS
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

Workers = Callable[..., Iterator[Any]]
"""Function with the arguments of :func:`~darkmatter_features.workers.parallel`, but those that choose the workers."""

T = TypeVar("T")

MIN_SKIES = 50
"""Number of skies below which an adaptation is refused: the shapes of 7,000 galaxies are known well enough."""

MIN_PSF_CHANGE = 0.03
"""Relative change of the PSF above which the skies are measured again about it."""


@dataclass
class Steps:
    """Counter of the steps: a step is a sky that is measured or evaluated."""

    progress: Progress | None
    n_total: int
    n_done: int = 0

    def __call__(self, n: int = 1) -> None:
        """Count steps and report them."""
        self.n_done = min(self.n_done + n, self.n_total)
        report(self.progress, self.n_done, self.n_total)

    def finish(self) -> None:
        """Report that all is done: fewer skies are evaluated than files are named."""
        self(self.n_total)


def check_enough(catalogs: Sequence[GalaxyCatalog], failures: Sequence[tuple[str, str]]) -> None:
    """Raise SkyError if fewer skies than MIN_SKIES were measured."""
    if len(catalogs) < MIN_SKIES:
        reason = f"; the first of {len(failures)} failures: {failures[0][1]}" if failures else ""
        raise SkyError(
            f"measured {len(catalogs)} of the skies, an adaptation needs {MIN_SKIES} of one kind; name more{reason}"
        )


def measured(
    paths: Sequence[Path], config: MeasureConfig, workers: Workers, steps: Steps, debug: bool
) -> tuple[MeasureConfig, dict[str, GalaxyCatalog], tuple[tuple[str, str], ...]]:
    """Return the settings with the median PSF, the catalogues of images by their paths, and the failures."""
    catalogs, failures = _measured_with(paths, config, workers, steps, debug)
    widths = [catalog.image.psf_sigma for catalog in catalogs.values()]
    if not widths or abs(np.median(widths) - config.psf_sigma) <= MIN_PSF_CHANGE * config.psf_sigma:
        return config, catalogs, failures
    config = replace(config, psf_sigma=round(float(np.median(widths)), 4))
    return config, *_measured_with(paths, config, workers, steps, debug)


def _measured_with(
    paths: Sequence[Path], config: MeasureConfig, workers: Workers, steps: Steps, debug: bool
) -> tuple[dict[str, GalaxyCatalog], tuple[tuple[str, str], ...]]:
    catalogs: dict[str, GalaxyCatalog] = {}
    failures: list[tuple[str, str]] = []
    tasks = [(chunk, config, debug) for chunk in chunks(paths)]
    for found in workers(_measure_chunk, tasks, **preparation(paths)):
        for path, each in found:
            if isinstance(each, str):
                failures.append((path_text(Path(path)), each))
            else:
                catalogs[path] = each
        steps(len(found))
    return catalogs, tuple(failures)


def _measure_chunk(paths: Sequence[Path], config: MeasureConfig, debug: bool) -> list[tuple[str, GalaxyCatalog | str]]:
    return [(str(path), _catalog_or_reason(path, config, debug)) for path in paths]


def _catalog_or_reason(path: Path, config: MeasureConfig, debug: bool) -> GalaxyCatalog | str:
    try:
        return measure(read_sky(path), config)
    except Exception as error:
        return failure_reason(error, debug=debug)


def evidence(
    catalogs: Sequence[GalaxyCatalog], templates: Sequence[LensTemplate], workers: Workers, steps: Steps
) -> list[Evidence]:
    """Return the evidence of each catalogue with the template of its fold."""
    return _by_fold(_evidence_of, catalogs, templates, workers, steps)


def _evidence_of(compiled: CompiledTemplate, catalogs: Sequence[GalaxyCatalog]) -> list[Evidence]:
    return [lens_evidence(catalog, compiled) for catalog in catalogs]


def rows_of_skies(
    catalogs: Sequence[GalaxyCatalog],
    templates: Sequence[LensTemplate],
    config: MeasureConfig,
    workers: Workers,
    steps: Steps,
) -> Array:
    """Return the feature row of each catalogue with the template of its fold, (n, n_features)."""
    return np.array(_by_fold(partial(_rows_of, config), catalogs, templates, workers, steps))


def _rows_of(config: MeasureConfig, compiled: CompiledTemplate, catalogs: Sequence[GalaxyCatalog]) -> list[Array]:
    return [row_of_catalog(PreparedCatalog(catalog, compiled), config=config) for catalog in catalogs]


def _by_fold(
    function: Callable[[CompiledTemplate, Sequence[GalaxyCatalog]], list[T]],
    catalogs: Sequence[GalaxyCatalog],
    templates: Sequence[LensTemplate],
    workers: Workers,
    steps: Steps,
) -> list[T]:
    """Return what a function finds in each catalogue with the template of its fold."""
    found: list[list[T]] = []
    for fold, template in enumerate(templates):
        compiled, own = CompiledTemplate(template), []
        compiled.mean_counts(catalogs[0].shape)
        for each in workers(partial(function, compiled), [(group,) for group in _groups(catalogs[fold::N_FOLDS])]):
            own += each
            steps(len(each))
        found.append(own)
    return [found[i % N_FOLDS][i // N_FOLDS] for i in range(len(catalogs))]


def _groups(catalogs: Sequence[GalaxyCatalog], size: int = 16) -> list[Sequence[GalaxyCatalog]]:
    return [catalogs[start : start + size] for start in range(0, len(catalogs), size)]
