"""Calibration of probabilities."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

Array = NDArray[np.float64]


LIMIT = 8.0
"""Log-odds are cut there, at 1 in 3,000: a training set of a thousand skies knows nothing of what is surer."""


@dataclass(frozen=True)
class Calibration:
    """From log-odds to calibrated ones: ``intercept + slope * log_odds`` (Platt 1999), for log-odds cut at +-8.

    Without the cut, the surest skies, of which no number of them says more, would set the slope for the doubtful ones.
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, log_odds: ArrayLike, labels: ArrayLike) -> Self:
        """Fit by maximum likelihood.

        Parameters
        ----------
        log_odds : (n,) array
            Of rows that the members which judged them have not learnt from.
        labels : (n,) array
            1 for a sky with a lens, 0 for one without.

        Notes
        -----
        The targets are Platt's ``(n_lens + 1)/(n_lens + 2)`` and ``1/(n_other + 2)`` in place of 1 and 0, so
        that the fit stays finite when the labels can be told apart without a mistake. Nor is the slope
        ever below 0: log-odds that are worse than chance are left out, not turned round.
        """
        x, y = _cut(np.asarray(log_odds, dtype=np.float64)), np.asarray(labels) == 1
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
        return self.intercept + self.slope * _cut(log_odds)


def _cut(log_odds: Array) -> Array:
    return np.clip(log_odds, -LIMIT, LIMIT)
