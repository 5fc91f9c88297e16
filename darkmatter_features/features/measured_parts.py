"""The galaxies of a data set, measured in parts: each is a table, kept for a run that is killed."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import UNFORESEEN, failure_reason
from darkmatter_features.features.cross_fitting import Workers
from darkmatter_features.features.extract import Progress, chunks, report
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.features.tables import catalog_table
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import CATALOG_COLUMNS
from darkmatter_features.io.layouts import sky_name
from darkmatter_features.io.sky import read_sky
from darkmatter_features.io.table import check_made, read_table, write_table
from darkmatter_features.workers import LOST, run_alone


def measured_parts(
    files: Sequence[Path],
    folder: Path,
    config: MeasureConfig,
    workers: Workers,
    progress: Progress | None,
    debug: bool,
) -> list[Path]:
    """Measure the skies in chunks, each into a table of its own; those of an earlier run are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [(chunk, folder / f"{images_key(chunk, config)}.parquet") for chunk in chunks(files)]
    missing = [(chunk, part) for chunk, part in parts if not part.exists() or _has_unforeseen(part)]
    n_done = len(files) - sum(len(chunk) for chunk, _ in missing)
    report(progress, n_done, len(files))
    tasks = [(chunk, part, config, debug) for chunk, part in missing]
    for n_measured in workers(_measure_part, tasks, lost=_measure_one_by_one):
        n_done += n_measured
        report(progress, n_done, len(files))
    return [part for _, part in parts]


def is_unforeseen(failure: Sequence[str]) -> bool:
    """Return whether a failure (sky, reason) may be an error of the program or of the machine: it is tried again."""
    return failure[1].startswith(UNFORESEEN)


def _has_unforeseen(part: Path) -> bool:
    return any(map(is_unforeseen, read_table(part, kind="part")[1]["failures"]))


def images_key(files: Iterable[Path], config: MeasureConfig) -> str:
    """Return a key of these images and settings: it changes when an image does."""
    stats = [(sky_name(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    columns = [*CATALOG_COLUMNS, *(feature.name for feature in FEATURES)]
    text = json.dumps([__version__, config.fingerprint(), columns, stats])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _measure_part(files: Sequence[Path], part: Path, config: MeasureConfig, debug: bool) -> int:
    check_made(part.parent)
    catalogs, failures, notes = {}, [], []
    for file in files:
        name = sky_name(file)
        try:
            sky = read_sky(file)
            catalogs[name] = measure(sky, config)
            notes += [(name, "; ".join(sky.notes))] if sky.notes else []
        except Exception as error:
            failures.append((name, failure_reason(error, debug=debug)))
    check_made(part.parent)
    write_table(part, catalog_table(catalogs), kind="part", metadata={"failures": failures, "notes": notes})
    return len(files)


def _measure_one_by_one(task: tuple[Any, ...]) -> int:
    """Measure the images of a part whose process was lost, each in a process of its own."""
    files, part, config, debug = task
    own = [part.with_name(f"{part.stem}-{k}{part.suffix}") for k in range(len(files))]
    for file, path in zip(files, own, strict=True):
        run_alone(_measure_part, ([file], path, config, debug), lost=_write_lost)
    tables, records = zip(*(read_table(path, kind="part") for path in own), strict=True)
    metadata = {key: [each for record in records for each in record[key]] for key in ("failures", "notes")}
    write_table(part, pd.concat(tables, ignore_index=True), kind="part", metadata=metadata)
    for path in own:
        path.unlink()
    return len(files)


def _write_lost(task: tuple[Any, ...]) -> int:
    """Write the part of an image whose process was lost."""
    (file,), part, *_ = task
    failures = [(sky_name(file), f"{UNFORESEEN} {LOST}")]
    write_table(part, catalog_table({}), kind="part", metadata={"failures": failures, "notes": []})
    return 1
