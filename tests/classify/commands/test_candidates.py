"""`darkmatter candidates`: the folder, the printed lines, the exit code."""

import pytest
from astropy.table import Table

from classify.cli import main
from tests.classify.commands.test_locate import field

QUICK = ["--jobs", "1", "--randomizations", "9", "--most", "1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    field(0).to_csv("one.csv", index=False)
    return tmp_path


def test_one_catalogue_has_its_files_in_the_folder(here, capsys):
    assert main(["candidates", "one.csv", "--out", "list", *QUICK]) == 0
    table = Table.read("list/candidates.ecsv")
    assert len(table) == 1
    assert table["false_alarm_probability"][0] == 0.1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "one.csv: 80 galaxies, 1 candidate"
    assert lines[2].startswith("  1: x ")
    assert lines[-1] == "  -> list"


def test_several_catalogues_have_a_folder_each_and_a_bad_one_costs_itself(here, capsys):
    field(1).drop(columns="e2").to_csv("lacking.csv", index=False)
    assert main(["candidates", "lacking.csv", "one.csv", "--out", "lists", *QUICK]) == 1
    assert [path.name for path in (here / "lists").iterdir()] == ["one"]
    assert "lacking.csv has no column that may be e2" in capsys.readouterr().err


def test_known_lenses_and_the_aperture_mass_are_options(here, capsys):
    (here / "known.csv").write_text("name,x,y\nA1,0,0\nA2,1e6,1e6\n")
    words = ["--known", "known.csv", "--aperture-mass", "--randomizations", "0", "--jobs", "1", "--most", "1"]
    assert main(["candidates", "one.csv", "--out", "list", *words]) == 0
    assert Table.read("list/candidates.vot")["known_name"][0] == "A1"
    assert (here / "list" / "aperture_mass.fits").exists()
    assert (here / "list" / "aperture_mass_snr.fits").exists()
    assert " from A1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "nan"], "threshold must be a finite S/N, got nan"),
        (["--most", "0"], "most must be 1 or more candidates, got 0"),
        (["--randomizations", "-1"], "number of randomizations must be 0 or more, got -1"),
        (["--known", "absent.csv"], "absent.csv does not exist"),
    ],
)
def test_bad_options_are_refused_in_one_line_before_any_work(here, capsys, words, message):
    assert main(["candidates", "one.csv", "--out", "list", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (here / "list").exists()
