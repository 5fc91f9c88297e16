"""How the verdict depends on a column, the others being what they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classify.columns import FEATURE_NAMES, LOG_EVIDENCE
from classify.explain.contributions import INPUT_NAMES, Contributions
from classify.model import LensModel

Array = NDArray[np.float64]

N_PANELS = 6
"""Columns that are shown."""
N_POINTS = 24
"""Of the values a column is set to: so many at equal steps, and so many with equal shares of the skies between them."""
N_SKIES = 300
"""Skies that are averaged over, at most: drawn at random where there are more."""
SEED = 1
SPREAD = 10.0, 90.0
"""Per cent of the skies between which the band lies."""
EDGES = 0.01, 0.99
"""Quantiles of a column between which it is varied: beyond, hardly any sky has taught the model anything."""


@dataclass(frozen=True)
class Dependence:
    """How the log-odds of skies change when one of their columns is set to a value, from where its median puts them.

    Attributes
    ----------
    name : str
        Of the column.
    grid : (n_points,) float64 array
        The values it is set to.
    change : (n_points,) float64 array
        Of the calibrated log-odds, in the mean of the skies.
    low, high : (n_points,) float64 arrays
        Between these, the change of eight in ten skies.
    values : (n,) float64 array
        What the column is in those skies, sorted, without those that lack it.
    """

    name: str
    grid: Array
    change: Array
    low: Array
    high: Array
    values: Array

    @property
    def reach(self) -> float:
        """By how much the mean log-odds move from their lowest to their highest."""
        return float(np.ptp(self.change)) if self.change.size else 0.0


def partial_dependence(model: LensModel, rows: ArrayLike, name: str) -> Dependence:
    """Set a column to one value after the other in all skies, and see what the whole calibrated model makes of it.

    Parameters
    ----------
    model : LensModel
        Trees, start and calibration are all asked: the log evidence acts through all of them.
    rows : (n, n_features) float64 array
        Feature rows to average over, in the order of ``FEATURES``.
    name : str
        The column.

    Notes
    -----
    Averaged over the skies are their calibrated log-odds, each sky keeping its other columns (Friedman 2001). What they
    are at the column's median is taken off.
    """
    own, place = np.asarray(rows, dtype=np.float64), FEATURE_NAMES.index(name)
    values = np.sort(own[np.isfinite(own[:, place]), place])
    if not values.size:
        return Dependence(name, values, values, values, values, values)
    grid = _grid(values)
    log_odds = _log_odds_with(model, own, place, np.array([*grid, np.median(values)]))
    change = log_odds[:-1] - log_odds[-1]
    low, high = np.percentile(change, SPREAD, axis=1)
    return Dependence(name, grid, change.mean(axis=1), low, high, values)


def _grid(values: Array) -> Array:
    shares = np.quantile(values, np.linspace(*EDGES, N_POINTS))
    return np.union1d(shares, np.linspace(shares[0], shares[-1], N_POINTS))


def _log_odds_with(model: LensModel, rows: Array, place: int, settings: Array) -> Array:
    """Return the log-odds, (n_settings, n), of rows whose column at `place` is set to each of the values."""
    varied = np.repeat(rows[None], settings.size, axis=0)
    varied[:, :, place] = settings[:, None]
    return model.log_odds(varied.reshape(-1, rows.shape[1])).reshape(settings.size, len(rows))


def top_features(parts: Contributions, n: int = N_PANELS) -> list[str]:
    """Return the columns that contribute most in the mean; the start counts to the log evidence."""
    columns = parts.columns.copy()
    columns[:, LOG_EVIDENCE] += parts.start
    mean = np.abs(columns).mean(axis=0)
    return [INPUT_NAMES[i] for i in np.argsort(-mean, kind="stable")[:n] if mean[i] > 0]


def some_skies(rows: ArrayLike, *, n: int = N_SKIES) -> Array:
    """Return at most `n` of the rows, drawn at random, in their order."""
    values = np.asarray(rows, dtype=np.float64)
    return values[np.sort(np.random.default_rng(SEED).permutation(len(values))[:n])]
