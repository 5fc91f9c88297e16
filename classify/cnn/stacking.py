"""Uncertain skies, the weights of trees and networks there, and the gain from the networks."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from classify.trees.calibration import LIMIT

Array = NDArray[np.float64]

PRIOR_WEIGHTS = (0.0, 1.0, 0.0)
"""Prior mean of the stacker's intercept and weights: the log-odds of the trees, unchanged."""
PRIOR_SIGMA = 1.0
"""Prior standard deviation of each of them."""
N_RESAMPLES = 2000
"""Bootstrap resamples of the gain."""
RESAMPLING_SEED = 1
"""Seed of the resamples."""
MIN_CONFIDENCE = 0.95
"""Fraction of the resamples in which the networks must lower the loss for the stage to be kept."""


def uncertainty_limit(log_odds: ArrayLike, fraction: float) -> float:
    """Return the modulus of the calibrated log-odds up to which a sky is uncertain.

    Parameters
    ----------
    log_odds : (n,) array
        Out-of-fold log-odds of the training skies.
    fraction : float
        Fraction of them to be uncertain.
    """
    return float(np.quantile(np.abs(np.asarray(log_odds, dtype=np.float64)), fraction))


@dataclass(frozen=True)
class Stacker:
    """Weighted sum of log-odds, ``intercept + trees * x_trees + network * x_network``.

    Both log-odds are clipped to +-8, as the calibration does.

    Attributes
    ----------
    intercept : float
        Constant term.
    trees, network : float
        Weights of the log-odds of the trees and of the networks.
    """

    intercept: float = 0.0
    trees: float = 1.0
    network: float = 0.0

    @classmethod
    def fit(cls, trees: ArrayLike, network: ArrayLike | None, labels: ArrayLike) -> Self:
        """Return the stacker fitted to out-of-fold log-odds.

        Parameters
        ----------
        trees, network : (n,) arrays
            Out-of-fold log-odds of the trees and of the networks; None fits intercept and trees alone.
        labels : (n,) array
            1 for a lens, 0 for none.

        Notes
        -----
        Maximum a posteriori, with a Gaussian prior about `PRIOR_WEIGHTS` and no weight below 0, so that a few skies
        change little. The targets are those of Platt, (N_+ + 1) / (N_+ + 2) and 1 / (N_- + 2), as in `Calibration`.
        The fit takes all training skies, because the targets of the few uncertain ones would bound the log-odds more.

        References
        ----------
        Platt 1999, Probabilistic outputs for support vector machines and comparisons to regularized likelihood
        methods, in: Advances in Large Margin Classifiers, MIT Press
        """
        is_lens = np.asarray(labels) == 1
        y = np.where(is_lens, (is_lens.sum() + 1) / (is_lens.sum() + 2), 1 / ((~is_lens).sum() + 2))
        design = _design(trees, 0 * y if network is None else network)
        prior = np.array(PRIOR_WEIGHTS)

        def loss(weights: Array) -> tuple[float, Array]:
            x, off = design @ weights, (weights - prior) / PRIOR_SIGMA**2
            value = -(y * log_expit(x) + (1 - y) * log_expit(-x)).sum() + 0.5 * off @ (weights - prior)
            return float(value), (expit(x) - y) @ design + off

        fitted = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None), (0, None)])
        return cls(*(float(weight) for weight in fitted.x))

    def __call__(self, trees: ArrayLike, network: ArrayLike) -> Array:
        """Return the stacked log-odds (n,)."""
        return np.asarray(_design(trees, network) @ [self.intercept, self.trees, self.network])

    def to_dict(self) -> dict[str, Any]:
        """Return the weights by name."""
        return asdict(self)


def cross_fitted(trees: ArrayLike, network: ArrayLike, labels: ArrayLike, fold: ArrayLike) -> tuple[Array, Array]:
    """Return stacked log-odds out of fold: each fold by stackers fitted to the others.

    Parameters
    ----------
    trees, network, labels : (n,) arrays
        As in `Stacker.fit`.
    fold : (n,) int array
        Fold of each sky.

    Returns
    -------
    trees_refitted, stacked : (n,) float64 arrays
        Log-odds of the trees with a new scale and intercept, and of trees and networks. The difference of their losses
        is due to the networks alone.
    """
    x, z, y, folds = (np.asarray(each) for each in (trees, network, labels, fold))
    refitted, stacked = np.array(x, dtype=np.float64), np.array(x, dtype=np.float64)
    for k in np.unique(folds):
        own = folds == k
        refitted[own] = Stacker.fit(x[~own], None, y[~own])(x[own], z[own])
        stacked[own] = Stacker.fit(x[~own], z[~own], y[~own])(x[own], z[own])
    return refitted, stacked


@dataclass(frozen=True)
class Gain:
    """Change of the log loss of the uncertain skies by the networks, out of fold.

    Attributes
    ----------
    n : int
        Number of skies.
    before, after : float
        Log loss of the trees, and of trees and networks stacked.
    error : float
        Standard error of their difference, from a paired bootstrap.
    confidence : float
        Fraction of the resamples in which stacking has a lower loss than the trees and than the trees refitted.
    """

    n: int
    before: float
    after: float
    error: float
    confidence: float

    @classmethod
    def of(cls, trees: ArrayLike, refitted: ArrayLike, stacked: ArrayLike, labels: ArrayLike) -> Self:
        """Return the gain of stacked log-odds over those of the trees.

        Parameters
        ----------
        trees, refitted, stacked : (n,) arrays
            Log-odds of the trees, of the trees refitted, and of both stacked, as `cross_fitted` returns them.
        labels : (n,) array
            1 for a lens, 0 for none.
        """
        before, alone, after = (_losses(x, labels) for x in (trees, refitted, stacked))
        draws = np.random.default_rng(RESAMPLING_SEED).integers(0, after.size, (N_RESAMPLES, after.size))
        gain, gain_of_networks = ((each - after)[draws].mean(axis=1) for each in (before, alone))
        confidence = ((gain > 0) & (gain_of_networks > 0)).mean()
        return cls(after.size, before.mean().item(), after.mean().item(), gain.std().item(), confidence.item())

    @property
    def helps(self) -> bool:
        """Whether the stage is kept."""
        return self.confidence >= MIN_CONFIDENCE

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
