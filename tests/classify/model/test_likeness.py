"""Likeness to the training skies: uniform over skies like these, small for others, and its effect on log-odds."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from classify.model.likeness import DRAWN_DISTANCE, TOLERANCES, UNLIKE, WITHHELD_DISTANCE, Likeness
from classify.tables.columns import FEATURE_NAMES
from darkmatter_features.features.statistics import FEATURES

INDEX = {name: FEATURE_NAMES.index(name) for name in TOLERANCES}


def skies(rng, n):
    """Return feature rows; the features that are compared scatter by two tolerances about their own centres."""
    rows = rng.normal(size=(n, len(FEATURE_NAMES)))
    for k, (name, tolerance) in enumerate(TOLERANCES.items()):
        rows[:, INDEX[name]] = 0.1 * k + 2.0 * tolerance * rng.normal(size=n)
    return rows


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(12)
    return Likeness.fit(skies(rng, 3000), np.arange(3000) < 1000)


def at_distance(fitted, distance, name="log_size"):
    """Return feature rows of typical skies, but for one feature, which puts them at distances (n,)."""
    rows = np.zeros((np.size(distance), len(FEATURE_NAMES)))
    rows[:, list(INDEX.values())] = fitted.centre
    k = list(TOLERANCES).index(name)
    rows[:, INDEX[name]] += np.asarray(distance) * fitted.scale[k]
    return rows


def test_likeness_is_uniform_over_skies_like_the_training_skies(fitted, rng):
    """The Kolmogorov-Smirnov distance of 2000 uniform values exceeds 1.63 / 2000^(1/2) in 1 % of cases."""
    likeness = fitted.likeness(skies(rng, 2000))
    assert kstest(likeness, "uniform").statistic < 1.63 * np.sqrt(1 / 2000 + 1 / 3000)


def test_half_a_per_cent_of_such_skies_are_unlike(fitted, rng):
    """50 of 10,000, with a Poisson error of 7 and the error of the tail of 300 training skies."""
    unlike = fitted.likeness(skies(rng, 10_000)) < UNLIKE
    assert 0.001 < unlike.mean() < 0.009


def test_likeness_falls_with_distance_and_reaches_the_limit_at_its_distance(fitted):
    distance = np.linspace(0.0, 4 * fitted.limit, 500)
    likeness = fitted.likeness(at_distance(fitted, distance))
    np.testing.assert_allclose(fitted.distance(at_distance(fitted, distance)), distance, atol=1e-9)
    assert np.all(np.diff(likeness) <= 0)
    assert likeness[0] == 1.0
    assert 0.0 < likeness[-1] < 1e-4
    assert fitted.likeness(at_distance(fitted, fitted.limit)) == pytest.approx(UNLIKE)
    assert np.all(fitted.likeness(at_distance(fitted, 1.001 * fitted.limit)) < UNLIKE)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("name", TOLERANCES)
def test_every_feature_of_a_sky_can_make_it_unlike(fitted, name, sign):
    assert fitted.likeness(at_distance(fitted, 1.5 * sign * fitted.limit, name)) < UNLIKE


def test_only_features_of_the_sky_are_compared(fitted):
    """Those of the lens, and the number of galaxies, have no tolerance."""
    rows = at_distance(fitted, np.zeros(3))
    others = [k for k, name in enumerate(FEATURE_NAMES) if name not in TOLERANCES]
    rows[:, others] += 1e6
    assert np.all(fitted.distance(rows) < 1e-12)
    assert {feature.name for feature in FEATURES if feature.role == "sky"} <= set(TOLERANCES)


def test_features_that_never_vary_have_their_tolerance_as_the_scale():
    rows = np.ones((100, len(FEATURE_NAMES)))
    assert Likeness.fit(rows, np.zeros(100)).scale == pytest.approx(tuple(TOLERANCES.values()))


def test_features_without_a_value_are_left_out(fitted, rng):
    rows = skies(rng, 50)
    some = rows.copy()
    some[::2, INDEX["log_noise"]] = np.nan
    with_centre = rows.copy()
    with_centre[::2, INDEX["log_noise"]] = fitted.centre[list(TOLERANCES).index("log_noise")]
    np.testing.assert_allclose(fitted.distance(some), fitted.distance(with_centre))
    assert np.isfinite(fitted.likeness(np.full((1, len(FEATURE_NAMES)), np.nan))).all()


def test_training_skies_without_a_value_do_not_count_in_its_centre(rng):
    rows = skies(rng, 400)
    rows[::2, INDEX["log_noise"]] = np.nan
    rows[:, INDEX["log_psf_sigma"]] = np.nan
    found = Likeness.fit(rows, np.zeros(400))
    kept = Likeness.fit(rows[1::2], np.zeros(200))
    k, unknown = (list(TOLERANCES).index(name) for name in ("log_noise", "log_psf_sigma"))
    assert (found.centre[k], found.scale[k]) == pytest.approx((kept.centre[k], kept.scale[k]))
    assert (found.centre[unknown], found.scale[unknown]) == (0.0, TOLERANCES["log_psf_sigma"])


def test_the_prior_is_that_of_the_labels(fitted):
    assert fitted.prior_log_odds == pytest.approx(np.log(1001 / 2001))
    assert np.isfinite(Likeness.fit(np.ones((50, len(FEATURE_NAMES))), np.zeros(50)).prior_log_odds)


def test_log_odds_of_typical_skies_are_the_same_bit_by_bit(fitted, rng):
    rows = skies(rng, 500)
    typical = fitted.distance(rows) <= fitted.limit
    log_odds = rng.normal(0, 4, 500)
    assert typical.sum() > 480
    np.testing.assert_array_equal(fitted.drawn(log_odds, rows)[typical], log_odds[typical])


def test_log_odds_are_halved_towards_the_prior_at_the_stated_distance(fitted):
    rows = at_distance(fitted, np.full(3, (1.0 + DRAWN_DISTANCE) * fitted.limit))
    log_odds = np.array([-5.0, fitted.prior_log_odds, 6.0])
    np.testing.assert_allclose(fitted.drawn(log_odds, rows), 0.5 * (log_odds + fitted.prior_log_odds))


def test_log_odds_are_drawn_further_with_distance_and_withheld_beyond_a_limit(fitted):
    ratio = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 0.999 * WITHHELD_DISTANCE, 1.001 * WITHHELD_DISTANCE, 50.0])
    drawn = fitted.drawn(np.full(ratio.size, 5.0), at_distance(fitted, ratio * fitted.limit))
    np.testing.assert_array_equal(np.isnan(drawn), ratio > WITHHELD_DISTANCE)
    assert np.all(np.diff(drawn[1:6]) < 0)
    assert drawn[5] > fitted.prior_log_odds


def test_a_reason_names_the_features_that_deviate_most(fitted):
    rows = at_distance(fitted, np.array([5.0, 0.0]))
    rows[0, INDEX["n_bands"]] -= 9.0 * fitted.scale[list(TOLERANCES).index("n_bands")]
    reason, _ = fitted.reasons(rows)
    first, second = reason.split("; ")
    centre = dict(zip(TOLERANCES, fitted.centre))
    assert first == f"number of bands: {rows[0, INDEX['n_bands']]:.3g}, training skies {centre['n_bands']:.3g}"
    assert second.startswith(f"median log size of the galaxies: {rows[0, INDEX['log_size']]:.3g}")
    assert fitted.reasons(np.empty((0, len(FEATURE_NAMES)))) == []


def test_a_feature_without_a_value_is_no_reason(fitted):
    rows = at_distance(fitted, np.array([5.0]))
    rows[0, INDEX["log_noise"]] = np.nan
    assert "nan" not in fitted.reasons(rows)[0]


def test_the_comparison_survives_json(fitted, rng):
    again, rows = Likeness.from_dict(json.loads(json.dumps(fitted.to_dict()))), skies(rng, 50)
    assert again == fitted
    np.testing.assert_array_equal(again.likeness(rows), fitted.likeness(rows))


@pytest.mark.parametrize("name", ["centre", "scale", "distances"])
def test_a_comparison_of_other_features_is_refused(fitted, name):
    values = fitted.to_dict()
    values[name] = values[name][:-1] if name != "distances" else []
    with pytest.raises(ValueError, match="compares other features"):
        Likeness.from_dict(values)


@pytest.mark.parametrize("values", [{}, {"centre": None, "scale": [], "distances": [], "prior_log_odds": 0}])
def test_a_damaged_comparison_is_refused(values):
    with pytest.raises((KeyError, TypeError)):
        Likeness.from_dict(values)


def test_equal_distances_give_a_finite_likeness(fitted):
    """All training skies at the same distance: the tail has no width of its own."""
    same = replace(fitted, distances=(2.0,) * 401)
    found = same.likeness(at_distance(same, np.array([0.0, 2.0, 2.1])))
    assert found[0] == 1.0
    assert found[2] < UNLIKE
