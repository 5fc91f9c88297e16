"""Verdicts on unlabelled skies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from classify.adaptation.fit import Adaptation, adapt
from classify.cnn import missing
from classify.cnn.inputs import FieldInput
from classify.explain.contributions import contributions, explained_table, write_explained
from classify.model import LensModel, bundle
from classify.tables.columns import FEATURE_NAMES
from classify.verdicts.table import verdict_table, write_verdicts
from classify.verdicts.verdict import Verdict
from darkmatter_features.errors import ConfigError, ModelError, path_text
from darkmatter_features.features.extract import MeasuredSky, SkyRow, extract_rows
from darkmatter_features.io.image_paths import find_skies

POSITION = [FEATURE_NAMES.index(name) for name in ("row", "column")]
"""Indices of the best-fit position in a feature row."""


@dataclass(frozen=True)
class Prediction:
    """Verdicts on skies.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each sky, as `classify.verdicts.table.verdict_table` returns it.
    failures : tuple of (str, str)
        Failed skies and the reasons.
    notes : tuple of (str, str)
        Skies with choices that were made in reading their images, and these choices.
    explained : pandas.DataFrame or None
        On request, the terms of the log-odds of each judged sky: ``image, baseline, start``, a column for each input
        of the trees, ``cut``, and ``cnn_stage``, the change by the CNN stage.
    without_cnn : str or None
        Why the CNN stage was not applied to uncertain skies; None if it was.
    adaptation : Adaptation or None
        Adaptation of the model to these skies, on request.
    """

    table: pd.DataFrame
    failures: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    explained: pd.DataFrame | None = None
    without_cnn: str | None = None
    adaptation: Adaptation | None = None


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
        If PyTorch is missing and the CNN stage is required; with ``cnn="auto"`` the trees then decide alone.
    """
    model = LensModel.load(run)
    if cnn == "off":
        return model.without_cnn_stage("--cnn off")
    if model.cnn_stage is None and cnn == "on":
        raise ModelError(f"{run} has no CNN stage; train one with `darkmatter train --cnn on`, or leave --cnn on out")
    if model.cnn_stage is None or (reason := missing()) is None:
        return model
    if cnn == "on":
        raise ConfigError(f"{reason}, or leave the CNN stage out by --cnn off")
    return model.without_cnn_stage(reason)


def reason_without_cnn(model: LensModel) -> str | None:
    """Return why a model has no CNN stage; None if it has one."""
    return model.without_cnn if model.cnn_stage is None else None


