"""Monte Carlo p-values."""

import numpy as np
import pytest

from darkmatter_features.errors import ConfigError
from darkmatter_features.numerics.significance import check_n_randomizations, monte_carlo_p_value


def test_p_value_counts_ties_against_the_observed_sky():
    assert monte_carlo_p_value(3.0, np.array([2.0, 3.0, 4.0])) == 3 / 4


def test_p_value_lies_between_one_over_n_plus_one_and_one():
    randomized = np.arange(9.0)
    assert monte_carlo_p_value(10.0, randomized) == 1 / 10
    assert monte_carlo_p_value(-1.0, randomized) == 1.0


def test_p_value_of_no_randomized_skies_is_refused():
    with pytest.raises(ConfigError, match="must be 1 or more, got 0"):
        monte_carlo_p_value(1.0, np.empty(0))


def test_the_least_number_of_randomizations_is_inclusive():
    check_n_randomizations(0, least=0)
    with pytest.raises(ConfigError, match="must be 0 or more, got -1"):
        check_n_randomizations(-1, least=0)
