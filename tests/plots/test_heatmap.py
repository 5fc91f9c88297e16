"""The page of a heatmap: marks, header, legend, size and legibility."""

import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.image import imread

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.noisy.defects.kinds import NAMES
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.plots.heatmap import draw_map, draw_marks, draw_posterior, draw_sky, heatmap
from darkmatter_features.plots.page import LENS, UNLIKE
from darkmatter_features.plots.theme import THEMES, plot_theme
from tests.plots.figures import (
    all_defects,
    assert_apart,
    assert_readable,
    catalog_of,
    contents,
    lensed_catalog,
    lines_of,
    marks,
    noisy_sources,
    sky_of,
    texts_of,
    visible_tick_labels,
    world_coordinates,
)


@dataclass(frozen=True)
class Verdict:
    label: int | None
    probability: float
    decided_by: str
    unlike: bool = False


def quick_evidence(catalog):
    """Return the evidence of a catalogue; for a large field, that of a few galaxies, which is faster."""
    if max(catalog.shape) < 2000:
        return lens_evidence(catalog)
    small = replace(catalog, **{name: getattr(catalog, name)[:9] for name in catalog.columns()}, shape=(64, 80))
    return replace(lens_evidence(small), shape=catalog.shape)


def test_every_panel_marks_the_peak_and_the_lens(lensed):
    sky, catalog, maps, lens = lensed
    panels = heatmap(sky, catalog, maps, lens=lens).axes[:3]
    for axes in panels:
        assert marks(axes, "peak") == [(maps.peak.column, maps.peak.row)]
        assert marks(axes, "lens") == [(lens[1], lens[0])]
    # Rows and columns are not exchanged: the planted lens is found.
    assert np.hypot(maps.peak.row - lens[0], maps.peak.column - lens[1]) < 20


def test_no_lens_is_marked_or_explained_when_none_is_known(lensed):
    figure = heatmap(*lensed[:3])
    assert not any(marks(axes, "lens") for axes in figure.axes)
    assert "true lens" not in contents(figure.legends[0].get_texts())


@pytest.mark.parametrize(
    ("shape", "size"), [((512, 512), (1821, 765)), ((300, 900), (1821, 423)), ((900, 300), (1455, 1053))]
)
def test_saved_figure_has_the_size_of_its_panels(rng, tmp_path, shape, size):
    catalog = lensed_catalog(rng, shape, (100, 100))
    figure = heatmap(sky_of(shape), catalog, shear_maps(catalog), lens=(100, 100))
    figure.savefig(tmp_path / "heatmap.png")
    height, width = imread(tmp_path / "heatmap.png").shape[:2]
    assert (width, height) == size


@pytest.fixture(scope="module")
def crowded_page():
    """Function that returns the page, drawn, of a sky with a long name and all texts, with four panels or three."""

    @cache
    def page(shape, turn, weighed):
        catalog = lensed_catalog(np.random.default_rng(20240512), shape, (30, 30))
        maps = shear_maps(catalog, config=MeasureConfig(grid_spacing=max(shape) / 50))
        options = {"evidence": quick_evidence(catalog), "p_value": 0.0049751} if weighed else {}
        options |= {"null": options["evidence"], "matched": (maps.snr[0], maps.snr_cross[0])} if weighed else {}
        name = "a-long-name-of-an-image-" * 5 + ".png"
        sky = Sky(name, np.zeros((*shape, 1), np.uint8), wcs=None if turn is None else world_coordinates(turn))
        figure = heatmap(sky, catalog, maps, verdict=Verdict(0, 0.001, "lightgbm"), lens=(30, 30), **options)
        figure.draw_without_rendering()
        return figure

    return page


