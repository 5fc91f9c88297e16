"""The commands, examples and links of the README work."""

import re
from pathlib import Path

import pytest

from classify.cli import COMMANDS
from classify.config import TrainConfig
from classify.train import train
from tests.support.synthetic import draw_sky, write_features, write_images

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_example_runs(tmp_path, monkeypatch, rng):
    data = write_images(tmp_path / "data", n=6)
    features = write_features(tmp_path / "features", data, n_training=60, n_validation=6)
    train(features, tmp_path / "runs" / "default", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=10))
    draw_sky(tmp_path / "sky.png", rng)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(example, {})
    assert (tmp_path / "heatmap.png").stat().st_size > 10_000


@pytest.mark.parametrize("command", sorted(set(re.findall(r"darkmatter ([a-z]+) ", README))))
def test_named_commands_exist(command):
    assert command in COMMANDS


def test_named_targets_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_linked_files_exist():
    for link in re.findall(r"\]\((?!https:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_named_benchmarks_exist():
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for script in re.findall(r"bench_\w+\.py", README + text):
        assert (ROOT / "benchmarks" / script).exists(), script
