"""Which skies are hard, how trees and network are weighed there, and whether that helps."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from classify.trees.calibration import LIMIT

Array = NDArray[np.float64]

PRIOR_SIGMA = 1.0
"""Of each weight of the stacker about the trees' log-odds as they are."""
N_RESAMPLES, RESAMPLING_SEED = 2000, 1
SURE = 0.95
"""Share of the resamples in which the network must help to be kept."""


def uncertainty_limit(log_odds: ArrayLike, share: float) -> float:
    """Return the calibrated log-odds up to which, either way, a sky is hard.

    Parameters
    ----------
    log_odds : (n,) array
        Out-of-fold, of the training skies.
    share : float
        Of them that shall be hard.
    """
    return float(np.quantile(np.abs(np.asarray(log_odds, dtype=np.float64)), share))


@dataclass(frozen=True)
class Stacker:
    """Log-odds ``intercept + trees * theirs + network * its``, both cut at +-8 as the calibration cuts them."""

    intercept: float = 0.0
    trees: float = 1.0
    network: float = 0.0

    @classmethod
    def fit(cls, trees: ArrayLike, network: ArrayLike | None, labels: ArrayLike) -> Self:
        """Fit the weights, none below 0, to out-of-fold log-odds of skies, (n,) each; without a network, to trees.

        Notes
        -----
        Maximum a posteriori, about (0, 1, 0): a network that a few skies do not speak for changes little. The targets
        are Platt's, as in `Calibration`: with those of all training skies one may be surer than with the hard ones'.
        """
        is_lens = np.asarray(labels) == 1
        y = np.where(is_lens, (is_lens.sum() + 1) / (is_lens.sum() + 2), 1 / ((~is_lens).sum() + 2))
        design = _design(trees, 0 * y if network is None else network)
        middle = np.array([0.0, 1.0, 0.0])

        def loss(weights: Array) -> tuple[float, Array]:
            x, off = design @ weights, (weights - middle) / PRIOR_SIGMA**2
            value = -(y * log_expit(x) + (1 - y) * log_expit(-x)).sum() + 0.5 * off @ (weights - middle)
            return float(value), (expit(x) - y) @ design + off

        found = minimize(loss, middle, jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None), (0, None)])
        intercept, of_trees, of_network = (float(weight) for weight in found.x)
        return cls(intercept, of_trees, of_network)

    def __call__(self, trees: ArrayLike, network: ArrayLike) -> Array:
        """Return the log-odds (n,) of both together."""
        return np.asarray(_design(trees, network) @ [self.intercept, self.trees, self.network])

    def to_dict(self) -> dict[str, Any]:
        """Return the weights by name."""
        return asdict(self)


def cross_fitted(trees: ArrayLike, network: ArrayLike, labels: ArrayLike, part: ArrayLike) -> tuple[Array, Array]:
    """Weigh each part (n,) of the skies by stackers fitted to the others.

    Returns
    -------
    alone, stacked : (n,) float64 arrays
        Log-odds of the trees, weighed anew without the network, and of both: what is between is the network's doing.
    """
    x, z, y, parts = (np.asarray(each) for each in (trees, network, labels, part))
    alone, stacked = np.array(x, dtype=np.float64), np.array(x, dtype=np.float64)
    for k in np.unique(parts):
        own = parts == k
        alone[own] = Stacker.fit(x[~own], None, y[~own])(x[own], z[own])
        stacked[own] = Stacker.fit(x[~own], z[~own], y[~own])(x[own], z[own])
    return alone, stacked


@dataclass(frozen=True)
class Gain:
    """What the network makes better on the uncertain skies, out of fold.

    Attributes
    ----------
    n : int
        Skies.
    before, after : float
        Log loss of the trees as they are, and of both stacked.
    error : float
        Of their difference: bootstrap, paired.
    chance : float
        Share of the resamples in which stacking is better than the trees as they are, and than the trees weighed anew.
    """

    n: int
    before: float
    after: float
    error: float
    chance: float

    @classmethod
    def of(cls, trees: ArrayLike, alone: ArrayLike, stacked: ArrayLike, labels: ArrayLike) -> Self:
        """Compare log-odds, (n,) each: of the trees as they are, weighed anew, and stacked."""
        before, anew, after = (_losses(x, labels) for x in (trees, alone, stacked))
        draws = np.random.default_rng(RESAMPLING_SEED).integers(0, after.size, (N_RESAMPLES, after.size))
        better, of_network = ((each - after)[draws].mean(axis=1) for each in (before, anew))
        chance = ((better > 0) & (of_network > 0)).mean()
        return cls(after.size, before.mean().item(), after.mean().item(), better.std().item(), chance.item())

    @property
    def helps(self) -> bool:
        """Whether the network is to be kept."""
        return self.chance >= SURE

    def __str__(self) -> str:
        gain = self.before - self.after
        change = f"{'better' if gain > 0 else 'worse'} by {abs(gain):.4f} ± {self.error:.4f}"
        return f"log loss of {self.n} uncertain skies, out of fold: {self.before:.4f} -> {self.after:.4f}, {change}"


def _design(trees: ArrayLike, network: ArrayLike) -> Array:
    x, z = (np.clip(np.asarray(each, dtype=np.float64), -LIMIT, LIMIT) for each in (trees, network))
    return np.stack([np.ones_like(x), x, z], axis=1)


def _losses(log_odds: ArrayLike, labels: ArrayLike) -> Array:
    x, y = np.asarray(log_odds, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    return np.asarray(-(y * log_expit(x) + (1 - y) * log_expit(-x)))
