"""P-values and the excess of the Bayes factor against randomized skies."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest

import darkmatter_features.location.significance as significance_module
from darkmatter_features.errors import ConfigError
from darkmatter_features.location.field import field_of
from darkmatter_features.location.locate import locate, p_value
from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.location.significance import bayes_factor_excess, randomized_log_bayes_factors
from tests.support import naive_locate
from tests.support.located import THETA_E, force_method, galaxies


def test_p_values_of_skies_without_a_lens_are_uniform():
    """Forty skies, 19 randomizations each; ties are broken at random. A correct p-value fails in one of 1000 runs."""
    rng = np.random.default_rng(5)
    p = [p_value(galaxies(rng, n=60), n_randomizations=19, rng=rng) - rng.random() / 20 for _ in range(40)]
    assert kstest(p, "uniform").pvalue > 1e-3


def test_randomization_rotates_each_ellipticity_by_every_phase(rng, monkeypatch):
    """Half of the phases would keep 0.64 of the ellipticities, rotated by 45 degrees."""
    catalog, drawn = galaxies(rng, n=200), []

    def record(sums, e1, e2):
        drawn.append(e1 + 1j * e2)
        return e1[0]

    monkeypatch.setattr(significance_module, "log_bayes_factors", record)
    p_value(catalog, n_randomizations=60, rng=rng)
    e = np.concatenate([each for each in drawn if each.shape[1] > 1], axis=1)
    assert e.shape == (200, 60)
    turn = e / (catalog.e1 + 1j * catalog.e2)[:, None]
    assert_allclose(np.abs(turn), 1.0)
    assert abs(turn.mean()) < 4 / np.sqrt(e.size)


def test_p_value_of_a_planted_lens_is_the_smallest_possible(rng):
    catalog = galaxies(rng, theta_e=THETA_E)
    assert p_value(catalog, n_randomizations=60, rng=rng) == 1 / 61
    assert locate(catalog, n_randomizations=9, rng=rng).p_value == 1 / 10


def test_p_value_depends_on_its_seed_only(rng):
    catalog = galaxies(rng, n=60)
    one, two = (p_value(catalog, n_randomizations=70, rng=np.random.default_rng(3)) for _ in range(2))
    assert one == two


def test_excess_matches_naive(rng):
    randomized = rng.normal(-3.0, 1.5, 40)
    assert bayes_factor_excess(7.0, randomized) == pytest.approx(naive_locate.excess(7.0, randomized), rel=1e-12)


def test_p_value_and_excess_use_the_same_randomized_skies(rng):
    """They are the field's own, rotated: 500 others have the mean and spread of these 60, within three errors."""
    catalog = galaxies(rng, theta_e=THETA_E)
    found = locate(catalog, n_randomizations=60, rng=np.random.default_rng(3))
    field = field_of(catalog, subtract_mean=False)
    log_bayes_factor, randomized = randomized_log_bayes_factors(
        field, default_profiles(), n_randomizations=60, rng=np.random.default_rng(3)
    )
    assert log_bayes_factor == pytest.approx(found.log_bayes_factor)
    assert found.p_value == 1 / 61
    assert found.bayes_factor_excess == pytest.approx(naive_locate.excess(log_bayes_factor, randomized))
    _, others = randomized_log_bayes_factors(field, default_profiles(), n_randomizations=500, rng=rng)
    assert abs(randomized.mean() - others.mean()) < 3 * others.std() / np.sqrt(60)
    assert locate(catalog).bayes_factor_excess is None


def test_a_strong_lens_widens_the_null_distribution_and_the_excess_allows_for_it(rng):
    """Shapes are longer about the lens whatever their rotation: 400 skies each give the spread to some 6 %."""
    spread = []
    for theta_e in (0.0, 3.5 * THETA_E):
        field = field_of(galaxies(rng, theta_e=theta_e, n=150), subtract_mean=False)
        one, two = (
            randomized_log_bayes_factors(field, default_profiles(), n_randomizations=400, rng=rng)[1] for _ in range(2)
        )
        spread.append(one.std())
        excess = np.array([bayes_factor_excess(each, one) for each in two])
        assert (excess.mean(), excess.std()) == pytest.approx((0.0, 1.0), abs=0.25)
    assert spread[1] > 1.2 * spread[0]


def test_randomized_skies_of_many_galaxies_come_one_by_one(rng, monkeypatch):
    monkeypatch.setattr(significance_module, "MAX_GALAXIES_PER_BATCH", 10)
    field = field_of(galaxies(rng, n=50), subtract_mean=False)
    _, randomized = randomized_log_bayes_factors(field, default_profiles(), n_randomizations=3, rng=rng)
    assert randomized.shape == (3,)


def test_randomized_skies_do_not_depend_on_threads_and_batches(rng, monkeypatch):
    """On a mesh, too: the sums of a sky are its own."""
    force_method(monkeypatch, mesh=True)
    field, found = field_of(galaxies(rng, n=300), subtract_mean=False), []
    for n_threads, batch in ((1, 50), (2, 50), (3, 11)):
        monkeypatch.setattr(significance_module, "BATCH_SIZE", batch)
        found.append(
            randomized_log_bayes_factors(
                field,
                default_profiles(),
                n_randomizations=60,
                rng=np.random.default_rng(4),
                n_threads=n_threads,
            )
        )
    assert found[1][0] == found[0][0]
    assert found[1][1].tobytes() == found[0][1].tobytes()
    assert_allclose(found[2][1], found[0][1], rtol=1e-6)


def test_excess_is_nan_where_randomized_skies_have_no_spread(rng):
    """That is so for one randomized sky, and for shapes that are all equal."""
    catalog = galaxies(rng, n=50)
    assert np.isnan(locate(catalog, n_randomizations=1, rng=rng).bayes_factor_excess)
    same = replace(catalog, e1=np.full(50, 0.1), e2=np.zeros(50))
    assert np.isnan(locate(same, subtract_mean=True, n_randomizations=9, rng=rng).bayes_factor_excess)


@pytest.mark.parametrize("n", [0, -5])
def test_a_p_value_without_randomized_skies_is_refused(rng, n):
    with pytest.raises(ConfigError, match=f"must be 1 or more, got {n}"):
        p_value(galaxies(rng, n=20), n_randomizations=n, rng=rng)


def test_a_p_value_without_a_random_generator_is_refused(rng):
    with pytest.raises(ConfigError, match="got rng=None"):
        p_value(galaxies(rng, n=20), n_randomizations=10, rng=None)
