"""Skies unlike the other skies of a data set, by a robust distance in a few statistics."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

Array = NDArray[np.float64]

STATISTICS = {
    "n_galaxies": "number of galaxies",
    "size": "size of galaxies",
    "sigma_e": "scatter of ellipticities",
    "mean_e1": "mean e1",
    "mean_e2": "mean e2",
    "brightness": "brightness",
    "noise": "noise",
}
"""Statistics of a sky, and their names in words."""

LOGARITHMIC = ("n_galaxies", "size", "brightness", "noise")
"""Statistics whose logarithm is compared."""

FALSE_ALARMS = 0.01
"""Expected number of outliers of a data set of Gaussian statistics."""

TAILS = 1.5
"""Factor of the distance, for tails heavier than Gaussian: the farthest of 1800 simulated skies is at 0.9
without it."""

MIN_SKIES = 12
"""Minimum number of skies: the scatter of fewer is not known."""

MIN_SCATTER = 0.02
"""Minimum scatter of a statistic: smaller differences have no effect on a model."""


@dataclass(frozen=True)
class Outlier:
    """A sky unlike the others.

    Attributes
    ----------
    index : int
        Row of the sky.
    distance : float
        Robust distance over its limit; above 1.
    statistic : str
        Statistic that differs most.
    value, typical : float
        Its value, and the median of all skies.
    """

    index: int
    distance: float
    statistic: str
    value: float
    typical: float

    @property
    def reason(self) -> str:
        """The difference, in words."""
        return f"{STATISTICS[self.statistic]} {self.value:.3g}, typically {self.typical:.3g}"


def outliers(skies: pd.DataFrame) -> list[Outlier]:
    """Return the skies unlike the others, the most distant first.

    The deviations from the median, in units of the scatter by the median absolute deviation, are added in quadrature
    and compared with the quantile of chi squared.

    Parameters
    ----------
    skies : DataFrame
        Table of :class:`~classify.explore.look.Looks`.

    Returns
    -------
    list of Outlier
        Empty for fewer than 12 measured skies.
    """
    names = list(STATISTICS)
    values = skies[names].to_numpy(dtype=np.float64)
    measured = np.isfinite(skies["mean_e1"].to_numpy(dtype=np.float64))
    if measured.sum() < MIN_SKIES:
        return []
    deviation = np.stack([_deviation(skies, name, measured) for name in names], axis=1)
    limit = TAILS * np.sqrt(chi2.isf(FALSE_ALARMS / measured.sum(), len(names)))
    distance = np.where(measured, np.sqrt((deviation**2).sum(axis=1)) / limit, 0.0)
    typical = skies.loc[measured, names].median().to_numpy(dtype=np.float64)
    far = [int(k) for k in np.argsort(-distance, kind="stable") if distance[k] > 1]
    worst = np.abs(deviation).argmax(axis=1)
    return [Outlier(k, float(distance[k]), names[worst[k]], values[k, worst[k]], typical[worst[k]]) for k in far]


def _deviation(skies: pd.DataFrame, name: str, measured: NDArray[np.bool_]) -> Array:
    """Return the deviation of a statistic from its median, in units of its scatter or of its own error."""
    values = skies[name].to_numpy(dtype=np.float64)
    known = values[measured & np.isfinite(values)]
    if not known.size:
        return np.zeros(len(skies))
    if name in LOGARITHMIC and known.min() <= 0:
        return _compressed(values, known)
    if name in LOGARITHMIC:
        values, known = np.log(np.where(values > 0, values, known.min())), np.log(known)
    scale = np.maximum(np.maximum(_scatter(known), _error(skies, name)), MIN_SCATTER)
    return np.asarray(np.nan_to_num((values - np.median(known)) / scale))


def _compressed(values: Array, known: Array) -> Array:
    """Return deviations on a logarithmic scale where values have both signs: the mean without a background."""
    scatter = max(_scatter(known), MIN_SCATTER * abs(float(np.median(known))), float(np.finfo(float).tiny))
    deviation = (values - np.median(known)) / scatter
    return np.asarray(np.nan_to_num(2.0 * np.sign(deviation) * np.log1p(np.abs(deviation))))


def _scatter(known: Array) -> float:
    return 1.4826 * float(np.median(np.abs(known - np.median(known))))


def _error(skies: pd.DataFrame, name: str) -> Array:
    """Return the standard error of a statistic of each sky by the number of its galaxies; 0 for one of the image."""
    n, sigma = (skies[column].to_numpy(dtype=np.float64) for column in ("n_galaxies", "sigma_e"))
    root = np.sqrt(np.maximum(n, 1.0))
    errors = {"n_galaxies": 1.0 / root, "size": 0.5 / root, "sigma_e": sigma / root, "mean_e1": sigma / root}
    errors["mean_e2"] = errors["mean_e1"]
    return np.asarray(np.nan_to_num(errors.get(name, np.zeros(len(skies)))))