@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (900, 300), (64, 640), (640, 64)])
@pytest.mark.parametrize("turn", [None, 0.0, 66.0], ids=["pixels", "WCS", "turned WCS"])
def test_panels_fill_the_page_and_are_of_one_size(crowded_page, shape, turn):
    """Panels are at least 480 px wide or 770 px high: the page fits them, whatever the labels at its left."""
    figure = crowded_page(shape, turn, True)
    boxes = [axes.get_window_extent() for axes in figure.axes]
    sizes = np.array([(box.width, box.height) for box in boxes])
    np.testing.assert_allclose(sizes, sizes[:1].repeat(len(sizes), axis=0), rtol=1e-6)
    assert sizes[0, 0] / sizes[0, 1] == pytest.approx(shape[1] / shape[0])
    assert sizes[0, 0] > 480 or sizes[0, 1] > 770
    labelled = [axes.get_tightbbox(figure.canvas.get_renderer()) for axes in figure.axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(labelled))
    assert all(box.x0 > 0 and box.x1 < figure.bbox.width and box.y0 > 0 for box in labelled)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (900, 300), (64, 640), (640, 64), (9000, 12000)])
@pytest.mark.parametrize("turn", [None, 0.0, 66.0])
def test_no_text_overlaps_another_or_leaves_the_page(crowded_page, shape, weighed, turn):
    figure = crowded_page(shape, turn, weighed)
    assert len(figure.axes) == (4 if weighed else 3)
    bars = [bar for axes in figure.axes for bar in axes.child_axes]
    assert len(bars) == (2 if weighed else 1)
    texts = [*texts_of(figure), *figure.legends[0].get_texts()]
    for axes in [*figure.axes, *bars]:
        texts += [axes.title, axes._left_title, axes.yaxis.label]
        texts += [] if isinstance(axes, WCSAxes) else [axes.xaxis.label, *visible_tick_labels(axes)]
    assert_apart(figure, texts)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (900, 300), (64, 640), (640, 64)])
def test_stars_and_defects_of_an_image_with_noise_are_explained(rng, crowded_page, shape, weighed):
    catalog = lensed_catalog(rng, shape, (30, 30))
    maps, evidence = shear_maps(catalog), quick_evidence(catalog) if weighed else None
    sources = noisy_sources(shape, is_star=[True] * 40, defects=all_defects(shape))
    sky = sky_of(shape, wcs=world_coordinates())
    figure = heatmap(sky, catalog, maps, evidence=evidence, lens=(30, 30), sources=sources)
    labels = contents(figure.legends[0].get_texts())
    assert labels.count("40 stars") == 1
    assert len([label for label in labels if label.startswith("25 ")]) == len(NAMES)
    assert figure.axes[0].get_title("left").endswith(" % left out")
    texts = [*texts_of(figure), *figure.legends[0].get_texts(), *(axes._left_title for axes in figure.axes)]
    assert_readable(figure, texts)
    sizes = [each.axes[1].get_window_extent().size for each in (figure, crowded_page(shape, 0.0, weighed))]
    np.testing.assert_allclose(*sizes, rtol=0.02)  # the rows of the legend do not shrink the panels


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("turn", [0.0, 66.0])
def test_all_panels_have_axes_of_right_ascension_and_declination(rng, theme, turn):
    shape = (300, 300)
    catalog, sky = lensed_catalog(rng, shape, (30, 30)), sky_of(shape, wcs=world_coordinates(turn))
    with plot_theme(theme):
        figure = heatmap(sky, catalog, shear_maps(catalog), evidence=quick_evidence(catalog))
    assert all(isinstance(axes, WCSAxes) for axes in figure.axes)
    below = [
        {each.get_axislabel() for each in axes.coords if "b" in each.get_axislabel_position()} for axes in figure.axes
    ]
    assert below == [{"Dec" if turn else "RA"}] * 4


def test_header_holds_name_peak_and_verdict(lensed):
    sky, catalog, maps, _ = lensed
    figure = heatmap(replace(sky, name="sky_$1_$2.png"), catalog, maps, verdict=Verdict(1, 0.934, "cnn"))
    peak, null = maps.peak, abs(maps.snr_cross[maps.best_scale]).max()
    assert lines_of(figure) == [
        "sky_$1_$2.png",
        "Lens",
        "probability 0.93, by cnn",
        f"Peak S/N {peak.snr:.1f} at row {peak.row:.0f}, column {peak.column:.0f}; |S/N| ≤ {null:.1f} in the null",
    ]


