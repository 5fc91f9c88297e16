"""The CNN stage as a whole: trained with the model, kept in its bundle, used in verdicts, left out where due."""

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import classify.cnn
from classify.cli import main
from classify.cnn import stage
from classify.cnn.judge import CnnStage
from classify.cnn.stacking import Gain, Stacker
from classify.columns import FEATURE_NAMES
from classify.config import TrainConfig
from classify.evaluate import evaluate
from classify.model import LensModel
from classify.predict import predict
from classify.train import train
from darkmatter_features.errors import ConfigError, DatasetError, ModelError, TableError
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.io.sky import read_sky
from tests.support.cnn_skies import SMALL, random_input, write_lensed
from tests.support.synthetic import feature_rows

QUICK = TrainConfig(n_folds=2, n_repeats=1, max_rounds=20)
CONFIG = replace(SMALL, uncertain_fraction=0.5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cnn")
    write_lensed(folder / "data", "training", 24, seed=1)
    write_lensed(folder / "data", "validation", 12, seed=2)
    extract_dataset(folder / "data", folder / "features", n_jobs=1)
    return folder


@pytest.fixture(scope="module")
def run(root: Path) -> Path:
    """Trained with the CNN stage, whether it helps or not."""
    pytest.importorskip("torch")
    train(root / "features", root / "run", config=QUICK, cnn="on", cnn_config=CONFIG, n_jobs=1)
    return root / "run"


@pytest.fixture
def model(run: Path) -> LensModel:
    """One that finds every sky hard."""
    loaded = LensModel.load(run)
    assert loaded.cnn_stage is not None
    return replace(loaded, cnn_stage=replace(loaded.cnn_stage, limit=99.0, stacker=Stacker(0.3, 0.5, 0.5)))


def test_the_run_holds_the_history_and_the_bundle_the_weights(run):
    with (run / "cnn" / "history.csv").open() as file:
        assert [line["epoch"] for line in csv.DictReader(file)] == ["1", "2"]
    told = json.loads((run / "model" / "model.json").read_text())["cnn_stage"]
    assert set(told["members"]) == {"cnn-0.safetensors", "cnn-1.safetensors"}
    assert not [path for path in run.rglob("*") if path.suffix in (".pt", ".pth", ".pkl", ".bin")]


def test_the_hard_share_of_the_training_skies_is_hard(run):
    """Half of 24, out of fold, and those that are as unsure as the last of them."""
    look = LensModel.load(run).cnn_stage
    assert 12 <= look.record["n"] < 24


def test_what_is_saved_is_what_is_loaded(run, tmp_path):
    model = LensModel.load(run)
    model.save(tmp_path)
    assert LensModel.load(tmp_path).cnn_stage == model.cnn_stage


def test_hard_skies_are_decided_by_the_network_and_the_others_are_left(model):
    rng = np.random.default_rng(5)
    rows, names = feature_rows(np.arange(20) % 2, rng), [str(i) for i in range(20)]
    doubt = np.abs(model.log_odds(rows))
    some = replace(model, cnn_stage=replace(model.cnn_stage, limit=float(np.median(doubt))))
    looked_at = []

    def look(chosen):
        looked_at.extend(chosen)
        return [random_input(np.random.default_rng(i)) for i in chosen]

    alone, both = some.verdicts(names, rows), some.verdicts(names, rows, inputs=look)
    assert looked_at == np.flatnonzero(doubt < np.median(doubt)).tolist()
    for i, (before, after) in enumerate(zip(alone, both)):
        assert before.decided_by == "lightgbm"
        assert (after == before) is (i not in looked_at)
        if i in looked_at:
            (network,) = some.cnn_stage.network_log_odds(look([i]))
            assert after.decided_by == "cnn"
            trees = logit(before.probability)
            assert logit(after.probability) == pytest.approx(
                0.3 + 0.5 * trees + 0.5 * np.clip(network, -8, 8), abs=1e-4
            )
            assert after.label == (after.probability >= 0.5)


def test_one_sky_gets_the_verdict_that_it_gets_in_company(model, root, tmp_path):
    model.save(tmp_path)
    table = predict(tmp_path, [root / "data" / "validation"], n_jobs=1).table
    path = table["image"][3]
    verdict = model.predict(read_sky(path))
    assert verdict.decided_by == "cnn"
    assert verdict.probability == pytest.approx(table["probability"][3], abs=1e-6)


def test_a_scored_split_is_looked_at_again_too(model, root, tmp_path):
    model.save(tmp_path)
    judged = evaluate(tmp_path, root / "data", n_jobs=1).judged
    table = predict(tmp_path, [root / "data" / "validation"], n_jobs=1).table
    assert judged["probability"].tolist() == pytest.approx(table["probability"].tolist(), abs=1e-6)


def test_explanations_sum_to_the_log_odds_after_the_second_look(model, root, tmp_path):
    model.save(tmp_path)
    done = predict(tmp_path, [root / "data" / "validation"], explain=True, n_jobs=1)
    assert set(done.table["decided_by"]) == {"cnn"}
    assert done.explained["cnn_stage"].abs().max() > 0.1
    sums = done.explained.drop(columns="image").sum(axis=1)
    assert sums.to_numpy() == pytest.approx(logit(done.table["probability"].to_numpy()))


def test_a_run_explains_its_verdicts_after_the_second_look(root, tmp_path, monkeypatch):
    """Where all skies are hard, and the networks have a say."""
    pytest.importorskip("torch")
    monkeypatch.setattr(stage, "uncertainty_limit", lambda *_: 99.0)
    monkeypatch.setattr(Stacker, "fit", lambda *_: Stacker(0.3, 0.5, 0.5))
    train(root / "features", tmp_path, config=QUICK, cnn="on", cnn_config=CONFIG, n_jobs=1)
    told = pd.read_csv(tmp_path / "validation-predictions.csv")["probability"]
    explained = pd.read_csv(tmp_path / "validation-contributions.csv").drop(columns="image")
    assert explained["cnn_stage"].abs().max() > 0.1
    sums = explained.sum(axis=1).to_numpy()
    assert expit(sums) == pytest.approx(told.to_numpy(), rel=5e-5, abs=1e-6)  # both are written rounded


def test_validation_predictions_are_those_of_the_whole_model(run, root):
    told = pd.read_csv(run / "validation-predictions.csv")["probability"].to_numpy()
    table = predict(run, [root / "data" / "validation"], n_jobs=1).table
    assert told == pytest.approx(table["probability"].to_numpy(), abs=2e-6)


def test_training_again_gives_the_same_bytes(run, root, tmp_path):
    train(root / "features", tmp_path / "again", config=QUICK, cnn="on", cnn_config=CONFIG, n_jobs=1)
    for path in sorted((run / "model").iterdir()):
        assert (tmp_path / "again" / "model" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_model_without_the_second_look_has_the_bytes_it_always_had(run, root, tmp_path):
    """Leaving it out, or training with `--cnn off`, leaves no trace of it."""
    train(root / "features", tmp_path / "off", config=QUICK)
    LensModel.load(run).without_cnn_stage().save(tmp_path / "without")
    folders = [tmp_path / name / "model" for name in ("off", "without")]
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]
    assert b"cnn_stage" not in contents[0]["model.json"]
    assert not (tmp_path / "off" / "cnn").exists()


def test_training_without_it_clears_what_an_earlier_one_left(run, root, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "tensorboard" / "all").mkdir(parents=True, exist_ok=True)
    train(root / "features", tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run" / "cnn").exists()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_training_that_is_stopped_leaves_the_run_as_it_was_and_is_gone_on_with(run, root, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.is_file()}
    other, epochs = replace(CONFIG, seed=9), []

    def stop(line):
        raise KeyboardInterrupt

    def again(folder, report, resume):
        given = {"config": QUICK, "cnn": "on", "cnn_config": other, "n_jobs": 1}
        return train(root / "features", tmp_path / folder, cnn_report=report, resume=resume, **given)

    with pytest.raises(KeyboardInterrupt):
        again("run", stop, False)
    now = {path: path.read_bytes() for path in before if "tensorboard" not in path.parts}
    assert now.items() <= before.items()
    look = again("run", lambda line: epochs.append(line.epoch), True).model.cnn_stage
    assert epochs == [1, 2]
    assert look == again("whole", None, False).model.cnn_stage
    assert not (tmp_path / "run" / ".unfinished").exists()


def test_networks_that_are_left_out_leave_nothing_of_an_earlier_training(run, root, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "cnn" / "grad-cam.png").write_bytes(b"of an earlier one")
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    train(root / "features", tmp_path / "run", config=QUICK, cnn="auto", resume=True)
    assert "grad-cam.png" not in {path.name for path in (tmp_path / "run" / "cnn").iterdir()}
    assert (tmp_path / "run" / "cnn" / "checkpoint").is_dir()
    train(root / "features", tmp_path / "run", config=QUICK, cnn="auto")
    assert not (tmp_path / "run" / "cnn").exists()


def test_auto_leaves_out_what_does_not_help_and_says_so(root, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(Gain, "helps", False)
    trained = train(root / "features", tmp_path, config=QUICK, cnn="auto", cnn_config=CONFIG, n_jobs=1)
    assert trained.model.cnn_stage is None
    assert any(note.startswith("cnn left out, it does not surely help: log loss of") for note in trained.notes)


def test_auto_keeps_what_helps(root, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(Gain, "helps", True)
    trained = train(root / "features", tmp_path, config=QUICK, cnn="auto", cnn_config=CONFIG, n_jobs=1)
    assert isinstance(trained.model.cnn_stage, CnnStage)


def test_going_on_with_networks_that_are_off_is_refused_and_harms_nothing(run, root, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with pytest.raises(ConfigError, match="add --cnn auto"):
        train(root / "features", tmp_path / "run", config=QUICK, resume=True)
    assert (tmp_path / "run" / "cnn" / "checkpoint" / "state.json").is_file()


def test_without_torch_on_names_the_command_that_installs_it_before_any_work(root, tmp_path, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'darkmatter\[cnn\]'"):
        train(root / "features", tmp_path, config=QUICK, cnn="on")
    assert not list(tmp_path.iterdir())


def test_without_torch_auto_goes_on_and_says_so(root, tmp_path, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    trained = train(root / "features", tmp_path, config=QUICK, cnn="auto")
    assert trained.model.cnn_stage is None
    assert any("cnn left out: torch" in note and "pip install" in note for note in trained.notes)


def test_without_torch_a_model_with_the_second_look_names_the_remedy(model, root, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install"):
        model.predict(read_sky(root / "data" / "validation" / "validation-00000.png"))


def test_torch_is_not_imported_until_a_sky_is_looked_at_again(run):
    """Nor by any command's help: without the extra everything else works."""
    code = (
        "import sys; from classify.model import LensModel; import classify.train, classify.commands.train;"
        f"LensModel.load({str(run)!r}); assert 'torch' not in sys.modules and 'safetensors' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_pictures_that_are_gone_are_told_in_one_line(root, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    away = root.parent / "away"
    (root / "data").rename(away)
    try:
        with pytest.raises(DatasetError, match="the pictures are gone") as refused:
            train(root / "features", tmp_path, config=QUICK, cnn="on")
        assert "\n" not in str(refused.value)
        assert any("gone" in note for note in train(root / "features", tmp_path, config=QUICK, cnn="auto").notes)
    finally:
        away.rename(root / "data")


def test_catalogues_that_are_gone_are_told_in_one_line_before_any_work(root, tmp_path):
    pytest.importorskip("torch")
    shutil.copytree(root / "features", tmp_path / "features")
    (tmp_path / "features" / "catalogs.parquet").unlink()
    lines = []
    with pytest.raises(TableError, match=r"catalogs\.parquet: the galaxies are gone; run `darkmatter features` again"):
        train(tmp_path / "features", tmp_path / "run", config=QUICK, cnn="on", report=lines.append)
    assert not lines
    notes = train(tmp_path / "features", tmp_path / "run", config=QUICK, cnn="auto").notes
    assert any(note.startswith("cnn left out") and "the galaxies are gone" in note for note in notes)


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_damaged_weights_are_refused(run, tmp_path, damage):
    shutil.copytree(run, tmp_path / "run")
    weights = tmp_path / "run" / "model" / "cnn-1.safetensors"
    weights.unlink() if damage == "missing" else weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"cnn-1\.safetensors is (damaged|missing)"):
        LensModel.load(tmp_path / "run")


@pytest.mark.parametrize(
    "changes", [{"members": {"../x": "0"}}, {"stacker": {"angle": 1.0}}, {"config": {"width": -1}}]
)
def test_a_second_look_that_does_not_fit_is_refused(run, tmp_path, changes):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "model" / "model.json"
    told = json.loads(path.read_text())
    told["cnn_stage"] |= changes
    path.write_text(json.dumps(told))
    with pytest.raises(ModelError, match="damaged"):
        LensModel.load(tmp_path / "run")


def test_the_command_prints_each_pass_and_what_came_of_it(root, tmp_path, capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(stage.CnnConfig, "fast", lambda self: CONFIG)
    assert main(["train", str(root / "features"), "--out", str(tmp_path), "--fast", "--cnn", "auto"]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    (head,) = (i for i, line in enumerate(lines) if line.startswith("epoch"))
    assert [line.split()[0] for line in lines[head + 1 : head + 3]] == ["1", "2"]
    assert "uncertain skies, out of fold" in lines[-1]


def test_a_sky_that_is_not_hard_is_drawn_without_a_second_look(root: Path, run: Path) -> None:
    """Of one sky the CNN stage gets one input or none: a run that finds no sky hard asks for none."""
    loaded = LensModel.load(run)
    assert loaded.cnn_stage is not None
    easy = replace(loaded, cnn_stage=replace(loaded.cnn_stage, limit=-1.0))
    sky = read_sky(sorted((root / "data" / "validation").iterdir())[0])

    def look(chosen: list[int]) -> list[object]:
        raise AssertionError(f"asked for {chosen}")

    rows = pd.read_parquet(root / "features" / "features.parquet")[list(FEATURE_NAMES)].to_numpy()
    assert {verdict.decided_by for verdict in easy.verdicts(["sky"], rows[:1], inputs=look)} == {"lightgbm"}
    assert easy.predict(sky).decided_by == "lightgbm"


@pytest.fixture
def judging(model: LensModel, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Commands that judge with a model that finds every sky hard, in a folder of its own."""
    model.save(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    skies = [str(path) for path in sorted((root / "data" / "validation").iterdir())[:2]]
    return {
        "predict": ["predict", "run", *skies, "--jobs", "1"],
        "evaluate": ["evaluate", "run", str(root / "data"), "--jobs", "1"],
        "heatmap": ["heatmap", *skies, "--run", "run", "--out", "maps", "--jobs", "1"],
    }


JUDGING = ("predict", "evaluate", "heatmap")


@pytest.mark.parametrize("command", JUDGING)
def test_without_torch_a_second_look_is_refused_before_any_sky_is_measured(command, judging, monkeypatch, capsys):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    for place in ("classify.predict.extract_rows", "classify.evaluate.extract_rows", "classify.plots.heatmaps.measure"):
        monkeypatch.setattr(place, lambda *given, **told: pytest.fail("a sky was measured"))
    assert main(judging[command]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "install it: pip install 'darkmatter[cnn]', or leave the CNN stage out by --cnn off" in told
    assert not Path("predictions.csv").exists()
    assert not Path("maps").exists()


@pytest.mark.parametrize("command", JUDGING)
def test_without_torch_skies_are_judged_by_the_trees_when_the_second_look_is_off(command, judging, monkeypatch, capsys):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    assert main([*judging[command], "--cnn", "off"]) == 0
    assert "no CNN stage (--cnn off)" in capsys.readouterr().out


@pytest.mark.parametrize("command", JUDGING)
def test_a_command_that_judges_says_how_many_skies_had_a_second_look(command, judging, capsys):
    assert main(judging[command]) == 0
    n_hard = {"predict": "2 ", "evaluate": "12 ", "heatmap": ""}[command]
    assert f"CNN stage at {n_hard}uncertain skies" in capsys.readouterr().out


def test_verdicts_without_the_second_look_are_those_of_the_trees(judging, model):
    assert main([*judging["predict"], "--cnn", "off"]) == 0
    table = pd.read_csv("predictions.csv")
    assert set(table["decided_by"]) == {"lightgbm"}
    alone = model.without_cnn_stage()
    told = [alone.predict(read_sky(path)).probability for path in table["image"]]
    assert table["probability"].to_numpy() == pytest.approx(told, abs=1e-6)
    assert main(judging["predict"]) == 0
    assert pd.read_csv("predictions.csv")["probability"].tolist() != table["probability"].tolist()


@pytest.mark.parametrize("command", JUDGING)
def test_a_second_look_that_is_wanted_and_not_there_is_refused(command, judging, model, capsys):
    model.without_cnn_stage().save("run")
    assert main([*judging[command], "--cnn", "on"]) == 2
    assert capsys.readouterr().err == (
        "darkmatter: run has no CNN stage; train one with `darkmatter train --cnn on`, or leave --cnn on out\n"
    )
    assert main(judging[command]) == 0
    assert "no CNN stage (the run has none)" in capsys.readouterr().out


def test_the_template_of_a_run_is_drawn_without_torch(judging, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    assert main(["heatmap", "--template", "--run", "run", "--out", "maps"]) == 0
