"""The odds for one lens over none in a field: over places, profiles of shear and strengths."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import likelihood_at, sums_about
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.profiles import mean_likelihood_ratio

Array = NDArray[np.float64]

COARSE = 60
"""Cells to a side of the field for the odds of the whole; a place wants finer ones."""

N_AMPLITUDES, LEAST_SNR, MOST_SNR = 8, 4.0, 20.0
"""Amplitudes, and the S/N expected of their ends: below nobody finds a lens, above it needs no statistics."""

MATTERS, MAX_EXACT = 14.0, 4000
"""Cells so far below the best in log Bayes factor say nothing; of the others at most so many are worked out exactly."""


def amplitudes_for(filter_norm: Array) -> Array:
    """Return amplitudes (n_profiles, n_amplitudes), even in their logs: the same expected S/N for every profile."""
    snr = np.geomspace(LEAST_SNR, MOST_SNR, N_AMPLITUDES)
    return np.asarray(snr[None, :] / np.sqrt(filter_norm.mean(axis=0))[:, None])


def log_bayes_factors_about(filter_response: Array, filter_norm: Array, amplitudes: Array) -> Array:
    """Return the log Bayes factor (n_centres, m) of m skies for a lens at each centre, to first order in shear."""
    log_bayes_factor = np.empty(filter_response.shape[:2])
    mean_likelihood_ratio(filter_response, filter_norm, amplitudes, log_bayes_factor)
    return log_bayes_factor


def log_bayes_factors_of_skies(
    field: Field, profiles: ShearProfiles, e1: Array, e2: Array, *, n_skies: int | None = None
) -> Array:
    """Return the log Bayes factor (m,) of skies of e1 and e2 (n, m), their galaxies where those of the field are.

    The cheaper way is taken for `n_skies`, if there are more than m in all.
    """
    filter_response, filter_norm = sums_about(field, profiles, *field.grid(COARSE), e1, e2, n_skies=n_skies)
    log_bayes_factor = log_bayes_factors_about(filter_response, filter_norm, amplitudes_for(filter_norm))
    return np.asarray(logsumexp(log_bayes_factor, axis=0) - np.log(log_bayes_factor.shape[0]))


def log_bayes_factor_of_field(field: Field, profiles: ShearProfiles, *, n_skies: int = 1) -> float:
    """Return the log Bayes factor of the field as it is."""
    return float(log_bayes_factors_of_skies(field, profiles, field.e1[:, None], field.e2[:, None], n_skies=n_skies)[0])


def sharpened(
    field: Field, profiles: ShearProfiles, amplitudes: Array, columns: Array, rows: Array, log_bayes_factor: Array
) -> Array:
    """Return the odds (n_centres,) with those of the best cells worked out exactly."""
    best = np.argsort(-log_bayes_factor, kind="stable")[:MAX_EXACT]
    best = best[log_bayes_factor[best] > log_bayes_factor.max() - MATTERS]
    exact = log_bayes_factor.copy()
    likelihood = likelihood_at(field, profiles, amplitudes, columns, rows, best)
    exact[best] = logsumexp(likelihood, axis=(1, 2)) - np.log(amplitudes.size)
    return exact
