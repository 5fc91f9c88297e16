"""Bayes factor for one lens over none in a field, averaged over positions, shear profiles and amplitudes."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import FilterSums, cheap_mesh, log_likelihood_ratios
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.profiles import log_mean_likelihood_ratio
from darkmatter_features.numerics.kernels.records import Reals

Array = NDArray[np.float64]

BAYES_FACTOR_CELLS = 60
"""Cells per side of the field for the average over positions: a position itself needs finer cells."""

N_AMPLITUDES = 8
"""Number of amplitudes of each profile."""

MIN_SNR = 4.0
"""Expected S/N at the smallest amplitude: a weaker lens is not detected."""

MAX_SNR = 20.0
"""Expected S/N at the largest amplitude: a stronger lens is evident without statistics."""

LOG_BAYES_FACTOR_CUT = 14.0
"""Difference in log Bayes factor from the best cell beyond which a cell is neglected: e^-14 is 8e-7."""

MAX_EXACT_CELLS = 4000
"""Maximum number of cells whose likelihood is computed exactly."""


def trial_amplitudes(filter_norm: Array, *, min_snr: float = MIN_SNR, max_snr: float = MAX_SNR) -> Array:
    """Return amplitudes (n_profiles, n_amplitudes), even in log, of the same expected S/N for every profile."""
    snr = np.geomspace(min_snr, max_snr, N_AMPLITUDES)
    return np.asarray(snr[None, :] / np.sqrt(filter_norm.mean(axis=0))[:, None])


def log_bayes_factor_map(filter_response: Array, filter_norm: Array, amplitudes: Array) -> Array:
    """Return the log Bayes factor (n_centres, m) of m skies for a lens at each centre, to first order in shear.

    Parameters
    ----------
    filter_response : (n_centres, m, n_profiles) float64 array
    filter_norm : (n_centres, n_profiles) float64 array
        Sums of the matched filter, see :func:`~darkmatter_features.location.profile_sums.filter_sums`.
    amplitudes : (n_profiles, n_amplitudes) float64 array
        Amplitudes A, with equal prior probability.

    Notes
    -----
    ``ln <exp(A filter_response - A^2 filter_norm / 2)>``, averaged over profiles and amplitudes.
    """
    log_bayes_factor = np.empty(filter_response.shape[:2])
    log_mean_likelihood_ratio(filter_response, filter_norm, amplitudes, log_bayes_factor)
    return log_bayes_factor


def coarse_sums(field: Field, profiles: ShearProfiles, *, n_skies: int) -> FilterSums:
    """Return the sums from which Bayes factors of fields are computed, by the method that suits `n_skies`."""
    return FilterSums(field, profiles, *field.grid(BAYES_FACTOR_CELLS), n_skies=n_skies)


def is_method_for_one(field: Field, profiles: ShearProfiles, *, n_skies: int) -> bool:
    """Return whether one sky alone has the sums of `n_skies` too, on a mesh."""
    return all(
        cheap_mesh(field, profiles, *field.grid(BAYES_FACTOR_CELLS), n_skies=n) is not None for n in (1, n_skies)
    )


def log_bayes_factors(sums: FilterSums, e1: Reals, e2: Reals) -> Array:
    """Return the log Bayes factor (m,) of skies of ellipticities e1 and e2 (n, m), from the :func:`coarse_sums`."""
    filter_response, filter_norm = sums(e1, e2)
    log_bayes_factor = log_bayes_factor_map(filter_response, filter_norm, trial_amplitudes(filter_norm))
    return np.asarray(logsumexp(log_bayes_factor, axis=0) - np.log(log_bayes_factor.shape[0]))


def field_log_bayes_factor(field: Field, profiles: ShearProfiles) -> float:
    """Return the log Bayes factor of the field itself."""
    return observed_log_bayes_factor(coarse_sums(field, profiles, n_skies=1))


def observed_log_bayes_factor(sums: FilterSums) -> float:
    """Return the log Bayes factor of a field itself, from its :func:`coarse_sums`."""
    return float(log_bayes_factors(sums, sums.field.e1[:, None], sums.field.e2[:, None])[0])


def refine_log_bayes_factor_map(
    field: Field, profiles: ShearProfiles, amplitudes: Array, columns: Array, rows: Array, log_bayes_factor: Array
) -> Array:
    """Return the log Bayes factors (n_centres,), those of the best cells from the exact likelihood.

    Cells are exact within :data:`LOG_BAYES_FACTOR_CUT` of the best one, :data:`MAX_EXACT_CELLS` at most.
    """
    best = np.argsort(-log_bayes_factor, kind="stable")[:MAX_EXACT_CELLS]
    best = best[log_bayes_factor[best] > log_bayes_factor.max() - LOG_BAYES_FACTOR_CUT]
    exact = log_bayes_factor.copy()
    likelihood = log_likelihood_ratios(field, profiles, amplitudes, columns, rows, best)
    exact[best] = logsumexp(likelihood, axis=(1, 2)) - np.log(amplitudes.size)
    return exact
