"""Locate the lenses of many shape catalogues: one table, and an image of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkmatter_features.errors import TableError, failure_reason, path_text
from darkmatter_features.features.extract import report
from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.io.copies import fetch_places
from darkmatter_features.io.parts import split_part
from darkmatter_features.io.places import is_pattern, matching_parts
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.table import check_made, make_folder, written_whole
from darkmatter_features.io.url_places import TABLES
from darkmatter_features.location.conventions import convention_note
from darkmatter_features.location.locate import Location, locate
from darkmatter_features.numerics.significance import check_n_randomizations
from darkmatter_features.processes import n_workers
from darkmatter_features.urls import name_of
from darkmatter_features.workers import LOST, parallel

COLUMNS = (
    "catalog", "n", "x", "y", "snr", "snr_cross", "p_value", "log_bayes_factor", "position_error", "mean_snr",
    "bayes_factor_excess",
)  # fmt: skip
"""First columns of the table."""

LAST_COLUMNS = ("n_dropped", "error", "note")
"""Last columns of the table; ``ra, dec`` precede them where any catalogue has positions on the sky."""

PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
"""Suffixes that are no part of the name of a figure."""

FORMATS = dict.fromkeys(("snr", "snr_cross", "log_bayes_factor", "mean_snr", "bayes_factor_excess"), ".4f")
FORMATS |= dict.fromkeys(("x", "y", "position_error", "p_value"), ".7g") | dict.fromkeys(("ra", "dec"), ".7f")
"""Formats of numbers in the CSV table: x and y have the catalogue's own unit and keep 7 significant digits."""


