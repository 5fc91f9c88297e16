"""Training: what it learns, what it must not see, and what it leaves behind."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from classify import metrics
from classify.columns import FEATURE_INDICES, FEATURE_NAMES, LOG_EVIDENCE, select_features
from classify.config import TrainConfig
from classify.feature_table import labelled
from classify.model import LensModel, mean_log_odds
from classify.train import train
from classify.trees import boosting
from classify.trees.boosting import HistoryLine, boost, folds
from classify.trees.calibration import Calibration
from darkmatter_features.errors import ConfigError, DarkmatterError, TableError
from darkmatter_features.io.table import read_table
from tests.support.synthetic import feature_rows, split_rows, write_features, write_frame, write_images

QUICK = TrainConfig(n_folds=3, n_repeats=1, max_rounds=60, block=20, patience=40, learning_rate=0.1)
FILES = {
    "contributions.png",
    "history.csv",
    "importance.png",
    "metrics.json",
    "model",
    "partial-dependence.png",
    "performance.png",
    "run.json",
    "template.png",
    "validation-contributions.csv",
    "validation-predictions.csv",
    "validation-samples.png",
}


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % 2
    return select_features(feature_rows(labels, np.random.default_rng(seed))), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("work")
    data = write_images(root / "data", n=20)
    features = write_features(root / "features", data, n_validation=20)
    train(features, root / "run", config=QUICK)
    return root / "run"


def test_a_signal_of_two_sigma_is_learnt_close_to_its_limit():
    x, y = rows(600, 1)
    x_new, y_new = rows(2000, 2)
    boosted = boost(x, y, x_new, y_new, config=QUICK)
    limit = 0.921  # AUC of two Gaussians 2 sigma apart: Phi(2 / sqrt 2)
    assert limit - 0.03 < max(line.validation_auc for line in boosted.history) < limit + 0.015


def test_every_row_is_left_out_once_and_parts_are_even():
    labels = np.array([1] * 7 + [0] * 13)
    part = folds(labels, 5, rng=np.random.default_rng(0))
    assert np.bincount(part).tolist() == [4, 4, 4, 4, 4]
    assert np.bincount(part[labels == 1], minlength=5).max() == 2


def test_folds_follow_the_rng():
    labels = np.arange(50) % 2
    drawn = [folds(labels, 5, rng=np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_out_of_fold_log_odds_come_from_members_that_left_the_row_out():
    """Labels without a signal: out of fold they cannot be told, on the rows learnt from they can."""
    x, _ = rows(300, 4)
    y = np.random.default_rng(5).integers(0, 2, 300)
    history = boost(x, y, x[:0], [], config=QUICK).history
    assert history[-1].training_loss < 0.55
    assert min(line.held_out_loss for line in history) > 0.66  # ln 2 = 0.693 knows nothing


def test_validation_labels_decide_nothing():
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


def test_the_line_of_the_best_round_tells_how_the_cut_ensemble_does():
    x, y = rows(200, 1)
    x_new, y_new = rows(100, 2)
    boosted = boost(x, y, x_new, y_new, config=QUICK)
    line = next(line for line in boosted.history if line.round == boosted.best_round)
    start = boosted.start(x_new[:, LOG_EVIDENCE])
    probability = expit(boosted.calibration(start + mean_log_odds(boosted.members, x_new)))
    assert line.validation_log_loss == pytest.approx(metrics.log_loss(y_new, probability), abs=1e-9)
    assert line.validation_accuracy == metrics.accuracy(y_new, probability)


def test_lines_are_reported_while_training_goes_on():
    x, y = rows(100, 1)
    trees_then = []
    race = boosting.EnsembleTrainer(x, y, x[:0], [], QUICK)
    while race.goes_on:
        trees_then.append((race.advance().round, race.members[0].n_trees))
    assert trees_then == [(20, 20), (40, 40), (60, 60)]


def test_the_last_block_stops_at_max_rounds():
    x, y = rows(100, 1)
    config = TrainConfig(n_folds=2, n_repeats=1, max_rounds=25, block=10)
    assert [line.round for line in boost(x, y, x[:0], [], config=config).history] == [0, 10, 20, 25]


def test_the_same_seed_gives_the_same_trees_and_another_seed_others():
    x, y = rows(100, 1)
    config = [TrainConfig(n_folds=2, n_repeats=1, max_rounds=10, seed=seed) for seed in (1, 1, 2)]
    a, b, c = ([m.model_to_string() for m in boost(x, y, x[:0], [], config=each).members] for each in config)
    assert a == b != c


def test_each_seed_and_repeat_parts_the_rows_anew():
    x, y = rows(60, 1)
    races = [
        boosting.EnsembleTrainer(x, y, x[:0], [], TrainConfig(n_folds=2, n_repeats=2, seed=seed)) for seed in (1, 2)
    ]
    parts = {tuple(race.members[first].held_out) for race in races for first in (0, 2)}
    assert len(parts) == 4


def test_a_subset_is_that_share_of_each_kind():
    labels = np.array([1] * 20 + [0] * 60)
    kept = boosting._some_rows(labels, TrainConfig(subset=50.0))
    assert np.bincount(labels[kept]).tolist() == [30, 10]
    assert np.array_equal(kept, np.unique(kept))


def test_a_subset_follows_the_seed():
    labels = np.arange(100) % 2
    drawn = [boosting._some_rows(labels, TrainConfig(subset=20, seed=seed)).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_subset_is_what_is_learnt_from_and_the_validation_split_stays_whole(tmp_path):
    features = write_features(tmp_path / "features", tmp_path, n_training=200, n_validation=30)
    trained = train(features, tmp_path / "run", config=replace(QUICK, subset=50.0))
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (told["n_training"], told["subset"], told["n"]) == (100, 50.0, 30)
    kept = LensModel.load(tmp_path / "run").training
    assert (kept["n_rows"], kept["subset"]) == (100, 50.0)
    x, y = _rows_of(features)
    half = boost(x, y, x[:0], [], config=replace(QUICK, subset=50.0))
    assert trained.model.members[0].model_to_string() == half.members[0].model_to_string()
    again = boost(x[half.chosen], y[half.chosen], x[:0], [], config=QUICK)
    assert again.members[0].model_to_string() == half.members[0].model_to_string()


def test_dependence_is_averaged_over_the_skies_that_were_learnt_from(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    frame = split_rows("training", 60, rng)
    frame.loc[:9, "label"] = pd.NA
    features = write_frame(tmp_path / "features", tmp_path, frame)
    seen = []
    monkeypatch.setattr("classify.train.explain_run", lambda run, model, others, own, **told: seen.append(own))
    train(features, tmp_path / "run", config=replace(QUICK, subset=50.0))
    x, y = labelled(frame)
    chosen = boost(x, y, x[:0], [], config=replace(QUICK, subset=50.0)).chosen
    np.testing.assert_array_equal(select_features(seen[0][list(FEATURE_NAMES)]), x[chosen])
    assert len(seen[0]) == 24


def _rows_of(features):
    frame, _ = read_table(features / "features.parquet", kind="features")
    training = frame[frame["split"] == "training"]
    return select_features(training[list(FEATURE_NAMES)]), training["label"].to_numpy(dtype=np.int64)


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


def test_missing_values_are_taken():
    x, y = rows(100, 1)
    x[::3, 4] = np.nan
    assert np.isfinite(mean_log_odds(boost(x, y, x[:0], [], config=QUICK).members, x)).all()


def test_too_few_rows_of_a_kind_are_refused():
    x, _ = rows(10, 1)
    with pytest.raises(
        TableError, match="1 with a lens and 9 without; cross-validation in 3 parts wants 3 of each: lower"
    ):
        boost(x, [1] + [0] * 9, x[:0], [], config=QUICK)
    with pytest.raises(TableError, match="0 with a lens and 10 without"):
        boost(x, [0] * 10, x[:0], [], config=QUICK)


def test_a_subset_too_small_for_the_cross_validation_is_refused_and_one_that_just_suffices_is_not():
    """One per cent of 240 skies is 1 of each kind; 2.5 per cent is 3 of each, as many as there are parts."""
    x, y = rows(240, 1)
    said = (
        r"1 with a lens and 1 without, 1 per cent of 120 and 120; cross-validation in 3 parts .*: raise subset, lower"
    )
    with pytest.raises(TableError, match=said):
        boost(x, y, x[:0], [], config=replace(QUICK, subset=1.0))
    assert len(boost(x, y, x[:0], [], config=replace(QUICK, subset=2.5)).chosen) == 6


@pytest.mark.parametrize(("min_data_in_leaf", "is_said"), [(21, True), (20, False)])
def test_a_training_with_too_few_skies_for_any_tree_says_that_the_evidence_alone_decides(
    tmp_path, min_data_in_leaf, is_said
):
    """Of 60 skies in 3 parts a member learns from 40."""
    features = write_features(tmp_path / "features", tmp_path, n_training=60, n_validation=4)
    trained = train(features, tmp_path / "run", config=replace(QUICK, min_data_in_leaf=min_data_in_leaf))
    assert (
        any(note.startswith("no trees: 40 skies, of 60, are too few for two leaves of 21") for note in trained.notes)
        is is_said
    )
    if is_said:
        assert trained.model.members == ()


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="n_folds must be a whole number from 2 to 100, got 1"):
        TrainConfig(n_folds=1)


def test_a_fast_training_uses_fewer_rows_members_and_rounds():
    usual, fast = TrainConfig(seed=9), TrainConfig(seed=9).fast()
    assert fast.seed == 9
    for name in ("n_folds", "n_repeats", "subset", "max_rounds"):
        assert getattr(fast, name) < getattr(usual, name)


def test_a_run_holds_all_its_files_and_no_temporary_ones(run):
    assert {path.name for path in run.iterdir()} == FILES


def test_metrics_are_those_of_the_predictions_written(run):
    told = json.loads((run / "metrics.json").read_text())
    table = pd.read_csv(run / "validation-predictions.csv")
    assert told["n"] == len(table) == 20
    assert told["accuracy"] == np.mean((table["probability"] >= 0.5) == table["label"])
    assert told["auc"] == pytest.approx(metrics.auc(table["label"], table["probability"]))
    assert told["auc_lo"] <= told["auc"] <= told["auc_hi"]
    assert (told["n_training"], told["subset"]) == (200, 100.0)
    assert set(told) == {
        "n",
        "n_training",
        "subset",
        *(f"{key}{end}" for key in metrics.KEYS for end in ("", "_lo", "_hi")),
    }


def test_offsets_are_distances_from_the_true_to_the_found_centre(run):
    table = pd.read_csv(run / "validation-predictions.csv")
    assert table.columns.tolist() == [
        "sky", "label", "probability", "row", "column", "snr", "lens_row", "lens_column", "offset_px", "decided_by",
    ]  # fmt: skip
    assert table.loc[table["label"] == 1, "offset_px"].tolist() == pytest.approx([5.0] * 10)
    assert table.loc[table["label"] == 0, "offset_px"].isna().all()
    assert json.loads((run / "metrics.json").read_text())["median_offset_px"] == pytest.approx(5.0)


def test_the_saved_model_made_the_predictions(run):
    frame, _ = read_table(run.parent / "features" / "features.parquet", kind="features")
    validation = frame[frame["split"] == "validation"]
    probability = LensModel.load(run).probability(validation[list(FEATURE_NAMES)])
    assert pd.read_csv(run / "validation-predictions.csv")["probability"].to_numpy() == pytest.approx(
        probability, abs=1e-6
    )


def test_history_has_a_line_for_each_block(run):
    with (run / "history.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["round"]) for line in lines] == [0, 20, 40, 60]
    assert list(lines[0]) == list(HistoryLine.__dataclass_fields__)
    assert float(lines[-1]["training_loss"]) < float(lines[0]["training_loss"])


def test_history_is_on_disk_when_a_line_is_reported(tmp_path):
    features = write_features(tmp_path / "features", tmp_path, n_training=60, n_validation=10)
    seen = []

    def report(line: HistoryLine) -> None:
        last = (tmp_path / "run" / ".unfinished" / "history.csv").read_text().splitlines()[-1]
        seen.append((str(line.round), last.split(",")[0]))

    train(features, tmp_path / "run", config=QUICK, report=report)
    assert len(seen) == 3
    assert all(reported == written for reported, written in seen)


def test_training_again_gives_the_same_bytes(run, tmp_path):
    train(run.parent / "features", tmp_path / "again", config=QUICK)
    for path in sorted(run.rglob("*")):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(run)).read_bytes() == path.read_bytes(), path.name


def test_training_again_in_the_same_place_leaves_nothing_of_the_old_run(tmp_path):
    features = write_features(tmp_path / "features", tmp_path / "gone", n_training=60, n_validation=10)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "validation-samples.png").write_bytes(b"of an earlier run")
    trained = train(features, tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run" / "validation-samples.png").exists()
    assert "not drawn" in trained.notes[0]


def test_a_split_without_labels_is_judged_but_not_scored(tmp_path):
    rng = np.random.default_rng(0)
    unknown = split_rows("validation", 6, rng).assign(label=pd.array([pd.NA] * 6, dtype="Int8"))
    frame = pd.concat([split_rows("training", 60, rng), unknown], ignore_index=True)
    train(write_frame(tmp_path / "features", tmp_path, frame), tmp_path / "run", config=QUICK)
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert told["n"] == 0
    assert told["auc"] is None
    table = pd.read_csv(tmp_path / "run" / "validation-predictions.csv")
    assert len(table) == 6
    assert table["label"].isna().all()


def test_a_table_without_a_validation_split_can_be_trained_on(tmp_path):
    frame = split_rows("training", 60, np.random.default_rng(0))
    train(write_frame(tmp_path / "features", tmp_path, frame), tmp_path / "run", config=QUICK)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["n"] == 0


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"version": "0.0.1"}, "version 0.0.1"),
        ({"config_fingerprint": "abc"}, "config abc"),
        ({"template_fingerprint": "abc"}, "template.json abc"),
    ],
)
def test_features_that_do_not_belong_together_are_refused(tmp_path, metadata, said):
    features = write_features(tmp_path / "features", tmp_path, n_training=10, n_validation=4, **metadata)
    with pytest.raises(TableError, match=said):
        train(features, tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run").exists()


def test_missing_features_are_refused(tmp_path):
    with pytest.raises(DarkmatterError, match=r"features\.parquet"):
        train(tmp_path / "nowhere", tmp_path / "run")


def test_trees_that_make_it_no_better_are_left_out():
    """Labels that only the evidence knows: whatever a tree adds is noise, and the start is kept."""
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
