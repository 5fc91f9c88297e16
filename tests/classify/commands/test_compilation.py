"""The notice of the compilation of kernels: one line at the first run, nothing afterwards."""

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
from darkmatter_features import measure, read_sky
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.location.batch import locate_catalogs
from tests.support.synthetic import draw_sky, trained_run, write_images

LINE = "compiling the kernels (once, about"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the inputs of all commands; its fixture compiles the kernels."""
    root = tmp_path_factory.mktemp("compiling")
    data = write_images(root / "data", n=6)
    trained_run(root, data)
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


def notice_of(command, out, capsys):
    own = [] if command == "evaluate" else ["--out", str(out)]
    assert main([command, *COMMANDS[command], *own, "--jobs", "1"]) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_measuring_command_prints_one_notice(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(compilation, "is_cached", lambda kernel: False)
    written = notice_of(command, tmp_path / "out.csv", capsys)
    assert written.count(LINE) == 1
    assert written.startswith(LINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_a_notice_when_the_machine_code_is_cached(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert LINE not in notice_of(command, tmp_path / "out.csv", capsys)


def test_after_measuring_and_locating_nothing_is_left_to_compile(place):
    assert MEASURING.notice() is None
    assert LOCATING.notice() is None
    assert MAPPING.notice() is None


@pytest.mark.parametrize(("section", "is_noticed"), [("measure", True), ("train", False)])
def test_a_search_of_the_maps_prints_a_notice_and_a_search_of_the_trees_does_not(
    section, is_noticed, tmp_path, monkeypatch, capsys
):
    data = write_images(tmp_path / "data", split="training", n=12)
    extract_dataset(data, tmp_path / "features", n_jobs=1)
    (tmp_path / "quick.toml").write_text("[train]\nn_folds = 2\nn_repeats = 1\nmax_rounds = 5\n")
    monkeypatch.setattr(compilation, "is_cached", lambda kernel: False)
    argv = ["tune", str(tmp_path / "features"), "--config", str(tmp_path / "quick.toml"), "--trials", "1"]
    assert main([*argv, "--search", section, "--jobs", "1"]) == 0
    assert capsys.readouterr().err.startswith(LINE) is is_noticed
    assert main([*argv, "--search", section, "--jobs", "1"]) == 0
    assert LINE not in capsys.readouterr().err  # all trials are done


def test_the_first_run_prints_the_notice_and_the_second_does_not(place, tmp_path):
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