@pytest.mark.parametrize(("probability", "printed"), [(0.9999, "above 0.99"), (0.0001, "below 0.01"), (0.5, "0.50")])
def test_certainty_is_never_claimed(lensed, probability, printed):
    figure = heatmap(*lensed[:3], verdict=Verdict(int(probability > 0.6), probability, "lightgbm"))
    assert f"probability {printed}, by lightgbm" in lines_of(figure)
    assert ("Lens" if probability > 0.6 else "No lens") in lines_of(figure)


def colors_of(figure, start):
    """Return the colours of the lines of text that start so."""
    return [text.get_color() for text in texts_of(figure) if text.get_text().startswith(start)]


def test_an_unlike_sky_is_marked(lensed):
    figure = heatmap(*lensed[:3], verdict=Verdict(1, 0.61, "lightgbm", unlike=True))
    assert lines_of(figure)[1:3] == ["Lens", "probability 0.61, by lightgbm; unlike the training skies"]
    assert colors_of(figure, "Lens") == [LENS]
    assert colors_of(figure, "probability") == [UNLIKE]
    typical = heatmap(*lensed[:3], verdict=Verdict(1, 0.61, "lightgbm"))
    assert UNLIKE not in [text.get_color() for text in texts_of(typical)]
    assert not any("unlike" in line for line in lines_of(typical))


def test_a_withheld_verdict_is_none(lensed):
    figure = heatmap(*lensed[:3], verdict=Verdict(None, float("nan"), "withheld", unlike=True))
    assert lines_of(figure)[1:3] == ["No verdict", "unlike the training skies"]
    assert colors_of(figure, "No verdict") == [UNLIKE]
    assert not any("nan" in line for line in lines_of(figure))


@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (64, 640), (640, 64)])
@pytest.mark.parametrize(
    "verdict", [Verdict(0, 0.001, "lightgbm", unlike=True), Verdict(None, np.nan, "withheld", True)]
)
def test_the_mark_of_an_unlike_sky_overlaps_nothing(rng, shape, verdict):
    catalog = lensed_catalog(rng, shape, (30, 30))
    name = "a-long-name-of-an-image-" * 5 + ".png"
    figure = heatmap(replace(sky_of(shape), name=name), catalog, shear_maps(catalog), verdict=verdict)
    assert_readable(figure, texts_of(figure))


def test_empty_catalogue_and_flat_maps_are_drawn(lensed):
    maps = lensed[2]
    flat = replace(maps, snr=np.zeros_like(maps.snr), snr_cross=np.zeros_like(maps.snr))
    figure = heatmap(sky_of(maps.shape), catalog_of([], [], np.zeros(0, complex), maps.shape), flat)
    figure.canvas.draw()
    assert figure.axes[1].images[0].get_clim() == (-8, 8)


def test_drawing_functions_return_the_axes_they_were_given(lensed):
    sky, catalog, maps, lens = lensed
    axes = Figure().add_subplot()
    assert draw_sky(axes, sky, catalog) is axes
    assert draw_map(axes, maps, which="cross") is axes
    assert draw_marks(axes, peak=maps.peak, lens=lens) is axes
    assert draw_posterior(axes, lens_evidence(catalog)) is axes


def test_the_settings_of_the_user_do_not_change(lensed):
    with rc_context({"text.color": "red", "font.size": 21.0, "xtick.color": "green"}):
        before = dict(rcParams)
        heatmap(*lensed[:3])
        assert dict(rcParams) == before


def test_pyplot_is_not_imported():
    """Importing pyplot picks a backend for the whole process; WCSAxes and the stretch must not do so either."""
    program = (
        "import sys, astropy.visualization.wcsaxes, astropy.visualization, darkmatter_features.plots.heatmap; "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
