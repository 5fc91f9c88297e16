"""A small run, its report, and a browser."""

import json
import re
import shutil
from pathlib import Path

import pytest

from classify.report.run_report import write_report
from tests.support.synthetic import trained_run, write_images

N_SKIES = 6
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


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


@pytest.fixture(scope="session")
def browser():
    """Return a headless Chromium of the system."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra)")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium on this system; install the package chromium")
    with driver.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


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


@pytest.fixture
def visit(browser):
    """Return a function that opens a page without network; the test fails on an error of the page or a request."""
    contexts, problems = [], []

    def visited(address: str, *, width: int = 1280, theme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        allowed = ("data:", "file:") if address.startswith("file:") else ("data:", address.split("#")[0])
        context.route(lambda url: not url.startswith(allowed), lambda route: route.abort())
        tab = context.new_page()
        tab.on("console", lambda message: message.type in ("error", "warning") and problems.append(message.text))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: request.url.startswith(allowed) or problems.append(request.url))
        tab.goto(address)
        tab.wait_for_selector("body[data-ready=true]")
        return tab

    yield visited
    for context in contexts:
        context.close()
    assert problems == []
