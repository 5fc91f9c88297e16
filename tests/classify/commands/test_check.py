"""`darkmatter check`: the printed lines, the JSON file, and the line of `locate`."""

import json

import numpy as np
import pandas as pd
import pytest

from classify.cli import main
from tests.support.located import THETA_E, galaxies


@pytest.fixture
def shapes(tmp_path, monkeypatch):
    """Write a catalogue with the wrong sign of e2."""
    monkeypatch.chdir(tmp_path)
    catalog = galaxies(np.random.default_rng(1), theta_e=1.2 * THETA_E)
    table = pd.DataFrame({"x": catalog.x, "y": catalog.y, "e1": catalog.e1, "e2": -catalog.e2})
    table.to_csv("shapes.csv", index=False)
    return table


def test_the_remedy_is_printed_and_written(shapes, capsys):
    assert main(["check", "shapes.csv", "--json", "check.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("shapes.csv: 300 galaxies, the shapes are right with flip e2 (S/N ")
    assert lines[-1].endswith("as is; use --flip-e2")
    with open("check.json", encoding="utf-8") as file:
        record = json.load(file)
    assert list(record) == ["best", "snr_as_is", "snr_best", "findings"]
    assert record["best"] == "flip e2"
    assert record["snr_best"] > 8.0 > record["snr_as_is"]
    assert record["findings"] == [lines[-1].removeprefix("- ")]


def test_the_remedy_mends(shapes, capsys):
    assert main(["check", "shapes.csv", "--flip-e2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "the shapes are right as is" in lines[0]
    assert lines[-1] == "nothing found"


def test_what_cannot_be_decided_is_null(shapes, capsys):
    noise = galaxies(np.random.default_rng(2))
    shapes.assign(e1=noise.e1, e2=noise.e2).to_csv("noise.csv", index=False)
    assert main(["check", "noise.csv", "--json", "check.json"]) == 0
    assert "cannot be decided" in capsys.readouterr().out
    with open("check.json", encoding="utf-8") as file:
        assert json.load(file)["best"] is None


def test_a_table_without_shapes_ends_with_2_and_one_line(shapes, capsys):
    shapes.drop(columns="e2").to_csv("lacking.csv", index=False)
    assert main(["check", "lacking.csv"]) == 2
    assert "lacking.csv has no column that may be e2" in capsys.readouterr().err


def test_locate_states_a_convention_that_fits_far_better(shapes, capsys):
    words = ["locate", "shapes.csv", "--jobs", "1", "--randomizations", "0"]
    assert main(words) == 0
    assert sum("use --flip-e2" in line for line in capsys.readouterr().out.splitlines()) == 1
    assert main([*words, "--flip-e2"]) == 0
    assert "use --flip" not in capsys.readouterr().out