@dataclass(frozen=True)
class Locations:
    """Lenses of several catalogues.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per catalogue: fields of :class:`~darkmatter_features.location.locate.Location`, and ``ra, dec`` in
        degrees when any catalogue has them. A failed catalogue has its name and its ``error``.
    failures : tuple of (str, str)
        Name and reason of each failed catalogue.
    notes : tuple of str
        How each catalogue was read, in one line for each row of the table; "" for a failed one.
    warnings : tuple of str
        Convention of the shapes that fits far better, with its options, for each row; "" where there is none.
    """

    table: pd.DataFrame
    failures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def locate_catalogs(
    catalogs: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    columns: Mapping[str, Any] | None = None,
    subtract_mean: bool = False,
    n_randomizations: int = 200,
    seed: int = 1,
    pictures: str | Path | None = None,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> Locations:
    """Find the lens of each catalogue.

    Parameters
    ----------
    catalogs : sequence of str or Path
        Files, glob patterns, or URLs of these, with a part in brackets behind them or not, as ``shapes.fits[CAT,2]``.
    out : str or Path, optional
        CSV file for the table.
    columns : mapping, optional
        Options of :func:`~darkmatter_features.io.catalogs.read_catalog`: names of columns, table and conventions.
    subtract_mean : bool
        Subtract the mean ellipticity of each catalogue.
    n_randomizations : int
        Number of randomized skies for the p-value and the excess of the Bayes factor; 0 for neither.
    seed : int
        Seed of the randomization; each catalogue has its own stream.
    pictures : str or Path, optional
        Folder for a figure of each catalogue.
    n_jobs : int
        Number of processes; -1 for one per core. Fewer catalogues are located with as many threads.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Function of the number of catalogues done and of all catalogues.
    debug : bool
        Raise an unforeseen error of a catalogue instead of recording it as the reason of its failure.

    Returns
    -------
    Locations
        In the order of the catalogues.

    Raises
    ------
    ConfigError
        If `n_randomizations` is negative.
    TableError
        If a pattern matches no file.
    """
    check_n_randomizations(n_randomizations, least=0)
    paths = find_catalogs(catalogs)
    seeds = np.random.SeedSequence(seed).spawn(len(paths))
    n_threads = max(n_workers(n_jobs) // len(paths), 1) if paths and dask is None else 1
    options = {"subtract_mean": subtract_mean, "n_randomizations": n_randomizations, "n_threads": n_threads}
    drawings = [None] * len(paths) if pictures is None else figure_paths(paths, Path(pictures))
    tasks = [
        (path, dict(columns or {}), options, own, drawing, debug) for path, own, drawing in zip(paths, seeds, drawings)
    ]
    if pictures is not None:
        make_folder(pictures)
    report(progress, 0, len(tasks))
    records = []
    for record in parallel(_record_or_reason, tasks, n_jobs=n_jobs, dask=dask, lost=_lost):
        records.append(record)
        report(progress, len(records), len(tasks))
    table = _table(records)
    if out is not None:
        _write_csv(out, table)
    failures = tuple((record["catalog"], record["error"]) for record in records if record["error"])
    notes, warnings = (tuple(record.get(key) or "" for record in records) for key in ("note", "warning"))
    return Locations(table, failures, notes, warnings)


def _lost(task: tuple[Any, ...]) -> dict[str, Any]:
    return {"catalog": path_text(task[0]), "error": LOST}


def find_catalogs(patterns: Sequence[str | Path]) -> list[Path]:
    """Return the files that match names and glob patterns, in that order, each once.

    A missing file stays in the list: reading it gives the error.

    Raises
    ------
    TableError
        If a pattern matches no file.
    """
    return list(dict.fromkeys(path for pattern in fetch_places(patterns, TABLES) for path in _files_of(str(pattern))))


def _files_of(pattern: str) -> list[Path]:
    if split_part(pattern)[1] is not None or not is_pattern(pattern):
        return [Path(pattern)]
    found = matching_parts(pattern)
    if not found:
        raise TableError(f"{pattern}: no file matches; check the spelling and the folder")
    return found


def figure_paths(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return the path of the figure of each catalogue, in a folder; those of the same name are numbered."""
    names: dict[str, None] = {}
    for path in (split_part(path)[0] for path in paths):
        path = path.with_name(name_of(path))
        stem = path.with_suffix("").stem if path.suffix.lower() in PACKED_SUFFIXES else path.stem
        numbered = (stem if k == 1 else f"{stem}-{k}" for k in count(1))
        names[next(name for name in numbered if name not in names)] = None
    return [folder / f"{name}.png" for name in names]


def _record_or_reason(
    path: Path,
    columns: dict[str, Any],
    options: dict[str, Any],
    seed: np.random.SeedSequence,
    drawing: Path | None,
    debug: bool,
) -> dict[str, Any]:
    try:
        catalog = read_catalog(path, **columns)
        found = locate(catalog, **options, rng=np.random.default_rng(seed))
        if drawing is not None:
            _draw(drawing, catalog, found)
        warning = convention_note(catalog, CatalogOptions(**columns), subtract_mean=options["subtract_mean"])
        return _record(path, catalog, found) | {"warning": warning}
    except Exception as error:  # an unforeseen error costs one row only
        return {"catalog": path_text(path), "error": failure_reason(error, debug=debug)}


def _draw(path: Path, catalog: ShapeCatalog, found: Location) -> None:
    from darkmatter_features.location.plot import draw_location
    from darkmatter_features.plots.page import save_figure

    check_made(path.parent)
    save_figure(path, draw_location(catalog, found))


def _record(path: Path, catalog: ShapeCatalog, found: Location) -> dict[str, Any]:
    record = {name: getattr(found, name) for name in COLUMNS[1:]}
    on_sky = sky_position(catalog, found.x, found.y)
    if on_sky is not None:
        record |= dict(zip(("ra", "dec"), on_sky))
    return {
        "catalog": path_text(path),
        **record,
        "n_dropped": catalog.n_dropped,
        "error": None,
        "note": "; ".join(catalog.notes),
    }


def _table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(records, columns=[*COLUMNS, "ra", "dec", *LAST_COLUMNS])
    table = table.astype({"n": "Int64", "n_dropped": "Int64", "p_value": "float64", "bayes_factor_excess": "float64"})
    return table if table["ra"].notna().any() else table.drop(columns=["ra", "dec"])


def _write_csv(path: str | Path, table: pd.DataFrame) -> None:
    text = table.copy()
    for name, style in FORMATS.items():
        if name in text:
            text[name] = ["" if pd.isna(value) else format(value, style) for value in text[name]]
    with written_whole(path) as temporary:
        text.to_csv(temporary, index=False, lineterminator="\n")
