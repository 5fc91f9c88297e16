"""Which skies are hard, how the answers are weighed, and when the network is left out. No torch needed."""

import numpy as np
import pytest
from scipy.special import expit

from classify.cnn.stacking import Gain, Stacker, cross_fitted, uncertainty_limit


def drawn(n: int, *, knows: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true log-odds of which trees see a half, and a network as much of the rest as it `knows`."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1.5, (2, n))
    labels = (rng.uniform(size=n) < expit(a + b)).astype(float)
    return a, knows * b + (1 - knows) * rng.normal(0, 1.5, n), labels


def test_the_share_that_is_hard_is_the_one_asked_for():
    log_odds = np.random.default_rng(0).normal(0, 4, 1000)
    assert np.sum(np.abs(log_odds) <= uncertainty_limit(log_odds, 0.1)) == 100


def test_the_stacker_finds_the_weights_of_two_answers_that_add_up():
    found = Stacker.fit(*drawn(20_000, knows=1.0))
    assert [found.intercept, found.trees, found.network] == pytest.approx([0, 1, 1], abs=0.06)  # errors of 0.02


def test_a_network_that_knows_nothing_gets_no_weight():
    found = Stacker.fit(*drawn(20_000, knows=0.0))
    assert found.network < 0.06


def test_a_network_worse_than_chance_is_left_out_not_turned_round():
    trees, network, labels = drawn(2000, knows=1.0)
    assert Stacker.fit(trees, -network, labels).network == 0.0


def test_labels_without_a_mistake_leave_the_weights_finite():
    network = np.linspace(-8, 8, 100)
    found = Stacker.fit(0 * network, network, network > 0)
    assert 0.5 < found.network < 3


def test_a_stacker_without_skies_leaves_the_trees_as_they_are():
    assert Stacker.fit([], [], []) == Stacker()
    assert Stacker()([1.0, -2.0], [8.0, 8.0]).tolist() == [1.0, -2.0]


def test_each_part_is_weighed_by_the_others():
    """One part's labels are turned round: its own stacker would turn the network off, that of the others does not."""
    trees, network, labels = drawn(1000, knows=1.0)
    part = np.arange(1000) % 2
    alone, stacked = cross_fitted(trees, network, np.where(part == 0, labels, 1 - labels), part)
    good = Stacker.fit(trees[part == 0], network[part == 0], labels[part == 0])
    assert stacked[part == 1] == pytest.approx(good(trees[part == 1], network[part == 1]))
    only = Stacker.fit(trees[part == 0], None, labels[part == 0])
    assert only.network == 0.0
    assert alone[part == 1] == pytest.approx(only(trees[part == 1], 0 * trees[part == 1]))


@pytest.mark.parametrize(("knows", "helps"), [(1.0, True), (0.0, False)])
def test_a_network_is_kept_when_it_helps_and_left_out_when_not(knows, helps):
    trees, network, labels = drawn(400, knows=knows)
    gain = Gain.of(trees, *cross_fitted(trees, network, labels, np.arange(400) % 3), labels)
    assert gain.helps is helps
    assert (gain.after < gain.before) is helps
    said = f"better by {gain.before - gain.after:.4f}" if helps else f"worse by {gain.after - gain.before:.4f}"
    assert f"{gain.before:.4f} -> {gain.after:.4f}, {said} ± {gain.error:.4f}" in str(gain)


def test_trees_that_want_another_scale_are_no_merit_of_the_network():
    trees, _, labels = drawn(2000, knows=0.0)
    noise = np.random.default_rng(3).normal(0, 1.5, 2000)
    gain = Gain.of(3 * trees, *cross_fitted(3 * trees, noise, labels, np.arange(2000) % 3), labels)
    assert gain.after < gain.before - 0.1
    assert not gain.helps


def test_the_error_of_the_gain_is_that_of_a_mean_of_differences():
    trees, network, labels = drawn(400, knows=1.0)
    better = np.logaddexp(0, (1 - 2 * labels) * trees) - np.logaddexp(0, (1 - 2 * labels) * (trees + network))
    gain = Gain.of(trees, trees, trees + network, labels)
    assert gain.before - gain.after == pytest.approx(better.mean())
    assert gain.error == pytest.approx(better.std() / 20, rel=0.1)
