"""The commands of the Makefile's targets, as `make --dry-run` prints them."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from classify.cli import build_parser

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def commands(*words: str) -> list[list[str]]:
    """Return the `darkmatter` commands of a target, in words."""
    printed = subprocess.run(
        ["make", "--dry-run", *words], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
        env={"PATH": os.environ["PATH"]},
    ).stdout  # fmt: skip
    return [shlex.split(line)[1:] for line in printed.splitlines() if line.startswith(".venv/bin/darkmatter ")]


def training(*words: str) -> list[str]:
    return next(command for command in commands(*words) if command[0] == "train")


@pytest.mark.parametrize(
    ("words", "subset"),
    [
        (["train"], None), (["train", "SUBSET=25"], 25.0), (["fast"], None), (["fast", "SUBSET=25"], 25.0),
        (["full"], 100.0), (["full", "SUBSET=25"], 100.0),
    ],
)  # fmt: skip
def test_the_subset_of_the_skies_is_given_at_most_once(words, subset):
    """Without SUBSET, `--fast` trains on its own half."""
    found = training(*words)
    assert found.count("--subset") == (subset is not None)
    assert build_parser("train").parse_args(found).subset == subset


@pytest.mark.parametrize("target", ["data", "features", "train", "report", "fast", "full", "heatmaps", "survey-demo"])
def test_every_command_of_a_target_exists(target):
    for command in commands(target):
        build_parser(command[0]).parse_args(command)


@pytest.mark.parametrize("url", ["gs://luminide-example-darkmatter", "https://host/skies?key=1&part=a%20b"])
def test_the_data_set_may_be_a_url_and_is_not_simulated(url):
    measuring, learning = commands("train", f"DATA={url}")
    assert measuring[:2] == ["features", url]
    assert learning[0] == "train"
    assert build_parser("features").parse_args(measuring).data == url


def test_the_folder_of_a_data_set_may_contain_a_space():
    (found,) = commands("features", "DATA=my skies")
    assert found[:2] == ["features", "my skies"]


def test_the_demonstration_takes_its_own_skies_and_leaves_the_default_run_alone():
    simulating, measuring, learning, drawing = commands("survey-demo", "TRAINING=40", "VALIDATION=20")
    assert simulating[simulating.index("--preset") + 1] == "survey"
    assert build_parser("simulate").parse_args(simulating).training == 40
    assert measuring[1] == simulating[1]
    assert learning[1] == measuring[measuring.index("--out") + 1]
    run = learning[learning.index("--out") + 1]
    assert run != "runs/default"
    assert drawing[drawing.index("--run") + 1] == run
