"""Why a verdict is what it is: what each column adds to the log-odds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from classify.cnn import DECIDES
from classify.columns import FEATURE_INDICES, FEATURE_NAMES, LOG_EVIDENCE, select_features
from classify.model import LensModel, mean_log_odds
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.io.table import written_whole

Array = NDArray[np.float64]

INPUT_NAMES = tuple(FEATURE_NAMES[i] for i in FEATURE_INDICES)
BASELINE, START, CUT, AGAIN = "baseline", "start", "cut", "cnn_stage"
DIGITS = 6
"""Of the log-odds in CSV files."""
LEAST = 0.005
"""Contribution that is worth a word: less would be told as 0.00."""


@dataclass(frozen=True)
class Contributions:
    """What calibrated log-odds are the sum of.

    Attributes
    ----------
    baseline : float
        What no column has to do with: the intercepts, and what the trees add in the mean of the skies they learnt from.
    start : (n,) float64 array
        What the log evidence gives, before any tree.
    columns : (n, n_evidence) float64 array
        What the trees add for each column that they learn from.
    cut : (n,) float64 array
        What the calibration takes off the surest skies; 0 for others.
    """

    baseline: float
    start: Array
    columns: Array
    cut: Array

    @property
    def total(self) -> Array:
        """Their sums, (n,): the calibrated log-odds."""
        return np.asarray(self.baseline + self.start + self.columns.sum(axis=1) + self.cut)


def contributions(model: LensModel, rows: ArrayLike) -> Contributions:
    """Part the calibrated log-odds by the columns.

    Parameters
    ----------
    model : LensModel
        What gave them.
    rows : (n, n_features) float64 array
        Feature rows, in the order of ``FEATURES``.

    Returns
    -------
    Contributions
        Their total is ``model.log_odds(rows)``.

    Notes
    -----
    Shapley values along the trees (Lundberg et al. 2020, as LightGBM has them), averaged over the members and scaled by
    the calibration.
    """
    values = select_features(rows)
    slope, intercept = model.calibration.slope, model.calibration.intercept
    start = model.start(values[:, LOG_EVIDENCE])
    parts = slope * _mean_parts(model.members, values)
    in_mean = float(parts[0, -1]) if len(parts) else 0.0
    baseline = intercept + slope * model.start.intercept + in_mean
    uncut = start + mean_log_odds(model.members, values)
    cut = model.calibration(uncut) - (intercept + slope * uncut)
    return Contributions(baseline, slope * (start - model.start.intercept), parts[:, :-1], cut)


def explained_table(names: Sequence[str], parts: Contributions, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return a row a sky: ``image, baseline, start``, the columns, ``cut, cnn_stage``; a row sums to its log-odds.

    Parameters
    ----------
    names : (n,) sequence of str
        Of the skies.
    parts : Contributions
        Of the trees' log-odds.
    verdicts : pandas.DataFrame
        Their ``probability`` and ``decided_by``: what the CNN stage changed is the rest.
    """
    table = pd.DataFrame(parts.columns, columns=list(INPUT_NAMES))
    table[CUT] = parts.cut
    looked_at = (verdicts["decided_by"] == DECIDES).to_numpy()
    table[AGAIN] = np.where(looked_at, logit(verdicts["probability"].to_numpy(dtype=np.float64)) - parts.total, 0.0)
    table.insert(0, START, parts.start)
    table.insert(0, BASELINE, parts.baseline)
    table.insert(0, "image", list(names))
    return table


def write_explained(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table of contributions as CSV."""
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format=f"%.{DIGITS}f")


def in_words(row: "pd.Series[float]", *, n: int = 3) -> str:
    """Say which `n` of the contributions in a row of the table are largest, and what they add."""
    parts = row.drop(["image", BASELINE, CUT]).astype(np.float64)
    parts = parts[parts.abs() >= LEAST]
    largest = parts.reindex(parts.abs().sort_values(ascending=False, kind="stable").index)[:n]
    if largest.empty:
        return "nothing speaks for a lens or against one"
    return "; ".join(f"{meaning(str(name))} {value:+.2f}" for name, value in largest.items()).replace(" -", " −")


def meaning(name: str) -> str:
    """Return what a contribution comes from."""
    described = {feature.name: feature.description for feature in FEATURES}
    return (described | {START: "log evidence, before any tree", AGAIN: "the CNN stage"})[name]


def _mean_parts(members: tuple[lightgbm.Booster, ...], values: Array) -> Array:
    """Return what each column adds in the trees, and in the last one what the mean sky has, (n, n_evidence + 1)."""
    total = np.zeros((len(values), len(FEATURE_INDICES) + 1))
    if len(values) == 0:
        return total
    for member in members:
        total += member.predict(values, pred_contrib=True, num_threads=1)
    return total / max(len(members), 1)
