"""`darkmatter locate`: how each catalogue was read is on a line of its own, and can be stated by options."""

import numpy as np
import pandas as pd
import pytest

from classify.cli import main
from darkmatter_features.location.batch import find_catalogs, locate_catalogs
from tests.support.shape_tables import galaxies, write_tables

QUICK = ["--jobs", "1", "--randomizations", "0"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noted(capsys, *words, status=0):
    """Return the second line on the first catalogue."""
    assert main(["locate", *words, *QUICK]) == status
    return capsys.readouterr().out.splitlines()[1]


def test_columns_and_convention_are_named(here, capsys):
    galaxies().set_axis(["X_IMAGE", "Y_IMAGE", "e1", "e2"], axis=1).to_csv("a.csv", index=False)
    assert noted(capsys, "a.csv") == "  columns x = X_IMAGE, y = Y_IMAGE, e1, e2; e = (a - b) / (a + b)"
    words = ["--distortion", "--swap", "--flip-e1", "--flip-e2"]
    assert noted(capsys, "a.csv", *words).endswith("e = (a^2 - b^2) / (a^2 + b^2), e1 and e2 exchanged, -e1, -e2")


def test_rows_left_out_are_counted(here, capsys):
    table = galaxies()
    table.loc[:2, "e1"], table.loc[3, "x"] = 1.2, np.nan
    table.to_csv("a.csv", index=False)
    assert noted(capsys, "a.csv").endswith("1 row without a position, 3 rows with |e| >= 1 left out")
    assert pd.read_csv("locations.csv")["n_dropped"].tolist() == [4]


def test_the_table_is_chosen_by_brackets_or_option(here, capsys):
    write_tables("a.fits", A=galaxies(seed=1), B=galaxies())
    assert noted(capsys, "a.fits").startswith("  table A, not B (--hdu); ")
    assert noted(capsys, "a.fits[B]").startswith("  table B; ")
    assert noted(capsys, "a.fits", "--hdu", "2").startswith("  table B; ")
    assert noted(capsys, "*.fits[B]").startswith("  table B; ")
    assert pd.read_csv("locations.csv")["catalog"].tolist() == ["a.fits[B]"]


def test_parts_of_one_file_are_catalogues_of_their_own(here):
    write_tables("a.fits", A=galaxies(seed=1), B=galaxies())
    paths = find_catalogs(["a.fits[A]", "a.fits[B]"])
    assert [path.name for path in paths] == ["a.fits[A]", "a.fits[B]"]
    done = locate_catalogs(paths, n_randomizations=0, n_jobs=1, pictures="maps")
    assert done.table["x"].nunique() == 2
    assert sorted(path.name for path in (here / "maps").iterdir()) == ["a-2.png", "a.png"]


def test_a_table_twice_is_no_more_evidence(here):
    galaxies(200).to_csv("once.csv", index=False)
    pd.concat([galaxies(200)] * 2).to_csv("twice.csv", index=False)
    once, twice = locate_catalogs(["once.csv", "twice.csv"], n_randomizations=0, n_jobs=1).table.to_dict("records")
    for key in ("n", "x", "y", "snr", "log_bayes_factor"):
        assert once[key] == twice[key]
    assert twice["n_dropped"] == 200


def test_options_of_the_command_reach_the_reader(here, capsys):
    table = galaxies(80).assign(R11=0.5)
    again = table[:40].assign(x=table["x"] + 0.1)
    pd.concat([table, again]).to_csv("a.csv", index=False)
    assert "40 repeated rows merged; 40 of them close to another" in noted(capsys, "a.csv")
    assert noted(capsys, "a.csv", "--merge").endswith("40 repeated rows merged")
    assert "merged" not in noted(capsys, "a.csv", "--no-merge")
    assert pd.read_csv("locations.csv")["n_dropped"].tolist() == [0]
    assert "divided by the response 0.5" in noted(capsys, "a.csv", "--response", "R11")


def test_repeated_measurements_are_no_evidence(here):
    """Four rows of each galaxy, 0.2 pixels apart, would give noise four times its significance."""
    rng, once = np.random.default_rng(2), galaxies(200)
    again = [once.assign(x=once["x"] + rng.normal(0, 0.2, 200), e1=once["e1"] + 0.001) for _ in range(4)]
    pd.concat(again).to_csv("four.csv", index=False)
    once.to_csv("once.csv", index=False)
    one, four = locate_catalogs(["once.csv", "four.csv"], n_randomizations=0, n_jobs=1).table.to_dict("records")
    assert (four["n"], four["n_dropped"]) == (200, 600)
    assert four["snr"] == pytest.approx(one["snr"], rel=0.05)


def test_the_notes_are_in_the_table(here, capsys):
    galaxies().to_csv("a.csv", index=False)
    note = noted(capsys, "a.csv", "missing.csv", status=1)
    assert f"  {pd.read_csv('locations.csv')['note'][0]}" == note
    assert pd.isna(pd.read_csv("locations.csv")["note"][1])


def test_a_failed_catalogue_has_no_note(here):
    galaxies().to_csv("a.csv", index=False)
    done = locate_catalogs(["missing.csv", "a.csv"], n_randomizations=0, n_jobs=1)
    assert done.notes[0] == ""
    assert done.notes[1].startswith("columns ")
