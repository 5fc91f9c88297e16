"""Verdicts on skies unlike the training skies: drawn towards the prior or withheld, in every table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from classify.commands import MAX_NAMED, describe_unlike
from classify.config import TrainConfig
from classify.evaluate import count_unlike, judged_table, score_judged
from classify.explain.contributions import LIKENESS, contributions, explained_table, largest_contributions
from classify.metrics import WITHHELD_PROBABILITY
from classify.model import LensModel
from classify.model.likeness import DRAWN_DISTANCE, TOLERANCES, UNLIKE, WITHHELD_DISTANCE, Likeness
from classify.predict import predict
from classify.tables.columns import FEATURE_NAMES, select_features
from classify.trees.boosting import boost
from classify.verdicts.table import COLUMNS, verdict_table, write_verdicts
from classify.verdicts.verdict import WITHHELD
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ModelError
from darkmatter_features.features.extract import SkyRow
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import draw_sky, feature_rows, trained_run

LABELS = np.arange(200) % 2
ROWS = feature_rows(LABELS, np.random.default_rng(7)).to_numpy()
TYPICAL, DRAWN, FAR = 0, 1, 2
"""Indices of three skies: like the training skies, unlike, and so far that the verdict is withheld."""


@pytest.fixture(scope="module")
def model() -> LensModel:
    config = TrainConfig(n_folds=2, n_repeats=1, max_rounds=20)
    boosted = boost(select_features(ROWS), LABELS, select_features(ROWS)[:0], [], config=config)
    parts = boosted.start, boosted.members, boosted.calibration, MeasureConfig(), LensTemplate.default(), {}
    return LensModel(*parts, likeness=Likeness.fit(ROWS, LABELS))


@pytest.fixture
def rows(model) -> np.ndarray:
    """Three skies of equal inputs; two of them are far in a feature that is no input."""
    rows = np.repeat(ROWS[3:4], 3, axis=0)
    rows[:, [FEATURE_NAMES.index(name) for name in TOLERANCES]] = model.likeness.centre
    ratio = np.array([0.0, 1.0 + DRAWN_DISTANCE, 1.5 * WITHHELD_DISTANCE])
    scale = model.likeness.scale[list(TOLERANCES).index("log_noise")]
    rows[:, FEATURE_NAMES.index("log_noise")] += ratio * model.likeness.limit * scale
    return rows


@pytest.fixture
def verdicts(model, rows):
    return model.verdicts(["typical", "drawn", "far"], rows)


def test_a_typical_sky_has_the_verdict_of_the_trees(model, rows, verdicts):
    bare = replace(model, likeness=None).verdicts(["typical"], rows[:1])[0]
    assert verdicts[TYPICAL] == bare
    assert (bare.likeness, bare.unlike, bare.reason) == (1.0, False, "")


def test_an_unlike_sky_has_a_drawn_probability_and_a_reason(model, rows, verdicts):
    """Halved towards the prior, which is even: 100 lenses among 200 skies."""
    verdict, (log_odds, *_) = verdicts[DRAWN], model.log_odds(rows)
    assert logit(verdict.probability) == pytest.approx(0.5 * log_odds)
    assert verdict.unlike
    assert verdict.likeness < UNLIKE
    assert verdict.decided_by == "lightgbm"
    assert verdict.label == int(verdict.probability >= 0.5)
    assert verdict.reason.startswith("log of the noise of a pixel: ")


def test_a_withheld_verdict_has_all_but_label_and_probability(verdicts):
    verdict, typical = verdicts[FAR], verdicts[TYPICAL]
    assert verdict.label is None
    assert np.isnan(verdict.probability)
    assert verdict.decided_by == WITHHELD
    assert verdict.unlike
    assert verdict.reason
    assert (verdict.row, verdict.column, verdict.snr) == (typical.row, typical.column, typical.snr)


def test_probabilities_are_those_of_the_verdicts(model, rows, verdicts):
    np.testing.assert_array_equal(model.probability(rows), [verdict.probability for verdict in verdicts])


def test_reasons_belong_to_their_skies(model, rows):
    found = model.verdicts(["far", "typical", "drawn"], rows[[FAR, TYPICAL, DRAWN]])
    expected = model.likeness.reasons(rows)
    assert [verdict.reason for verdict in found] == [expected[FAR], "", expected[DRAWN]]


class Stage:
    """CNN stage for which every sky is uncertain, and that is certain of a lens."""

    def is_uncertain(self, log_odds):
        return np.ones(log_odds.size, dtype=bool)

    def stacked(self, log_odds, inputs):
        assert len(inputs) == log_odds.size
        return np.full(log_odds.size, 3.0)


def test_the_cnn_stage_is_not_asked_for_unlike_skies(model, rows, verdicts):
    asked, staged = [], replace(model, cnn_stage=Stage())
    found = staged.verdicts(["typical", "drawn", "far"], rows, inputs=lambda chosen: asked.extend(chosen) or chosen)
    assert asked == [TYPICAL]
    assert staged.is_uncertain(model.log_odds(rows), rows).tolist() == [True, False, False]
    assert found[TYPICAL].decided_by == "cnn"
    assert found[TYPICAL].probability == pytest.approx(expit(3.0))
    assert found[DRAWN] == verdicts[DRAWN]
    assert found[FAR].decided_by == WITHHELD
    assert not model.is_uncertain(model.log_odds(rows), rows).any()


def test_the_likeness_survives_the_bundle(model, rows, tmp_path):
    model.save(tmp_path)
    loaded = LensModel.load(tmp_path)
    assert loaded.likeness == model.likeness
    np.testing.assert_array_equal(loaded.probability(rows), model.probability(rows))
    replace(model, likeness=None).save(tmp_path)
    assert LensModel.load(tmp_path).likeness is None


def test_a_bundle_of_a_damaged_likeness_is_refused(model, tmp_path):
    model.save(tmp_path)
    path = tmp_path / "model" / "model.json"
    path.write_text(path.read_text().replace('"distances"', '"distance"'))
    with pytest.raises(ModelError, match="run `darkmatter train` again") as refused:
        LensModel.load(tmp_path)
    assert "\n" not in str(refused.value)


def table_of(verdicts, rows):
    measured = [SkyRow(Path(verdict.name), values) for verdict, values in zip(verdicts, rows)]
    return verdict_table([*measured, SkyRow(Path("bad.png"), None, error="no image")], verdicts)


def test_a_table_has_likeness_and_reason_and_a_withheld_row_no_label(verdicts, rows, tmp_path):
    table = table_of(verdicts, rows)
    assert table.columns.tolist() == list(COLUMNS)
    write_verdicts(tmp_path / "t.csv", table)
    written = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert written["image"].tolist() == ["typical", "drawn", "far", "bad.png"]
    assert written["unlike"].tolist() == ["0", "1", "1", ""]
    assert written["decided_by"].tolist() == ["lightgbm", "lightgbm", "withheld", ""]
    assert written["likeness"][TYPICAL] == "1.000000"
    assert (written["reason"] != "").tolist() == [False, True, True, False]
    assert (written["error"] != "").tolist() == [False, False, False, True]
    assert (written["label"] == "").tolist() == [False, False, True, True]
    assert (written["probability"] == "").tolist() == [False, False, True, True]
    assert written["row"][FAR] == written["row"][TYPICAL] != ""


def test_withheld_verdicts_count_as_one_half_and_are_counted(verdicts):
    judged = judged_table(verdicts, [1, 1, 0], [1.0] * 3, [1.0] * 3)
    assert judged["probability"][FAR] == WITHHELD_PROBABILITY == 0.5
    assert count_unlike(judged) == {"n_unlike": 2, "n_withheld": 1}
    p = judged["probability"].to_numpy()
    assert score_judged(judged)["n"] == 3
    assert score_judged(judged)["log_loss"] == pytest.approx(-np.mean(np.log([p[0], p[1], 0.5])))


@pytest.mark.parametrize("label", [0, 1])
def test_withheld_verdicts_are_not_right_whatever_the_label(verdicts, label):
    judged = judged_table([verdicts[FAR]] * 4, [label] * 4, [np.nan] * 4, [np.nan] * 4)
    metrics = score_judged(judged)
    assert (metrics["accuracy"], metrics["accuracy_hi"], metrics["brier"]) == (0.0, 0.0, 0.25)


def test_typical_skies_are_not_counted_as_unlike(verdicts):
    assert count_unlike(judged_table(verdicts[:1], [1], [1.0], [1.0])) == {"n_unlike": 0, "n_withheld": 0}


def test_the_change_by_the_likeness_is_a_term_of_its_own(model, rows, verdicts):
    parts, table = contributions(model, rows), table_of(verdicts, rows)[:3]
    explained = explained_table(["typical", "drawn", "far"], parts, table)
    assert explained[LIKENESS][TYPICAL] == 0.0
    assert explained[LIKENESS][DRAWN] == pytest.approx(-0.5 * parts.total[DRAWN])
    assert np.isnan(explained[LIKENESS][FAR])
    assert not explained["cnn_stage"].any()
    sums = explained.drop(columns="image").sum(axis=1, skipna=False)
    assert expit(sums[:2]).tolist() == pytest.approx([verdict.probability for verdict in verdicts[:2]])
    assert "unlike the training skies" in largest_contributions(explained.loc[DRAWN], n=99)
    assert "nan" not in largest_contributions(explained.loc[FAR], n=99)


def test_each_unlike_sky_is_described_in_a_line(verdicts, rows):
    table = table_of(verdicts, rows)
    drawn, far = describe_unlike(table)
    assert drawn == f"drawn: unlike the training skies, probability drawn towards the prior ({verdicts[DRAWN].reason})"
    assert far == f"far: unlike the training skies, verdict withheld ({verdicts[FAR].reason})"
    assert describe_unlike(table[:1]) == []


def test_many_unlike_skies_are_counted(verdicts, rows):
    table = table_of([verdicts[FAR]] * 9, np.repeat(rows[FAR:], 9, axis=0))
    *named, last = describe_unlike(table)
    assert len(named) == MAX_NAMED
    assert last == "9 of 10 skies are unlike the training skies; see the column unlike"


def test_predict_withholds_the_verdicts_on_images_of_another_kind(model, tmp_path):
    """A comparison of narrow scales knows no drawn galaxies."""
    narrow = replace(model.likeness, scale=(0.01,) * len(TOLERANCES))
    replace(model, likeness=narrow).save(tmp_path / "run")
    draw_sky(tmp_path / "skies" / "0.png", np.random.default_rng(0))
    done = predict(tmp_path / "run", [tmp_path / "skies"], tmp_path / "out.csv", explain=True, n_jobs=1)
    assert done.table["decided_by"].tolist() == [WITHHELD]
    assert done.table["label"].isna().all()
    assert pd.read_csv(tmp_path / "out-explained.csv")[LIKENESS].isna().all()


def test_a_trained_model_compares_with_its_training_skies(tmp_path):
    """Its validation skies are like them, and the prior is that of the labels."""
    run = trained_run(tmp_path, tmp_path / "gone", n_training=200, n_validation=100)
    found = LensModel.load(run).likeness
    assert found.prior_log_odds == 0.0
    table = pd.read_csv(tmp_path / "run" / "validation-predictions.csv")
    assert table["unlike"].sum() <= 3
    assert table["likeness"].mean() == pytest.approx(0.5, abs=0.1)
