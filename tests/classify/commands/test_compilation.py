"""What the commands say while the kernels are compiled: one line at the first run, nothing afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.cli import main
from classify.commands import compilation
from classify.commands.compilation import LOCATING, MAPPING, MEASURING
from classify.config import TrainConfig
from classify.train import train
from darkmatter_features import measure, read_sky
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.location.batch import locate_catalogs
from tests.support.synthetic import draw_sky, write_features, write_images

LINE = "compiling the kernels (once, about"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all that the commands ask for; making it compiles the kernels if that was still to be done."""
    root = tmp_path_factory.mktemp("compiling")
    data = write_images(root / "data", n=6)
    features = write_features(root / "features", data, n_training=60, n_validation=6)
    train(features, root / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=10))
    draw_sky(root / "sky.png", np.random.default_rng(0))
    galaxies = measure(read_sky(root / "sky.png"))
    pd.DataFrame({name: getattr(galaxies, name) for name in ("x", "y", "e1", "e2")}).to_csv(root / "shapes.csv")
    extract_sky(read_sky(root / "sky.png"))
    locate_catalogs([root / "shapes.csv"], n_randomizations=0, n_jobs=1)
    return root


COMMANDS = {
    "features": ["data"],
    "evaluate": ["run", "data"],
    "predict": ["run", "sky.png"],
    "heatmap": ["sky.png", "--run", "run"],
    "locate": ["shapes.csv", "--randomizations", "0"],
}


def said_by(command, out, capsys):
    own = [] if command == "evaluate" else ["--out", str(out)]
    assert main([command, *COMMANDS[command], *own, "--jobs", "1"]) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_that_measures_says_once_that_it_compiles(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(compilation, "is_cached", lambda kernel: False)
    said = said_by(command, tmp_path / "out.csv", capsys)
    assert said.count(LINE) == 1
    assert said.startswith(LINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_says_so_when_the_machine_code_is_there(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert LINE not in said_by(command, tmp_path / "out.csv", capsys)


def test_after_measuring_and_locating_nothing_is_left_to_compile(place):
    assert MEASURING.notice() is None
    assert LOCATING.notice() is None
    assert MAPPING.notice() is None


@pytest.mark.parametrize(("section", "is_said"), [("measure", True), ("train", False)])
def test_a_search_that_maps_skies_again_says_so_and_one_that_does_not_is_silent(
    section, is_said, tmp_path, monkeypatch, capsys
):
    data = write_images(tmp_path / "data", split="training", n=12)
    extract_dataset(data, tmp_path / "features", n_jobs=1)
    (tmp_path / "quick.toml").write_text("[train]\nn_folds = 2\nn_repeats = 1\nmax_rounds = 5\n")
    monkeypatch.setattr(compilation, "is_cached", lambda kernel: False)
    argv = ["tune", str(tmp_path / "features"), "--config", str(tmp_path / "quick.toml"), "--trials", "1"]
    assert main([*argv, "--search", section, "--jobs", "1"]) == 0
    assert capsys.readouterr().err.startswith(LINE) is is_said
    assert main([*argv, "--search", section, "--jobs", "1"]) == 0
    assert LINE not in capsys.readouterr().err  # no trial is left to make


def test_a_first_run_says_so_and_a_second_does_not(place, tmp_path):
    words = ["-c", "import sys; from classify.cli import main; sys.exit(main())", "locate", str(place / "shapes.csv")]
    words += ["--randomizations", "0", "--jobs", "1", "--out", str(tmp_path / "places.csv")]
    root = str(Path(compilation.__file__).parents[2])
    cold = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": root}
    first, second = (
        subprocess.run([sys.executable, *words], env=cold, capture_output=True, text=True, check=True).stderr
        for _ in range(2)
    )
    assert LINE in first
    assert LINE not in second
