"""A small run and its report."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from classify.cli import main
from classify.report.candidate_report import write_candidate_report
from classify.report.run_report import write_report
from tests.support.surveys import plane_survey, write_sky
from tests.support.synthetic import trained_run, write_images

N_SKIES = 6


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with its data set beside it in ``data``."""
    root = tmp_path_factory.mktemp("report")
    trained_run(root, write_images(root / "data", n=N_SKIES))
    return root / "run"


@pytest.fixture(scope="package")
def page(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of that run."""
    return write_report(trained, tmp_path_factory.mktemp("page") / "report.html", n_jobs=1).path


@pytest.fixture(scope="package")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the candidates of a field with two halos, a hole, and a list of known lenses."""
    root = tmp_path_factory.mktemp("candidates")
    z, e = plane_survey(
        np.random.default_rng(3), n=700, side=12.0, halos=[(2.5, 2.0, 0.5, 1.0), (-3.0, -2.5, 0.4, 1.0)]
    )
    is_seen = np.abs(z - (3 - 4j)) > 1.6
    catalog = write_sky(root / "field.parquet", z[is_seen], e[is_seen])
    (root / "known.csv").write_text("name,ra,dec\nA <1>,149.958,2.033\nB,150.08,1.95\nC,10.0,20.0\n", encoding="utf-8")
    words = [str(catalog), "--known", str(root / "known.csv"), "--threshold", "4", "--randomizations", "9"]
    assert main(["candidates", *words, "--jobs", "1", "--out", str(root / "list")]) == 0
    return root / "list"


@pytest.fixture(scope="package")
def candidate_page(candidates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of that folder."""
    return write_candidate_report(candidates, tmp_path_factory.mktemp("page") / "candidates.html").path


def element(page: str, name: str):
    """Return the data of a page that have a name."""
    return json.loads(re.search(rf'id="data-{name}">(.*?)</script>', page, flags=re.DOTALL)[1])


def until(tab, expression: str) -> None:
    """Wait until a JavaScript expression holds; the policy of the page forbids the browser driver's own way."""
    for _ in range(200):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise TimeoutError(expression)


def shown(tab) -> str:
    """Wait for the sky of the address to be drawn, and return its name."""
    until(tab, "document.body.dataset.shown")
    return tab.evaluate("document.body.dataset.shown")


def point(tab, x: float, y: float) -> None:
    """Move the mouse to a position, and wait for the page to read its values."""
    before = tab.locator("#readout").inner_text()
    tab.mouse.move(x, y)
    until(tab, f"document.getElementById('readout').innerText !== {json.dumps(before)}")


IMAGES = "[...document.querySelectorAll('.tile img')].every(e => e.complete && e.naturalWidth > 0)"
