"""The odds for one lens over none in a field: over places, profiles of shear and strengths."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import filter_sums, log_likelihood_ratios
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.profiles import log_mean_likelihood_ratio

Array = NDArray[np.float64]

BAYES_FACTOR_CELLS = 60
"""Cells to a side of the field for the odds of the whole; a place wants finer ones."""

N_AMPLITUDES, MIN_SNR, MAX_SNR = 8, 4.0, 20.0
"""Amplitudes, and the S/N expected of their ends: below nobody finds a lens, above it needs no statistics."""

LOG_BAYES_FACTOR_CUT, MAX_EXACT_CELLS = 14.0, 4000
"""Cells so far below the best in log Bayes factor say nothing; of the others at most so many are worked out exactly."""


def trial_amplitudes(filter_norm: Array) -> Array:
    """Return amplitudes (n_profiles, n_amplitudes), even in their logs: the same expected S/N for every profile."""
    snr = np.geomspace(MIN_SNR, MAX_SNR, N_AMPLITUDES)
    return np.asarray(snr[None, :] / np.sqrt(filter_norm.mean(axis=0))[:, None])


def log_bayes_factor_map(filter_response: Array, filter_norm: Array, amplitudes: Array) -> Array:
    """Return the log Bayes factor (n_centres, m) of m skies for a lens at each centre, to first order in shear."""
    log_bayes_factor = np.empty(filter_response.shape[:2])
    log_mean_likelihood_ratio(filter_response, filter_norm, amplitudes, log_bayes_factor)
    return log_bayes_factor


def log_bayes_factors(
    field: Field, profiles: ShearProfiles, e1: Array, e2: Array, *, n_skies: int | None = None
) -> Array:
    """Return the log Bayes factor (m,) of skies of e1 and e2 (n, m), their galaxies where those of the field are.

    The cheaper way is taken for `n_skies`, if there are more than m in all.
    """
    filter_response, filter_norm = filter_sums(
        field, profiles, *field.grid(BAYES_FACTOR_CELLS), e1, e2, n_skies=n_skies
    )
    log_bayes_factor = log_bayes_factor_map(filter_response, filter_norm, trial_amplitudes(filter_norm))
    return np.asarray(logsumexp(log_bayes_factor, axis=0) - np.log(log_bayes_factor.shape[0]))


def field_log_bayes_factor(field: Field, profiles: ShearProfiles, *, n_skies: int = 1) -> float:
    """Return the log Bayes factor of the field as it is."""
    return float(log_bayes_factors(field, profiles, field.e1[:, None], field.e2[:, None], n_skies=n_skies)[0])


def refine_log_bayes_factor_map(
    field: Field, profiles: ShearProfiles, amplitudes: Array, columns: Array, rows: Array, log_bayes_factor: Array
) -> Array:
    """Return the odds (n_centres,) with those of the best cells worked out exactly."""
    best = np.argsort(-log_bayes_factor, kind="stable")[:MAX_EXACT_CELLS]
    best = best[log_bayes_factor[best] > log_bayes_factor.max() - LOG_BAYES_FACTOR_CUT]
    exact = log_bayes_factor.copy()
    likelihood = log_likelihood_ratios(field, profiles, amplitudes, columns, rows, best)
    exact[best] = logsumexp(likelihood, axis=(1, 2)) - np.log(amplitudes.size)
    return exact
