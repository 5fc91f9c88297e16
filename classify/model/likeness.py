"""Likeness: how typical a sky is of the training skies, and the consequence for its probability."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classify.tables.columns import FEATURE_NAMES
from darkmatter_features.features.statistics import FEATURES

Array = NDArray[np.float64]

TOLERANCES = {
    "mean_e1": 0.1,
    "mean_e2": 0.1,
    "sigma_e": 0.03,
    "partial": 0.1,
    "log_density": 0.5,
    "log_size": 0.06,
    "log_size_spread": 0.1,
    "log_brightness_spread": 0.1,
    "log_fill_factor": 0.003,
    "log_fill_factor_spread": 0.4,
    "size_brightness": 0.15,
    "fill_factor_ellipticity": 0.05,
    "shape_kurtosis": 0.15,
    "log_psf_sigma": 0.5,
    "log_noise": 0.3,
    "n_bands": 1.0,
}
"""Features of a sky that are compared, with the deviation at which verdicts still hold, in the unit of the feature.

A lens changes none of them by more than 0.6 of its scatter over skies. The evidence is adjusted to density, PSF, mean
and scatter of the ellipticity of each sky, so that these have wide tolerances; fill factors and sizes, by which the
template knows the shapes of galaxies, have narrow ones. They were chosen on simulated skies with shifts of each.
"""

UNLIKE = 0.005
"""A sky of less likeness is unlike the training skies: 0.5 % of the skies like these."""

WITHHELD_DISTANCE = 4.0
"""Distance beyond which the verdict is withheld, in units of that of the least likeness that is not unlike."""

DRAWN_DISTANCE = 1.5
"""Excess distance, in the same units, at which log-odds are halved towards the prior."""

N_QUANTILES = 401
"""Number of quantiles of the distances of the training skies that are kept."""

TAIL = 0.9
"""Quantile beyond which distances are continued by an exponential tail."""

N_REASONS = 2
"""Number of features that a reason names."""


@dataclass(frozen=True)
class Likeness:
    """Comparison of skies with the training skies.

    Attributes
    ----------
    centre, scale : tuple of float
        Median over the training skies of each feature of :data:`TOLERANCES`, and the scale of its deviations.
    distances : tuple of float
        Quantiles of the distances of the training skies, ascending.
    prior_log_odds : float
        Log-odds of a lens among the training skies.

    Notes
    -----
    The scale of a feature is its scatter over the training skies and its tolerance, added in quadrature, and the
    distance of a sky the root of the sum of its squared deviations in these units. Its likeness is the fraction of the
    training skies at larger distance, so that it is uniform over skies like these.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    distances: tuple[float, ...]
    prior_log_odds: float

    @classmethod
    def fit(cls, rows: ArrayLike, labels: ArrayLike) -> Self:
        """Return the comparison with training skies.

        Parameters
        ----------
        rows : (n, n_features) float64 array
            Feature rows, in the order of ``FEATURES``.
        labels : (n,) array
            1 for a sky with a lens, 0 for a sky without.
        """
        values = _described(rows)
        known = np.isfinite(values)
        centre = np.array([np.median(own[ok]) if ok.any() else 0.0 for own, ok in zip(values.T, known.T, strict=True)])
        scatter = np.array([own[ok].std() if ok.any() else 0.0 for own, ok in zip(values.T, known.T, strict=True)])
        scale = np.hypot(scatter, list(TOLERANCES.values()))
        distances = np.quantile(_distance(values, centre, scale), np.linspace(0.0, 1.0, N_QUANTILES))
        n_lenses = float((np.asarray(labels) == 1).sum())
        prior = np.log((n_lenses + 1.0) / (len(values) - n_lenses + 1.0))
        return cls(tuple(centre.tolist()), tuple(scale.tolist()), tuple(distances.tolist()), float(prior))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a comparison from :meth:`to_dict`; raise KeyError, TypeError or ValueError on anything else."""
        arrays = {name: tuple(map(float, values[name])) for name in ("centre", "scale", "distances")}
        own = cls(**arrays, prior_log_odds=float(values["prior_log_odds"]))
        if len(own.centre) != len(TOLERANCES) or len(own.scale) != len(TOLERANCES) or not own.distances:
            raise ValueError("the likeness compares other features")
        return own

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON holds them."""
        return asdict(self)

    def distance(self, rows: ArrayLike) -> Array:
        """Return the distance (n,) of feature rows (n, n_features) from the training skies."""
        return _distance(_described(rows), np.array(self.centre), np.array(self.scale))

    def likeness(self, rows: ArrayLike) -> Array:
        """Return the fraction (n,) of the training skies that are less typical than feature rows (n, n_features)."""
        distance, known = self.distance(rows), np.array(self.distances)
        levels = np.linspace(1.0, 0.0, known.size)
        fraction = np.interp(distance, known, levels)
        start, width = self._tail
        tail = (1.0 - TAIL) * np.exp(-(np.maximum(distance, start) - start) / width)
        return np.where(distance > start, tail, fraction)

    def no_narrower_than(self, other: Self | None) -> Self:
        """Return the comparison with the prior of another, and with distances at least as large.

        Few skies have few outlying ones: of skies like 100 skies, 1 to 3 % are farther than all but 0.5 % of these.
        """
        if other is None:
            return replace(self, prior_log_odds=0.0)
        distances = tuple(map(max, self.distances, other.distances))
        return replace(self, distances=distances, prior_log_odds=other.prior_log_odds)

    @property
    def _tail(self) -> tuple[float, float]:
        """Start of the exponential tail, and its width: the mean excess of the training skies there."""
        known = np.array(self.distances)
        start = float(np.quantile(known, TAIL))
        return start, max(float((known[known >= start] - start).mean()), 1e-6)

    @property
    def limit(self) -> float:
        """Distance at which skies begin to be unlike the training skies."""
        start, width = self._tail
        return start + width * float(np.log((1.0 - TAIL) / UNLIKE))

    def drawn(self, log_odds: Array, rows: ArrayLike) -> Array:
        """Return log-odds (n,), those of unlike skies drawn towards the prior, and nan where a verdict is withheld."""
        ratio = self.distance(rows) / self.limit
        excess = np.maximum(ratio - 1.0, 0.0) / DRAWN_DISTANCE
        drawn = self.prior_log_odds + (log_odds - self.prior_log_odds) / (1.0 + excess**2)
        kept = np.where(excess > 0.0, drawn, log_odds)
        return np.where(ratio > WITHHELD_DISTANCE, np.nan, kept)

    def reasons(self, rows: ArrayLike) -> list[str]:
        """Return, for each sky, the features that deviate most, with their values and those of the training skies."""
        values = _described(rows)
        deviations = np.where(np.isfinite(values), (values - self.centre) / np.array(self.scale), 0.0)
        names = list(TOLERANCES)
        return [
            "; ".join(
                f"{_DESCRIPTIONS[names[k]]}: {row[k]:.3g}, training skies {self.centre[k]:.3g}"
                for k in np.argsort(-np.abs(own), kind="stable")[:N_REASONS]
            )
            for row, own in zip(values, deviations, strict=True)
        ]


_DESCRIPTIONS = {feature.name: feature.description.split(",")[0] for feature in FEATURES}
_INDICES = [FEATURE_NAMES.index(name) for name in TOLERANCES]


def _described(rows: ArrayLike) -> Array:
    return np.asarray(rows, dtype=np.float64).reshape(-1, len(FEATURE_NAMES))[:, _INDICES]


def _distance(values: Array, centre: Array, scale: Array) -> Array:
    deviations = np.where(np.isfinite(values), (values - centre) / scale, 0.0)
    distance: Array = np.sqrt((deviations**2).sum(axis=1))
    return distance
