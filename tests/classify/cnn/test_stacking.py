"""Stacking of trees and networks: uncertain skies, weights, and the gain from the networks. No torch needed."""

import numpy as np
import pytest
from scipy.special import expit

from classify.cnn.stacking import Gain, Stacker, cross_fitted, uncertainty_limit


def drawn(n: int, *, fraction: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log-odds of trees and of a network, and labels.

    The true log-odds are a + b: the trees give a, the network a fraction of b and noise.
    """
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1.5, (2, n))
    labels = (rng.uniform(size=n) < expit(a + b)).astype(float)
    return a, fraction * b + (1 - fraction) * rng.normal(0, 1.5, n), labels


def test_the_limit_makes_a_fraction_of_the_skies_uncertain():
    log_odds = np.random.default_rng(0).normal(0, 4, 1000)
    assert np.sum(np.abs(log_odds) <= uncertainty_limit(log_odds, 0.1)) == 100


def test_the_stacker_recovers_the_weights_of_independent_log_odds():
    fitted = Stacker.fit(*drawn(20_000, fraction=1.0))
    assert [fitted.intercept, fitted.trees, fitted.network] == pytest.approx([0, 1, 1], abs=0.06)  # errors of 0.02


def test_a_network_of_noise_gets_no_weight():
    fitted = Stacker.fit(*drawn(20_000, fraction=0.0))
    assert fitted.network < 0.06


def test_a_network_with_the_wrong_sign_gets_no_weight():
    trees, network, labels = drawn(2000, fraction=1.0)
    assert Stacker.fit(trees, -network, labels).network == 0.0


def test_perfectly_separated_labels_leave_the_weights_finite():
    network = np.linspace(-8, 8, 100)
    fitted = Stacker.fit(0 * network, network, network > 0)
    assert 0.5 < fitted.network < 3


def test_a_stacker_without_skies_leaves_the_trees_unchanged():
    assert Stacker.fit([], [], []) == Stacker()
    assert Stacker()([1.0, -2.0], [8.0, 8.0]).tolist() == [1.0, -2.0]


def test_each_fold_is_stacked_by_the_others():
    """The labels of one fold are inverted: its own stacker would drop the network, that of the other fold does not."""
    trees, network, labels = drawn(1000, fraction=1.0)
    fold = np.arange(1000) % 2
    refitted, stacked = cross_fitted(trees, network, np.where(fold == 0, labels, 1 - labels), fold)
    other = Stacker.fit(trees[fold == 0], network[fold == 0], labels[fold == 0])
    assert stacked[fold == 1] == pytest.approx(other(trees[fold == 1], network[fold == 1]))
    trees_alone = Stacker.fit(trees[fold == 0], None, labels[fold == 0])
    assert trees_alone.network == 0.0
    assert refitted[fold == 1] == pytest.approx(trees_alone(trees[fold == 1], 0 * trees[fold == 1]))


@pytest.mark.parametrize(("fraction", "helps"), [(1.0, True), (0.0, False)])
def test_a_network_is_kept_if_it_lowers_the_loss_and_left_out_if_not(fraction, helps):
    trees, network, labels = drawn(400, fraction=fraction)
    gain = Gain.of(trees, *cross_fitted(trees, network, labels, np.arange(400) % 3), labels)
    assert gain.helps is helps
    assert (gain.after < gain.before) is helps
    change = f"better by {gain.before - gain.after:.4f}" if helps else f"worse by {gain.after - gain.before:.4f}"
    assert f"{gain.before:.4f} -> {gain.after:.4f}, {change} ± {gain.error:.4f}" in str(gain)


def test_rescaling_the_trees_is_no_gain_of_the_network():
    trees, _, labels = drawn(2000, fraction=0.0)
    noise = np.random.default_rng(3).normal(0, 1.5, 2000)
    gain = Gain.of(3 * trees, *cross_fitted(3 * trees, noise, labels, np.arange(2000) % 3), labels)
    assert gain.after < gain.before - 0.1
    assert not gain.helps


def test_the_error_of_the_gain_is_that_of_a_mean_of_differences():
    trees, network, labels = drawn(400, fraction=1.0)
    better = np.logaddexp(0, (1 - 2 * labels) * trees) - np.logaddexp(0, (1 - 2 * labels) * (trees + network))
    gain = Gain.of(trees, trees, trees + network, labels)
    assert gain.before - gain.after == pytest.approx(better.mean())
    assert gain.error == pytest.approx(better.std() / 20, rel=0.1)
