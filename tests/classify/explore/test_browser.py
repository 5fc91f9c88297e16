"""The page of an exploration in a real browser, opened from disk without network."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from classify.cli import SOME_FAILED, main
from classify.explore.findings import explore
from classify.explore.page import write_page
from tests.classify.explore.planted import measured, write_drawings
from tests.support.accessibility import violations


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the page of a data set with copies, a failed image, and a name that is not UTF-8."""
    root = write_drawings(tmp_path_factory.mktemp("page") / "data", np.random.default_rng(4))
    training, validation = (sorted((root / name).iterdir()) for name in ("training", "validation"))
    validation[1].write_bytes(training[1].read_bytes())
    Image.open(training[3]).rotate(90).save(validation[3])
    training[0].write_bytes(b"no image")
    training[-1].rename(root / "training" / os.fsdecode(b"training-\xff.png"))
    out = root.parent / "page.html"
    assert main(["explore", str(root), "--out", str(out), "--jobs", "1"]) == SOME_FAILED
    return out


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return the page of a data set without images, with a bias and more failures than a list has."""

    def change(looks, splits):
        looks[:250] = [replace(look, catalog=None, error="has no galaxies") for look in looks[:250]]

    looks = measured(np.random.default_rng(4), n=(260, 60), galaxies=40, bias=0.05, change=change)
    looks.skies["digest"] = ""
    out = tmp_path_factory.mktemp("many") / "page.html"
    write_page(out, explore(looks), "a/very/long/path/" + 12 * "to-the-data-set-")
    return out


def opened(visit, page, **options):
    """Visit a page with all its details open."""
    tab = visit(f"file://{page}", **options)
    tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    return tab


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(visit, page, many, theme):
    for each in (page, many):
        assert violations(visit(f"file://{each}", theme=theme)) == []
        assert violations(opened(visit, each, theme=theme)) == []


@pytest.mark.parametrize("width", [320, 360, 768])
def test_nothing_is_wider_than_a_phone(visit, page, many, width):
    for each in (page, many):
        assert opened(visit, each, width=width).evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_no_number_is_cut_off(visit, many, width):
    tab = visit(f"file://{many}", width=width)
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
    assert tab.eval_on_selector_all(".card *", cut) == []
    assert tab.locator(".card").count() == 4


def test_the_theme_can_be_switched_and_figures_follow(visit, page):
    tab = visit(f"file://{page}", theme="dark")
    elements = "[document.body, document.querySelector('figure svg text')]"
    colors = f"{elements}.map(each => getComputedStyle(each)).map(style => style.backgroundColor + style.fill)"
    dark = tab.evaluate(colors)
    tab.click("#theme")
    assert tab.locator("#theme").inner_text() == "Theme: light"
    assert all(one != other for one, other in zip(tab.evaluate(colors), dark, strict=True))


def test_every_figure_has_its_values_as_a_table(visit, page):
    tab = visit(f"file://{page}")
    figures = tab.locator("figure")
    assert figures.count() == 4
    for k in range(4):
        figure = figures.nth(k)
        assert not figure.locator("table").is_visible()
        figure.locator("summary").click()
        assert figure.locator("table").is_visible()
        assert figure.locator("tbody tr").count() > 1
        assert all(re.search(r"\d|–", text) for text in figure.locator("td").all_inner_texts())


def test_images_are_shown(visit, page):
    tab = visit(f"file://{page}")
    assert tab.evaluate("[...document.images].every(e => e.complete && e.naturalWidth === 320)")
    assert tab.locator(".examples img").count() == 8


def test_both_images_of_copies_and_the_reasons_of_failures_are_listed(visit, page):
    names = opened(visit, page).locator(".names li").all_inner_texts()
    assert "validation/validation-00001.png and training/training-00001.png" in names
    assert "validation/validation-00003.png and training/training-00003.png" in names
    assert any("training/training-00000.png is not an image" in name for name in names)


def test_a_list_that_is_cut_has_the_number_of_those_left_out(visit, many):
    last = opened(visit, many).locator(".findings .names").last
    assert last.locator("li").count() == 201
    assert last.locator("li").last.inner_text() == "… and 50 more; --json writes all"


def test_links_of_the_bar_lead_to_sections(visit, page):
    tab = visit(f"file://{page}")
    links = tab.locator(".bar nav a")
    assert links.all_inner_texts() == ["Findings", "Content", "Figures", "Examples"]
    for k in range(links.count()):
        assert tab.locator(links.nth(k).get_attribute("href")).count() == 1
