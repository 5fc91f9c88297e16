"""Kernels of sums and likelihoods over shear profiles match their slow twins."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.numerics.kernels.profiles import log_mean_likelihood_ratio, profile_likelihood, profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR, expansion_coefficients, gaussian_log_ratio
from tests.support import naive_locate

PROFILES = default_profiles().tabulated
N_PROFILES = len(default_profiles())


@pytest.fixture
def galaxies(rng):
    """Thirty galaxies of two skies, positions in sides of the field."""
    x, y = rng.random((2, 30))
    e1, e2 = rng.normal(0, 0.25, (2, 30, 2))
    return Galaxies(x, y, e1, e2, rng.uniform(0.5, 2.0, 30))


@pytest.fixture
def centres(rng):
    return Centres(*rng.uniform(-0.1, 1.1, (2, 7)))


def test_filter_sums_match_naive(galaxies, centres):
    filter_response, filter_norm = np.empty((7, 2, N_PROFILES)), np.empty((7, N_PROFILES))
    profile_sums(galaxies, PROFILES, centres, filter_response, filter_norm)
    expected = naive_locate.profile_sums(*galaxies, *PROFILES, *centres)
    assert_allclose(filter_response, expected[0], rtol=1e-9, atol=1e-9)
    assert_allclose(filter_norm, expected[1], rtol=1e-9)


def test_mean_likelihood_ratio_matches_naive(rng):
    filter_response, filter_norm = 30 * rng.normal(size=(5, 3, 8)), rng.uniform(0, 40, (5, 8))
    amplitudes, log_bayes_factor = rng.uniform(0.1, 20, (8, 6)), np.empty((5, 3))
    log_mean_likelihood_ratio(filter_response, filter_norm, amplitudes, log_bayes_factor)
    expected = naive_locate.log_mean_likelihood_ratio(filter_response, filter_norm, amplitudes)
    assert_allclose(log_bayes_factor, expected, rtol=1e-12)


@pytest.mark.parametrize(("max_expanded_shear", "tolerance"), [(0.0, 1e-8), (0.05, 0.02)])
def test_likelihood_matches_naive_and_its_expansion_nearly(galaxies, centres, max_expanded_shear, tolerance):
    amplitudes = np.tile(np.geomspace(0.01, 0.3, 5), (N_PROFILES, 1))
    likelihood = np.empty((7, N_PROFILES, 5))
    one_sky = galaxies._replace(e1=galaxies.e1[:, 0].copy(), e2=galaxies.e2[:, 0].copy())
    profile_likelihood(one_sky, 0.06, PROFILES, amplitudes, max_expanded_shear, centres, likelihood)
    expected = naive_locate.profile_likelihood(*one_sky, 0.06, *PROFILES, amplitudes, *centres, MAX_SHEAR)
    assert_allclose(likelihood, expected, rtol=1e-8, atol=tolerance)


def test_expansion_is_the_log_ratio_to_second_order(rng):
    """Its error falls as the third power of the shear: by 8 when the shear is halved."""
    gamma_t, gamma_x = rng.normal(0, 0.25, (2, 50))
    linear, quadratic = expansion_coefficients(gamma_t, gamma_x, 1.0, 0.06)
    error = [gaussian_log_ratio(gamma_t, gamma_x, g, 0.06) - g * (linear + g * quadratic) for g in (4e-3, 2e-3)]
    assert np.abs(error[0]).max() < 1e-6
    assert_allclose(np.abs(error[0]).sum() / np.abs(error[1]).sum(), 8.0, rtol=0.05)
