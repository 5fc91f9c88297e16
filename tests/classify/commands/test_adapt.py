"""`darkmatter adapt` and `darkmatter predict --adapt`, end to end on a few skies."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.adaptation import fit
from classify.adaptation import skies as adapted_skies
from classify.cli import main
from classify.model import LensModel
from classify.predict import predict
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import read_sky
from tests.support.synthetic import draw_sky, trained_run, write_images

N = 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adapt")
    return trained_run(root, root / "gone")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder of a few skies, which suffice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(adapted_skies, "MIN_SKIES", N)
    for k in range(N):
        draw_sky(tmp_path / "skies" / f"{k}.png", np.random.default_rng(k))
    return tmp_path


def test_adapt_writes_a_run_for_the_other_commands(run, here, capsys):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["adapt", str(run), "skies", "--out", "adapted", "--jobs", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    numbers = json.loads((here / "adapted" / "adaptation.json").read_text())
    assert numbers["n_skies"] == N
    assert line.startswith(f"adapted: adapted to {numbers['n_galaxies']} galaxies of {N} skies, unlensed shapes ")
    assert f"{numbers['lens_fraction']:.2f} +- {numbers['lens_fraction_error']:.2f}" in line
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(["predict", "adapted", "skies", "--jobs", "1"]) == 0
    assert not pd.read_csv("predictions.csv")["unlike"].any()


def test_predict_adapts_to_its_own_skies(run, here, capsys):
    assert main(["adapt", str(run), "skies", "--out", "adapted", "--jobs", "1"]) == 0
    assert main(["predict", "adapted", "skies", "--out", "expected.csv", "--jobs", "1"]) == 0
    capsys.readouterr()
    assert main(["predict", str(run), "skies", "--adapt", "--out", "found.csv", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("adapted to ")
    assert lines[-1].startswith("found.csv: ")
    found, expected = pd.read_csv("found.csv"), pd.read_csv("expected.csv")
    for name in ("image", "row", "column"):
        assert found[name].tolist() == expected[name].tolist()


def test_predict_judges_each_sky_by_the_fit_to_the_others(run, here, monkeypatch):
    monkeypatch.setattr(fit, "is_better_refitted", lambda catalogs, refitted, template: True)
    done = predict(run, ["skies"], adapted=True, n_jobs=1)
    rows = np.stack([done.adaptation.rows[path] for path in done.table["image"]])
    assert done.table["probability"].tolist() == pytest.approx(done.adaptation.model.probability(rows).tolist())
    model = done.adaptation.model
    final = [model.judge(measure(read_sky(path), model.config)).probability for path in done.table["image"]]
    assert np.abs(done.table["probability"] - final).max() > 1e-6


def test_a_data_set_and_a_pattern_are_adapted_to_as_well(run, here):
    write_images(here / "data", n=N)
    assert main(["adapt", str(run), "data", "--out", "a", "--jobs", "1"]) == 0
    assert main(["adapt", str(run), "data/validation/*.png", "--out", "b", "--jobs", "1"]) == 0
    assert LensModel.load("a").template == LensModel.load("b").template


def test_a_bad_sky_is_named_and_makes_the_exit_code_one(run, here, capsys):
    (here / "skies" / "bad.png").write_bytes(b"no picture")
    assert main(["adapt", str(run), "skies", "--out", "adapted", "--jobs", "1"]) == 1
    assert "failed: skies/bad.png" in capsys.readouterr().err
    assert LensModel.load("adapted").likeness is not None


@pytest.mark.parametrize("command", [["adapt", "{run}", "few", "--out", "x"], ["predict", "{run}", "few", "--adapt"]])
def test_too_few_skies_are_refused_in_one_line(run, here, capsys, command):
    draw_sky(here / "few" / "0.png", np.random.default_rng(0))
    assert main([each.format(run=run) for each in command] + ["--jobs", "1"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "an adaptation needs" in line]
    assert len(lines) == 1
    assert f"an adaptation needs {N} of one kind; name more" in lines[0]
    assert not (here / "x").exists()
    assert not (here / "predictions.csv").exists()


@pytest.mark.parametrize(
    ("out", "data", "expected"),
    [("{run}", "skies", "is the run itself"), ("skies/0.png", "skies", "is a file"), ("x", "*.gif", "no images there")],
)
def test_impossible_folders_are_refused_before_any_work(run, here, capsys, monkeypatch, out, data, expected):
    monkeypatch.setattr(fit, "adapt", lambda *_, **__: pytest.fail("measured"))
    assert main(["adapt", str(run), data, "--out", out.format(run=run)]) == 2
    assert expected in capsys.readouterr().err
