"""Metrics against their definitions, and their bounds against theory."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from classify import metrics


@pytest.fixture
def verdicts() -> tuple[np.ndarray, np.ndarray]:
    """Return 60 labels with probabilities on a coarse grid, so that many tie."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 60)
    return labels, np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.25), 0, 1), 1)


def naive_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    pairs = [
        1.0 if p > q else 0.5 if p == q else 0.0 for p in probabilities[labels == 1] for q in probabilities[labels == 0]
    ]
    return sum(pairs) / len(pairs)


def naive_recall(labels: np.ndarray, probabilities: np.ndarray, rate: float) -> float:
    best = 0.0
    for threshold in probabilities:
        called = probabilities >= threshold
        if np.mean(called[labels == 0]) <= rate:
            best = max(best, float(np.mean(called[labels == 1])))
    return best


def test_auc_is_the_fraction_of_pairs_in_order(verdicts):
    assert metrics.auc(*verdicts) == pytest.approx(naive_auc(*verdicts), abs=1e-12)


def test_auc_of_equal_probabilities_is_one_half():
    assert metrics.auc([0, 1, 1, 0], [0.3] * 4) == 0.5


def test_auc_of_a_perfect_and_of_an_inverted_ranking():
    assert metrics.auc([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == 1.0
    assert metrics.auc([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]) == 0.0


def test_auc_without_lenses_is_unknown():
    assert np.isnan(metrics.auc([0, 0, 0], [0.1, 0.2, 0.3]))


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3])
def test_recall_at_a_false_alarm_rate_matches_trying_every_threshold(verdicts, monkeypatch, rate):
    monkeypatch.setattr(metrics, "FALSE_ALARM_RATE", rate)
    assert metrics.recall_at_1pct_fpr(*verdicts) == pytest.approx(naive_recall(*verdicts, rate))


def test_accuracy_log_loss_and_brier_by_hand():
    labels, probabilities = [1, 0, 1, 0], [0.8, 0.4, 0.3, 0.5]
    assert metrics.accuracy(labels, probabilities) == 0.5  # 0.5 counts as a lens
    assert metrics.log_loss(labels, probabilities) == pytest.approx(-np.log([0.8, 0.6, 0.3, 0.5]).mean())
    assert metrics.brier(labels, probabilities) == pytest.approx((0.04 + 0.16 + 0.49 + 0.25) / 4)


def test_the_log_loss_of_a_certain_mistake_is_finite():
    assert np.isfinite(metrics.log_loss([1, 0], [0.0, 1.0]))


@pytest.mark.parametrize("n", [7, 8])
def test_median_offset_ignores_unknown_positions(n):
    offsets = np.append(np.random.default_rng(n).uniform(0, 90, n), [np.nan, np.nan])
    found = metrics.score(np.ones(n + 2), np.full(n + 2, 0.9), offsets, rng=np.random.default_rng(0))
    assert found["median_offset_px"] == pytest.approx(np.nanmedian(offsets))
    assert found["within_40px"] == pytest.approx(np.mean(offsets[:n] <= 40))


def test_bootstrap_interval_of_accuracy_is_binomial():
    labels = np.ones(400)
    probabilities = np.where(np.arange(400) < 360, 0.9, 0.1)  # 90 % right
    found = metrics.score(labels, probabilities, np.full(400, np.nan), rng=np.random.default_rng(1))
    sigma = np.sqrt(0.9 * 0.1 / 400)
    width = found["accuracy_hi"] - found["accuracy_lo"]
    assert width == pytest.approx(2 * 1.96 * sigma, rel=0.12)  # 1,000 resamples determine a quantile to about 5 %
    assert found["accuracy_lo"] < 0.9 < found["accuracy_hi"]


