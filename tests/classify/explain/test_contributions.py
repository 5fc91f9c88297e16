"""Contributions sum to the verdict, and are large for the columns that decide it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from classify.config import TrainConfig
from classify.explain.contributions import (
    INPUT_NAMES,
    Contributions,
    contributions,
    explained_table,
    largest_contributions,
    meaning,
)
from classify.model import LensModel
from classify.plots.importance import N_BARS, importance
from classify.predict import predict
from classify.tables.columns import FEATURE_NAMES
from classify.train import train
from classify.trees.calibration import LIMIT, Calibration
from darkmatter_features.features.statistics import FEATURES
from tests.support.synthetic import draw_sky, feature_rows, write_features

CHANGES = ("cut", "moderation", "cnn_stage", "likeness")
"""Last columns of a table of contributions."""


def verdicts_of(parts, change=0.0):
    """Verdicts of the trees, with an optional change of the log-odds."""
    return pd.DataFrame({"probability": expit(parts.total + change), "decided_by": "lightgbm", "unlike": 0})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("explain")
    features = write_features(root / "features", root / "gone", n_training=300, n_validation=10)
    train(features, root / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=60, learning_rate=0.1))
    return root / "run"


@pytest.fixture
def rows(rng):
    values = feature_rows(np.arange(40) % 2, rng)[list(FEATURE_NAMES)].to_numpy()
    values[::5, FEATURE_NAMES.index("peak_cross")] = np.nan
    return values


def test_contributions_sum_to_the_calibrated_log_odds(run, rows):
    model = LensModel.load(run)
    parts = contributions(model, rows)
    assert model.calibration.slope != pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(parts.total, model.log_odds(rows), atol=1e-9)
    table = explained_table([str(i) for i in range(40)], parts, verdicts_of(parts))
    assert table.columns.tolist() == ["image", "baseline", "start", *INPUT_NAMES, *CHANGES]
    np.testing.assert_allclose(table.drop(columns="image").sum(axis=1), model.log_odds(rows), atol=1e-9)


def test_the_limit_of_the_calibration_is_a_term_of_its_own(run, rows):
    model = replace(LensModel.load(run), start=Calibration(slope=0.9, intercept=1.5))
    rows[:4, FEATURE_NAMES.index("evidence")] = (-200.0, -7.0, 7.9, 50.0)
    parts = contributions(model, rows)
    np.testing.assert_allclose(parts.total, model.log_odds(rows), atol=1e-9)
    assert parts.cut[3] < -0.05
    assert not parts.cut[5:].any()
    assert parts.start[3] == pytest.approx(model.calibration.slope * 0.9 * LIMIT)


def test_the_start_is_proportional_to_the_log_evidence(run, rows):
    """Twice the evidence is twice the start; the contribution of the trees is separate."""
    model = LensModel.load(run)
    twice = rows.copy()
    twice[:, FEATURE_NAMES.index("evidence")] *= 2
    np.testing.assert_allclose(contributions(model, twice).start, 2 * contributions(model, rows).start)


def test_the_column_correlated_with_the_label_contributes_most(run, rows):
    parts = contributions(LensModel.load(run), rows)
    assert INPUT_NAMES[np.abs(parts.columns).mean(axis=0).argmax()] == "peak_snr"


def test_a_model_without_trees_is_explained_by_the_evidence(run, rows):
    model = LensModel.load(run)
    bare = LensModel(model.start, (), model.calibration, model.config, model.template, {})
    parts = contributions(bare, rows)
    assert not parts.columns.any()
    np.testing.assert_allclose(parts.total, bare.log_odds(rows), atol=1e-12)


def test_predictions_are_explained_on_disk(run, tmp_path):
    for i in range(2):
        draw_sky(tmp_path / f"{i}.png", np.random.default_rng(i))
    done = predict(run, [tmp_path], tmp_path / "out" / "p.csv", explain=True, n_jobs=1)
    table = pd.read_csv(tmp_path / "out" / "p-explained.csv")
    assert table["image"].tolist() == done.table["image"].tolist()
    sums = table.drop(columns="image").sum(axis=1)
    assert sums.to_numpy() == pytest.approx(logit(done.table["probability"]).to_numpy(), abs=1e-4)
    assert predict(run, [tmp_path], n_jobs=1).explained is None


def test_no_sky_judged_leaves_no_row(run, tmp_path):
    done = predict(run, [tmp_path / "missing.png"], explain=True, n_jobs=1)
    assert len(done.explained) == 0
    assert done.explained.columns.tolist() == ["image", "baseline", "start", *INPUT_NAMES, *CHANGES]


def test_the_largest_contributions_are_listed_in_order():
    columns = np.zeros((1, len(INPUT_NAMES)))
    columns[0, INPUT_NAMES.index("amplitude")] = -0.5
    columns[0, INPUT_NAMES.index("border")] = 0.25
    columns[0, INPUT_NAMES.index("peak_snr")] = 0.1
    parts = Contributions(9.0, np.array([2.0]), columns, np.array([-7.0]))
    row = explained_table(["sky.png"], parts, verdicts_of(parts)).iloc[0]
    amplitude, border = (
        next(feature.description for feature in FEATURES if feature.name == name) for name in ("amplitude", "border")
    )
    assert largest_contributions(row) == (f"log evidence, before any tree +2.00; {amplitude} −0.50; {border} +0.25")
    assert meaning("start") == "log evidence, before any tree"


def test_a_withheld_verdict_has_no_sum():
    parts = Contributions(0.5, np.array([2.0, 0.0]), np.zeros((2, len(INPUT_NAMES))), np.zeros(2))
    verdicts = verdicts_of(parts).assign(decided_by=["withheld", "lightgbm"], unlike=[1, 0], probability=0.5)
    table = explained_table(["a.png", "b.png"], parts, verdicts)
    assert np.isnan(table["likeness"][0])
    assert table["likeness"][1] == 0.0
    assert table["moderation"].tolist() == pytest.approx([0.0, -0.5])


def test_zero_contributions_are_omitted_and_the_cnn_stage_is_named():
    parts = Contributions(0.5, np.array([2.0, 0.0]), np.zeros((2, len(INPUT_NAMES))), np.zeros(2))
    again = verdicts_of(parts, change=np.array([-1.25, 0.0])).assign(decided_by=["cnn", "lightgbm"])
    table = explained_table(["a.png", "b.png"], parts, again)
    assert largest_contributions(table.iloc[0]) == "log evidence, before any tree +2.00; the CNN stage −1.25"
    assert largest_contributions(table.iloc[1]) == "no contribution"
    assert table.drop(columns="image").sum(axis=1).to_numpy() == pytest.approx([1.25, 0.5])


def test_a_run_has_the_contributions_of_every_validation_verdict(run):
    table = pd.read_csv(run / "validation-contributions.csv")
    judged = pd.read_csv(run / "validation-predictions.csv")
    assert table["image"].tolist() == judged["sky"].tolist()
    sums = table.drop(columns="image").sum(axis=1)
    assert sums.to_numpy() == pytest.approx(logit(judged["probability"]).to_numpy(), abs=1e-3)


def test_a_run_without_validation_skies_leaves_no_contributions_of_an_earlier_one(tmp_path):
    features = write_features(tmp_path / "features", tmp_path, n_training=60, n_validation=0)
    (tmp_path / "run").mkdir()
    for name in ("validation-contributions.csv", "contributions.png", "importance.png"):
        (tmp_path / "run" / name).write_text("of an earlier run")
    train(features, tmp_path / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=5))
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert not left & {"validation-contributions.csv", "contributions.png", "importance.png"}
    assert "partial-dependence.png" in left


def test_importance_has_the_largest_bars_on_top():
    columns = np.zeros((2, len(INPUT_NAMES)))
    columns[:, :20] = np.array([[1.0], [-1.0]]) * np.arange(20)
    figure = importance(Contributions(0.0, np.array([3.0, -5.0]), columns, np.zeros(2)))
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [float(k) for k in range(19, 19 - N_BARS, -1)]
    assert axes.get_yticklabels()[0].get_text() == meaning(INPUT_NAMES[19])
    assert axes.yaxis_inverted()
    assert "4.00 (2 skies)" in figure.subfigs[0].texts[0].get_text()


def test_names_of_the_bars_stay_on_the_page():
    """Even the longest there are."""
    longest = sorted(range(len(INPUT_NAMES)), key=lambda i: -len(meaning(INPUT_NAMES[i])))[:N_BARS]
    columns = np.zeros((1, len(INPUT_NAMES)))
    columns[0, longest] = 1.0
    figure = importance(Contributions(0.0, np.ones(1), columns, np.zeros(1)))
    figure.canvas.draw()
    for label in figure.axes[0].get_yticklabels():
        assert label.get_window_extent().x0 >= 0


def test_importance_without_trees_has_a_note():
    figure = importance(Contributions(0.0, np.ones(3), np.zeros((3, len(INPUT_NAMES))), np.zeros(3)))
    figure.canvas.draw()
    assert "no contribution: no tree lowered the loss" in [text.get_text().strip() for text in figure.axes[0].texts]
