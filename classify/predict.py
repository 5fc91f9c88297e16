"""Verdicts on unlabelled skies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from classify.cnn import missing
from classify.cnn.inputs import measured_inputs
from classify.columns import FEATURE_NAMES
from classify.explain.contributions import contributions, explained_table, write_explained
from classify.model import InputReader, LensModel, Verdict
from classify.skies import find_skies
from classify.verdict_table import verdict_table, write_verdicts
from darkmatter_features.errors import ConfigError, ModelError
from darkmatter_features.features.extract import SkyRow, extract_rows


@dataclass(frozen=True)
class Prediction:
    """Verdicts on skies.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each sky, as `classify.verdict_table.verdict_table` returns it.
    failures : tuple of (str, str)
        Failed skies and the reasons.
    explained : pandas.DataFrame or None
        On request, the terms of the log-odds of each judged sky: ``image, baseline, start``, a column for each input
        of the trees, ``cut``, and ``cnn_stage``, the change by the CNN stage.
    has_cnn_stage : bool
        Whether the CNN stage was applied to uncertain skies.
    """

    table: pd.DataFrame
    failures: tuple[tuple[str, str], ...]
    explained: pd.DataFrame | None = None
    has_cnn_stage: bool = False


def load_model(run: str | Path, *, cnn: str = "auto") -> LensModel:
    """Return the model of a run, with or without its CNN stage.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    cnn : str
        Use of the CNN stage at uncertain skies: "off" for never, "auto" for runs that have one, "on" to require one.

    Raises
    ------
    ModelError
        If there is no usable model in `run`, or no CNN stage with ``cnn="on"``.
    ConfigError
        If the CNN stage is used and PyTorch is missing.
    """
    model = LensModel.load(run)
    if cnn == "off":
        return model.without_cnn_stage()
    if model.cnn_stage is None and cnn == "on":
        raise ModelError(f"{run} has no CNN stage; train one with `darkmatter train --cnn on`, or leave --cnn on out")
    if model.cnn_stage is not None and (reason := missing()) is not None:
        raise ConfigError(f"{reason}, or leave the CNN stage out by --cnn off")
    return model


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
    """Return the verdicts of a trained model on skies.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    skies : sequence of str or Path
        Files, folders or glob patterns.
    out : str or Path, optional
        CSV file for the table.
    cnn : str
        Use of the CNN stage at uncertain skies, as in `load_model`.
    explain : bool
        Whether to split the log-odds of each sky into contributions, written to `explained_path`.
    n_jobs : int
        Number of processes; -1 for one per core.
    progress : callable, optional
        Function called with the number of skies done and their total.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Returns
    -------
    Prediction

    Raises
    ------
    ModelError, ConfigError
        As in `load_model`, before any sky is measured.
    SkyError
        If a folder or a pattern contains no image.
    """
    model = load_model(run, cnn=cnn)
    measured = extract_rows(
        find_skies(skies), template=model.template, config=model.config, n_jobs=n_jobs, progress=progress, debug=debug
    )
    table = verdict_table(measured, _verdicts(model, measured, n_jobs=n_jobs))
    if out is not None:
        write_verdicts(out, table)
    explained = _explained(model, measured, table) if explain else None
    if out is not None and explained is not None:
        write_explained(explained_path(out), explained)
    failures = tuple((str(row.path), row.error) for row in measured if row.error is not None)
    return Prediction(table, failures, explained, model.cnn_stage is not None)


def explained_path(out: str | Path) -> Path:
    """Return the file of the contributions of a table: ``predictions-explained.csv`` beside ``predictions.csv``."""
    return Path(out).with_name(f"{Path(out).stem}-explained.csv")


def cnn_inputs_of(model: LensModel, paths: Sequence[Path], *, n_jobs: int = -1) -> InputReader:
    """Return the reader of the CNN inputs of images, by their indices among the paths."""
    return lambda chosen: measured_inputs([paths[i] for i in chosen], model.template, model.config, n_jobs=n_jobs)


def _verdicts(model: LensModel, measured: Sequence[SkyRow], *, n_jobs: int) -> list[Verdict]:
    paths = [row.path for row in measured if row.values is not None]
    values = [row.values for row in measured if row.values is not None]
    inputs = cnn_inputs_of(model, paths, n_jobs=n_jobs)
    return model.verdicts([path.as_posix() for path in paths], values, inputs=inputs)


def _explained(model: LensModel, measured: Sequence[SkyRow], table: pd.DataFrame) -> pd.DataFrame:
    done = [(row.path.as_posix(), row.values) for row in measured if row.values is not None]
    rows = np.array([values for _, values in done]).reshape(len(done), len(FEATURE_NAMES))
    return explained_table([name for name, _ in done], contributions(model, rows), table[table["error"].isna()])