def test_metrics_of_a_resample_are_those_of_repeated_skies(verdicts):
    labels, probabilities = verdicts
    offsets = np.random.default_rng(2).uniform(0, 80, labels.size)
    drawn = np.random.default_rng(3).integers(0, labels.size, labels.size)
    weights = np.bincount(drawn, minlength=labels.size)[None].astype(float)
    y, p = labels.astype(float), probabilities
    assert metrics.weighted_auc(y, p)(weights)[0] == pytest.approx(naive_auc(labels[drawn], p[drawn]))
    assert metrics.weighted_recall(y, p)(weights)[0] == pytest.approx(naive_recall(labels[drawn], p[drawn], 0.01))
    assert metrics.weighted_median(offsets)(weights)[0] == pytest.approx(np.median(offsets[drawn]))


def test_undefined_metrics_are_nan_and_the_others_stay():
    found = metrics.score([0, 0], [0.2, 0.6], [np.nan, np.nan], rng=np.random.default_rng(0))
    assert found["accuracy"] == 0.5
    for key in ("auc", "auc_lo", "recall_at_1pct_fpr", "median_offset_px", "within_40px_hi"):
        assert np.isnan(found[key]), key


def test_no_skies_at_all_give_nan_without_a_warning():
    found = metrics.score([], [], [], rng=np.random.default_rng(0))
    assert found["n"] == 0
    assert all(np.isnan(value) for key, value in found.items() if key != "n")


@pytest.mark.parametrize("key", ["accuracy", "auc", "log_loss", "brier", "recall_at_1pct_fpr"])
def test_weighted_metric_of_unit_weights_is_that_of_scikit_learn(verdicts, key):
    labels, probabilities = verdicts
    weighted = getattr(metrics, f"weighted_{key.removesuffix('_at_1pct_fpr')}")(labels.astype(float), probabilities)
    point = getattr(metrics, key)(labels, probabilities)
    assert weighted(np.ones((1, labels.size)))[0] == pytest.approx(point, abs=1e-14)


def test_weighted_auc_and_log_loss_are_those_of_scikit_learn_with_sample_weights(verdicts):
    labels, probabilities = verdicts[0].astype(float), np.clip(verdicts[1], 0.01, 0.99)
    weights = np.random.default_rng(6).integers(0, 4, labels.size).astype(float)
    auc = sklearn_metrics.roc_auc_score(labels, probabilities, sample_weight=weights)
    loss = sklearn_metrics.log_loss(labels, probabilities, sample_weight=weights)
    assert metrics.weighted_auc(labels, probabilities)(weights[None])[0] == pytest.approx(auc, abs=1e-12)
    assert metrics.weighted_log_loss(labels, probabilities)(weights[None])[0] == pytest.approx(loss, abs=1e-12)


def test_blocks_of_resamples_have_the_right_total(monkeypatch):
    monkeypatch.setattr(metrics, "MAX_WEIGHTS", 30)
    blocks = list(metrics._resamples(10, 7, np.random.default_rng(0)))
    assert [len(block) for block in blocks] == [3, 3, 1]
    assert all((block.sum(axis=1) == 10).all() for block in blocks)


def test_roc_curve_ends_in_both_corners_and_encloses_the_auc(verdicts):
    rate, recall = metrics.roc_curve(*verdicts)
    assert (rate[0], recall[0], rate[-1], recall[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(recall, rate) == pytest.approx(metrics.auc(*verdicts))


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [([0, 2], [0.1, 0.2], "0 or 1"), ([0, 1], [0.1], "equally long")],
)
def test_wrong_input_is_refused(labels, probabilities, expected):
    with pytest.raises(ValueError, match=expected):
        metrics.auc(labels, probabilities)


def test_offsets_of_another_length_are_refused():
    with pytest.raises(ValueError, match="offsets must be of shape"):
        metrics.score([0, 1], [0.1, 0.2], [1.0], rng=np.random.default_rng(0))


def test_one_false_alarm_in_a_hundred_is_allowed_and_two_are_not():
    others = np.linspace(0.0, 0.5, 98)
    probabilities = np.concatenate([[0.9, 0.7], others, [0.95, 0.8, 0.6]])
    labels = np.array([0] * 100 + [1] * 3)
    assert metrics.recall_at_1pct_fpr(labels, probabilities) == pytest.approx(2 / 3)
