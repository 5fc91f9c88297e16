"""A browser for pages; figures of a training, drawn only in tests with the mark `figures`."""

import shutil

import pytest

from tests.support.plain_figures import PLAIN_FIGURES

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Come before the fixtures of a test, so that those of a module or session follow its first test."""
    PLAIN_FIGURES.is_plain = item.get_closest_marker("figures") is None


def pytest_runtest_teardown():
    PLAIN_FIGURES.is_plain = False


@pytest.fixture(scope="session", autouse=True)
def plain_figures():
    with pytest.MonkeyPatch.context() as patch:
        PLAIN_FIGURES.install(patch)
        yield


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
