"""Scoring verdicts against labels: of a feature table's split, or of any labelled data set."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from classify.metrics import score
from classify.model import LensModel, Verdict
from classify.predict import cnn_inputs_of, model_of
from darkmatter_features.errors import DatasetError
from darkmatter_features.features.extract import SkyRow, extract_rows
from darkmatter_features.io.dataset import SPLITS, Dataset, Split

BOOTSTRAP_SEED = 1
"""Of the resamples: the same verdicts have the same bounds."""

JUDGED_COLUMNS = (
    "sky", "label", "probability", "row", "column", "snr", "lens_row", "lens_column", "offset_px", "decided_by",
)  # fmt: skip
"""Of a table of verdicts beside the truth: positions in pixels of that sky's picture, nan where unknown."""


@dataclass(frozen=True)
class Evaluation:
    """How a model does on a split.

    Attributes
    ----------
    metrics : dict
        As `classify.metrics.score` returns them, and ``n_failed``.
    judged : pandas.DataFrame
        A row a sky, of `JUDGED_COLUMNS`.
    failures : tuple of (str, str)
        Skies that could not be measured, and why. They are left out of the metrics.
    has_cnn_stage : bool
        Whether uncertain skies were looked at again.
    """

    metrics: dict[str, float]
    judged: pd.DataFrame
    failures: tuple[tuple[str, str], ...]
    has_cnn_stage: bool = False


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    split: str = "validation",
    cnn: str = "auto",
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> Evaluation:
    """Score a trained model on a split of a labelled data set.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    data : str or Path
        Folder of a data set, in any of the layouts.
    split : str
        "training" or "validation".
    cnn : str
        Whether networks take the CNN stage at uncertain skies, as in `classify.predict.model_of`.
    n_jobs : int
        Processes that measure skies; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Raises
    ------
    ModelError, ConfigError
        As `classify.predict.model_of`, before any sky is measured.
    DatasetError
        If the data set or the split is not there or has no labels, or none of its skies can be measured.
    """
    model = model_of(run, cnn=cnn)
    dataset = Dataset.open(data)
    chosen = _labelled_split(dataset, split)
    measured = extract_rows(
        chosen.files, template=model.template, config=model.config, n_jobs=n_jobs, progress=progress, debug=debug
    )
    failures = tuple((str(row.path), row.error) for row in measured if row.error is not None)
    if len(failures) == len(measured):
        raise DatasetError(f"{data}: no sky of the {split} split could be measured; the first: {failures[0][1]}")
    judged = _judged_split(model, dataset, chosen, measured, n_jobs=n_jobs)
    metrics = {**score_judged(judged), "n_failed": len(failures)}
    return Evaluation(metrics, judged, failures, model.cnn_stage is not None)


def judged_table(
    verdicts: Sequence[Verdict], labels: ArrayLike, lens_rows: ArrayLike, lens_columns: ArrayLike
) -> pd.DataFrame:
    """Return verdicts beside the truth.

    Parameters
    ----------
    verdicts : (n,) sequence of Verdict
        Of the model.
    labels : (n,) float array
        1 for a lens, 0 for none, nan for unknown.
    lens_rows, lens_columns : (n,) float arrays, pixels
        Where the lens is; nan where there is none or its place is unknown.

    Returns
    -------
    pandas.DataFrame
        Of `JUDGED_COLUMNS`.
    """
    table = pd.DataFrame([asdict(verdict) for verdict in verdicts], columns=list(Verdict.__dataclass_fields__))
    table = table.rename(columns={"name": "sky"}).assign(
        label=np.asarray(labels, dtype=np.float64),
        lens_row=np.asarray(lens_rows, dtype=np.float64),
        lens_column=np.asarray(lens_columns, dtype=np.float64),
    )
    table["offset_px"] = np.hypot(table["row"] - table["lens_row"], table["column"] - table["lens_column"])
    return table[list(JUDGED_COLUMNS)]


def score_judged(judged: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of the labelled rows of a table of `JUDGED_COLUMNS`."""
    labelled = judged[judged["label"].notna()]
    columns = (labelled[name].to_numpy(dtype=np.float64) for name in ("label", "probability", "offset_px"))
    return score(*columns, rng=np.random.default_rng(BOOTSTRAP_SEED))


def _labelled_split(dataset: Dataset, name: str) -> Split:
    if name not in SPLITS:
        raise DatasetError(f"Unknown split {name!r}; choose one of {', '.join(SPLITS)}")
    split = next((split for split in dataset.splits if split.name == name), None)
    if split is None or len(split) == 0:
        raise DatasetError(f"{dataset.root}: no skies in the {name} split; choose another split")
    if split.labels is None:
        raise DatasetError(f"{dataset.root}: the {name} split has no labels; use `darkmatter predict` for it")
    return split


def _judged_split(
    model: LensModel, dataset: Dataset, split: Split, measured: Sequence[SkyRow], *, n_jobs: int
) -> pd.DataFrame:
    done = [i for i, row in enumerate(measured) if row.values is not None]
    names = [dataset.relative(split.files[i]) for i in done]
    shapes = [row.shape for row in measured if row.shape is not None]
    places = np.array([split.lens_position(i, shape) for i, shape in zip(done, shapes)]).reshape(-1, 2)
    labels = np.asarray(split.labels, dtype=np.float64)[done]
    look = cnn_inputs_of(model, [measured[i].path for i in done], n_jobs=n_jobs)
    return judged_table(
        model.verdicts(names, [row.values for row in measured if row.values is not None], look=look),
        labels,
        places[:, 0],
        places[:, 1],
    )
