"""Pictures of heatmaps as they were when someone looked at them."""

import numpy as np
import pytest

from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.template import draw_template
from darkmatter_features.plots.theme import THEMES, plot_theme
from tests.plots.figures import all_defects, lensed_catalog, noisy_sources, world_coordinates
from tests.support.pictures import TOLERANCE, assert_as_baseline, difference, panels_of

SHAPE, LENS = (300, 400), (120.0, 260.0)


def page(theme, *, lens=LENS, wcs=None, defects=None):
    """Return the heatmap of a planted lens in a theme."""
    rng = np.random.default_rng(7)
    catalog = lensed_catalog(rng, SHAPE, LENS, n=200)
    light = rng.integers(0, 90, (*SHAPE, 1), dtype=np.uint8)
    sources = None if defects is None else noisy_sources(SHAPE, is_star=[True] * 9, defects=defects)
    with plot_theme(theme):
        return heatmap(
            Sky("sky.png", light, wcs=wcs), catalog, shear_maps(catalog), evidence=lens_evidence(catalog), lens=lens,
            sources=sources,
        )  # fmt: skip


@pytest.mark.parametrize("theme", THEMES)
def test_heatmap_is_as_it_was_looked_at(theme):
    assert_as_baseline(page(theme), f"heatmap-{theme}")


@pytest.mark.parametrize("theme", THEMES)
def test_heatmap_of_an_image_with_noise_is_as_it_was_looked_at(theme):
    figure = page(theme, wcs=world_coordinates(20.0), defects=all_defects(SHAPE))
    assert_as_baseline(figure, f"heatmap-noise-{theme}")


@pytest.mark.parametrize("theme", THEMES)
def test_template_is_as_it_was_looked_at(theme):
    with plot_theme(theme):
        assert_as_baseline(draw_template(LensTemplate.default()), f"template-{theme}")


@pytest.mark.parametrize("theme", THEMES)
def test_a_missing_mark_and_a_shift_are_seen_and_a_change_of_the_font_is_not(theme):
    figure = page(theme)
    before = panels_of(figure)
    for text in figure.findobj(lambda artist: hasattr(artist, "set_fontfamily")):
        text.set_fontfamily("DejaVu Serif")
    assert difference(before, panels_of(figure)) < TOLERANCE
    for axes in figure.axes:
        axes.set_position(axes.get_position().translated(0.003, -0.002))  # labels of another width
    assert difference(before, panels_of(figure)) < TOLERANCE
    assert difference(before, panels_of(page(theme, lens=None))) > TOLERANCE
    assert difference(before, panels_of(page(theme, lens=(LENS[0] + 8, LENS[1])))) > TOLERANCE
