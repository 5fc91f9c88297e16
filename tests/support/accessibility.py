"""Accessibility of a page, by axe-core."""

import pytest

SERIOUS = {"serious", "critical"}


def violations(tab):
    """Return the serious violations of a page: rule and first element."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed (the dev extra)"
    )
    found = axe.Axe().run(tab).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in SERIOUS]
