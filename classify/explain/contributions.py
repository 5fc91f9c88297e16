"""Contributions of the input columns to the log-odds of a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from classify.cnn import DECIDES
from classify.model import LensModel, mean_log_odds
from classify.tables.columns import FEATURE_INDICES, FEATURE_NAMES, LOG_EVIDENCE, select_features
from classify.verdicts.verdict import WITHHELD
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.io.table import written_whole

Array = NDArray[np.float64]

INPUT_NAMES = tuple(FEATURE_NAMES[i] for i in FEATURE_INDICES)
BASELINE = "baseline"
"""Column of the sum of the intercepts and of the mean of the trees over their training skies."""
START = "start"
"""Column of the contribution of the log evidence before the trees."""
CUT = "cut"
"""Column of the change by the limit of the calibration."""
MODERATION = "moderation"
"""Column of the change by the moderation of the calibrated log-odds."""
CNN_STAGE = "cnn_stage"
"""Column of the change by the CNN stage."""
LIKENESS = "likeness"
"""Column of the change in skies unlike the training skies."""
DIGITS = 6
"""Decimals of log-odds in CSV files."""
MIN_PRINTED = 0.005
"""Minimum absolute contribution that is printed; smaller ones are 0.00."""


@dataclass(frozen=True)
class Contributions:
    """Terms of the calibrated log-odds of skies.

    Attributes
    ----------
    baseline : float
        Sum of the intercepts and of the mean of the trees over their training skies.
    start : (n,) float64 array
        Contribution of the log evidence before the trees.
    columns : (n, n_inputs) float64 array
        Contributions of the input columns in the trees.
    cut : (n,) float64 array
        Change by the limit of the calibration; 0 for log-odds within it.
    """

    baseline: float
    start: Array
    columns: Array
    cut: Array

    @property
    def total(self) -> Array:
        """Calibrated log-odds, (n,): the sum of all terms."""
        return np.asarray(self.baseline + self.start + self.columns.sum(axis=1) + self.cut)


def contributions(model: LensModel, rows: ArrayLike) -> Contributions:
    """Return the contributions of the columns to the calibrated log-odds.

    Parameters
    ----------
    model : LensModel
        Trained model.
    rows : (n, n_features) float64 array
        Feature rows, in the order of ``FEATURES``.

    Returns
    -------
    Contributions
        The total is ``model.log_odds(rows)``.

    Notes
    -----
    The contributions in the trees are their Shapley values, computed by LightGBM (TreeSHAP), averaged over the members
    and scaled by the slope of the calibration.

    References
    ----------
    Lundberg, S. M., et al. (2020), Nature Machine Intelligence 2, 56, doi:10.1038/s42256-019-0138-9
    """
    values = select_features(rows)
    slope, intercept = model.calibration.slope, model.calibration.intercept
    start = model.start(values[:, LOG_EVIDENCE])
    terms = slope * _mean_shapley_values(model.members, values)
    mean_of_trees = float(terms[0, -1]) if len(terms) else 0.0
    baseline = intercept + slope * model.start.intercept + mean_of_trees
    uncut = start + mean_log_odds(model.members, values)
    cut = model.calibration(uncut) - (intercept + slope * uncut)
    return Contributions(baseline, slope * (start - model.start.intercept), terms[:, :-1], cut)


def explained_table(names: Sequence[str], parts: Contributions, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the terms of the log-odds, which sum to the log-odds in each row.

    Parameters
    ----------
    names : (n,) sequence of str
        Names of the skies.
    parts : Contributions
        Terms of the log-odds of the trees.
    verdicts : pandas.DataFrame
        ``probability``, ``unlike`` and ``decided_by`` of the skies; the difference to the trees is the change by the
        CNN stage, in an unlike sky by moderation and likeness together, nan where the verdict is withheld, or else by
        the moderation.

    Returns
    -------
    pandas.DataFrame
        A row for each sky: ``image, baseline, start``, the input columns, ``cut, moderation, cnn_stage,
        likeness``.
    """
    table = pd.DataFrame(parts.columns, columns=list(INPUT_NAMES))
    by_cnn = (verdicts["decided_by"] == DECIDES).to_numpy()
    unlike = (verdicts["unlike"] == 1).to_numpy()
    change = logit(verdicts["probability"].to_numpy(dtype=np.float64)) - parts.total
    change[(verdicts["decided_by"] == WITHHELD).to_numpy()] = np.nan
    table[CUT] = parts.cut
    table[MODERATION] = np.where(by_cnn | unlike, 0.0, change)
    table[CNN_STAGE] = np.where(by_cnn, change, 0.0)
    table[LIKENESS] = np.where(unlike, change, 0.0)
    table.insert(0, START, parts.start)
    table.insert(0, BASELINE, parts.baseline)
    table.insert(0, "image", list(names))
    return table


def write_explained(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table of contributions as CSV."""
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format=f"%.{DIGITS}f")


def largest_contributions(row: "pd.Series[float]", *, n: int = 3) -> str:
    """Return the `n` largest contributions in a row of the table as text."""
    parts = row.drop(["image", BASELINE, CUT]).astype(np.float64)
    parts = parts[parts.abs() >= MIN_PRINTED]
    largest = parts.reindex(parts.abs().sort_values(ascending=False, kind="stable").index)[:n]
    if largest.empty:
        return "no contribution"
    return "; ".join(f"{meaning(str(name))} {value:+.2f}" for name, value in largest.items()).replace(" -", " −")


def meaning(name: str) -> str:
    """Return the description of a column of contributions."""
    described = {feature.name: feature.description for feature in FEATURES}
    return (
        described
        | {
            START: "log evidence, before any tree",
            MODERATION: "moderation",
            CNN_STAGE: "the CNN stage",
            LIKENESS: "unlike the training skies",
        }
    )[name]


def _mean_shapley_values(members: tuple[lightgbm.Booster, ...], values: Array) -> Array:
    """Return the Shapley values of the columns and, in the last one, the mean of the trees: (n, n_inputs + 1)."""
    total = np.zeros((len(values), len(FEATURE_INDICES) + 1))
    if len(values) == 0:
        return total
    for member in members:
        total += member.predict(values, pred_contrib=True, num_threads=1)
    return total / max(len(members), 1)
