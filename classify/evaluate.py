"""Metrics of verdicts on a labelled data set."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from classify.metrics import counted, score
from classify.model import LensModel
from classify.predict import load_model, measure_skies, reason_without_cnn, verdicts_on
from classify.verdicts.outcomes import probabilities_of
from classify.verdicts.verdict import WITHHELD, Verdict
from darkmatter_features.errors import DatasetError, path_text
from darkmatter_features.features.extract import SkyRow
from darkmatter_features.io.dataset import SPLITS, Dataset, Split

BOOTSTRAP_SEED = 1
"""Seed of the bootstrap resamples: equal verdicts have equal bounds."""

JUDGED_COLUMNS = (
    "sky", "label", "probability", "likeness", "unlike", "row", "column", "snr", "lens_row", "lens_column",
    "offset_px", "decided_by",
)  # fmt: skip
"""Columns of a table of verdicts with the truth; positions in pixels of the image, nan where unknown."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model on a split.

    Attributes
    ----------
    metrics : dict
        As `classify.metrics.score` returns them, and ``n_unlike``, ``n_withheld`` and ``n_failed``.
    judged : pandas.DataFrame
        A row of `JUDGED_COLUMNS` for each sky.
    failures : tuple of (str, str)
        Failed skies and the reasons; the metrics exclude them.
    without_cnn : str or None
        Why the CNN stage was not applied to uncertain skies; None if it was.
    """

    metrics: dict[str, float]
    judged: pd.DataFrame
    failures: tuple[tuple[str, str], ...]
    without_cnn: str | None = None


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
    """Return the metrics of a trained model on a split of a labelled data set.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    data : str or Path
        Folder or URL of a data set in any of the layouts.
    split : str
        "training" or "validation".
    cnn : str
        Use of the CNN stage at uncertain skies, as in `classify.predict.load_model`.
    n_jobs : int
        Number of processes; -1 for one per core.
    progress : callable, optional
        Function called with the number of skies done and their total.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelError, ConfigError
        As in `classify.predict.load_model`, before any sky is measured.
    DatasetError
        If the data set or the split is missing or has no labels, or none of its skies can be measured.
    """
    model = load_model(run, cnn=cnn)
    dataset = Dataset.open(data)
    chosen = _labelled_split(dataset, split)
    measured = measure_skies(model, run, chosen.files, n_jobs=n_jobs, progress=progress, debug=debug)
    failures = tuple((path_text(row.path), row.error) for row in measured if row.error is not None)
    if len(failures) == len(measured):
        raise DatasetError(f"{data}: no sky of the {split} split could be measured; the first: {failures[0][1]}")
    judged = _judged_split(model, dataset, chosen, measured)
    metrics = {**score_judged(judged), **count_unlike(judged), "n_failed": len(failures)}
    return Evaluation(metrics, judged, failures, reason_without_cnn(model))


def judged_table(
    verdicts: Sequence[Verdict], labels: ArrayLike, lens_rows: ArrayLike, lens_columns: ArrayLike
) -> pd.DataFrame:
    """Return a table of verdicts with the truth.

    Parameters
    ----------
    verdicts : (n,) sequence of Verdict
        Verdicts of the model.
    labels : (n,) float array
        1 for a lens, 0 for none, nan for unknown.
    lens_rows, lens_columns : (n,) float arrays, pixels
        True position of the lens; nan where there is none or it is unknown.

    Returns
    -------
    pandas.DataFrame
        Table with `JUDGED_COLUMNS`. Where a verdict is withheld, the probability is one half.
    """
    table = pd.DataFrame([asdict(verdict) for verdict in verdicts], columns=list(Verdict.__dataclass_fields__))
    table = table.rename(columns={"name": "sky"}).assign(
        probability=counted(table["probability"]),
        unlike=table["unlike"].astype("Int8"),
        label=np.asarray(labels, dtype=np.float64),
        lens_row=np.asarray(lens_rows, dtype=np.float64),
        lens_column=np.asarray(lens_columns, dtype=np.float64),
    )
    table["offset_px"] = np.hypot(table["row"] - table["lens_row"], table["column"] - table["lens_column"])
    return table[list(JUDGED_COLUMNS)]


def score_judged(judged: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of the labelled rows of a table of `JUDGED_COLUMNS`."""
    labelled = judged[judged["label"].notna()]
    label, offset = (labelled[name].to_numpy(dtype=np.float64) for name in ("label", "offset_px"))
    return score(label, probabilities_of(labelled), offset, rng=np.random.default_rng(BOOTSTRAP_SEED))


def count_unlike(judged: pd.DataFrame) -> dict[str, int]:
    """Return the numbers of skies unlike the training skies, and of those whose verdict is withheld."""
    n_withheld = int((judged["decided_by"] == WITHHELD).sum())
    return {"n_unlike": int(judged["unlike"].sum()), "n_withheld": n_withheld}


def _labelled_split(dataset: Dataset, name: str) -> Split:
    if name not in SPLITS:
        raise DatasetError(f"Unknown split {name!r}; choose one of {', '.join(SPLITS)}")
    split = next((split for split in dataset.splits if split.name == name), None)
    if split is None or len(split) == 0:
        raise DatasetError(f"{dataset.root}: no skies in the {name} split; choose another split")
    if split.labels is None:
        raise DatasetError(f"{dataset.root}: the {name} split has no labels; use `darkmatter predict` for it")
    return split


def _judged_split(model: LensModel, dataset: Dataset, split: Split, measured: Sequence[SkyRow]) -> pd.DataFrame:
    done = [i for i, row in enumerate(measured) if row.values is not None]
    names = [dataset.relative(split.files[i]) for i in done]
    shapes = [row.shape for row in measured if row.shape is not None]
    positions = np.array([split.lens_position(i, shape) for i, shape in zip(done, shapes)]).reshape(-1, 2)
    labels = np.asarray(split.labels, dtype=np.float64)[done]
    return judged_table(verdicts_on(model, names, measured), labels, positions[:, 0], positions[:, 1])
