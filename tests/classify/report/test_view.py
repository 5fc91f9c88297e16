"""`darkmatter view`: skies are measured when they are asked for, and flags without effect are refused."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from classify.cli import build_parser, main
from classify.predict import predict
from classify.report import view
from classify.report.view import site_of_skies
from tests.classify.report.conftest import N_SKIES, shown, until
from tests.classify.report.test_server import served


@pytest.fixture(scope="module")
def images(trained):
    return trained.parent / "data" / "validation"


def test_no_sky_is_measured_before_it_is_asked_for(trained, images, monkeypatch):
    asked = []
    measured_image = view.measured_image
    monkeypatch.setattr(view, "measured_image", lambda task: asked.append(task.path.name) or measured_image(task))
    site = site_of_skies([images], trained)
    assert asked == []
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda give: give(3), (site.sky, site.verdict, site.sky)))
    assert asked == ["validation-00003.png"]


def test_verdicts_are_those_of_predict(trained, images):
    site, table = site_of_skies([images], trained), predict(trained, [images], n_jobs=1).table
    for index, row in enumerate(table.itertuples()):
        own = json.loads(site.verdict(index))["listed"]
        assert own["name"] == row.image
        assert own["probability"] == pytest.approx(row.probability, rel=1e-5, nan_ok=True)
        assert (own["row"], own["column"], own["snr"]) == pytest.approx((row.row, row.column, row.snr), rel=1e-4)
        assert (own["unlike"], own["decided_by"], own["reason"] or None) == (row.unlike, row.decided_by, row.reason)


def test_the_list_is_filled_as_skies_come_into_view(trained, images, tmp_path, browser):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with served(site_of_skies([images, tmp_path / "broken.png"], trained)) as port:
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        until(tab, "document.getElementById('measured').innerText === ''")
        texts = tab.locator(".tile .caption").all_inner_texts()
        assert len(texts) == N_SKIES + 1
        assert not any("p –" in text for text in texts[:N_SKIES] if "no verdict" not in text)
        assert tab.locator(".tile .pill").last.inner_text() == "failed"
        tab.locator(".tile").first.click()
        shown(tab)
        assert "Contributions to the verdict" in tab.locator("#sky-text").inner_text()
        tab.close()


def test_all_skies_can_be_measured_at_once(trained, images, visit):
    with served(site_of_skies([images])) as port:
        tab = visit(f"http://127.0.0.1:{port}/#view=table&q=00005")
        tab.evaluate("document.getElementById('measure-all').click()")
        until(tab, "document.getElementById('measure-all').hidden")
        tab.fill("[name=q]", "")
        until(tab, f"document.querySelectorAll('#table tbody tr').length === {N_SKIES}")
        assert "–" not in [row.split("\t")[3] for row in tab.locator("#table tbody tr").all_inner_texts()]


@pytest.mark.parametrize(("flags", "reason"), [
    (["RUN", "--cnn", "off"], "--cnn is for images"), (["RUN", "--hdu", "1"], "--hdu is for images"),
    (["IMAGES", "--run", "RUN", "--data", "DATA"], "--data is the data set of a run"),
    (["IMAGES", "--cnn", "auto"], "--cnn needs a run"),
    (["IMAGES", "--run", "RUN", "--cnn", "on"], "has no CNN stage"),
])  # fmt: skip
def test_a_flag_without_effect_is_refused_in_one_line(trained, images, flags, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {"RUN": str(trained), "IMAGES": str(images), "DATA": str(trained.parent / "data")}
    assert main(["view", *(paths.get(flag, flag) for flag in flags), "--port", "0"]) == 2
    printed = capsys.readouterr().err
    assert reason in printed
    assert printed.count("\n") == 1


def test_jobs_are_no_flag_of_a_view_which_measures_one_sky_at_a_time(capsys):
    with pytest.raises(SystemExit):
        build_parser("view").parse_args(["view", "--jobs", "2"])
    assert "--jobs" in capsys.readouterr().err


def test_a_site_of_many_images_is_there_at_once(images, tmp_path):
    for i in range(2000):
        (tmp_path / f"{i:04d}.png").symlink_to(images / "validation-00000.png")
    start = time.monotonic()
    assert site_of_skies([tmp_path]).n_skies == 2000
    assert time.monotonic() - start < 20.0
