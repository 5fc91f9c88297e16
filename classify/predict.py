"""Judging skies that nobody has labelled."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classify.cnn import missing
from classify.cnn.inputs import measured_inputs
from classify.columns import FEATURE_NAMES
from classify.explain.contributions import contributions, explained_table, write_explained
from classify.model import InputReader, LensModel, Verdict
from darkmatter_features.errors import ConfigError, ModelError, SkyError
from darkmatter_features.features.extract import SkyRow, extract_rows
from darkmatter_features.io.dataset import IMAGE_SUFFIXES
from darkmatter_features.io.table import written_whole

COLUMNS = ("image", "label", "probability", "row", "column", "snr", "decided_by", "error")
POSITIONS = ("row", "column", "lens_row", "lens_column")
DECIMALS = {"probability": 6, "snr": 4, "ra": 7, "dec": 7, "offset_px": 2} | dict.fromkeys(POSITIONS, 2)
"""Decimals in CSV files: degrees to better than a milliarcsecond, pixels to a hundredth."""


@dataclass(frozen=True)
class Prediction:
    """What became of the skies.

    Attributes
    ----------
    table : pandas.DataFrame
        A row a sky: `COLUMNS`, and ``ra, dec`` in degrees when any of the skies has a WCS. A sky that
        failed has its ``image`` and its ``error``.
    failures : tuple of (str, str)
        Those skies, and why.
    explained : pandas.DataFrame or None
        If asked for, what the log-odds of each judged sky are the sum of: ``image, baseline, start``, a column for each
        that the trees learn from, ``cut``, and ``cnn_stage``: what that changed.
    has_cnn_stage : bool
        Whether uncertain skies were looked at again.
    """

    table: pd.DataFrame
    failures: tuple[tuple[str, str], ...]
    explained: pd.DataFrame | None = None
    has_cnn_stage: bool = False


def model_of(run: str | Path, *, cnn: str = "auto") -> LensModel:
    """Load the model of a run for judging, with or without its CNN stage.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    cnn : str
        Whether networks take the CNN stage at uncertain skies: "off" leaves it out, "auto" takes it where the run has one,
        "on" wants a run that has one.

    Raises
    ------
    ModelError
        If there is no model to use in `run`, or no CNN stage that is wanted.
    ConfigError
        If PyTorch, which the CNN stage needs, is missing.
    """
    model = LensModel.load(run)
    if cnn == "off":
        return model.without_cnn_stage()
    if model.cnn_stage is None and cnn == "on":
        raise ModelError(f"{run} has no CNN stage; train one with `darkmatter train --cnn on`, or leave --cnn on out")
    if model.cnn_stage is not None and (said := missing()) is not None:
        raise ConfigError(f"{said}, or leave the CNN stage out by --cnn off")
    return model


def find_skies(places: Sequence[str | Path]) -> list[Path]:
    """Return the pictures that files, folders and glob patterns name, in that order, each once.

    A folder stands for the pictures right inside it, sorted. A missing file stays: judging it will say so.

    Raises
    ------
    SkyError
        If a folder or a pattern holds no picture.
    """
    return list(dict.fromkeys(path for place in places for path in _skies_of(Path(place))))


def predict(
    run: str | Path,
    skies: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    cnn: str = "auto",
    explain: bool = False,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> Prediction:
    """Judge skies with a trained model.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    skies : sequence of str or Path
        Files, folders or glob patterns.
    out : str or Path, optional
        Where to write the table as CSV.
    cnn : str
        Whether networks take the CNN stage at uncertain skies, as in `model_of`.
    explain : bool
        Part the log-odds of each sky by what they come from; written beside `out`, see `explained_path`.
    n_jobs : int
        Processes that measure skies; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Raises
    ------
    ModelError, ConfigError
        As `model_of`, before any sky is measured.
    SkyError
        If a folder or a pattern holds no picture.
    """
    model = model_of(run, cnn=cnn)
    measured = extract_rows(
        find_skies(skies), template=model.template, config=model.config, n_jobs=n_jobs, progress=progress, debug=debug
    )
    table = _table(model, measured, n_jobs=n_jobs)
    if out is not None:
        write_csv(out, table)
    explained = _explained(model, measured, table) if explain else None
    if out is not None and explained is not None:
        write_explained(explained_path(out), explained)
    failures = tuple((str(row.path), row.error) for row in measured if row.error is not None)
    return Prediction(table, failures, explained, model.cnn_stage is not None)


def explained_path(out: str | Path) -> Path:
    """Return where the explanation of a table goes: ``predictions-explained.csv`` beside ``predictions.csv``."""
    return Path(out).with_name(f"{Path(out).stem}-explained.csv")


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table of verdicts with `DECIMALS`; unknown values are empty."""
    text = table.copy()
    for name, decimals in DECIMALS.items():
        if name in text:
            text[name] = ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in text[name]]
    with written_whole(path) as temporary:
        text.to_csv(temporary, index=False, lineterminator="\n")


def _skies_of(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if place.is_dir():
        found = sorted(path for path in place.iterdir() if _is_image(path))
    elif glob.has_magic(str(place)):
        found = sorted(path for path in map(Path, glob.glob(str(place), recursive=True)) if _is_image(path))
    else:
        return [place]
    if not found:
        raise SkyError(f"{place}: no pictures there (looked for {', '.join(IMAGE_SUFFIXES)}); name files or a folder")
    return found


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith(IMAGE_SUFFIXES) and not path.name.startswith(".") and path.is_file()


def _explained(model: LensModel, measured: Sequence[SkyRow], table: pd.DataFrame) -> pd.DataFrame:
    done = [(row.path.as_posix(), row.values) for row in measured if row.values is not None]
    rows = np.array([values for _, values in done]).reshape(len(done), len(FEATURE_NAMES))
    return explained_table([name for name, _ in done], contributions(model, rows), table[table["error"].isna()])


def cnn_inputs_of(model: LensModel, paths: Sequence[Path], *, n_jobs: int = -1) -> InputReader:
    """Return what lays pictures, told by their places among the paths, out for a model's CNN stage."""
    return lambda chosen: measured_inputs([paths[i] for i in chosen], model.template, model.config, n_jobs=n_jobs)


def _table(model: LensModel, measured: Sequence[SkyRow], *, n_jobs: int) -> pd.DataFrame:
    done = [(row.path.as_posix(), row.values) for row in measured if row.values is not None]
    look = cnn_inputs_of(model, [row.path for row in measured if row.values is not None], n_jobs=n_jobs)
    verdicts = iter(model.verdicts([name for name, _ in done], [values for _, values in done], look=look))
    records = [_record(row, None if row.values is None else next(verdicts)) for row in measured]
    table = pd.DataFrame(records, columns=[*COLUMNS, "ra", "dec"])
    table["label"] = table["label"].astype("Int8")
    return table if table["ra"].notna().any() else table[list(COLUMNS)]


def _record(row: SkyRow, verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"image": row.path.as_posix(), "error": row.error}
    return {
        "image": verdict.name,
        "label": verdict.label,
        "probability": verdict.probability,
        "row": verdict.row,
        "column": verdict.column,
        "snr": verdict.snr,
        "decided_by": verdict.decided_by,
        "ra": row.ra,
        "dec": row.dec,
    }
