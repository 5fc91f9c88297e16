"""Metrics of a model on a data set of images."""

from pathlib import Path

import numpy as np
import pytest

from classify.evaluate import JUDGED_COLUMNS, evaluate, judged_table, score_judged
from classify.verdicts.verdict import Verdict
from darkmatter_features.errors import DatasetError, ModelError
from tests.support.synthetic import trained_run, write_images


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluate")
    return trained_run(root, root / "gone", n_validation=10)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_images(tmp_path / "data")


def test_every_measured_sky_is_judged_beside_its_label(run, data):
    result = evaluate(run, data, n_jobs=1)
    assert result.judged["sky"].tolist() == [f"validation/validation-{i:05d}.png" for i in range(4)]
    assert result.judged["label"].tolist() == [0, 1, 0, 1]
    assert result.judged.columns.tolist() == list(JUDGED_COLUMNS)
    assert result.metrics["n"] == 4
    assert result.metrics["n_failed"] == 0
    assert result.failures == ()


def test_lens_positions_are_scaled_to_the_image(run, data):
    judged = evaluate(run, data, n_jobs=1).judged
    lensed = judged[judged["label"] == 1]
    # row 256, column 128 of 512 in an image of 128 px, pixel centres at integers
    assert lensed["lens_row"].to_numpy() == pytest.approx((256 + 0.5) / 4 - 0.5)
    assert lensed["lens_column"].to_numpy() == pytest.approx((128 + 0.5) / 4 - 0.5)
    assert judged.loc[judged["label"] == 0, "lens_row"].isna().all()


def test_a_bad_sky_is_counted_and_costs_one_row(run, data):
    bad = data / "validation" / "validation-00001.png"
    bad.write_bytes(b"no image")
    result = evaluate(run, data, n_jobs=1)
    assert result.metrics["n"] == 3
    assert result.metrics["n_failed"] == 1
    assert result.failures[0][0] == str(bad)
    assert result.judged["sky"].str.contains("00001").sum() == 0
    assert result.judged["label"].tolist() == [0, 0, 1]
    assert np.isfinite(result.judged["lens_row"].iloc[2])


def test_the_same_skies_get_the_same_bounds(run, data):
    assert evaluate(run, data, n_jobs=1).metrics == evaluate(run, data, n_jobs=1).metrics


def test_the_training_split_can_be_chosen(run, data):
    write_images(data, split="training", n=2)
    assert evaluate(run, data, split="training", n_jobs=1).metrics["n"] == 2


def test_progress_reaches_the_end(run, data):
    seen = []
    evaluate(run, data, n_jobs=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)


def test_a_missing_or_unlabelled_split_is_refused(run, data):
    with pytest.raises(DatasetError, match="training split"):
        evaluate(run, data, split="training")
    with pytest.raises(DatasetError, match="Unknown split 'test'"):
        evaluate(run, data, split="test")
    for path in data.glob("validation-*.csv"):
        path.unlink()
    with pytest.raises(DatasetError, match="no labels"):
        evaluate(run, data)


def test_a_split_of_bad_skies_alone_is_refused(run, data):
    for path in (data / "validation").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match="no sky of the validation split could be measured"):
        evaluate(run, data, n_jobs=1)


def test_a_run_without_a_model_is_refused(tmp_path, data):
    with pytest.raises(ModelError, match="No model"):
        evaluate(tmp_path, data)


def test_skies_of_unknown_label_do_not_count():
    verdicts = [Verdict(str(i), i % 2, 0.9 * (i % 2), 1.0, 1.0, 3.0) for i in range(5)]
    table = judged_table(verdicts, [0, 1, 0, 1, np.nan], [1.0] * 5, [1.0] * 5)
    found = score_judged(table)
    assert found["n"] == 4
    assert found["accuracy"] == 1.0
