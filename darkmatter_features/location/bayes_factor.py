"""The odds for one lens over none in a field: over places, profiles of shear and strengths."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import likelihood_at, sums_about
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.profiles import mean_odds

Array = NDArray[np.float64]

COARSE = 60
"""Cells to a side of the field for the odds of the whole; a place wants finer ones."""

N_AMPLITUDES, LEAST_SNR, MOST_SNR = 8, 4.0, 20.0
"""Amplitudes, and the S/N expected of their ends: below nobody finds a lens, above it needs no statistics."""

MATTERS, MAX_EXACT = 14.0, 4000
"""Cells so far below the best in log odds say nothing; of the others at most so many are worked out exactly."""


def amplitudes_for(second: Array) -> Array:
    """Return amplitudes (n_profiles, n_amplitudes), even in their logs: the same expected S/N for every profile."""
    snr = np.geomspace(LEAST_SNR, MOST_SNR, N_AMPLITUDES)
    return np.asarray(snr[None, :] / np.sqrt(second.mean(axis=0))[:, None])


def odds_of(first: Array, second: Array, amplitudes: Array) -> Array:
    """Return the log odds (n_centres, m) of m skies for a lens at each centre, to first order in shear."""
    odds = np.empty(first.shape[:2])
    mean_odds(first, second, amplitudes, odds)
    return odds


def odds_of_skies(field: Field, profiles: ShearProfiles, e1: Array, e2: Array, *, n_skies: int | None = None) -> Array:
    """Return the log odds (m,) of skies of e1 and e2 (n, m), their galaxies where those of the field are.

    The cheaper way is taken for `n_skies`, if there are more than m in all.
    """
    first, second = sums_about(field, profiles, *field.grid(COARSE), e1, e2, n_skies=n_skies)
    odds = odds_of(first, second, amplitudes_for(second))
    return np.asarray(logsumexp(odds, axis=0) - np.log(odds.shape[0]))


def odds_of_field(field: Field, profiles: ShearProfiles, *, n_skies: int = 1) -> float:
    """Return the log odds of the field as it is."""
    return float(odds_of_skies(field, profiles, field.e1[:, None], field.e2[:, None], n_skies=n_skies)[0])


def sharpened(
    field: Field, profiles: ShearProfiles, amplitudes: Array, columns: Array, rows: Array, odds: Array
) -> Array:
    """Return the odds (n_centres,) with those of the best cells worked out exactly."""
    best = np.argsort(-odds, kind="stable")[:MAX_EXACT]
    best = best[odds[best] > odds.max() - MATTERS]
    exact = odds.copy()
    likelihood = likelihood_at(field, profiles, amplitudes, columns, rows, best)
    exact[best] = logsumexp(likelihood, axis=(1, 2)) - np.log(amplitudes.size)
    return exact
