"""The oracle beside a run: it is shown for the same skies alone, with its bounds, or else the command that makes it."""

import json
import shutil

import pandas as pd
import pytest

from classify.report.oracle import ORACLE, SKIES, identity_of, read_oracle
from classify.report.run_report import write_report
from darkmatter_features.io.dataset import Dataset

FIGURES = {"n": 6, "accuracy": 0.8125, "accuracy_lo": 0.75, "accuracy_hi": 0.875}


@pytest.fixture
def data(trained, tmp_path):
    """Return a copy of the data set of the run, with a folder for the truth."""
    shutil.copytree(trained.parent / "data", tmp_path / "data")
    (tmp_path / "data" / "truth").mkdir()
    return tmp_path / "data"


@pytest.fixture
def judged(trained):
    return pd.read_csv(trained / "validation-predictions.csv")


def page_with(trained, data, entries):
    (data / ORACLE).write_text(json.dumps(entries))
    return write_report(trained, data / "report.html", data=data, n_jobs=1).path.read_text(encoding="utf-8")


def test_the_oracle_of_the_same_skies_is_shown_with_its_bounds(trained, data, judged):
    text = page_with(trained, data, {SKIES: identity_of(judged), **FIGURES})
    assert "oracle 81.2 %" in text
    assert "75.0 to 87.5 %" in text
    assert "oracle_figures.py" not in text


@pytest.mark.parametrize("width", [360, 1280])
def test_the_figures_of_the_oracle_are_not_cut_off(trained, data, judged, visit, width):
    ends = ("", "_lo", "_hi")
    figures = {f"{key}{end}": 0.9876 for key in ("accuracy", "auc", "log_loss", "brier", "within_40px") for end in ends}
    page_with(trained, data, {SKIES: identity_of(judged), **figures})
    tab = visit(f"file://{data / 'report.html'}", width=width)
    inside = "e => e.getBoundingClientRect().right <= e.closest('.card').getBoundingClientRect().right"
    assert tab.locator(".oracle span").count() == 10
    assert tab.evaluate(f"[...document.querySelectorAll('.oracle span')].every({inside})")
    grid = "document.querySelector('.cards')"
    assert tab.evaluate(f"{grid}.scrollWidth <= {grid}.clientWidth")


@pytest.mark.parametrize("entry", [{}, {SKIES: "0" * 16}, {SKIES: 3}])
def test_the_oracle_of_as_many_other_skies_is_not_shown_but_its_command(trained, data, entry):
    text = page_with(trained, data, {**FIGURES, **entry})
    assert "oracle 81.2 %" not in text
    assert f"python benchmarks/oracle_figures.py {data}" in text


def test_the_identity_is_that_of_names_labels_and_lenses(judged):
    own = identity_of(judged)
    assert identity_of(judged[::-1]) == own
    assert identity_of(judged.assign(lens_row=judged["lens_row"] + 0.02)) != own
    assert identity_of(judged.assign(label=1 - judged["label"])) != own
    assert identity_of(judged[:-1]) != own


def test_a_table_and_its_data_set_have_one_identity(trained, judged):
    """The features of this run are synthetic, and so are the lenses in its table: a data set has lenses of its own."""
    data = Dataset.open(trained.parent / "data")
    split = data.validation
    of_data = pd.DataFrame({
        "sky": [data.relative(file) for file in split.files], "label": split.labels,
        "lens_row": split.lens_rows, "lens_column": split.lens_columns,
    })  # fmt: skip
    table = judged.assign(label=split.labels.astype(float), lens_row=split.lens_rows, lens_column=split.lens_columns)
    table.to_csv(trained.parent / "again.csv", index=False, float_format="%.2f")
    assert identity_of(pd.read_csv(trained.parent / "again.csv")) == identity_of(of_data)


def test_a_simulated_data_set_without_oracle_has_the_command(judged, tmp_path):
    (tmp_path / "truth").mkdir()
    assert read_oracle(tmp_path, judged).note == ""
    (tmp_path / "truth" / "skies.csv").write_text("file,density,elongation,alignment\na.png,100,1.0,0.5\n")
    assert "oracle_figures.py" in read_oracle(tmp_path, judged).note
    (tmp_path / "truth" / "skies.csv").write_text("file,density\na.png,100\n")
    assert read_oracle(tmp_path, judged).note == ""
