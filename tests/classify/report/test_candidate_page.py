"""The report of candidates in a real browser, opened from disk without network."""

import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from tests.classify.report.conftest import element, point, shown, until
from tests.support.accessibility import violations


@pytest.fixture(scope="module")
def table(candidates):
    return Table.read(candidates / "candidates.ecsv")


def address(page, view=""):
    return f"file://{page}{view}"


def listed(tab):
    return tab.eval_on_selector_all("#table [data-index]", "all => all.map(e => Number(e.dataset.index))")


def number(text):
    return float(re.sub(r"[°]| arcmin", "", text.replace("−", "-")))


def value(tab, name):
    return tab.locator(f'[data-value="{name}"] b').inner_text()


def test_the_table_has_all_columns_with_units(visit, candidate_page, table):
    tab = visit(address(candidate_page))
    assert listed(tab) == list(range(len(table)))
    assert tab.locator("#count").inner_text() == f"{len(table)} of {len(table)}"
    assert tab.locator("#table thead th").count() == len(table.colnames) + 1
    head = tab.locator("#table [data-sort=position_error]").inner_text()
    assert head.split() == ["error", "arcmin"]


def test_filters_and_heads_choose_and_order_the_candidates(visit, candidate_page, table):
    tab = visit(address(candidate_page))
    snr = np.asarray(table["snr"])
    bound = snr[0] - 0.01
    tab.fill("[name=snr]", str(bound))
    assert listed(tab) == np.flatnonzero(snr >= bound).tolist()
    tab.click("button[type=reset]")
    tab.select_option("[name=known]", "yes")
    matched = element(candidate_page.read_text(encoding="utf-8"), "columns")[-1]["values"]
    assert listed(tab) == np.flatnonzero(matched).tolist()
    tab.click("button[type=reset]")
    tab.select_option("[name=edge]", "yes")
    assert listed(tab) == np.flatnonzero(table["edge"]).tolist()
    tab.click("button[type=reset]")
    for name, order in (("ra", np.argsort(-table["ra"])), ("ra", np.argsort(table["ra"]))):
        tab.click(f"#table [data-sort={name}]")
        assert listed(tab) == order.tolist()
    assert tab.locator("#table th[aria-sort=ascending]").count() == 1
    assert tab.evaluate("document.activeElement.dataset.sort") == "ra"


def test_no_candidate_passes_an_impossible_filter(visit, candidate_page):
    tab = visit(address(candidate_page, "#snr=1e9"))
    assert tab.locator("#empty").is_visible()
    assert listed(tab) == []


def test_hover_reads_the_values_of_the_maps_with_their_coordinates(visit, candidate_page, candidates):
    snr, header = fits.getdata(candidates / "snr.fits", header=True)
    cross = fits.getdata(candidates / "cross.fits")
    half = {
        name: 0.5001 * element(candidate_page.read_text(encoding="utf-8"), "map-0")[name]["step"]
        for name in ("snr", "cross")
    }
    tab = visit(address(candidate_page))
    shown(tab)
    n_rows, n_columns = snr.shape
    for k, (down, right) in enumerate([(0.12, 0.21), (0.83, 0.57)]):
        tab.locator(".stage").nth(k).scroll_into_view_if_needed()
        box = tab.locator(".stage").nth(k).bounding_box()
        point(tab, box["x"] + right * box["width"], box["y"] + down * box["height"])
        world = [[number(value(tab, "RA")), number(value(tab, "Dec"))]]
        column, row = (round(float(each)) for each in WCS(header).wcs_world2pix(world, 0)[0])
        assert row == pytest.approx(n_rows * (1 - down), abs=1.5)
        assert column == pytest.approx(n_columns * right, abs=1.5)
        assert number(value(tab, "S/N")) == pytest.approx(snr[row, column], abs=half["snr"] + 1e-6)
        assert number(value(tab, "cross")) == pytest.approx(cross[row, column], abs=half["cross"] + 1e-6)
        x, y = WCS(header, key="A").wcs_pix2world([[column, row]], 0)[0]
        assert number(value(tab, "x")) == pytest.approx(x, rel=1e-5)
        assert number(value(tab, "y")) == pytest.approx(y, rel=1e-5)


