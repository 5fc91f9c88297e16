"""Training of the CNN stage: reproducible, resumable, kept if it helps, and left out if anything is missing."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import classify.cnn
from classify.cnn import train_stage
from classify.cnn.stacking import Gain, Stacker
from classify.cnn.stage import CnnStage
from classify.model import LensModel
from classify.train import train
from darkmatter_features.errors import ConfigError, DatasetError, TableError, TrainingError
from tests.support.cnn_skies import HALF_UNCERTAIN, QUICK


def test_the_run_holds_the_history_and_the_bundle_the_weights(run):
    with (run / "cnn" / "history.csv").open() as file:
        assert [line["epoch"] for line in csv.DictReader(file)] == ["1", "2"]
    description = json.loads((run / "model" / "model.json").read_text())["cnn_stage"]
    assert set(description["members"]) == {"cnn-0.safetensors", "cnn-1.safetensors"}
    assert not [path for path in run.rglob("*") if path.suffix in (".pt", ".pth", ".pkl", ".bin")]


def test_the_uncertain_fraction_of_the_training_skies_is_uncertain(run):
    """Half of 24, out of fold, and those with the log-odds of the last of them."""
    stage = LensModel.load(run).cnn_stage
    assert 12 <= stage.record["n"] < 24


def test_a_run_explains_its_verdicts_after_the_cnn_stage(root, tmp_path, monkeypatch):
    """Where every sky is uncertain, and the networks have weight."""
    pytest.importorskip("torch")
    monkeypatch.setattr(train_stage, "uncertainty_limit", lambda *_: 99.0)
    monkeypatch.setattr(Stacker, "fit", lambda *_: Stacker(0.3, 0.5, 0.5))
    train(root / "features", tmp_path, config=QUICK, cnn="on", cnn_config=HALF_UNCERTAIN, n_jobs=1)
    probability = pd.read_csv(tmp_path / "validation-predictions.csv")["probability"]
    explained = pd.read_csv(tmp_path / "validation-contributions.csv").drop(columns="image")
    assert explained["cnn_stage"].abs().max() > 0.1
    sums = explained.sum(axis=1).to_numpy()
    assert expit(sums) == pytest.approx(probability.to_numpy(), rel=5e-5, abs=1e-6)  # both are written rounded


def test_training_again_gives_the_same_bytes(run, root, tmp_path):
    train(root / "features", tmp_path / "again", config=QUICK, cnn="on", cnn_config=HALF_UNCERTAIN, n_jobs=1)
    for path in sorted((run / "model").iterdir()):
        assert (tmp_path / "again" / "model" / path.name).read_bytes() == path.read_bytes(), path.name


def test_training_without_the_stage_removes_that_of_an_earlier_training(run, root, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "tensorboard" / "all").mkdir(parents=True, exist_ok=True)
    train(root / "features", tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run" / "cnn").exists()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_stopped_training_leaves_the_run_unchanged_and_resumes(run, root, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.is_file()}
    other, epochs = replace(HALF_UNCERTAIN, seed=9), []

    def stop(line):
        raise KeyboardInterrupt

    def again(folder, report, resume):
        given = {"config": QUICK, "cnn": "on", "cnn_config": other, "n_jobs": 1}
        return train(root / "features", tmp_path / folder, cnn_report=report, resume=resume, **given)

    with pytest.raises(KeyboardInterrupt):
        again("run", stop, False)
    now = {path: path.read_bytes() for path in before if "tensorboard" not in path.parts}
    assert now.items() <= before.items()
    stage = again("run", lambda line: epochs.append(line.epoch), True).model.cnn_stage
    assert epochs == [1, 2]
    assert stage == again("unstopped", None, False).model.cnn_stage
    assert not (tmp_path / "run" / ".unfinished").exists()


def test_resuming_with_the_stage_off_is_refused_and_keeps_the_checkpoint(run, root, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with pytest.raises(ConfigError, match="add --cnn auto"):
        train(root / "features", tmp_path / "run", config=QUICK, resume=True)
    assert (tmp_path / "run" / "cnn" / "checkpoint" / "state.json").is_file()


def test_a_stage_that_is_left_out_removes_that_of_an_earlier_training(run, root, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "cnn" / "grad-cam.png").write_bytes(b"of an earlier run")
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    train(root / "features", tmp_path / "run", config=QUICK, cnn="auto", resume=True)
    assert "grad-cam.png" not in {path.name for path in (tmp_path / "run" / "cnn").iterdir()}
    assert (tmp_path / "run" / "cnn" / "checkpoint").is_dir()
    train(root / "features", tmp_path / "run", config=QUICK, cnn="auto")
    assert not (tmp_path / "run" / "cnn").exists()


def test_auto_leaves_out_a_stage_without_significant_gain_and_notes_it(root, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(Gain, "helps", False)
    trained = train(root / "features", tmp_path, config=QUICK, cnn="auto", cnn_config=HALF_UNCERTAIN, n_jobs=1)
    assert trained.model.cnn_stage is None
    expected = "CNN stage left out, its gain is not significant: log loss of"
    assert any(note.startswith(expected) for note in trained.notes)


def test_auto_keeps_a_stage_that_helps_and_notes_its_limit(root, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(Gain, "helps", True)
    trained = train(root / "features", tmp_path, config=QUICK, cnn="auto", cnn_config=HALF_UNCERTAIN, n_jobs=1)
    stage = trained.model.cnn_stage
    assert isinstance(stage, CnnStage)
    limit = 100 / (1 + np.exp(-stage.limit))
    expected = f"CNN stage kept, for probabilities of the likelier class up to {limit:.1f} %: log loss of"
    assert any(note.startswith(expected) for note in trained.notes)


def test_networks_that_diverge_are_left_out_by_auto_and_reported_by_on(root, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from classify.cnn.member import Member

    monkeypatch.setattr(Member, "log_odds", lambda self, skies, chosen: np.full(len(chosen), np.nan))
    given = {"config": QUICK, "cnn_config": HALF_UNCERTAIN, "n_jobs": 1}
    trained = train(root / "features", tmp_path / "auto", cnn="auto", **given)
    assert trained.model.cnn_stage is None
    expected = f"CNN stage left out: [cnn] learning_rate {HALF_UNCERTAIN.learning_rate}: the out-of-fold log loss"
    assert [note for note in trained.notes if note.startswith(expected) and "not a number" in note]
    with pytest.raises(TrainingError, match="after 2 epochs; lower it, or use --cnn off"):
        train(root / "features", tmp_path / "on", cnn="on", **given)


def test_without_torch_on_raises_with_the_remedy_before_any_work(root, tmp_path, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'darkmatter-lensing\[cnn\]'"):
        train(root / "features", tmp_path, config=QUICK, cnn="on")
    assert not list(tmp_path.iterdir())


def test_without_torch_auto_trains_the_trees_and_notes_it(root, tmp_path, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    trained = train(root / "features", tmp_path, config=QUICK, cnn="auto")
    assert trained.model.cnn_stage is None
    assert any("CNN stage left out: torch" in note and "pip install" in note for note in trained.notes)


def test_missing_images_are_reported_in_one_line(root, tmp_path):
    pytest.importorskip("torch")
    away = root.parent / "away"
    (root / "data").rename(away)
    try:
        with pytest.raises(DatasetError, match="the images are missing") as refused:
            train(root / "features", tmp_path, config=QUICK, cnn="on")
        assert "\n" not in str(refused.value)
        notes = train(root / "features", tmp_path, config=QUICK, cnn="auto").notes
        assert any("the images are missing" in note for note in notes)
    finally:
        away.rename(root / "data")


def test_missing_catalogues_are_reported_in_one_line_before_any_work(root, tmp_path):
    pytest.importorskip("torch")
    shutil.copytree(root / "features", tmp_path / "features")
    (tmp_path / "features" / "catalogs.parquet").unlink()
    lines = []
    expected = r"catalogs\.parquet: the catalogues are missing; run `darkmatter features` again"
    with pytest.raises(TableError, match=expected):
        train(tmp_path / "features", tmp_path / "run", config=QUICK, cnn="on", report=lines.append)
    assert not lines
    notes = train(tmp_path / "features", tmp_path / "run", config=QUICK, cnn="auto").notes
    assert any(note.startswith("CNN stage left out") and "the catalogues are missing" in note for note in notes)
