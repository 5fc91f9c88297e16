"""A walk through the skies of the report: values in view, names, the place in the list, marks, numbers."""

import json
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from classify.report.oracle import Oracle
from classify.report.run_data import RunData
from classify.report.run_report import facts_of, page_of
from classify.report.view import site_of_skies
from darkmatter_features.io.sky import read_sky
from tests.classify.report.conftest import element, point, shown, until
from tests.classify.report.test_server import served
from tests.support.synthetic import draw_sky, write_images


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1280, 640), (900, 700), (390, 844)])
def test_the_values_under_the_cursor_are_in_view(visit, page, width, height):
    tab = visit(f"file://{page}", width=width)
    tab.set_viewport_size({"width": width, "height": height})
    tab.locator(".tile").first.click()
    shown(tab)
    box = tab.locator(".stage").first.bounding_box()
    point(tab, box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    readout = tab.locator("#readout").bounding_box()
    assert readout["y"] + readout["height"] <= height + 1


def test_names_in_the_list_begin_where_they_differ(visit, trained, tmp_path):
    folders = [write_images(tmp_path / "survey" / name, n=2) / "validation" for name in ("north", "south")]
    with served(site_of_skies(folders)) as port:
        tab = visit(f"http://127.0.0.1:{port}/")
        until(tab, "document.getElementById('measured').innerText === ''")
        names = tab.locator(".tile .name").all_inner_texts()
    assert [name.split("/")[0] for name in names] == ["north", "north", "south", "south"]


def test_the_list_continues_at_the_sky_that_was_shown_last(visit, page):
    tab = visit(f"file://{page}")
    tab.locator(".tile").first.click()
    shown(tab)
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Escape")
    until(tab, "!document.getElementById('sky').open")
    until(tab, "document.activeElement.dataset.index === '3'")


def test_a_sky_has_the_number_of_the_list_and_that_of_its_map(visit, page):
    tab = visit(f"file://{page}")
    tab.locator(".tile").first.click()
    shown(tab)
    facts = dict(row.split("\n") for row in tab.locator("#sky-text .facts > div").all_inner_texts())
    snr = element(page.read_text(encoding="utf-8"), "skies")["snr"][0]
    assert facts["highest S/N"].startswith(f"{snr:.2f}")
    assert facts["peak of the map"].startswith("S/N ")


def test_the_legend_has_the_true_lens_where_it_is_known(visit, page):
    skies = element(page.read_text(encoding="utf-8"), "skies")
    assert {None} < set(skies["lens_row"])
    tab = visit(f"file://{page}")
    for name, row in zip(skies["name"], skies["lens_row"], strict=True):
        tab.evaluate(f"location.hash = 'sky=' + {json.dumps(name)}")
        until(tab, f"document.body.dataset.shown === {json.dumps(name)}")
        assert tab.get_by_text("true lens").is_visible() == (row is not None)


def changed_page(page, folder, **values):
    """Return a copy of a page with other values of its first sky, and the columns of its list."""
    text = page.read_text(encoding="utf-8")
    skies = element(text, "skies")
    for name, value in values.items():
        skies[name][0] = value
    changed = folder / "changed.html"
    pattern = r'(id="data-skies">).*?(</script>)'
    text = re.sub(pattern, lambda m: m[1] + json.dumps(skies) + m[2], text, flags=re.DOTALL)
    changed.write_text(text, encoding="utf-8")
    return changed, skies


def test_contributions_to_a_withheld_verdict_are_those_before_it_was_withheld(visit, page, tmp_path):
    changed, skies = changed_page(page, tmp_path, outcome="withheld", probability=None)
    tab = visit(f"file://{changed}")
    tab.locator(".tile").first.click()
    shown(tab)
    assert "before it was withheld" in tab.locator("#sky-text").inner_text()
    tab.keyboard.press("ArrowRight")
    until(tab, f"document.body.dataset.shown === {json.dumps(skies['name'][1])}")
    assert "withheld" not in tab.locator("#sky-text").inner_text()


def test_a_bound_of_the_signal_to_noise_leaves_out_skies_without_one(visit, page, tmp_path):
    changed, skies = changed_page(page, tmp_path, snr=None)
    tab = visit(f"file://{changed}#snr=0")
    assert tab.locator("#count").inner_text() == f"{len(skies['name']) - 1} of {len(skies['name'])}"


def test_the_name_of_the_next_sky_is_read_aloud(visit, page):
    tab = visit(f"file://{page}")
    tab.locator(".tile").first.click()
    first = shown(tab)
    tab.keyboard.press("ArrowRight")
    until(tab, f"document.querySelector('#sky [aria-live=polite]').innerText !== {json.dumps(first)}")
    assert tab.locator("#sky-title").get_attribute("aria-live") == "polite"


def test_the_command_of_the_oracle_is_set_as_a_command(trained, monkeypatch):
    note = "The oracle is not computed; run `python it.py <data>`."
    monkeypatch.setattr(RunData, "oracle", Oracle(note=note), raising=True)
    run = RunData.read(trained)
    made = page_of(run, {}, facts=facts_of(run), notes=())
    assert "run <code>python it.py &lt;data&gt;</code>." in made


def test_hover_reads_right_ascension_and_declination_of_the_header(visit, trained, tmp_path):
    rng = np.random.default_rng(3)
    draw_sky(tmp_path / "sky.png", rng)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [359.99, 71.0], [200.0, 300.0]
    wcs.wcs.cd = 5e-5 * np.array([[-0.8, 0.6], [0.6, 0.8]])
    pixels = np.asarray(Image.open(tmp_path / "sky.png").convert("L"), dtype=np.float32)
    fits.writeto(tmp_path / "sky.fits", pixels, wcs.to_header())
    sky = read_sky(tmp_path / "sky.fits")
    with served(site_of_skies([tmp_path / "sky.fits"])) as port:
        tab = visit(f"http://127.0.0.1:{port}/")
        tab.locator(".tile").first.click()
        shown(tab)
        box = tab.locator(".stage").first.bounding_box()
        point(tab, box["x"] + 0.7 * box["width"], box["y"] + 0.2 * box["height"])
        names = ("row", "column", "RA", "Dec")
        texts = [tab.locator(f'[data-value="{name}"] b').inner_text() for name in names]
    row, column, *found = (float(text.strip("°").replace("−", "-")) for text in texts)
    assert found == pytest.approx(sky.wcs.wcs_pix2world([[column, row]], 0)[0], abs=2e-5)
