"""Cross-fitted templates: each training sky is mapped with a template that was fitted to other skies."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.features.extract import Progress, report
from darkmatter_features.galaxies.shapes import CATALOG_COLUMNS, IMAGE_COLUMNS, GalaxyCatalog, ImageProperties
from darkmatter_features.io.table import check_made, read_table, write_table, written_whole
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.fit import N_ROUNDS, best_fit_positions, fit_known, fit_located, needs_positions
from darkmatter_features.lens.lensed_galaxies import LabelledSkies
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]
Workers = Callable[..., Iterator[Any]]
TemplateFile = tuple[Path, str]
"""Path and fingerprint of a template: a small thing to hand to workers."""

N_FOLDS = 4
"""Folds of the training split."""

FULL, FOLDS = "template.json", "template-folds"
"""In a features folder: the template of all training skies, and the folder of those of the folds."""


def read_catalogs(path: str | Path) -> pd.DataFrame:
    """Read the galaxies of a ``catalogs.parquet``, for :func:`catalogs_of`.

    Raises
    ------
    TableError
        If the file is missing or damaged, or lacks a column that this version needs.
    """
    columns = ["sky", "n_rows", "n_columns", *IMAGE_COLUMNS, *CATALOG_COLUMNS]
    return read_table(path, kind="catalogs", columns=columns, texts=["sky"])[0]


def catalogs_of(frame: pd.DataFrame) -> Iterator[GalaxyCatalog]:
    """Yield the catalogues of a table of galaxies, sky by sky, in its order."""
    sky, names = pd.factorize(frame["sky"])
    order = np.argsort(sky, kind="stable")
    edges = np.searchsorted(sky[order], np.arange(len(names) + 1))
    columns = {column: frame[column].to_numpy() for column in frame.columns.drop("sky")}
    for name, (first, last) in zip(names, pairwise(edges), strict=True):
        own = {column: values[order[first:last]] for column, values in columns.items()}
        shape = int(own.pop("n_rows")[0]), int(own.pop("n_columns")[0])
        psf_sigma, noise, n_bands = (own.pop(column)[0] for column in IMAGE_COLUMNS)
        image = ImageProperties(float(psf_sigma), float(noise), int(n_bands))
        yield GalaxyCatalog(str(name), shape, **own, image=image)


@dataclass(frozen=True)
class Templates:
    """The template of all training skies, and one for each fold, fitted to the skies outside the fold.

    A template would flatter the very skies that it was fitted to. So the training split is divided into folds, and each
    sky is mapped with a template that was fitted to the other folds. The templates are files: small things to hand to
    workers, each of which reads and compiles a template once.

    Attributes
    ----------
    files : tuple of (Path, str)
        Path and fingerprint of each: of all training skies, then of the folds.
    fold_of : dict of str to int
        Fold of each training sky, by name, from 1.
    """

    files: tuple[TemplateFile, ...]
    fold_of: dict[str, int]

    @classmethod
    def fit(
        cls,
        skies: LabelledSkies,
        galaxies: pd.DataFrame,
        parts: Sequence[Path],
        folder: Path,
        workers: Workers,
        progress: Progress | None = None,
    ) -> "Templates":
        """Fit the templates, and write them to a folder.

        Parameters
        ----------
        skies : LabelledSkies
            The training split.
        galaxies : DataFrame
            Table of their catalogues, which workers read from disk.
        parts : sequence of Path
            The same catalogues in tables of some skies each, among others: lenses are located part by part.
        folder : Path
            Folder for the files.
        workers : callable
            Runs a function over tasks; yields the results in their order.
        progress : callable, optional
            Called with (steps done, steps in all).
        """
        fold = np.arange(len(skies.catalogs)) % N_FOLDS
        chosen = [np.ones(fold.size, dtype=np.bool_), *(fold != k for k in range(N_FOLDS))]
        fits = _Fits(skies, chosen, folder / "training.parquet", parts, folder, workers, progress)
        write_table(fits.table, galaxies, kind="part", metadata={"failures": []})
        files = _write(fits.templates(), folder)
        return cls(files, {catalog.name: 1 + int(k) for catalog, k in zip(skies.catalogs, fold, strict=True)})

    @classmethod
    def read(cls, folder: str | Path) -> "Templates":
        """Read the templates of a features folder.

        Raises
        ------
        TableError
            If a file is missing or damaged, or of another run.
        """
        folder = Path(folder)
        index = folder / FOLDS / "index.json"
        try:
            known = json.loads(index.read_text(encoding="utf-8"))
            files = tuple(zip(_paths(folder), map(str, known["fingerprints"]), strict=True))
            templates = cls(files, {str(name): int(k) for name, k in known["fold_of"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TableError(f"{index}: no index of the folds' templates ({error}); {_AGAIN}") from error
        for path, fingerprint in templates.files:
            if LensTemplate.read(path).fingerprint() != fingerprint:
                raise TableError(f"{path}: not the template that {index} names; {_AGAIN}")
        return templates

    def write(self, folder: Path) -> None:
        """Write copies of the templates, and their index, to a features folder."""
        for (source, _), path in zip(self.files, _paths(folder), strict=True):
            with written_whole(path) as temporary:
                temporary.write_bytes(source.read_bytes())
        index = {"fingerprints": [fingerprint for _, fingerprint in self.files], "fold_of": self.fold_of}
        with written_whole(folder / FOLDS / "index.json") as temporary:
            temporary.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")

    @property
    def full(self) -> CompiledTemplate:
        """The template of all training skies."""
        return _compiled_once(*self.files[0])

    def of(self, sky: str) -> CompiledTemplate:
        """Return the template for a sky: that of its fold, or that of all training skies if it is none of them."""
        return _compiled_once(*self.files[self.fold_of.get(sky, 0)])


_AGAIN = "run `darkmatter features` again"


def _paths(folder: Path) -> list[Path]:
    return [folder / FULL, *(folder / FOLDS / f"fold-{k}.json" for k in range(1, N_FOLDS + 1))]


def _write(templates: Iterable[LensTemplate], folder: Path) -> tuple[TemplateFile, ...]:
    files = []
    for k, template in enumerate(templates):
        path = folder / f"template-{k}.json"
        template.write(path)
        files.append((path, template.fingerprint()))
    return tuple(files)


@lru_cache(maxsize=2 * (N_FOLDS + 1))
def _compiled_once(path: Path, fingerprint: str) -> CompiledTemplate:
    """Read and compile a template, once in each process. The fingerprint separates the files of different runs."""
    template = LensTemplate.read(path)
    if template.fingerprint() != fingerprint:
        raise TableError(f"{path}: changed while it was used, {template.fingerprint()} for {fingerprint}; {_AGAIN}")
    return CompiledTemplate(template)


@dataclass(frozen=True)
class _Fits:
    """The fits of several templates side by side, by workers, each to a selection of the same skies."""

    skies: LabelledSkies
    chosen: Sequence[NDArray[np.bool_]]
    table: Path
    parts: Sequence[Path]
    folder: Path
    workers: Workers
    progress: Progress | None

    def templates(self) -> list[LensTemplate]:
        """Fit what is known; where lenses must be located, do so and fit about them, in rounds."""
        waiting = [k for k, own in enumerate(self.chosen) if needs_positions(self.skies.chosen(own))]
        n_fits, n_parts = len(self.chosen), len(self.parts)
        total = n_fits + (N_ROUNDS * (n_parts + len(waiting)) if waiting else 0)
        report(self.progress, 0, total)
        steps = iter(range(1, total + 1))
        fitted = []
        for template in self.workers(_fit_known, [(*self._known, own) for own in self.chosen]):
            fitted.append(template)
            report(self.progress, next(steps), total)
        for k_round in range(N_ROUNDS if waiting else 0):
            folder = self.folder / f"located-{k_round}"
            positions: dict[int, dict[str, tuple[float, float]]] = {k: {} for k in waiting}
            for found in self.workers(_locate_part, self._locating(fitted, waiting, folder)):
                for k, own in zip(waiting, found, strict=True):
                    positions[k] |= own
                report(self.progress, next(steps), total)
            tasks = [(*self._known, self.chosen[k], fitted[k], positions[k]) for k in waiting]
            for k, template in zip(waiting, self.workers(_fit_about, tasks), strict=True):
                fitted[k] = template
                report(self.progress, next(steps), total)
        return fitted

    @property
    def _known(self) -> tuple[Path, Array, Array, Array]:
        return self.table, self.skies.labels, self.skies.lens_rows, self.skies.lens_columns

    def _locating(
        self, fitted: Sequence[LensTemplate], waiting: Sequence[int], folder: Path
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the tasks of a round, its templates in a folder: in each part, the lenses of every fit."""
        check_made(folder.parent)
        folder.mkdir(exist_ok=True)
        files = _write([fitted[k] for k in waiting], folder)
        lensed = [{catalog.name for catalog in self.skies.chosen(self.chosen[k]).lensed.catalogs} for k in waiting]
        return ((part, list(zip(files, lensed, strict=True))) for part in self.parts)


