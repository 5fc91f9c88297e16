"""Boosting: cross-validation, stopping, subsets and the settings of the training."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold

from classify import metrics
from classify.config import TrainConfig
from classify.model import mean_log_odds
from classify.tables.columns import FEATURE_INDICES, LOG_EVIDENCE, select_features
from classify.trees import boosting
from classify.trees.boosting import boost, folds
from classify.trees.calibration import Calibration
from classify.trees.members import booster
from darkmatter_features.errors import ConfigError, TableError
from tests.support.synthetic import feature_rows

QUICK = TrainConfig(n_folds=3, n_repeats=1, max_rounds=60, block=20, patience=40, learning_rate=0.1)


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % 2
    return select_features(feature_rows(labels, np.random.default_rng(seed))), labels


def test_a_signal_of_two_sigma_is_found_close_to_the_maximal_auc():
    x, y = rows(600, 1)
    x_new, y_new = rows(2000, 2)
    boosted = boost(x, y, x_new, y_new, config=QUICK)
    limit = 0.921  # AUC of two Gaussians 2 sigma apart: Phi(2 / sqrt 2)
    assert limit - 0.03 < max(line.validation_auc for line in boosted.history) < limit + 0.015


def test_every_sky_has_one_fold_and_folds_are_even():
    labels = np.array([1] * 7 + [0] * 13)
    fold = folds(labels, 5, rng=np.random.default_rng(0))
    assert np.bincount(fold).tolist() == [4, 4, 4, 4, 4]
    assert np.bincount(fold[labels == 1], minlength=5).max() == 2


@pytest.mark.parametrize(("n_lenses", "n_others", "n_folds"), [(7, 13, 5), (31, 29, 3), (600, 600, 5)])
def test_folds_have_the_sizes_of_those_of_scikit_learn(n_lenses, n_others, n_folds):
    labels = np.array([1] * n_lenses + [0] * n_others)
    fold = folds(labels, n_folds, rng=np.random.default_rng(0))
    sizes = [np.bincount(labels[fold == k]).tolist() for k in range(n_folds)]
    split = StratifiedKFold(n_folds, shuffle=True, random_state=0).split(labels, labels)
    assert sorted(sizes) == sorted(np.bincount(labels[held_out]).tolist() for _, held_out in split)


def test_folds_follow_the_rng():
    labels = np.arange(50) % 2
    drawn = [folds(labels, 5, rng=np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_out_of_fold_log_odds_come_from_members_trained_without_the_sky():
    """Labels without a signal can be fitted on the training skies, but not predicted out of fold."""
    x, _ = rows(300, 4)
    y = np.random.default_rng(5).integers(0, 2, 300)
    history = boost(x, y, x[:0], [], config=QUICK).history
    assert history[-1].training_loss < 0.55
    assert min(line.held_out_loss for line in history) > 0.66  # ln 2 = 0.693 without a signal


def test_validation_labels_have_no_influence():
    x, y = rows(200, 1)
    x_new, y_new = rows(100, 2)
    plain, inverted = (boost(x, y, x_new, labels, config=QUICK) for labels in (y_new, 1 - y_new))
    assert plain.best_round == inverted.best_round
    assert plain.calibration == inverted.calibration
    assert [m.model_to_string() for m in plain.members] == [m.model_to_string() for m in inverted.members]


def test_the_best_round_has_the_lowest_out_of_fold_loss_and_members_are_cut_there():
    x, y = rows(200, 1)
    boosted = boost(x, y, x[:0], [], config=TrainConfig(n_folds=3, n_repeats=1, max_rounds=300, learning_rate=0.1))
    best = min(boosted.history, key=lambda line: line.held_out_loss)
    assert boosted.best_round == best.round < boosted.history[-1].round
    assert {member.num_trees() for member in boosted.members} == {best.round}


def test_training_stops_when_patience_ends():
    x, _ = rows(200, 4)
    y = np.random.default_rng(5).integers(0, 2, 200)
    config = TrainConfig(n_folds=3, n_repeats=1, max_rounds=2000, block=10, patience=30, learning_rate=0.1)
    boosted = boost(x, y, x[:0], [], config=config)
    assert boosted.history[-1].round - boosted.best_round == 30


def test_the_line_of_the_best_round_has_the_metrics_of_the_cut_ensemble():
    x, y = rows(200, 1)
    x_new, y_new = rows(100, 2)
    boosted = boost(x, y, x_new, y_new, config=QUICK)
    line = next(line for line in boosted.history if line.round == boosted.best_round)
    start = boosted.start(x_new[:, LOG_EVIDENCE])
    probability = expit(boosted.calibration(start + mean_log_odds(boosted.members, x_new)))
    assert line.validation_log_loss == pytest.approx(metrics.log_loss(y_new, probability), abs=1e-9)
    assert line.validation_accuracy == metrics.accuracy(y_new, probability)


def test_members_grow_block_by_block():
    x, y = rows(100, 1)
    n_trees = []
    trainer = boosting.EnsembleTrainer(x, y, x[:0], [], QUICK)
    while not trainer.is_finished:
        n_trees.append((trainer.advance().round, trainer.members[0].n_trees))
    assert n_trees == [(20, 20), (40, 40), (60, 60)]


def test_the_last_block_stops_at_max_rounds():
    x, y = rows(100, 1)
    config = TrainConfig(n_folds=2, n_repeats=1, max_rounds=25, block=10)
    assert [line.round for line in boost(x, y, x[:0], [], config=config).history] == [0, 10, 20, 25]


def test_the_same_seed_gives_the_same_trees_and_another_seed_others():
    x, y = rows(100, 1)
    config = [TrainConfig(n_folds=2, n_repeats=1, max_rounds=10, seed=seed) for seed in (1, 1, 2)]
    a, b, c = ([m.model_to_string() for m in boost(x, y, x[:0], [], config=each).members] for each in config)
    assert a == b != c


def test_each_seed_and_repeat_has_other_folds():
    x, y = rows(60, 1)
    trainers = [
        boosting.EnsembleTrainer(x, y, x[:0], [], TrainConfig(n_folds=2, n_repeats=2, seed=seed)) for seed in (1, 2)
    ]
    masks = {tuple(trainer.members[first].held_out) for trainer in trainers for first in (0, 2)}
    assert len(masks) == 4


def test_a_subset_is_that_fraction_of_each_label():
    labels = np.array([1] * 20 + [0] * 60)
    kept = boosting._draw_subset(labels, TrainConfig(subset=50.0))
    assert np.bincount(labels[kept]).tolist() == [30, 10]
    assert np.array_equal(kept, np.unique(kept))


def test_a_subset_follows_the_seed():
    labels = np.arange(100) % 2
    drawn = [boosting._draw_subset(labels, TrainConfig(subset=20, seed=seed)).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("percent", [0.0, -5.0, 100.1, float("nan")])
def test_a_subset_of_nothing_or_more_than_all_is_refused(percent):
    with pytest.raises(ConfigError, match="subset must be a number above 0 and up to 100, got"):
        TrainConfig(subset=percent)


def test_out_of_fold_log_odds_are_those_of_the_best_round():
    x, y = rows(200, 1)
    boosted = boost(x, y, x[:0], [], config=QUICK)
    assert boosted.held_out.shape == boosted.chosen.shape == (200,)
    line = next(line for line in boosted.history if line.round == boosted.best_round)
    assert metrics.log_loss(y, expit(boosted.held_out)) == pytest.approx(line.held_out_loss)
    assert boosted.calibration == Calibration.fit(boosted.held_out, y)


@pytest.mark.parametrize("n", [3, 4])
def test_a_handful_of_rows_can_be_trained_on(n):
    x, y = rows(2 * n, 1)
    boosted = boost(x, y, x[:0], [], config=QUICK)
    assert np.isfinite(mean_log_odds(boosted.members, x)).all()


def test_missing_values_are_allowed():
    x, y = rows(100, 1)
    x[::3, 4] = np.nan
    assert np.isfinite(mean_log_odds(boost(x, y, x[:0], [], config=QUICK).members, x)).all()


def test_too_few_skies_of_a_label_are_refused():
    x, _ = rows(10, 1)
    with pytest.raises(TableError, match="1 with a lens and 9 without; 3-fold cross-validation needs 3 of each: lower"):
        boost(x, [1] + [0] * 9, x[:0], [], config=QUICK)
    with pytest.raises(TableError, match="0 with a lens and 10 without"):
        boost(x, [0] * 10, x[:0], [], config=QUICK)


def test_a_subset_too_small_for_the_cross_validation_is_refused_and_one_that_just_suffices_is_not():
    """One per cent of 240 skies is 1 of each label; 2.5 per cent is 3 of each, one for each fold."""
    x, y = rows(240, 1)
    message = r"1 with a lens and 1 without, 1 per cent of 120 and 120; 3-fold cross-validation .*: raise subset, lower"
    with pytest.raises(TableError, match=message):
        boost(x, y, x[:0], [], config=replace(QUICK, subset=1.0))
    assert len(boost(x, y, x[:0], [], config=replace(QUICK, subset=2.5)).chosen) == 6


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="n_folds must be a whole number from 2 to 100, got 1"):
        TrainConfig(n_folds=1)


def test_a_fast_training_uses_fewer_skies_members_and_rounds():
    usual, fast = TrainConfig(seed=9), TrainConfig(seed=9).fast()
    assert fast.seed == 9
    for name in ("n_folds", "n_repeats", "subset", "max_rounds"):
        assert getattr(fast, name) < getattr(usual, name)


def test_trees_that_do_not_lower_the_loss_are_left_out():
    """The labels depend on the evidence alone: trees add noise, and the start is kept."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(300, len(FEATURE_INDICES)))
    y = (rng.uniform(size=300) < expit(4 * x[:, LOG_EVIDENCE])).astype(int)
    boosted = boost(x, y, x[:0], [], config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=60, learning_rate=0.3))
    assert boosted.best_round == 0
    assert boosted.members == ()
    assert boosted.start.slope == pytest.approx(4, rel=0.4)
    assert mean_log_odds(boosted.members, x).tolist() == [0.0] * 300


@pytest.mark.parametrize("wrong", [{"n_folds": 2.5}, {"learning_rate": "fast"}, {"seed": True}])
def test_settings_of_the_wrong_type_are_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"{name} must be a (whole )?number .* got "):
        TrainConfig(**wrong)


def test_a_model_that_separates_unknown_values_from_all_others_is_read_again():
    """The threshold of such a split is infinite."""
    x = np.repeat([0.0, 1.0], 200)
    x[::3] = np.nan
    y = np.where(np.isnan(x), 1.0, np.arange(400) % 2)
    trained = lightgbm.train(
        {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "seed": 1}, lightgbm.Dataset(x[:, None], y), 3
    )
    text = trained.model_to_string()
    assert "threshold=inf" in text
    np.testing.assert_array_equal(booster(text, 1).predict(x[:, None]), trained.predict(x[:, None]))
    with pytest.raises(ValueError, match="threshold of tree 0"):
        booster(text.replace("threshold=inf", "threshold=nan", 1), 1)
