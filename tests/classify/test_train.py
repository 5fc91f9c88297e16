"""Training: the files of a run and their agreement with each other."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify import metrics
from classify.config import TrainConfig
from classify.model import LensModel
from classify.tables.columns import FEATURE_NAMES, select_features
from classify.tables.feature_table import labelled
from classify.train import train
from classify.trees.boosting import HistoryLine, boost
from darkmatter_features.errors import DarkmatterError, TableError
from darkmatter_features.io.table import read_table
from tests.support.synthetic import feature_rows, split_rows, write_features, write_frame, write_images

FIGURES = pytest.mark.figures
"""Of the tests of `run`, which has all its files, and of trainings that have less to draw."""

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


def test_a_subset_reduces_the_training_skies_and_not_the_validation_split(tmp_path):
    features = write_features(tmp_path / "features", tmp_path, n_training=200, n_validation=30)
    trained = train(features, tmp_path / "run", config=replace(QUICK, subset=50.0))
    metrics_file = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics_file["n_training"], metrics_file["subset"], metrics_file["n"]) == (100, 50.0, 30)
    kept = LensModel.load(tmp_path / "run").training
    assert (kept["n_rows"], kept["subset"]) == (100, 50.0)
    x, y = _rows_of(features)
    half = boost(x, y, x[:0], [], config=replace(QUICK, subset=50.0))
    assert trained.model.members[0].model_to_string() == half.members[0].model_to_string()
    again = boost(x[half.chosen], y[half.chosen], x[:0], [], config=QUICK)
    assert again.members[0].model_to_string() == half.members[0].model_to_string()


def test_dependence_is_averaged_over_the_training_skies_in_use(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    frame = split_rows("training", 60, rng)
    frame.loc[:9, "label"] = pd.NA
    features = write_frame(tmp_path / "features", tmp_path, frame)
    seen = []
    monkeypatch.setattr("classify.train.explain_run", lambda run, model, others, own, **options: seen.append(own))
    train(features, tmp_path / "run", config=replace(QUICK, subset=50.0))
    x, y = labelled(frame)
    chosen = boost(x, y, x[:0], [], config=replace(QUICK, subset=50.0)).chosen
    np.testing.assert_array_equal(select_features(seen[0][list(FEATURE_NAMES)]), x[chosen])
    assert len(seen[0]) == 24


def _rows_of(features):
    frame, _ = read_table(features / "features.parquet", kind="features")
    training = frame[frame["split"] == "training"]
    return select_features(training[list(FEATURE_NAMES)]), training["label"].to_numpy(dtype=np.int64)


@pytest.mark.parametrize(("min_data_in_leaf", "is_noted"), [(21, True), (20, False)])
def test_a_training_with_too_few_skies_for_a_tree_notes_that_the_evidence_alone_decides(
    tmp_path, min_data_in_leaf, is_noted
):
    """With 3 folds, a member is trained on 40 of 60 skies."""
    features = write_features(tmp_path / "features", tmp_path, n_training=60, n_validation=4)
    trained = train(features, tmp_path / "run", config=replace(QUICK, min_data_in_leaf=min_data_in_leaf))
    assert (
        any(note.startswith("no trees: 40 skies, of 60, are too few for two leaves of 21") for note in trained.notes)
        is is_noted
    )
    if is_noted:
        assert trained.model.members == ()


@FIGURES
def test_a_run_holds_all_its_files_and_no_temporary_ones(run):
    assert {path.name for path in run.iterdir()} == FILES


@FIGURES
def test_metrics_are_those_of_the_predictions_written(run):
    values = json.loads((run / "metrics.json").read_text())
    table = pd.read_csv(run / "validation-predictions.csv")
    assert values["n"] == len(table) == 20
    assert values["accuracy"] == np.mean((table["probability"] >= 0.5) == table["label"])
    assert values["auc"] == pytest.approx(metrics.auc(table["label"], table["probability"]))
    assert values["auc_lo"] <= values["auc"] <= values["auc_hi"]
    assert (values["n_training"], values["subset"]) == (200, 100.0)
    assert set(values) == {
        "n",
        "n_training",
        "n_unlike",
        "n_withheld",
        "subset",
        *(f"{key}{end}" for key in metrics.KEYS for end in ("", "_lo", "_hi")),
    }


@FIGURES
def test_offsets_are_distances_of_the_position_from_the_true_lens(run):
    table = pd.read_csv(run / "validation-predictions.csv")
    assert table.columns.tolist() == [
        "sky", "label", "probability", "likeness", "unlike", "row", "column", "snr", "lens_row", "lens_column",
        "offset_px", "decided_by",
    ]  # fmt: skip
    assert table.loc[table["label"] == 1, "offset_px"].tolist() == pytest.approx([5.0] * 10)
    assert table.loc[table["label"] == 0, "offset_px"].isna().all()
    assert json.loads((run / "metrics.json").read_text())["median_offset_px"] == pytest.approx(5.0)


@FIGURES
def test_the_saved_model_made_the_predictions(run):
    frame, _ = read_table(run.parent / "features" / "features.parquet", kind="features")
    validation = frame[frame["split"] == "validation"]
    probability = LensModel.load(run).probability(validation[list(FEATURE_NAMES)])
    assert pd.read_csv(run / "validation-predictions.csv")["probability"].to_numpy() == pytest.approx(
        probability, abs=1e-6
    )


@FIGURES
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


@FIGURES
def test_training_again_gives_the_same_bytes(run, tmp_path):
    train(run.parent / "features", tmp_path / "again", config=QUICK)
    for path in sorted(run.rglob("*")):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(run)).read_bytes() == path.read_bytes(), path.name


@FIGURES
def test_training_again_in_the_same_place_leaves_nothing_of_the_old_run(tmp_path):
    features = write_features(tmp_path / "features", tmp_path / "gone", n_training=60, n_validation=10)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "validation-samples.png").write_bytes(b"of an earlier run")
    trained = train(features, tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run" / "validation-samples.png").exists()
    assert "not drawn" in trained.notes[0]


@FIGURES
def test_a_split_without_labels_has_verdicts_and_no_metrics(tmp_path):
    rng = np.random.default_rng(0)
    unknown = split_rows("validation", 6, rng).assign(label=pd.array([pd.NA] * 6, dtype="Int8"))
    frame = pd.concat([split_rows("training", 60, rng), unknown], ignore_index=True)
    train(write_frame(tmp_path / "features", tmp_path, frame), tmp_path / "run", config=QUICK)
    values = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert values["n"] == 0
    assert values["auc"] is None
    table = pd.read_csv(tmp_path / "run" / "validation-predictions.csv")
    assert len(table) == 6
    assert table["label"].isna().all()


@FIGURES
def test_a_table_without_a_validation_split_can_be_trained_on(tmp_path):
    frame = split_rows("training", 60, np.random.default_rng(0))
    train(write_frame(tmp_path / "features", tmp_path, frame), tmp_path / "run", config=QUICK)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["n"] == 0


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"version": "0.0.1"}, "version 0.0.1"),
        ({"config_fingerprint": "abc"}, "config abc"),
        ({"template_fingerprint": "abc"}, "template.json abc"),
    ],
)
def test_features_of_another_version_or_measurement_are_refused(tmp_path, metadata, expected):
    features = write_features(tmp_path / "features", tmp_path, n_training=10, n_validation=4, **metadata)
    with pytest.raises(TableError, match=expected):
        train(features, tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run").exists()


def test_missing_features_are_refused(tmp_path):
    with pytest.raises(DarkmatterError, match=r"features\.parquet"):
        train(tmp_path / "nowhere", tmp_path / "run")
