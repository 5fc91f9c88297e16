"""Partial dependence of the log-odds on a column."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classify.explain.contributions import INPUT_NAMES, Contributions
from classify.model import LensModel, mean_log_odds
from classify.tables.columns import FEATURE_NAMES, LOG_EVIDENCE, select_features

Array = NDArray[np.float64]

N_PANELS = 6
"""Number of columns in the figure."""
N_POINTS = 24
"""Number of values at equal steps, and again at equal fractions of the skies."""
N_SKIES = 300
"""Maximum number of skies in the average; more are drawn at random."""
SEED = 1
"""Seed of this draw."""
SPREAD = 10.0, 90.0
"""Percentiles of the skies that bound the band."""
EDGES = 0.01, 0.99
"""Quantiles of a column that bound its values; few training skies lie beyond them."""


@dataclass(frozen=True)
class Dependence:
    """Change of the log-odds of skies with the value of a column, relative to its median.

    Attributes
    ----------
    name : str
        Name of the column.
    grid : (n_points,) float64 array
        Values of the column.
    change : (n_points,) float64 array
        Mean change of the calibrated log-odds.
    low, high : (n_points,) float64 arrays
        Percentiles `SPREAD` of the change.
    values : (n,) float64 array
        Finite values of the column in those skies, sorted.
    """

    name: str
    grid: Array
    change: Array
    low: Array
    high: Array
    values: Array

    @property
    def reach(self) -> float:
        """Difference of the largest and the smallest mean change."""
        return float(np.ptp(self.change)) if self.change.size else 0.0


def partial_dependence(model: LensModel, rows: ArrayLike, name: str) -> Dependence:
    """Return the partial dependence of the calibrated log-odds on a column.

    Parameters
    ----------
    model : LensModel
        Trained model; its start, trees and calibration all contribute.
    rows : (n, n_features) float64 array
        Feature rows to average over, in the order of ``FEATURES``.
    name : str
        Name of the column.

    Returns
    -------
    Dependence

    Notes
    -----
    The mean of the calibrated log-odds of the skies, with the column set to a value and the other columns unchanged
    (Friedman 2001, eq. 53), minus the same at the median of the column.

    References
    ----------
    Friedman, J. H. (2001), Annals of Statistics 29, 1189, doi:10.1214/aos/1013203451
    """
    own, index = np.asarray(rows, dtype=np.float64), FEATURE_NAMES.index(name)
    values = np.sort(own[np.isfinite(own[:, index]), index])
    if not values.size:
        return Dependence(name, values, values, values, values, values)
    grid = _grid(values)
    log_odds = _log_odds_with(model, own, index, np.array([*grid, np.median(values)]))
    change = log_odds[:-1] - log_odds[-1]
    low, high = np.percentile(change, SPREAD, axis=1)
    return Dependence(name, grid, change.mean(axis=1), low, high, values)


def _grid(values: Array) -> Array:
    quantiles = np.quantile(values, np.linspace(*EDGES, N_POINTS))
    return np.union1d(quantiles, np.linspace(quantiles[0], quantiles[-1], N_POINTS))


def _log_odds_with(model: LensModel, rows: Array, index: int, settings: Array) -> Array:
    """Return the log-odds, (n_settings, n), of rows with the column `index` set to each of the values.

    The trees are evaluated once for all values between two of their thresholds.
    """
    name = FEATURE_NAMES[index]
    thresholds = model.thresholds[INPUT_NAMES.index(name)] if name in INPUT_NAMES else np.empty(0)
    interval = np.searchsorted(thresholds, settings)
    _, first, same = np.unique(interval, return_index=True, return_inverse=True)
    varied = np.repeat(rows[None], settings.size, axis=0)
    varied[:, :, index] = settings[:, None]
    inputs = select_features(varied.reshape(-1, rows.shape[1])).reshape(settings.size, len(rows), -1)
    of_trees = mean_log_odds(model.members, np.concatenate(inputs[first])).reshape(first.size, len(rows))
    return model.calibration(model.start(inputs[:, :, LOG_EVIDENCE]) + of_trees[same])


def top_features(parts: Contributions, n: int = N_PANELS) -> list[str]:
    """Return the columns with the largest mean absolute contributions; the start belongs to the log evidence."""
    columns = parts.columns.copy()
    columns[:, LOG_EVIDENCE] += parts.start
    mean = np.abs(columns).mean(axis=0)
    return [INPUT_NAMES[i] for i in np.argsort(-mean, kind="stable")[:n] if mean[i] > 0]


def some_skies(rows: ArrayLike, *, n: int = N_SKIES) -> Array:
    """Return a random subset of at most `n` rows, in their order."""
    values = np.asarray(rows, dtype=np.float64)
    return values[np.sort(np.random.default_rng(SEED).permutation(len(values))[:n])]
