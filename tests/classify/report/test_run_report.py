"""The file of a report: its content, its size, and what it states when something is missing."""

import json
import re
import shutil
from html import unescape

import pandas as pd
import pytest

from classify.cli import main
from classify.report.run_report import write_report
from darkmatter_features.errors import ModelError
from tests.classify.report.conftest import N_SKIES, element, shown
from tests.support.synthetic import trained_run


@pytest.fixture
def copied(trained, tmp_path):
    """Return a copy of the run that a test may change; its data set stays."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def rewritten(path, change):
    """Write a table again with the changes of a function, which may return a column instead."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    column = change(table)
    if column is not None:
        table[column.name] = column
    table.to_csv(path, index=False)


def test_the_page_has_the_table_and_the_metrics_of_the_run(page, trained):
    text = page.read_text(encoding="utf-8")
    judged = pd.read_csv(trained / "validation-predictions.csv")
    skies = element(text, "skies")
    assert skies["name"] == judged["sky"].tolist()
    assert skies["probability"] == pytest.approx(judged["probability"].tolist(), rel=1e-5)
    accuracy = json.loads((trained / "metrics.json").read_text())["accuracy"]
    assert f"{100 * accuracy:.1f} %" in text
    assert element(text, "page")["detailed"] == list(range(N_SKIES))


def test_the_page_names_nothing_outside_itself(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href|url\()\s*=?\s*["\']?((?:https?:)?//[^"\')]+)', text) == []
    assert "connect-src 'none'" in unescape(text)
    assert "Permission is hereby granted" in text  # the licence of the library of curves goes with it


def test_equal_runs_have_equal_pages(page, trained, tmp_path):
    again = write_report(trained, tmp_path / "again.html", n_jobs=2).path
    assert again.read_bytes() == page.read_bytes()


def test_text_of_the_data_is_escaped(copied, trained, tmp_path, visit):
    name = "validation/\"'><img src=x onerror=document.title=1></script><b>é π.png"
    data = tmp_path / "data"
    shutil.copytree(trained.parent / "data", data)
    old = pd.read_csv(copied / "validation-predictions.csv")["sky"][0]
    target = data / name.replace("</script>", "")
    target.parent.mkdir(parents=True, exist_ok=True)
    name = name.replace("</script>", "")
    copied = copied.rename(tmp_path / "<script>alert(1)")
    (data / old).rename(target)
    for table, column in (("validation-predictions.csv", "sky"), ("validation-contributions.csv", "image")):
        rewritten(copied / table, lambda own, column=column: own[column].replace({old: name}))
    done = write_report(copied, tmp_path / "report.html", data=data, n_jobs=1)
    assert "<img src=x" not in done.path.read_text(encoding="utf-8")
    tab = visit(f"file://{done.path}")
    assert name.removeprefix("validation/") in tab.locator(".tile .name").all_inner_texts()
    assert tab.title() == tab.locator("h1").inner_text() == "Run <script>alert(1)"
    tab.locator(".tile").first.click()
    shown(tab)
    assert tab.locator("#sky-title").inner_text() == name
    tab.reload()
    shown(tab)


def test_a_data_set_that_has_moved_costs_the_images_alone(copied, tmp_path, capsys):
    origin = json.loads((copied / "run.json").read_text())
    (copied / "run.json").write_text(json.dumps(origin | {"dataset": str(tmp_path / "moved")}))
    assert main(["report", str(copied), "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 2
    assert "give the folder of the data set by --data DIR" in printed
    text = (copied / "report.html").read_text(encoding="utf-8")
    assert "give the folder of the data set by --data DIR" in text
    assert element(text, "figures")["roc"]
    assert main(["report", str(copied), "--jobs", "1", "--data", origin["dataset"]]) == 0
    assert element((copied / "report.html").read_text(encoding="utf-8"), "page")["detailed"] == list(range(N_SKIES))


def test_a_page_stays_below_its_size_and_states_what_it_leaves_out(page, trained, tmp_path, capsys):
    limit = (page.stat().st_size - 3_000) / 1e6
    out = ["--max-mb", str(limit), "--out", str(tmp_path / "small.html")]
    assert main(["report", str(trained), "--jobs", "1", *out]) == 0
    text = (tmp_path / "small.html").read_text(encoding="utf-8")
    detailed = element(text, "page")["detailed"]
    assert len(text.encode()) < 1e6 * limit
    assert 0 < len(detailed) < N_SKIES
    left_out = f"{N_SKIES - len(detailed)} of {N_SKIES} skies"
    assert left_out in text
    assert left_out in capsys.readouterr().out
    judged = pd.read_csv(trained / "validation-predictions.csv")
    wrong = judged.index[(judged["probability"] >= 0.5) != (judged["label"] == 1)]
    assert set(detailed) >= set(wrong[: len(detailed)])


def test_a_sky_that_cannot_be_read_costs_itself_alone(copied, trained, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(trained.parent / "data", data)
    sky = pd.read_csv(copied / "validation-predictions.csv")["sky"][2]
    (data / sky).write_bytes(b"no image")
    assert main(["report", str(copied), "--jobs", "1", "--data", str(data)]) == 1
    assert sky in capsys.readouterr().err
    text = (copied / "report.html").read_text(encoding="utf-8")
    assert 2 not in element(text, "page")["detailed"]


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "validation-predictions.csv"])
@pytest.mark.parametrize("content", [None, "{", "[1]", "\xff"])
def test_a_damaged_run_is_named_with_the_remedy(copied, name, content):
    if content is None:
        (copied / name).unlink()
    else:
        (copied / name).write_text(content, encoding="latin-1")
    with pytest.raises(ModelError, match=rf"{name} cannot be used .*darkmatter train"):
        write_report(copied, n_jobs=1)


def test_an_adapted_run_has_a_remedy_of_its_own(copied):
    """It has a model and a record of the adaptation alone."""
    for path in copied.iterdir():
        if path.is_file():
            path.unlink()
    with pytest.raises(ModelError, match=r"no validation skies, as an adapted run; .*darkmatter view IMAGES --run"):
        write_report(copied, n_jobs=1)


def test_a_run_without_validation_skies_has_a_report(tmp_path, visit):
    trained_run(tmp_path, tmp_path / "data", n_validation=0)
    done = write_report(tmp_path / "run", n_jobs=1)
    assert done.notes == ("no skies: the run has no validation skies",)
    tab = visit(f"file://{done.path}")
    assert tab.locator(".tile").count() == 0


def test_optional_files_may_be_missing(copied):
    for name in ("history.csv", "validation-contributions.csv"):
        (copied / name).unlink()
    text = write_report(copied, n_jobs=1).path.read_text(encoding="utf-8")
    assert not {"history", "importance"} & set(element(text, "figures"))


def test_unlabelled_skies_have_no_figures_of_merit(copied):
    def unknown(table):
        table[["label", "lens_row", "lens_column", "offset_px"]] = ""

    rewritten(copied / "validation-predictions.csv", unknown)
    text = write_report(copied, n_jobs=1).path.read_text(encoding="utf-8")
    assert not {"roc", "reliability", "offsets"} & set(element(text, "figures"))
    assert element(text, "skies")["label"] == [None] * N_SKIES


def test_a_size_that_is_no_size_is_refused(trained, capsys):
    assert main(["report", str(trained), "--max-mb", "nan"]) == 2
    assert "--max-mb must be positive" in capsys.readouterr().err
