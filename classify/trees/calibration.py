"""Calibration of log-odds."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

Array = NDArray[np.float64]

LIMIT = 8.0
"""Maximum absolute log-odds, 1 in 3,000: a training set of a thousand skies does not constrain larger ones."""

UNBOUNDED = 2.0
"""Log-odds for or against a lens, above the prior, that trees may reach against the evidence."""

NONE_FACTOR = 0.85
"""Factor of log-odds below the prior: weaker lenses than those of the training skies are possible.

With both rules, verdicts that are wrong at a probability below 0.02 or above 0.98 fall from 2.3 to 0.7 % where all
lenses are weaker by a factor of 0.7, and from 0.7 to 0 % on skies like the training skies, whose log loss is the same.
"""


@dataclass(frozen=True)
class Calibration:
    """Platt's calibration of log-odds, ``intercept + slope * clip(log_odds, -LIMIT, LIMIT)``.

    Without the limit, a few skies with extreme log-odds would determine the slope of the uncertain ones.
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, log_odds: ArrayLike, labels: ArrayLike) -> Self:
        """Return the calibration with the maximum likelihood.

        Parameters
        ----------
        log_odds : (n,) array
            Out-of-fold log-odds.
        labels : (n,) array
            1 for a sky with a lens, 0 for a sky without.

        Returns
        -------
        Calibration
            Its slope is not negative: log-odds worse than random are replaced by a constant.

        Notes
        -----
        The targets are ``(n_lens + 1) / (n_lens + 2)`` and ``1 / (n_other + 2)`` instead of 1 and 0 (Platt 1999,
        sect. 2.2), which keeps the fit finite when the labels are perfectly separated.

        References
        ----------
        Platt, J. (1999), Probabilistic outputs for support vector machines and comparisons to regularized likelihood
        methods, in Advances in Large Margin Classifiers, MIT Press.
        """
        x, y = _clipped(np.asarray(log_odds, dtype=np.float64)), np.asarray(labels) == 1
        target = np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))
        design = np.stack([x, np.ones_like(x)], axis=1)

        def loss(beta: Array) -> float:
            return -float(np.mean(target * log_expit(design @ beta) + (1 - target) * log_expit(-design @ beta)))

        def gradient(beta: Array) -> Any:
            return (expit(design @ beta) - target) @ design / x.size

        def curvature(beta: Array) -> Any:
            p = expit(design @ beta)
            return design.T @ (design * (p * (1 - p))[:, None]) / x.size

        found = minimize(loss, [1.0, 0.0], method="trust-exact", jac=gradient, hess=curvature, tol=1e-10)
        if found.x[0] < 0:
            return cls(slope=0.0, intercept=float(logit(target.mean())))
        return cls(slope=float(found.x[0]), intercept=float(found.x[1]))

    def __call__(self, log_odds: Array) -> Array:
        """Return the calibrated log-odds."""
        return self.intercept + self.slope * _clipped(log_odds)


def moderated(log_odds: Array, evidence: Array, prior: float = 0.0) -> Array:
    """Return the log-odds of trees, nowhere surer than the evidence that they start from, nor quite sure of no lens.

    Trees learn from labels which skies of the training are lensed, and are surer than the evidence where all of these
    are alike; the prior of the evidence has lenses that are weaker and stronger.

    Parameters
    ----------
    log_odds : (n,) float64 array
        Calibrated log-odds by the trees.
    evidence : (n,) float64 array
        Log Bayes factors of the skies.
    prior : float
        Prior log-odds of a lens, which the log-odds contain and the evidence does not.
    """
    bounded = np.clip(log_odds - prior, np.minimum(evidence, -UNBOUNDED), np.maximum(evidence, UNBOUNDED))
    return prior + np.where(bounded < 0.0, NONE_FACTOR * bounded, bounded)


def _clipped(log_odds: Array) -> Array:
    return np.clip(log_odds, -LIMIT, LIMIT)
