"""The report in a real browser, opened from disk without network."""

import json
import re
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from classify.model import LensModel
from classify.report.page import make_page
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import centres
from tests.classify.report.conftest import IMAGES, element, point, shown, until
from tests.support.accessibility import violations


@pytest.fixture(scope="module")
def judged(trained):
    return pd.read_csv(trained / "validation-predictions.csv")


def address(page, view=""):
    return f"file://{page}{view}"


def open_first(tab):
    tab.locator(".tile").first.click()
    shown(tab)


def listed(tab):
    return tab.eval_on_selector_all(
        "[data-index]", "all => all.filter(e => e.tagName === 'BUTTON').map(e => Number(e.dataset.index))"
    )


def number(text):
    return float(text.replace("−", "-").replace("°", "").replace("≤", ""))


def test_the_gallery_shows_each_sky_with_its_image(visit, page, judged):
    tab = visit(address(page))
    assert tab.locator(".tile").count() == len(judged)
    until(tab, IMAGES)
    assert tab.locator("#count").inner_text() == f"{len(judged)} of {len(judged)}"


def test_maps_are_drawn_in_the_gallery(visit, page, judged):
    tab = visit(address(page, "#view=maps"))
    is_drawn = "e => e.getContext('2d').getImageData(9, 9, 1, 1).data[3] > 0"
    until(tab, f"[...document.querySelectorAll('.tile canvas')].every({is_drawn})")
    assert tab.locator(".tile canvas").count() == len(judged)


def test_filters_choose_the_skies_that_the_table_has(visit, page, judged):
    tab = visit(address(page))
    wrong = judged.index[(judged["probability"] >= 0.5) != (judged["label"] == 1)].tolist()
    tab.select_option("[name=filter]", "wrong")
    assert listed(tab) == wrong
    tab.click("button[type=reset]")
    tab.select_option("[name=label]", "1")
    tab.fill("[name=pmin]", "0.3")
    assert listed(tab) == judged.index[(judged["label"] == 1) & (judged["probability"] >= 0.3)].tolist()
    tab.click("button[type=reset]")
    tab.fill("[name=q]", "00002")
    assert listed(tab) == [2]


def test_sorting_orders_gallery_and_table_alike(visit, page, judged):
    tab = visit(address(page, "#sort=-probability"))
    expected = judged.sort_values("probability", ascending=False, kind="stable").index.tolist()
    assert listed(tab) == expected
    tab.click("[data-view=table]")
    tab.wait_for_selector("#table tbody tr")
    assert listed(tab)[-len(expected) :] == expected
    names = [name.removeprefix("validation/") for name in judged["sky"][expected]]
    assert tab.locator("#table tbody button").all_inner_texts() == names
    tab.click("#table thead button:has-text('probability')")
    ascending = judged.sort_values("probability", kind="stable").index.tolist()
    assert listed(tab)[-len(expected) :] == ascending


def test_keys_step_through_the_list_and_close_the_sky(visit, page, judged):
    tab = visit(address(page))
    open_first(tab)
    names = [shown(tab)]
    tab.keyboard.press("ArrowRight")
    until(tab, f"document.body.dataset.shown === {json.dumps(judged['sky'][1])}")
    names.append(shown(tab))
    assert names == judged["sky"][:2].tolist()
    assert tab.locator("#ellipses").get_attribute("aria-pressed") == "true"
    tab.keyboard.press("e")
    assert tab.locator("#ellipses").get_attribute("aria-pressed") == "false"
    tab.keyboard.press("Escape")
    until(tab, "!document.getElementById('sky').open && !location.hash.includes('sky=')")


def test_hover_reads_the_values_of_the_arrays(visit, page, trained, judged):
    """The S/N, the cross S/N and the posterior at the nearest centre of the grid, to half a step of their maps."""
    model = LensModel.load(trained)
    sky = read_sky(trained.parent / "data" / judged["sky"][0])
    galaxies = PreparedCatalog(measure(sky, model.config), CompiledTemplate(model.template))
    snr, cross = matched_filter(galaxies, config=model.config)
    evidence = lens_evidence(galaxies)
    rows, columns = centres(sky.shape, model.config)
    relative = np.maximum((evidence.log_evidence - evidence.log_evidence.max()) / np.log(10), -6)
    shown_maps = element(page.read_text(encoding="utf-8"), "sky-0")
    half = {name: 0.5001 * shown_maps[name]["step"] for name in ("snr", "cross", "posterior")}
    assert half["snr"] <= 2.5 * np.ptp(snr) / 65_000 / 2
    tab = visit(address(page))
    open_first(tab)
    for k, (down, right) in enumerate([(0.1, 0.2), (0.52, 0.47), (0.93, 0.07), (0.99, 0.99)]):
        box = tab.locator(".stage").nth(k).bounding_box()
        point(tab, box["x"] + right * box["width"], box["y"] + down * box["height"])
        values = {
            name: number(tab.locator(f'[data-value="{name}"] b').inner_text())
            for name in ("row", "column", "S/N", "cross", "log₁₀ posterior / peak")
        }
        i, j = (int(np.abs(grid - values[name]).argmin()) for grid, name in ((rows, "row"), (columns, "column")))
        assert values["row"] == pytest.approx(down * sky.shape[0] - 0.5, abs=0.5)
        assert values["S/N"] == pytest.approx(snr[i, j], abs=half["snr"])
        assert values["cross"] == pytest.approx(cross[i, j], abs=half["cross"])
        i, j = (
            int(np.abs(grid - values[name]).argmin())
            for grid, name in ((evidence.rows, "row"), (evidence.columns, "column"))
        )
        assert values["log₁₀ posterior / peak"] == pytest.approx(relative[i, j], abs=half["posterior"])


