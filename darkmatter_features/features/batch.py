"""The tables of a data set: made in parallel, resumable, and the same at any number of workers."""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import DatasetError, TableError
from darkmatter_features.features.compilation import preparation
from darkmatter_features.features.cross_fitting import Templates, Workers, catalogs_of, read_catalogs
from darkmatter_features.features.extract import Progress, report, row_of_catalog
from darkmatter_features.features.measured_parts import images_key, is_unforeseen, measured_parts
from darkmatter_features.features.tables import Mapped, feature_table
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.lock import held
from darkmatter_features.io.table import check_made, read_table, write_table, written_whole
from darkmatter_features.lens.lensed_galaxies import LabelledSkies
from darkmatter_features.processes import ALL_CORES
from darkmatter_features.workers import parallel


@dataclass(frozen=True)
class Extraction:
    """Outcome of the extraction of a data set.

    Attributes
    ----------
    n_skies : int
        Skies with a feature row.
    failures : tuple of (str, str)
        Name and reason of each sky without one.
    notes : tuple of (str, str)
        Skies with choices that were made in reading their images, and these choices.
    """

    n_skies: int
    failures: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...] = ()


def extract_dataset(
    data: str | Path,
    out: str | Path,
    *,
    config: MeasureConfig | None = None,
    n_jobs: int = ALL_CORES,
    dask: str | None = None,
    progress: Progress | None = None,
    fit_progress: Progress | None = None,
    map_progress: Progress | None = None,
    debug: bool = False,
) -> Extraction:
    """Measure every sky of a data set, fit the templates, and write the tables.

    Parameters
    ----------
    data : str or Path
        Folder or URL of a data set, in any layout of :meth:`Dataset.open`.
    out : str or Path
        Folder for ``catalogs.parquet`` (a row a galaxy), ``features.parquet`` (a row a sky), ``template.json``,
        ``template-folds/`` and ``failures.csv``. An extraction that was killed is resumed; tables made from the same
        images with the same settings are kept.
    config : MeasureConfig, optional
        Settings; the defaults when not given.
    n_jobs : int
        Worker processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Called with (skies done, skies in all) while skies are measured.
    fit_progress, map_progress : callables, optional
        Called with (steps done, steps in all) while templates are fitted; with (parts done, parts in all) while skies
        are mapped.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Raises
    ------
    DatasetError
        If the folder holds no data set, or no sky of it can be measured.
    ConfigError
        If another process writes to `out`.
    """
    dataset, out, config = Dataset.open(data), Path(out), config or MeasureConfig()
    workers = partial(parallel, n_jobs=n_jobs, dask=dask)
    with held(out):
        return _extract(dataset, out, config, workers, (progress, fit_progress, map_progress), debug=debug)


def _extract(
    dataset: Dataset,
    out: Path,
    config: MeasureConfig,
    workers: Workers,
    reports: tuple[Progress | None, Progress | None, Progress | None],
    *,
    debug: bool,
) -> Extraction:
    progress, fit_progress, map_progress = reports
    files = [file for split in dataset.splits for file in split.files]
    key = tables_key(dataset, config)
    done = _already_there(out, key)
    if done is not None and not (debug and any(map(is_unforeseen, done.failures))):
        return done
    measuring = partial(workers, **preparation(files))
    parts = measured_parts(files, out / ".parts", config, measuring, progress, debug)
    check_made(out / ".parts")
    records = [read_table(part, kind="part")[1] for part in parts]
    failures = tuple((sky, error) for record in records for sky, error in record["failures"])
    notes = tuple((sky, note) for record in records for sky, note in record["notes"])
    if len(failures) == len(files):
        (out / "features.parquet").unlink(missing_ok=True)
        _write_failures(out / "failures.csv", failures)
        shutil.rmtree(out / ".parts")
        raise DatasetError(f"{dataset.root}: none of {len(files)} skies can be measured; the first: {failures[0][1]}")
    catalogs = pd.concat([read_table(part, kind="part")[0] for part in parts], ignore_index=True)
    galaxies = _of_training(dataset, catalogs)
    skies = _template_skies(dataset, galaxies)
    templates = Templates.fit(skies, galaxies, parts, out / ".parts", workers, fit_progress)
    rows = map_parts(parts, templates, config, workers, map_progress)
    _write_tables(out, dataset, catalogs, rows, templates, failures, notes, config, key)
    shutil.rmtree(out / ".parts", ignore_errors=True)
    return Extraction(len(rows), failures, notes)


