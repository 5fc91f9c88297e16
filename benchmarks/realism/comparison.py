"""Simulated skies beside the published ones: errors, pulls and Kolmogorov-Smirnov tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from realism.measurement import SkyFigures
from realism.published import GAMMA_T, GAMMA_T_ERRORS, POOLED, QUANTITIES, RADII, Quantity
from scipy.stats import kstwo

Array = NDArray[np.float64]

N_SAMPLES = 4000
"""Number of random samples of simulated skies, each of as many skies with and without a lens as were published."""

N_PUBLISHED = (12, 6)
"""Numbers of published skies with and without a lens."""


@dataclass(frozen=True)
class Comparison:
    """A statistic of the published skies beside that of simulated ones.

    Attributes
    ----------
    name : str
        Statistic.
    published, error : float
        Published value, and its standard error as a sample of skies like the simulated ones.
    simulated : float
        Expected value of the statistic in a sample of as many simulated skies.
    """

    name: str
    published: float
    error: float
    simulated: float

    @property
    def pull(self) -> float:
        """Simulated less published value, in standard errors."""
        return (self.simulated - self.published) / self.error


@dataclass(frozen=True)
class DistributionTest:
    """Kolmogorov-Smirnov test of a simulated distribution at the published quantiles.

    Attributes
    ----------
    name : str
        Quantity.
    distance : float
        Maximum distance of the cumulative distributions at the published quantiles.
    p_value : float
        Probability of at least this distance in a sample of as many simulated skies as were published.
    """

    name: str
    distance: float
    p_value: float


def values_of(skies: Sequence[SkyFigures], column: str, *, is_lensed: bool) -> Array:
    """Return a figure of each sky with or without a lens, (n,)."""
    return np.array([getattr(sky, column) for sky in skies if sky.is_lensed == is_lensed], dtype=np.float64)


def samples(skies: Sequence[SkyFigures], column: str, n_lensed: int, n_unlensed: int) -> Array:
    """Draw samples (N_SAMPLES, n_lensed + n_unlensed) of a figure of simulated skies."""
    rng = np.random.default_rng(0)
    parts = [
        rng.choice(values_of(skies, column, is_lensed=has), (N_SAMPLES, n))
        for has, n in ((True, n_lensed), (False, n_unlensed))
        if n
    ]
    return np.hstack(parts)


def compare(skies: Sequence[SkyFigures]) -> list[Comparison]:
    """Return the comparison of every published statistic."""
    found = []
    for quantity in QUANTITIES:
        drawn = samples(skies, quantity.column, quantity.n_lensed, quantity.n_unlensed)
        found += [
            _compared(f"{quantity.name}: {name}", published, error, statistic(drawn))
            for name, published, error, statistic in quantity.statistics()
        ]
    weights = samples(skies, "n_galaxies", *N_PUBLISHED)
    means: dict[str, Callable[[Array], Array]] = {
        "mean_e1": lambda each: np.average(each, axis=1, weights=weights),
        "e_scatter": lambda each: np.sqrt(np.average(each**2, axis=1, weights=weights)),
    }
    found += [
        _compared(name, published, None, means[column](samples(skies, column, *N_PUBLISHED)))
        for name, column, published in POOLED
    ]
    return found + _profile(skies)


def _compared(name: str, published: float, error: float | None, drawn: Array) -> Comparison:
    return Comparison(name, published, float(drawn.std() if error is None else error), float(drawn.mean()))


def _profile(skies: Sequence[SkyFigures]) -> list[Comparison]:
    sums, counts = (sum(getattr(sky, name) for sky in skies) for name in ("profile_sums", "profile_counts"))
    names = [f"gamma_t, {inner:.0f}-{outer:.0f} px" for inner, outer in pairwise(RADII)]
    rows = zip(names, GAMMA_T, GAMMA_T_ERRORS, sums / counts, strict=True)
    return [Comparison(name, value, error, float(mean)) for name, value, error, mean in rows]


def distribution_test(quantity: Quantity, skies: Sequence[SkyFigures]) -> DistributionTest:
    """Compare the cumulative distribution of simulated skies with the published one at its known quantiles.

    The published distribution steps by 1/n at its least and at its largest value. The true maximum distance, over all
    values, may be larger, and the p-value smaller.
    """
    values = np.sort(samples(skies, quantity.column, quantity.n_lensed, quantity.n_unlensed), axis=None)
    levels, published = np.array(quantity.quantiles).T
    step = 1.0 / quantity.n_skies
    expected = np.interp(published, values, np.linspace(0.0, 1.0, values.size), left=0.0, right=1.0)
    below = np.where(levels == 1.0, 1.0 - step, levels)
    above = np.where(levels == 0.0, step, levels)
    distance = float(np.maximum(expected - below, above - expected).max())
    return DistributionTest(quantity.name, distance, float(kstwo.sf(distance, quantity.n_skies)))


def distribution_tests(skies: Sequence[SkyFigures]) -> list[DistributionTest]:
    """Return the test of each quantity."""
    return [distribution_test(quantity, skies) for quantity in QUANTITIES]