def test_a_posterior_below_the_range_of_its_colours_is_shown_as_a_limit(visit, page, judged):
    text = page.read_text(encoding="utf-8")
    index = next(i for i in range(len(judged)) if element(text, f"sky-{i}")["posterior"]["low"] == -6)
    tab = visit(address(page, f"#sky={quote(judged['sky'][index])}"))
    shown(tab)
    shown_values = set()
    box = tab.locator(".stage").nth(3).bounding_box()
    for right in np.linspace(0.02, 0.98, 9):
        for down in (0.02, 0.5, 0.98):
            tab.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"])
            shown_values.add(tab.locator('[data-value="log₁₀ posterior / peak"] b').inner_text())
    assert "≤ −6" in shown_values
    assert not any(value.startswith("−6") for value in shown_values)


def test_keys_are_not_for_the_sky_behind_the_help(visit, page):
    tab = visit(address(page))
    open_first(tab)
    name = shown(tab)
    tab.keyboard.press("?")
    assert tab.evaluate("document.getElementById('help').open")
    for key in ("ArrowRight", "e", "Shift+ArrowDown"):
        tab.keyboard.press(key)
    tab.keyboard.press("Escape")
    until(tab, "!document.getElementById('help').open")
    assert shown(tab) == name
    assert tab.evaluate("document.getElementById('sky').open")
    assert tab.locator("#ellipses").get_attribute("aria-pressed") == "true"
    assert tab.locator("[data-value]").count() == 0


@pytest.mark.parametrize("head", ["label", "row", "column", "likeness", "decided by", "sky", "offset, px"])
def test_the_order_of_a_head_is_named_in_the_form(visit, page, head):
    tab = visit(address(page, "#view=table"))
    for _ in range(2):
        tab.click(f"#table thead button:text-matches('^{head}( [↑↓])?$')")
        chosen = tab.locator("[name=sort]")
        assert chosen.input_value() == tab.evaluate("new URLSearchParams(location.hash.slice(1)).get('sort')")
        assert tab.evaluate("document.querySelector('[name=sort]').selectedOptions[0].text").strip()


def test_shift_and_arrows_move_the_cursor(visit, page):
    tab = visit(address(page))
    open_first(tab)
    tab.keyboard.press("Shift+ArrowDown")
    before = number(tab.locator('[data-value="column"] b').inner_text())
    tab.keyboard.press("Shift+ArrowLeft")
    after = number(tab.locator('[data-value="column"] b').inner_text())
    assert after < before or after == 0


def test_a_link_restores_the_view(visit, page, judged):
    tab = visit(address(page))
    tab.select_option("[name=sort]", "probability")
    tab.select_option("[name=label]", "0")
    tab.locator(".tile").nth(1).click()
    name, order, link = shown(tab), listed(tab), tab.url
    again = visit(link)
    assert shown(again) == name
    assert listed(again) == order
    assert again.locator("[name=sort]").input_value() == "probability"
    assert again.locator("#sky-rank").inner_text() == f"2 of {len(order)}"


def test_an_unknown_sky_in_a_link_is_ignored(visit, page, judged):
    tab = visit(address(page, f"#sky={quote('no/such.png')}&filter=nonsense&pmin=abc&sort=constructor"))
    assert not tab.evaluate("document.getElementById('sky').open")
    assert len(listed(tab)) == len(judged)


def test_charts_are_drawn_and_have_their_values_as_tables(visit, page):
    tab = visit(address(page))
    tab.locator("#charts").scroll_into_view_if_needed()
    tab.wait_for_selector("#charts .uplot canvas")
    assert tab.locator("#charts figure").count() >= 7
    tab.locator("#charts details summary").first.click()
    tab.wait_for_selector("#charts details table td")
    assert tab.locator("#charts details table").first.locator("tr").count() > 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(visit, page, theme):
    tab = visit(address(page), theme=theme)
    assert violations(tab) == []
    tab.keyboard.press("?")
    assert violations(tab) == []
    tab.keyboard.press("Escape")
    tab.click("[data-view=maps]")
    assert violations(tab) == []
    tab.click("[data-view=table]")
    assert violations(tab) == []
    tab.locator("#table tbody button").first.click()
    shown(tab)
    assert violations(tab) == []


@pytest.mark.parametrize("view", ["", "#view=table"])
def test_nothing_is_wider_than_a_phone(visit, page, view):
    tab = visit(address(page, view), width=360)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.evaluate("document.querySelector('[data-index]').click()")
    shown(tab)
    assert tab.evaluate("document.getElementById('sky').scrollWidth") <= 360


def test_a_page_without_skies_and_curves_works(visit, tmp_path):
    """Other pages than those of a run are made of the same parts."""
    text = make_page("base.html", data={}, title="Other <page>", name="other", version="0", served=False)
    (tmp_path / "other.html").write_text(text, encoding="utf-8")
    tab = visit(address(tmp_path / "other.html"))
    assert tab.title() == "Other <page>"
    tab.click("#theme")


def test_the_theme_can_be_switched(visit, page):
    tab = visit(address(page), theme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = tab.evaluate(background)
    tab.click("#theme")
    assert tab.locator("#theme").inner_text() == "Theme: light"
    assert tab.evaluate(background) != dark
    assert re.fullmatch(r"rgb\(.*\)", dark)