def predict(
    run: str | Path,
    skies: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    cnn: str = "auto",
    explain: bool = False,
    adapted: bool = False,
    part: str | None = None,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> Prediction:
    """Return the verdicts of a trained model on skies.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    skies : sequence of str or Path
        Files, folders, glob patterns, or URLs of these.
    out : str or Path, optional
        CSV file for the table.
    cnn : str
        Use of the CNN stage at uncertain skies, as in `load_model`.
    explain : bool
        Whether to split the log-odds of each sky into contributions, written to `explained_path`.
    adapted : bool
        Whether to adapt the model to these skies first, see `classify.adaptation.fit.adapt`; its CNN stage is left out.
    part : str, optional
        Extension of all FITS files that name none themselves, as in `darkmatter_features.io.image_paths.find_skies`.
    n_jobs : int
        Number of processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
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
        If a folder or a pattern contains no image, or there are too few skies to adapt to.
    """
    model = load_model(run, cnn="off" if adapted else cnn)
    paths = find_skies(skies, part=part)
    adaptation = adapt(model, paths, n_jobs=n_jobs, dask=dask, progress=progress, debug=debug) if adapted else None
    model = model if adaptation is None else adaptation.model
    measured = measure_skies(model, run, paths, n_jobs=n_jobs, dask=dask, progress=progress, debug=debug)
    if adaptation is not None:
        measured = [_out_of_fold(row, adaptation) for row in measured]
    names = [path_text(row.path) for row in measured if row.values is not None]
    table = verdict_table(measured, verdicts_on(model, names, measured))
    if out is not None:
        write_verdicts(out, table)
    explained = _explained(model, measured, table) if explain else None
    if out is not None and explained is not None:
        write_explained(explained_path(out), explained)
    failures = tuple((path_text(row.path), row.error) for row in measured if row.error is not None)
    notes = tuple((path_text(row.path), "; ".join(row.notes)) for row in measured if row.notes)
    return Prediction(table, failures, notes, explained, reason_without_cnn(model), adaptation)


def _out_of_fold(row: SkyRow, adaptation: Adaptation) -> SkyRow:
    """Return the row of a sky by the fit to the skies of other folds; its position stays that of the final template."""
    values = adaptation.rows.get(str(row.path))
    if values is None or row.values is None:
        return row
    values = values.copy()
    values[POSITION] = row.values[POSITION]
    return replace(row, values=values)


def explained_path(out: str | Path) -> Path:
    """Return the file of the contributions of a table: ``predictions-explained.csv`` beside ``predictions.csv``."""
    return Path(out).with_name(f"{Path(out).stem}-explained.csv")


@dataclass(frozen=True)
class UncertainInputs:
    """Selector of the CNN inputs of uncertain skies, computed by the worker that measures them.

    A worker loads the trees once, and evaluates the skies of a chunk together: no uncertain sky is read and segmented
    a second time.

    Attributes
    ----------
    run : Path
        Folder of the training run.
    digest : str
        Digest of its model, so that a run that is trained again is loaded again.
    """

    run: Path
    digest: str

    def __call__(self, skies: Sequence[MeasuredSky]) -> list[FieldInput | None]:
        """Return the input of each uncertain sky, and None for the others."""
        if not skies:
            return []
        model = _loaded_once(self.run, self.digest)
        rows = np.stack([sky.values for sky in skies])
        uncertain = model.is_uncertain(model.log_odds(rows), rows)
        return [
            FieldInput.of(sky.sky, sky.galaxies, sky.evidence) if own else None
            for sky, own in zip(skies, uncertain, strict=True)
        ]


@lru_cache(maxsize=2)
def _loaded_once(run: Path, digest: str) -> LensModel:
    """Load a model, once in each process."""
    model = LensModel.load(run)
    if bundle.digest_of_model(run) != digest:
        raise ModelError(f"{run}: the model changed while it was used; run the command again")
    return model


def measure_skies(
    model: LensModel,
    run: str | Path,
    paths: Sequence[Path],
    *,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> list[SkyRow]:
    """Return the feature rows of images for a model, with the CNN inputs of the uncertain ones.

    Parameters
    ----------
    model : LensModel
        Model of the run, with or without its CNN stage.
    run : str or Path
        Folder of the run.
    paths : sequence of Path
        Images.
    n_jobs, dask, progress, debug
        As in `predict`.
    """
    select = None if model.cnn_stage is None else UncertainInputs(Path(run), bundle.digest_of_model(Path(run)))
    return extract_rows(
        paths, template=model.template, config=model.config, select=select, n_jobs=n_jobs, dask=dask, progress=progress,
        debug=debug,
    )  # fmt: skip


def verdicts_on(model: LensModel, names: list[str], measured: Sequence[SkyRow]) -> list[Verdict]:
    """Return the verdicts on the skies that were measured, by their names."""
    values = [row.values for row in measured if row.values is not None]
    kept = [row.kept for row in measured if row.values is not None]
    return model.verdicts(names, values, inputs=lambda chosen: [kept[i] for i in chosen])


def _explained(model: LensModel, measured: Sequence[SkyRow], table: pd.DataFrame) -> pd.DataFrame:
    done = [(path_text(row.path), row.values) for row in measured if row.values is not None]
    rows = np.array([values for _, values in done]).reshape(len(done), len(FEATURE_NAMES))
    return explained_table([name for name, _ in done], contributions(model, rows), table[table["error"].isna()])
