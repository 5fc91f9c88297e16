"""`darkmatter locate`: the table, the printed lines, the figures, the exit code."""

import numpy as np
import pandas as pd
import pytest

from classify.cli import main
from darkmatter_features.errors import TableError
from darkmatter_features.location.batch import COLUMNS, LAST_COLUMNS, find_catalogs, locate_catalogs

QUICK = ["--jobs", "1", "--randomizations", "9"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def field(seed, *, n=80, theta_e=150.0, lens=1400 + 2500j):
    """Return a table of galaxies behind a lens stronger than any real one, so that few suffice."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, 4200, n) + 1j * rng.uniform(0, 4200, n)
    e = 0.1 * rng.rayleigh(size=n) * np.exp(2j * np.pi * rng.random(n))
    e -= theta_e / np.maximum(np.abs(z - lens), 300) * np.exp(2j * np.angle(z - lens))
    return pd.DataFrame({"x": z.real, "y": z.imag, "e1": e.real, "e2": e.imag})


def test_each_catalogue_has_a_row_with_the_position_of_its_lens(here, capsys):
    for k in range(2):
        field(k).to_csv(f"field{k}.csv", index=False)
    assert main(["locate", "field1.csv", "field*.csv", *QUICK]) == 0
    table = pd.read_csv("locations.csv")
    assert table.columns.tolist() == [*COLUMNS, *LAST_COLUMNS]
    assert table["catalog"].tolist() == ["field1.csv", "field0.csv"]  # each once, in the order of the arguments
    assert (table["p_value"] == 0.1).all()
    assert (table["bayes_factor_excess"] > 5).all()
    assert pd.read_csv("locations.csv", dtype=str)["bayes_factor_excess"].str.fullmatch(r"\d+\.\d{4}").all()
    assert (table["n"] == 80).all()
    assert (np.hypot(table["x"] - 1400, table["y"] - 2500) < 4 * table["position_error"]).all()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("field1.csv: 80 galaxies, x ")
    assert lines[-1] == "locations.csv: 2 located, 0 failed"


def test_a_bad_catalogue_costs_its_own_row(here, capsys):
    field(0).to_csv("good.csv", index=False)
    field(0).drop(columns="e2").to_csv("lacking.csv", index=False)
    assert main(["locate", "lacking.csv", "good.csv", "missing.csv", *QUICK, "--out", "out/lenses.csv"]) == 1
    table = pd.read_csv("out/lenses.csv").set_index("catalog")
    assert np.isfinite(table.loc["good.csv", "x"])
    assert table.loc[["lacking.csv", "missing.csv"], list(COLUMNS[1:])].isna().all(axis=None)
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed: ")]
    assert len(complaints) == 2
    assert "lacking.csv has no column that may be e2" in complaints[0]
    assert "missing.csv does not exist" in complaints[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.csv"], "nothing.csv does not exist"),
        (["*.fits"], "*.fits: no file matches"),
        (["good.csv", "--e1", "shape"], "no column shape for e1"),
        (["good.csv", "--randomizations", "-1"], "randomizations must be 0 or more, got -1"),
    ],
)
def test_a_command_that_locates_nothing_ends_with_2_and_one_line(here, capsys, words, message):
    field(0).to_csv("good.csv", index=False)
    assert main(["locate", "--jobs", "1", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    complaints = [line for line in lines if not line.startswith(("locate:", "compiling"))]
    assert len(complaints) == 1
    assert message in complaints[0]


def test_columns_are_read_by_their_names(here):
    table = field(0)
    table["good_e1"], table["good_e2"], table["w"] = table["e1"], -table["e2"], 1.0
    table["e1"] = table["e2"] = 0.01
    table.to_csv("field.csv", index=False)
    names = {"e1": "good_e1", "e2": "good_e2", "weight": "W", "flip_e2": True}
    found = locate_catalogs(["field.csv"], columns=names, n_randomizations=0).table
    field(0).to_csv("plain.csv", index=False)
    plain = locate_catalogs(["plain.csv"], n_randomizations=0).table
    own = ["catalog", "note"]
    pd.testing.assert_frame_equal(found.drop(columns=own), plain.drop(columns=own))
    assert found[["p_value", "bayes_factor_excess"]].isna().all(axis=None)
    assert (found.dtypes[["p_value", "bayes_factor_excess"]] == np.float64).all()


def test_ra_and_dec_in_give_ra_and_dec_out(here):
    table, side = field(0), 0.5 / 4200  # degrees
    table["ra"] = 150.0 - (table["x"] - 2100) * side / np.cos(np.deg2rad(20.0))
    table["dec"] = 20.0 + (table["y"] - 2100) * side
    table.drop(columns=["x", "y"]).to_csv("sky.csv", index=False)
    field(1).to_csv("plain.csv", index=False)
    located = locate_catalogs(["sky.csv", "plain.csv"], n_randomizations=0, n_jobs=1).table
    sky, plain = located.iloc[0], located.iloc[1]
    assert sky["dec"] == pytest.approx(20.0 + 400 * side, abs=3 * sky["position_error"] / 60)
    assert sky["ra"] == pytest.approx(150.0 + 700 * side / np.cos(np.deg2rad(20)), abs=3 * sky["position_error"] / 55)
    assert np.isnan(plain["ra"])


def test_a_table_with_pixels_and_ra_and_dec_gives_the_lens_in_both(here):
    table, side = field(0), 0.5 / 4200  # degrees
    table["ra"], table["dec"] = 150.0 - (table["x"] - 2100) * side, 0.3 + (table["y"] - 2100) * side
    table.to_csv("both.csv", index=False)
    (row,) = locate_catalogs(["both.csv"], n_randomizations=0, n_jobs=1).table.to_dict("records")
    assert row["x"] == pytest.approx(1400, abs=4 * row["position_error"])
    assert row["ra"] == pytest.approx(150.0 - (row["x"] - 2100) * side, abs=1e-5)
    assert row["dec"] == pytest.approx(0.3 + (row["y"] - 2100) * side, abs=1e-5)


def test_a_part_of_a_missing_file_costs_its_own_row(here, capsys):
    field(0).to_csv("good.csv", index=False)
    assert main(["locate", "none.fits[1]", "good.csv", *QUICK]) == 1
    assert "failed: none.fits[1] does not exist" in capsys.readouterr().err
    assert pd.read_csv("locations.csv")["n"].notna().tolist() == [False, True]


def test_figures_have_the_names_of_the_catalogues_and_numbers_where_two_are_equal(here):
    for name in ("a/field.csv", "b/field.csv", "c.d.csv"):
        (here / name).parent.mkdir(exist_ok=True)
        field(0).to_csv(name, index=False)
    words = ["a/field.csv", "b/field.csv", "c.d.csv", "--pictures", "maps", "--jobs", "1", "--randomizations", "0"]
    assert main(["locate", *words]) == 0
    assert sorted(path.name for path in (here / "maps").iterdir()) == ["c.d.png", "field-2.png", "field.png"]


def test_a_biased_catalogue_is_reported_with_its_remedy(here, capsys):
    table = field(0, theta_e=0.0)
    table["e1"] += 0.2
    table.to_csv("biased.csv", index=False)
    words = ["locate", "biased.csv", "--jobs", "1", "--randomizations", "0"]
    assert main(words) == 0
    assert "sigma from 0: use --subtract-mean" in capsys.readouterr().out
    assert main([*words, "--subtract-mean"]) == 0
    assert "sigma from 0" not in capsys.readouterr().out


def test_the_table_is_the_same_at_any_number_of_jobs(here):
    for k in range(2):
        field(k, theta_e=8.0).to_csv(f"field{k}.csv", index=False)
    for jobs in (1, 2):
        locate_catalogs(["field*.csv"], f"{jobs}.csv", n_randomizations=30, n_jobs=jobs)
    assert (here / "1.csv").read_bytes() == (here / "2.csv").read_bytes()


def test_patterns_without_a_match_are_refused_and_missing_files_kept(here):
    with pytest.raises(TableError, match="no file matches"):
        find_catalogs(["*.csv"])
    assert [path.name for path in find_catalogs(["missing.csv"])] == ["missing.csv"]
