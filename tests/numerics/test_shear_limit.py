"""Every likelihood limits the reduced shear at the same value."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.lens.kernels.evidence import tabulate
from darkmatter_features.numerics.kernels.profiles import profile_likelihood
from darkmatter_features.numerics.kernels.records import Centres, Galaxies, Profiles
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR

E1, E2 = np.array([0.1, -0.2]), np.array([0.05, 0.3])


def template_log_ratios(shear):
    """Return log likelihood ratios of two galaxies in all directions, for a log density that falls linearly in e1."""
    table = np.broadcast_to(-np.linspace(0.0, 90.0, 21)[:, None], (1, 21, 21)).copy()
    ratios = np.empty((2, 9, 2))
    tabulate(table, np.zeros(2, dtype=np.int64), E1, E2, np.ones(1), np.array([0.3, shear]), ratios)
    return ratios[:, :, 1]


def profile_log_ratios(shear):
    """Return the log likelihood ratio of two galaxies behind a constant tangential shear, for a Gaussian density."""
    galaxies = Galaxies(np.array([0.3, 0.5]), np.array([0.2, 0.1]), E1, E2, np.ones(2))
    profile, centre, likelihood = Profiles(np.ones((3, 1)), 1.0), Centres(np.zeros(1), np.zeros(1)), np.empty((1, 1, 1))
    profile_likelihood(galaxies, 0.06, profile, np.array([[shear]]), 0.0, centre, likelihood)
    return likelihood


@pytest.mark.parametrize("log_ratios", [template_log_ratios, profile_log_ratios])
def test_shears_above_the_limit_have_the_likelihood_of_the_limit(log_ratios):
    at_limit = log_ratios(MAX_SHEAR)
    assert_allclose(log_ratios(5.0), at_limit, rtol=1e-12)
    assert np.abs(log_ratios(0.99 * MAX_SHEAR) - at_limit).max() > 0.1
