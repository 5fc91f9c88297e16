"""Judgements of skies, and their metrics beside the truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from classify import metrics

Array = NDArray[np.float64]

N_RESAMPLES = 1000
"""Number of bootstrap resamples."""


def calibration_error(labels: Array, probabilities: Array) -> float:
    """Return the expected calibration error, with ten even bins of probability weighted by their members."""
    bins = np.minimum((probabilities * 10).astype(np.int64), 9)
    off = np.bincount(bins, labels - probabilities, minlength=10)
    return float(np.abs(off).sum() / len(labels))


METRICS: dict[str, tuple[str, Callable[[Array, Array, Array], float]]] = {
    "log_loss": ("log loss", lambda y, p, offset: metrics.log_loss(y, p)),
    "recall_at_1pct_fpr": ("recall at 1 %", lambda y, p, offset: metrics.recall_at_1pct_fpr(y, p)),
    "errors_per_1000": ("errors in 1,000", lambda y, p, offset: 1000.0 * (1.0 - metrics.accuracy(y, p))),
    "accuracy": ("accuracy", lambda y, p, offset: metrics.accuracy(y, p)),
    "auc": ("AUC", lambda y, p, offset: metrics.auc(y, p)),
    "calibration_error": ("ECE", lambda y, p, offset: calibration_error(y, p)),
    "median_offset_px": ("offset, px", lambda y, p, offset: float(np.median(known)) if len(
        known := offset[np.isfinite(offset)]) else np.nan),
}  # fmt: skip
"""From the key to the heading and the function of labels, probabilities and offsets (pixels)."""


@dataclass(frozen=True)
class Judgement:
    """Names of validation skies, log-odds of a lens, and positions in pixels (nan for none)."""

    sky: Sequence[str]
    log_odds: Array
    row: Array
    column: Array


def beside_truth(judgement: Judgement, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the truth with the probability and the offset (pixels) of a judgement; a sky without one counts as 1/2."""
    table = truth.merge(pd.DataFrame(vars(judgement)), on="sky", how="left", validate="one_to_one")
    offset = np.hypot(table["row"] - table["lens_row"], table["column"] - table["lens_column"])
    return table.assign(probability=expit(table["log_odds"].fillna(0.0)), offset=offset)


def metrics_of(judged: pd.DataFrame, chosen: NDArray[np.int64] | slice = slice(None)) -> dict[str, float]:
    """Return all metrics on some of the skies."""
    columns = [judged[name].to_numpy(dtype=np.float64)[chosen] for name in ("label", "probability", "offset")]
    return {key: metric(*columns) for key, (_, metric) in METRICS.items()}
