"""Calibration of log-odds against a grid search, planted slopes and its limit."""

import numpy as np
import pytest
from scipy.special import expit

from classify.trees.calibration import NONE_FACTOR, UNBOUNDED, Calibration, moderated


def naive_loss(slope: float, intercept: float, log_odds: np.ndarray, labels: np.ndarray) -> float:
    lenses, others = sum(labels == 1), sum(labels == 0)
    total = 0.0
    for x, y in zip(log_odds, labels):
        target = (lenses + 1) / (lenses + 2) if y == 1 else 1 / (others + 2)
        p = 1 / (1 + np.exp(-(intercept + slope * x)))
        total -= target * np.log(p) + (1 - target) * np.log(1 - p)
    return total


def test_calibration_agrees_with_the_minimum_on_a_fine_grid():
    rng = np.random.default_rng(2)
    log_odds = rng.normal(0, 2, 150)
    labels = (rng.uniform(size=150) < expit(0.6 * log_odds - 0.5)).astype(int)
    found = Calibration.fit(log_odds, labels)
    grid = [(a, b) for a in np.arange(0.2, 1.2, 0.02) for b in np.arange(-1.2, 0.6, 0.02)]
    slope, intercept = min(grid, key=lambda ab: naive_loss(*ab, log_odds, labels))
    assert found.slope == pytest.approx(slope, abs=0.011)
    assert found.intercept == pytest.approx(intercept, abs=0.011)
    assert naive_loss(found.slope, found.intercept, log_odds, labels) <= naive_loss(slope, intercept, log_odds, labels)


def test_calibration_halves_log_odds_that_are_twice_too_large():
    rng = np.random.default_rng(3)
    true = rng.normal(0, 2, 20000)
    labels = rng.uniform(size=true.size) < expit(true)
    found = Calibration.fit(2 * true, labels)
    assert found.slope == pytest.approx(0.5, abs=0.02)  # standard error 0.008 with 20,000 labels
    assert found.intercept == pytest.approx(0.0, abs=0.06)


def test_calibration_of_separated_labels_stays_finite():
    found = Calibration.fit([-3.0, -2.0, 2.0, 3.0], [0, 0, 1, 1])
    assert 0 < found.slope < 10


def test_calibration_ignores_log_odds_worse_than_random():
    found = Calibration.fit([-1.0, -1.0, 1.0, 1.0, 1.0], [1, 1, 0, 0, 0])
    assert found.slope == 0
    assert expit(found.intercept) == pytest.approx((2 * 3 / 4 + 3 * 1 / 5) / 5)


def test_calibrated_log_odds_are_linear():
    assert Calibration(2.0, -1.0)(np.array([0.0, 3.0])).tolist() == [-1.0, 5.0]


def test_extreme_log_odds_do_not_determine_the_slope():
    rng = np.random.default_rng(4)
    uncertain = rng.normal(0, 2, 2000)
    labels = rng.uniform(size=2000) < expit(uncertain)
    extreme = np.repeat([-60.0, 60.0], 1000)
    found = Calibration.fit(np.concatenate([uncertain, extreme]), np.concatenate([labels, extreme > 0]))
    assert found.slope == pytest.approx(1.0, abs=0.15)
    assert found(np.array([8.0, 60.0])).tolist() == [found(np.array([8.0]))[0]] * 2


def test_trees_are_no_surer_than_the_evidence():
    evidence = np.array([5.0, -5.0, 3.0, -3.0])
    found = moderated(np.array([7.0, -7.0, 2.5, -2.5]), evidence)
    assert found.tolist() == [5.0, -5.0 * NONE_FACTOR, 2.5, -2.5 * NONE_FACTOR]


def test_trees_may_contradict_the_evidence_up_to_a_limit():
    found = moderated(np.array([4.0, -4.0, 1.0]), np.array([-1.0, 1.0, -6.0]))
    assert found.tolist() == [UNBOUNDED, -UNBOUNDED * NONE_FACTOR, 1.0]


def test_moderation_keeps_the_order_and_the_sign():
    log_odds = np.linspace(-9.0, 9.0, 181)
    found = moderated(log_odds, np.full(181, 1.0))
    assert (np.diff(found) >= 0.0).all()
    assert (np.sign(found) == np.sign(log_odds)).all()


def test_moderation_is_relative_to_the_prior():
    """With few lenses, a sky without evidence keeps the prior probability."""
    evidence = np.array([0.0, 5.0, -5.0, 0.0])
    log_odds = np.array([-4.0, 3.0, -9.0, 1.0])
    found = moderated(log_odds, evidence, -4.0)
    assert found.tolist() == [-4.0, 1.0, -4.0 - 5.0 * NONE_FACTOR, -4.0 + UNBOUNDED]