def _write_tables(
    out: Path,
    dataset: Dataset,
    catalogs: pd.DataFrame,
    rows: dict[str, Mapped],
    templates: Templates,
    failures: Iterable[tuple[str, str]],
    notes: Iterable[tuple[str, str]],
    config: MeasureConfig,
    key: str,
) -> None:
    """Write the tables and templates. The features are removed first and written last: they vouch for the others."""
    check_made(out)
    (out / "features.parquet").unlink(missing_ok=True)
    _write_failures(out / "failures.csv", failures)
    provenance: dict[str, Any] = {
        "config": config.to_dict(),
        "config_fingerprint": config.fingerprint(),
        "version": __version__,
    }
    write_table(out / "catalogs.parquet", catalogs, kind="catalogs", metadata=provenance)
    templates.write(out)
    provenance |= {
        "dataset": str(dataset.root.resolve()),
        "template_fingerprint": templates.files[0][1],
        "fold_fingerprints": [fingerprint for _, fingerprint in templates.files[1:]],
        "key": key,
        "notes": list(notes),
    }
    write_table(out / "features.parquet", feature_table(dataset, rows), kind="features", metadata=provenance)


def tables_key(dataset: Dataset, config: MeasureConfig, *, root: str | None = None) -> str:
    """Return a key of the tables that are made from a data set.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    config : MeasureConfig
        Settings of the measurement.
    root : str, optional
        Its folder when the tables were made; the present one when not given.

    Returns
    -------
    str
        16 hexadecimal digits: another path, image (name, size, time), label, lens, setting or version has another key.
    """
    known = [
        (None if split.labels is None else split.labels.tolist(), split.lens_rows.tolist(), split.lens_columns.tolist())
        for split in dataset.splits
    ]
    files = [file for split in dataset.splits for file in split.files]
    text = json.dumps([root or str(dataset.root.resolve()), images_key(files, config), known])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _already_there(out: Path, key: str) -> Extraction | None:
    """Return the outcome of an earlier extraction of the same data and settings, if all its files are there."""
    try:
        table, metadata = read_table(out / "features.parquet", kind="features")
        read_catalogs(out / "catalogs.parquet")
        templates = Templates.read(out)
        with (out / "failures.csv").open(newline="", encoding="utf-8") as lines:
            failures = tuple((line["sky"], line["error"]) for line in csv.DictReader(lines))
    except (TableError, OSError, KeyError):
        return None
    found = [metadata.get("template_fingerprint"), *metadata.get("fold_fingerprints", ())]
    is_same = metadata.get("key") == key and found == [fingerprint for _, fingerprint in templates.files]
    notes = tuple((sky, note) for sky, note in metadata.get("notes", ()))
    return Extraction(len(table), failures, notes) if is_same else None


def _of_training(dataset: Dataset, catalogs: pd.DataFrame) -> pd.DataFrame:
    """Return the galaxies of the training split, or of the first split where there is none."""
    split = dataset.training or dataset.splits[0]
    return catalogs[catalogs["sky"].isin([dataset.relative(file) for file in split.files])]


def _template_skies(dataset: Dataset, galaxies: pd.DataFrame) -> LabelledSkies:
    """Return the skies that the templates are fitted to."""
    split = dataset.training or dataset.splits[0]
    index_of = {dataset.relative(file): k for k, file in enumerate(split.files)}
    measured = list(catalogs_of(galaxies))
    index = np.array([index_of[catalog.name] for catalog in measured], dtype=np.int64)
    labels = np.full(len(split), np.nan) if split.labels is None else split.labels.astype(np.float64)
    lenses = [split.lens_position(k, catalog.shape) for k, catalog in zip(index, measured, strict=True)]
    rows, columns = np.array(lenses, dtype=np.float64).reshape(-1, 2).T
    return LabelledSkies(measured, labels[index], rows, columns)


def map_parts(
    parts: Sequence[Path],
    templates: Templates,
    config: MeasureConfig,
    workers: Workers,
    progress: Progress | None = None,
) -> dict[str, Mapped]:
    """Return the image's shape and the feature row of every sky, by name; report parts done and in all."""
    rows: dict[str, Mapped] = {}
    report(progress, 0, len(parts))
    for done, mapped in enumerate(workers(_map_part, [(part, templates, config) for part in parts]), start=1):
        rows |= mapped
        report(progress, done, len(parts))
    return rows


def _map_part(part: Path, templates: Templates, config: MeasureConfig) -> dict[str, Mapped]:
    rows: dict[str, Mapped] = {}
    for catalog in catalogs_of(read_table(part, kind="part")[0]):
        row = row_of_catalog(catalog, template=templates.of(catalog.name), config=config)
        rows[catalog.name] = catalog.shape, row
    return rows


def _write_failures(path: Path, failures: Iterable[tuple[str, str]]) -> None:
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([("sky", "error"), *failures])
