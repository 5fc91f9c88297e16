"""`darkmatter heatmap`: formats, themes and heatmaps without a run."""

import numpy as np
import pytest

from classify.cli import DONE, FAILED, main
from classify.commands import RUN
from classify.model.bundle import BUNDLE
from classify.plots.examples import clear
from tests.support.synthetic import draw_sky


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    return draw_sky(tmp_path_factory.mktemp("skies") / "sky.png", np.random.default_rng(3))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder whose runs/default has a damaged model."""
    monkeypatch.chdir(tmp_path)
    RUN.mkdir(parents=True)
    (RUN / BUNDLE).write_text("{}")
    return tmp_path


def heatmap(*words):
    return main(["heatmap", *map(str, words), "--jobs", "1"])


def test_no_run_is_used_if_so_wanted(here, sky, capsys):
    assert heatmap(sky) == FAILED
    assert str(RUN) in capsys.readouterr().err
    assert heatmap(sky, "--no-run") == DONE
    assert "no run and no verdicts" in capsys.readouterr().out
    assert (here / "heatmaps" / "sky.png").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--examples", "3"], "--examples are skies of a run; leave out --no-run, or name the images"),
        (["--cnn", "on"], "--cnn on needs a run; leave out --no-run or --cnn on"),
    ],
)
def test_no_run_and_what_needs_one_are_refused(here, sky, words, reason, capsys):
    assert heatmap(sky, "--no-run", *words) == FAILED
    assert reason in capsys.readouterr().err


def test_a_run_and_none_exclude_each_other(here, sky, capsys):
    with pytest.raises(SystemExit):
        heatmap(sky, "--no-run", "--run", "runs/other")
    assert "not allowed with" in capsys.readouterr().err


def test_figures_of_a_paper(here, sky):
    assert heatmap(sky, "--no-run", "--theme", "light", "--format", "pdf", "--template", "--out", "paper") == DONE
    assert sorted(path.name for path in (here / "paper").iterdir()) == ["sky.pdf", "template.pdf"]
    assert (here / "paper" / "sky.pdf").read_bytes().startswith(b"%PDF")


def test_earlier_examples_of_all_formats_are_removed(tmp_path):
    for name in ("wrong-1.png", "sure-2.pdf", "unsure-3.svg", "mine.pdf", "sure-notes.txt"):
        (tmp_path / name).touch()
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.pdf", "sure-notes.txt"]
