"""The commands with the CNN stage: `train` reports it, the others use it or work without it."""

from pathlib import Path

import pandas as pd
import pytest

import classify.cnn
from classify.cli import main
from classify.cnn import inputs, train_stage
from classify.model import LensModel
from darkmatter_features.features import extract
from darkmatter_features.io.sky import read_sky
from tests.support.cnn_skies import HALF_UNCERTAIN

COMMANDS = ("predict", "evaluate", "heatmap")


@pytest.fixture
def arguments(model: LensModel, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Arguments of the commands, for a model to which every sky is uncertain, in a folder of its own."""
    model.save(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    skies = [str(path) for path in sorted((root / "data" / "validation").iterdir())[:2]]
    return {
        "predict": ["predict", "run", *skies, "--jobs", "1"],
        "evaluate": ["evaluate", "run", str(root / "data"), "--jobs", "1"],
        "heatmap": ["heatmap", *skies, "--run", "run", "--out", "maps", "--jobs", "1"],
    }


def test_train_prints_each_epoch_and_the_gain(root, tmp_path, capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(train_stage.CnnConfig, "fast", lambda self: HALF_UNCERTAIN)
    words = ["train", str(root / "features"), "--out", str(tmp_path), "--fast", "--cnn", "auto"]
    assert main([*words, "--n-folds", "2", "--n-repeats", "1", "--max-rounds", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (head,) = (i for i, line in enumerate(lines) if line.startswith("epoch"))
    assert [line.split()[0] for line in lines[head + 1 : head + 3]] == ["1", "2"]
    assert "uncertain skies, out of fold" in lines[-2]
    assert lines[-1].endswith(f"darkmatter report {tmp_path}")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_uncertain_skies_are_read_once(command, arguments, monkeypatch):
    """Every sky is uncertain for this model."""
    read = []
    monkeypatch.setattr(extract, "read_sky", lambda path: read.append(path) or read_sky(path))
    monkeypatch.setattr(inputs, "read_sky", lambda path: pytest.fail(f"{path} was read a second time"))
    assert main(arguments[command]) == 0
    assert len(read) == len(set(read)) > 0


@pytest.mark.parametrize("command", COMMANDS)
def test_without_torch_a_required_stage_is_refused_before_any_sky_is_measured(command, arguments, monkeypatch, capsys):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    for name in ("classify.predict.extract_rows", "classify.plots.heatmaps.measure_with_sources"):
        monkeypatch.setattr(name, lambda *args, **options: pytest.fail("a sky was measured"))
    assert main([*arguments[command], "--cnn", "on"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "install it: pip install 'darkmatter-lensing[cnn]', or leave the CNN stage out by --cnn off" in message
    assert not Path("predictions.csv").exists()
    assert not Path("maps").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_without_torch_the_trees_decide_when_the_stage_is_off(command, arguments, monkeypatch, capsys):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    assert main([*arguments[command], "--cnn", "off"]) == 0
    assert "no CNN stage (--cnn off)" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_without_torch_the_trees_decide_and_the_reason_is_printed_once(command, arguments, monkeypatch, capsys):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    assert main(arguments[command]) == 0
    printed = "".join(capsys.readouterr())
    assert printed.count("no CNN stage (torch, which the CNN stage needs, is missing; install it: pip install") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_the_number_of_uncertain_skies(command, arguments, capsys):
    assert main(arguments[command]) == 0
    # One of the 12 validation skies is unlike the training skies, which are few.
    n_uncertain = {"predict": "2 ", "evaluate": "11 ", "heatmap": ""}[command]
    assert f"CNN stage at {n_uncertain}uncertain skies" in capsys.readouterr().out


def test_verdicts_without_the_stage_are_those_of_the_trees(arguments, model):
    assert main([*arguments["predict"], "--cnn", "off"]) == 0
    table = pd.read_csv("predictions.csv")
    assert set(table["decided_by"]) == {"lightgbm"}
    by_trees = model.without_cnn_stage()
    expected = [by_trees.predict(read_sky(path)).probability for path in table["image"]]
    assert table["probability"].to_numpy() == pytest.approx(expected, abs=1e-6)
    assert main(arguments["predict"]) == 0
    assert pd.read_csv("predictions.csv")["probability"].tolist() != table["probability"].tolist()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_without_the_stage_is_refused_if_the_stage_is_on(command, arguments, model, capsys):
    model.without_cnn_stage().save("run")
    assert main([*arguments[command], "--cnn", "on"]) == 2
    assert capsys.readouterr().err == (
        "darkmatter: run has no CNN stage; train one with `darkmatter train --cnn on`, or leave --cnn on out\n"
    )
    assert main(arguments[command]) == 0
    assert "no CNN stage (the run has none)" in capsys.readouterr().out


def test_the_template_of_a_run_is_drawn_without_torch(arguments, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    assert main(["heatmap", "--template", "--run", "run", "--out", "maps"]) == 0
