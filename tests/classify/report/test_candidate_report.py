"""The report of candidates: its data, the folders that it takes, and those that it refuses."""

import html
import re
import shlex
import shutil

import numpy as np
import pytest
from astropy.table import Table

from classify.cli import build_parser, main
from classify.report.candidate_facts import TITLES
from classify.report.candidate_report import write_candidate_report
from classify.report.colors import CONSTANTS
from tests.classify.report.conftest import element, point
from tests.support.surveys import plane_survey, write_sky


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    root = tmp_path_factory.mktemp("survey")
    halos = [(5.0, 5.0, 0.25, 1.5), (-12.0, -8.0, 0.2, 1.0)]
    catalog = write_sky(
        root / "wide.parquet", *plane_survey(np.random.default_rng(4), n=20_000, side=50.0, halos=halos)
    )
    (root / "known.csv").write_text("name,ra,dec\nA,149.917,2.083\nfar,10.0,20.0\n", encoding="utf-8")
    words = ["--known", str(root / "known.csv"), "--scales", "1,2", "--no-completeness", "--randomizations", "4"]
    assert main(["candidates", str(catalog), *words, "--jobs", "1", "--out", str(root / "list")]) == 0
    return root / "list"


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_the_command_of_the_page_makes_the_table_again(candidates, candidate_page, tmp_path, capsys):
    words = shlex.split(html.unescape(re.search(r'id="command">(.*?)</pre>', text_of(candidate_page))[1]))
    assert words[0] == "darkmatter"
    args = build_parser("candidates").parse_args(words[1:])
    assert (args.threshold, args.randomizations) == (4.0, 9)
    words[words.index("--out") + 1] = str(tmp_path / "again")
    assert main(words[1:]) == 0
    first, again = (Table.read(folder / "candidates.ecsv") for folder in (candidates, tmp_path / "again"))
    assert first.pformat(max_lines=-1, max_width=-1) == again.pformat(max_lines=-1, max_width=-1)


def test_the_page_has_the_null_distribution_of_each_candidate(candidates, candidate_page):
    details = element(text_of(candidate_page), "details")
    table = Table.read(candidates / "candidates.ecsv")
    for each, p in zip(details, table["false_alarm_probability"], strict=True):
        assert sum(each["null"]["y"]) == 9
        assert (1 + each["null"]["above"]) / 10 == pytest.approx(p)


def test_the_null_tests_have_verdicts(candidate_page):
    text = text_of(candidate_page)
    assert text.count('scope="row">mean ellipticity, in its errors') == 1
    assert "highest absolute S/N of the cross map" in text
    assert 'class="pill right">passed' in text


def test_a_survey_has_its_maps_false_candidates_and_known_lenses(survey, capsys):
    assert main(["report", str(survey)]) == 0
    assert "candidates, 1 map, " in capsys.readouterr().out
    text = text_of(survey / "report.html")
    assert element(text, "known") == ["A"]
    assert element(text, "details")[0]["near"][0]["name"] == "A"
    assert len(element(text, "curve")["x"]) == 60
    marks = element(text, "map-0")["candidates"]
    table = Table.read(survey / "candidates.ecsv")
    assert [mark[0] for mark in marks] == list(range(len(table)))
    _, row, column, _ = np.transpose(marks)
    assert np.polyfit(table["dec"], row, 1)[0] == pytest.approx(-60.0, rel=0.01)
    assert np.polyfit(table["ra"], column, 1)[0] == pytest.approx(-60.0, rel=0.01)
    assert element(text, "page")["homes"] == [0] * len(table)
    assert "purity" in text
    settings = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", text))
    assert settings["randomizations"] == "4"
    assert "lens redshifts" not in settings


def test_the_settings_of_a_survey_with_redshifts_are_named_in_words(survey, tmp_path):
    folder = shutil.copytree(survey, tmp_path / "list")
    table = Table.read(folder / "candidates.ecsv")
    table.meta["settings"] |= {"n_of_z": "n.csv", "redshift": "photo_z", "lens_redshifts": [0.3, 0.6]}
    table.write(folder / "candidates.ecsv", format="ascii.ecsv", delimiter=",", overwrite=True)
    text = text_of(write_candidate_report(folder, tmp_path / "page.html").path)
    settings = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", text))
    assert (settings["redshift distribution"], settings["lens redshifts"]) == ("n.csv", "0.3, 0.6")


def test_the_page_of_a_survey_opens_without_errors(survey, visit, tmp_path, monkeypatch):
    monkeypatch.setitem(CONSTANTS, "min_limit", 1.0)
    monkeypatch.setitem(CONSTANTS, "max_limit", 5.0)
    path = write_candidate_report(survey, tmp_path / "survey.html").path
    tab = visit(f"file://{path}", width=360)
    for _ in range(100):
        if tab.evaluate("document.body.dataset.shown"):
            break
        tab.wait_for_timeout(50)
    assert tab.evaluate("document.body.dataset.shown") == "1"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    caption = tab.locator("#panels figcaption").first.inner_text()
    assert "\u2264 \u22125" in caption
    assert "\u2265 5" in caption
    assert tab.locator("#contours").inner_text() == "contours: |S/N| 3, 4, …, negative dashed"
    data, table = element(text_of(path), "map-0"), Table.read(survey / "candidates.ecsv")
    tab.locator(".stage").first.scroll_into_view_if_needed()
    box = tab.locator(".stage").first.bounding_box()
    for k, row, column, _ in data["candidates"][:2]:
        at = (column + 0.5) / data["shape"][1], (row + 0.5) / data["shape"][0]
        point(tab, box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"])
        for name in ("ra", "dec"):
            text = tab.locator(f'[data-value="{TITLES[name]}"] b').inner_text()
            assert float(text.rstrip("°").lstrip("+").replace("−", "-")) == pytest.approx(table[name][k], abs=0.02)


def test_a_folder_of_an_earlier_version_has_a_page_that_names_what_is_missing(candidates, tmp_path):
    shutil.copy(candidates / "candidates.ecsv", tmp_path)
    done = write_candidate_report(tmp_path)
    assert [note.split(":")[0] for note in done.notes] == ["maps", "radial profiles"]


def test_maps_that_do_not_fit_are_left_out_and_named(survey, tmp_path):
    done = write_candidate_report(survey, tmp_path / "small.html", max_mb=0.15)
    assert (done.n_maps, len(done.notes)) == (0, 1)
    assert done.n_bytes < 150_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent"], "absent does not exist"),
        (["empty"], "empty has neither a model (model/) nor a list of candidates (candidates.ecsv)"),
        (["lists"], "lists has 1 folders of candidates, such as lists/one"),
        (["lists/one"], "lists/one/candidates.ecsv cannot be read"),
        (["empty/file.txt"], "empty/file.txt is a file"),
        (["good", "--data", "data"], "--data is for the report of a run"),
        (["good", "--max-mb", "0.01"], "give --max-mb 0."),
    ],
)
def test_other_folders_are_refused_in_one_line(candidates, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "file.txt").write_text("x")
    (tmp_path / "lists" / "one").mkdir(parents=True)
    (tmp_path / "lists" / "one" / "candidates.ecsv").write_text("x,y\n1,2\n")
    shutil.copytree(candidates, tmp_path / "good")
    assert main(["report", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