def test_the_marks_lie_at_their_positions(visit, candidate_page, candidates, table):
    header = fits.getheader(candidates / "snr.fits")
    data = element(candidate_page.read_text(encoding="utf-8"), "map-0")
    wcs = WCS(header)
    for k, row, column, _ in data["candidates"]:
        sky = wcs.wcs_pix2world([[column, data["shape"][0] - 1 - row]], 0)[0]
        assert sky == pytest.approx([table["ra"][k], table["dec"][k]], abs=1e-4)
    assert [mark[0] for mark in data["known"]] == [0, 1]
    tab = visit(address(candidate_page))
    shown(tab)
    _, row, column, _ = data["candidates"][0]
    tab.locator(".stage").first.scroll_into_view_if_needed()
    box = tab.locator(".stage").first.bounding_box()
    point(
        tab,
        box["x"] + (column + 0.5) / data["shape"][1] * box["width"],
        box["y"] + (row + 0.5) / data["shape"][0] * box["height"],
    )
    assert value(tab, "candidate") == "1"


def test_keys_step_through_the_candidates_and_hide_the_marks(visit, candidate_page):
    tab = visit(address(candidate_page))
    assert shown(tab) == "1"
    tab.keyboard.press("ArrowRight")
    until(tab, "document.body.dataset.shown === '2'")
    assert tab.locator("#one-title").inner_text() == "Candidate 2"
    assert "candidate=2" in tab.url
    assert tab.locator("#table tr[aria-current] [data-index]").get_attribute("data-index") == "1"
    tab.keyboard.press("e")
    assert tab.locator("#ellipses").get_attribute("aria-pressed") == "false"
    tab.keyboard.press("Shift+ArrowDown")
    assert value(tab, "S/N")
    tab.keyboard.press("?")
    tab.keyboard.press("ArrowLeft")
    assert shown(tab) == "2"
    tab.keyboard.press("Escape")
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.name") == "snr"


def test_a_candidate_has_its_profile_its_null_and_its_neighbours(visit, candidate_page, candidates):
    tab = visit(address(candidate_page, "#candidate=2"))
    shown(tab)
    tab.locator("#figures").scroll_into_view_if_needed()
    until(tab, "document.querySelectorAll('#figures .uplot canvas').length === 2")
    tab.locator("#figures summary").first.click()
    profiles = Table.read(candidates / "profiles.ecsv")
    n = int((profiles["candidate"] == 2).sum())
    assert tab.locator("#figures details").first.locator("tbody tr").count() == 2 * n
    assert "of 9 skies" in tab.locator("#figures figcaption").nth(1).inner_text()
    assert sorted(tab.locator("#details tbody th").all_inner_texts()) == ["A <1>", "B"]


def test_a_link_restores_the_view(visit, candidate_page):
    tab = visit(address(candidate_page))
    tab.fill("[name=pmax]", "0.9")
    tab.click("#table [data-sort=x]")
    order = listed(tab)
    tab.locator("#table tbody button").last.click()
    name, link = shown(tab), tab.url
    again = visit(link)
    assert shown(again) == name == str(order[-1] + 1)
    assert listed(again) == order
    assert again.locator("[name=pmax]").input_value() == "0.9"


def test_an_unknown_candidate_in_a_link_is_ignored(visit, candidate_page, table):
    tab = visit(address(candidate_page, "#candidate=99&sort=constructor&edge=maybe&snr=abc"))
    assert shown(tab) == "1"
    assert len(listed(tab)) == len(table)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(visit, candidate_page, theme):
    tab = visit(address(candidate_page), theme=theme)
    shown(tab)
    tab.locator("#figures").scroll_into_view_if_needed()
    until(tab, "document.querySelectorAll('#figures .uplot canvas').length === 2")
    assert violations(tab) == []
    tab.keyboard.press("?")
    assert violations(tab) == []


def test_nothing_is_wider_than_a_phone(visit, candidate_page):
    tab = visit(address(candidate_page), width=360)
    shown(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
