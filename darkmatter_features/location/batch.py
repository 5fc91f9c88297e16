"""Finding the lenses of many shape catalogues made elsewhere."""

import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkmatter_features.errors import ConfigError, TableError, failure_reason
from darkmatter_features.features.extract import report
from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.io.table import written_whole
from darkmatter_features.location.locate import Location, locate
from darkmatter_features.workers import parallel

COLUMNS = (
    "catalog", "n", "x", "y", "snr", "snr_cross", "p_value", "log_bayes_factor", "position_error", "mean_snr", "bayes_factor_excess",
)  # fmt: skip
ENDING = ("n_dropped", "error")
"""Columns of the table; before the last two are ``ra, dec`` where any catalogue tells them."""

FORMATS = dict.fromkeys(("snr", "snr_cross", "log_bayes_factor", "mean_snr", "bayes_factor_excess"), ".4f")
FORMATS |= dict.fromkeys(("x", "y", "position_error", "p_value"), ".7g") | dict.fromkeys(("ra", "dec"), ".7f")
"""How numbers are written: x and y have the catalogue's own unit, so that digits count, not decimals."""


@dataclass(frozen=True)
class Locations:
    """What became of the catalogues.

    Attributes
    ----------
    table : pandas.DataFrame
        A row a catalogue: fields of :class:`~darkmatter_features.location.locate.Location`, with ``ra, dec`` in degrees
        when any has them. One that failed has its name and its ``error``.
    failures : tuple of (str, str)
        Those catalogues, and why.
    """

    table: pd.DataFrame
    failures: tuple[tuple[str, str], ...]


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
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> Locations:
    """Find the lens of each catalogue.

    Parameters
    ----------
    catalogs : sequence of str or Path
        Files or glob patterns.
    out : str or Path, optional
        Where to write the table as CSV.
    columns : mapping, optional
        Options of :func:`~darkmatter_features.io.catalogs.read_catalog`: what the columns are called.
    subtract_mean : bool
        Take the mean ellipticity of each catalogue off first.
    n_randomizations : int
        Randomized skies that tell the p-value and the excess of the odds; none when 0.
    seed : int
        Of the randomization; each catalogue has a stream of its own.
    pictures : str or Path, optional
        Folder for a picture of each.
    n_jobs : int
        Processes; -1 for one a core.
    progress : callable, optional
        Called with the number of catalogues done and in all.
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
    if n_randomizations < 0:
        raise ConfigError(
            f"the number of randomizations must be 0 or more, got {n_randomizations}; 200 tell p down to 0.005"
        )
    paths = find_catalogs(catalogs)
    seeds = np.random.SeedSequence(seed).spawn(len(paths))
    options = {"subtract_mean": subtract_mean, "n_randomizations": n_randomizations}
    drawings = [None] * len(paths) if pictures is None else _drawings(paths, Path(pictures))
    tasks = [
        (path, dict(columns or {}), options, own, drawing, debug) for path, own, drawing in zip(paths, seeds, drawings)
    ]
    report(progress, 0, len(tasks))
    records = []
    for record in parallel(_record_or_reason, tasks, n_jobs=n_jobs if len(tasks) > 1 else 1):
        records.append(record)
        report(progress, len(records), len(tasks))
    table = _table(records)
    if out is not None:
        _write_csv(out, table)
    return Locations(table, tuple((record["catalog"], record["error"]) for record in records if record["error"]))


def find_catalogs(places: Sequence[str | Path]) -> list[Path]:
    """Return the files that names and glob patterns stand for, in that order, each once.

    A missing file stays: reading it will say so.

    Raises
    ------
    TableError
        If a pattern matches no file.
    """
    return list(dict.fromkeys(path for place in places for path in _files_of(str(place))))


def _files_of(place: str) -> list[Path]:
    if Path(place).exists() or not glob.has_magic(place):
        return [Path(place)]
    found = sorted(Path(name) for name in glob.glob(place, recursive=True) if Path(name).is_file())
    if not found:
        raise TableError(f"{place}: no file matches; look at the spelling and the folder")
    return found


def _drawings(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return where the picture of each goes; those of files of one name are numbered."""
    names: dict[str, None] = {}
    for path in paths:
        stem = path.with_suffix("").stem if path.suffix.lower() == ".gz" else path.stem
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
        return _record(path, catalog, found)
    except Exception as error:  # a catalogue that nobody foresaw costs its own row only
        return {"catalog": path.as_posix(), "error": failure_reason(error, debug=debug)}


def _draw(path: Path, catalog: ShapeCatalog, found: Location) -> None:
    from darkmatter_features.location.plot import draw_location

    with written_whole(path) as temporary:
        draw_location(catalog, found).savefig(temporary, format="png")


def _record(path: Path, catalog: ShapeCatalog, found: Location) -> dict[str, Any]:
    told = {name: getattr(found, name) for name in COLUMNS[1:]}
    place = sky_position(catalog, found.x, found.y)
    if place is not None:
        told |= dict(zip(("ra", "dec"), place))
    return {"catalog": path.as_posix(), **told, "n_dropped": catalog.n_dropped, "error": None}


def _table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(records, columns=[*COLUMNS, "ra", "dec", *ENDING])
    table = table.astype({"n": "Int64", "n_dropped": "Int64", "p_value": "float64", "bayes_factor_excess": "float64"})
    return table if table["ra"].notna().any() else table.drop(columns=["ra", "dec"])


def _write_csv(path: str | Path, table: pd.DataFrame) -> None:
    text = table.copy()
    for name, kind in FORMATS.items():
        if name in text:
            text[name] = ["" if pd.isna(value) else format(value, kind) for value in text[name]]
    with written_whole(path) as temporary:
        text.to_csv(temporary, index=False, lineterminator="\n")