def _read_skies(table: Path, labels: Array, lens_rows: Array, lens_columns: Array) -> LabelledSkies:
    return LabelledSkies(list(catalogs_of(read_table(table, kind="part")[0])), labels, lens_rows, lens_columns)


def _fit_known(table: Path, labels: Array, rows: Array, columns: Array, own: NDArray[np.bool_]) -> LensTemplate:
    return fit_known(_read_skies(table, labels, rows, columns).chosen(own))


def _locate_part(part: Path, fits: Sequence[tuple[TemplateFile, set[str]]]) -> list[dict[str, tuple[float, float]]]:
    """Return the best-fit positions of the lenses of a part, by name, with the template of each fit."""
    catalogs = list(catalogs_of(read_table(part, kind="part")[0]))
    found = []
    for file, lensed in fits:
        own = [catalog for catalog in catalogs if catalog.name in lensed]
        positions = best_fit_positions(own, _compiled_once(*file)) if own else []
        found.append({catalog.name: position for catalog, position in zip(own, positions, strict=True)})
    return found


def _fit_about(
    table: Path,
    labels: Array,
    rows: Array,
    columns: Array,
    own: NDArray[np.bool_],
    template: LensTemplate,
    positions: dict[str, tuple[float, float]],
) -> LensTemplate:
    lensed = _read_skies(table, labels, rows, columns).chosen(own).lensed
    return fit_located(template, lensed, [positions[catalog.name] for catalog in lensed.catalogs])
