"""The figure of a located lens: marks, sticks, text, and a page without overlap."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from numpy.testing import assert_allclose

from darkmatter_features.location.locate import locate
from darkmatter_features.location.plot import CELLS, MAX_STICKS, draw_location
from tests.support.located import LENS, SIDE, THETA_E, catalog_of, galaxies


@pytest.mark.parametrize("n", [200, 2600])
def test_figure_marks_the_position_its_error_and_the_true_lens(rng, n, tmp_path):
    catalog = galaxies(rng, theta_e=THETA_E, n=n)
    found = locate(catalog)
    figure = draw_location(catalog, found, lens=LENS)
    figure.savefig(tmp_path / "map.png")
    for axes in figure.axes[:3]:
        marks = {line.get_gid(): line.get_xydata()[0] for line in axes.lines}
        assert_allclose(marks["best_fit"], (found.x, found.y))
        assert_allclose(marks["lens"], LENS)
        (circle,) = [patch for patch in axes.patches if patch.get_gid() == "error"]
        assert circle.radius == found.position_error
    (sticks,) = [drawn for drawn in figure.axes[0].collections if isinstance(drawn, LineCollection)]
    n_sticks = len(sticks.get_segments())
    assert n_sticks == n if n <= MAX_STICKS else 0.9 * CELLS**2 < n_sticks <= CELLS**2


def test_a_field_one_cell_across_is_drawn(rng, tmp_path):
    z = rng.uniform(0, 1e5, 40) + 1j * rng.uniform(0, 1.0, 40)
    catalog = catalog_of(z, 0.2 * np.exp(2j * np.pi * rng.random(40)))
    found = locate(catalog)
    assert found.rows.size == 1 < found.columns.size
    figure = draw_location(catalog, found)
    figure.savefig(tmp_path / "map.png")
    low, high = figure.axes[0].get_ylim()
    assert low < catalog.y.min() < catalog.y.max() < high < low + 3


def test_figure_gives_ra_and_dec_of_a_table_that_has_all_four(rng):
    """They are those of the record: a fit to RA and Dec, here 1/3600 degree to the unit, x to the west."""
    catalog = galaxies(rng, theta_e=THETA_E)
    located = replace(catalog, ra=180.0 - (catalog.x - SIDE / 2) / 3600, dec=(catalog.y - SIDE / 2) / 3600)
    found = locate(located)
    ra, dec = 180.0 - (found.x - SIDE / 2) / 3600, (found.y - SIDE / 2) / 3600
    assert f"RA {ra:.4f}°, Dec {dec:.4f}°" in _titles(located, found)
    assert "RA" not in _titles(catalog, found)


def _titles(catalog, found):
    figure = draw_location(catalog, found)
    return "\n".join(axes.get_title(loc="left") for axes in figure.axes).replace("−", "-")


@pytest.fixture(params=[(1.0, False), (4.0, False), (0.25, False), (1.0, True)], ids=["square", "wide", "tall", "sky"])
def page(request, rng):
    """A drawn figure of a field of an aspect ratio, or of one with RA and Dec."""
    aspect, on_sky = request.param
    catalog = galaxies(rng, theta_e=THETA_E, n=150)
    z, e = np.sqrt(aspect) * catalog.x + 1j * catalog.y / np.sqrt(aspect), catalog.e1 + 1j * catalog.e2
    catalog = catalog_of(z, e, name="a_name_that_is_longer_than_" * 5 + "usual.csv")
    if on_sky:
        catalog = _with_wcs(catalog)
    figure = draw_location(catalog, locate(catalog, n_randomizations=1, rng=rng), lens=(z[0].real, z[0].imag))
    FigureCanvasAgg(figure).draw()
    return figure


def _with_wcs(catalog):
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 20.0], [2100.0, 2100.0]
    wcs.wcs.cdelt = [-1 / 6000, 1 / 6000]
    return replace(catalog, wcs=wcs)


def test_nothing_is_cut_off_and_no_two_parts_of_the_page_overlap(page):
    """Parts are panels, their titles and labels, the colour bar, the heading and the key."""
    renderer = page.canvas.get_renderer()
    titles = [title for axes in page.axes for title in (axes.title, axes._left_title) if title.get_text()]
    parts = [*titles, *page.axes, *page.legends, page._suptitle]
    boxes = [part.get_window_extent(renderer) for part in parts]
    for k, (part, box) in enumerate(zip(parts, boxes, strict=True)):
        assert not any(box.overlaps(other) for other in boxes[:k]), part
    width, height = page.canvas.get_width_height()
    for box in [*boxes, *(axes.get_tightbbox(renderer) for axes in page.axes)]:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height


def test_axes_of_a_catalogue_with_a_projection_are_ra_and_dec(rng):
    catalog = galaxies(rng, theta_e=THETA_E, n=150)
    projected = _with_wcs(catalog)
    for each, labels in ((catalog, ("x", "y")), (projected, ("RA", "Dec"))):
        axes = draw_location(each, locate(each)).axes[0]
        assert (axes.get_xlabel(), axes.get_ylabel()) == labels
