"""Ellipticity that the galaxies of a data set share, and other differences of the two classes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from classify.explore.outliers import STATISTICS
from classify.metrics import auc

MIN_SIGNIFICANCE = 5.0
"""Minimum significance of a bias, standard errors."""

MIN_BIAS = 0.005
"""Minimum modulus of a bias, of ellipticity: smaller ones are below the shear of a weak lens."""

MIN_SKIES = 5
"""Minimum number of skies: the scatter of fewer is not known."""

MIN_AUC = 0.9
"""Minimum area under the ROC curve of a statistic that gives the class away."""

MIN_EACH = 10
"""Minimum number of skies of each class for it."""


NOT_BY_A_LENS = tuple(name for name in STATISTICS if name != "sigma_e")
"""Statistics that a lens does not change much; it raises the scatter of ellipticities."""


@dataclass(frozen=True)
class Bias:
    """Mean ellipticity of a data set.

    Attributes
    ----------
    n_skies : int
        Number of skies: those without a lens, or all of an unlabelled data set.
    e1, e2 : float
        Means over skies of the mean ellipticity.
    error : float
        Standard error of a component, by the scatter from sky to sky, at least that by the scatter of shapes.
    """

    n_skies: int
    e1: float
    e2: float
    error: float

    @property
    def modulus(self) -> float:
        """Modulus of the mean ellipticity."""
        return float(np.hypot(self.e1, self.e2))

    @property
    def text(self) -> str:
        """The mean ellipticity with its error."""
        return f"({self.e1:+.4f}, {self.e2:+.4f}) ± {self.error:.4f}".replace("-", "−")

    @property
    def is_significant(self) -> bool:
        """Whether it is neither noise nor too small to matter."""
        return self.modulus > max(MIN_SIGNIFICANCE * self.error, MIN_BIAS)


def additive_bias(skies: pd.DataFrame) -> Bias | None:
    """Return the mean ellipticity of the skies without a lens, or of all if none is labelled; None for fewer than 5."""
    measured = skies[skies["mean_e1"].notna()]
    unlensed = measured[measured["label"] == 0]
    own = unlensed if len(unlensed) >= MIN_SKIES else measured
    if len(own) < MIN_SKIES:
        return None
    means = own[["mean_e1", "mean_e2"]]
    shape_noise = float((own["sigma_e"] ** 2 / own["n_galaxies"]).mean())
    error = float(np.sqrt(max(means.var(ddof=1).mean(), shape_noise) / len(own)))
    return Bias(len(own), float(means["mean_e1"].mean()), float(means["mean_e2"].mean()), error)


def class_differences(skies: pd.DataFrame) -> dict[str, float]:
    """Return the statistics that separate the classes alone, with the area under their ROC curve, at least 0.5."""
    found = {}
    for name in NOT_BY_A_LENS:
        own = skies[["label", name]].dropna()
        labels, values = own["label"].to_numpy(), own[name].to_numpy(dtype=np.float64)
        if min((labels == 0).sum(), (labels == 1).sum()) >= MIN_EACH:
            area = auc(labels, rankdata(values) / values.size)
            if max(area, 1 - area) > MIN_AUC:
                found[name] = max(area, 1 - area)
    return found
