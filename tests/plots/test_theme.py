"""The themes: even colours, marks that colour-blind readers can tell apart, and a page for print."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

from darkmatter_features.errors import ConfigError
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.panels import MAX_DRAWN, crosshair, outlines, ring, without_noise
from darkmatter_features.plots.posterior import best_fit
from darkmatter_features.plots.template import draw_template
from darkmatter_features.plots.theme import DARK, LIGHT, THEMES, current_theme, plot_theme
from tests.plots.figures import (
    all_defects,
    assert_readable,
    bare_axes,
    catalog_of,
    contents,
    lensed_catalog,
    lines_of,
    noisy_sources,
    rendered,
    sky_of,
    texts_of,
    visible_tick_labels,
    world_coordinates,
)
from tests.plots.test_heatmap import Verdict

EACH = pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Linear RGB as seen without green cones, Machado et al. 2009, doi:10.1109/TVCG.2009.113."""


def deuteranopic(rgb):
    """Return colours (..., 3), 0 to 1, as they are seen with deuteranopia."""
    rgb = np.asarray(rgb, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ DEUTERANOPIA.T, 0, 1)
    return np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


def lab_of(color_map, n=65):
    return rgb2lab(color_map(np.linspace(0, 1, n))[:, :3])


@EACH
@pytest.mark.parametrize("name", ["posterior", "density", "sizes"])
def test_sequential_colours_are_even_and_of_monotonic_lightness(theme, name):
    lab = lab_of(getattr(theme, name))
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() < 1.8 * steps.mean()
    assert steps.min() > 0.45 * steps.mean()
    lightness = np.diff(lab[:, 0])
    assert (lightness > -0.05).all() or (lightness < 0.05).all()


@EACH
def test_both_signs_of_the_shear_are_equally_light_in_even_steps(theme):
    lightness = lab_of(theme.shear)[:, 0]
    np.testing.assert_allclose(lightness, lightness[::-1], atol=1.5)
    steps = np.abs(np.diff(lightness))
    assert steps.max() < 1.35 * steps.mean()
    assert steps.min() > 0.55 * steps.mean()
    assert lightness[32] == pytest.approx(98 if theme is LIGHT else 4, abs=1)
    # Colour is that of the sign alone: zero has none.
    assert np.hypot(*lab_of(theme.shear)[32, 1:]) < 2


@EACH
def test_signs_of_the_shear_differ_with_deuteranopia(theme):
    """10 is four to five just noticeable differences of CIELAB."""
    ends = np.linspace(0.1, 0.4, 7)
    negative, positive = (rgb2lab(deuteranopic(theme.shear(at)[:, :3])) for at in (ends, 1 - ends))
    assert np.linalg.norm(negative - positive, axis=1).min() > 25


@EACH
def test_kinds_of_defects_differ_with_deuteranopia(theme):
    seen = [rgb2lab(deuteranopic(to_rgb(color))) for color in theme.tints.values()]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15


@EACH
def test_marks_differ_in_shape(theme):
    """Each mark drawn alone, in one colour: the pictures differ, whatever the reader makes of the colours."""
    pictures = []
    with plot_theme(theme):
        marks = [[crosshair(20, 20)], [ring(20, 20)], list(best_fit())]
        for lines in marks:
            figure, axes = bare_axes((40, 40))
            axes.set(xlim=(0, 40), ylim=(0, 40))
            for line in lines:
                line.set(path_effects=[], markeredgecolor="black", color="black", xdata=[20], ydata=[20])
                axes.add_line(line)
            pictures.append(rendered(figure)[:, :, 0] < 128)
    for one, other in combinations(pictures, 2):
        assert (one ^ other).sum() > 0.5 * min(one.sum(), other.sum())


@EACH
def test_outlines_stand_out_from_the_sky_with_deuteranopia(theme):
    background = 1.0 if theme.is_negative else 0.0
    seen = rgb2lab(deuteranopic([to_rgb(theme.ellipse), (background,) * 3]))
    assert abs(seen[0, 0] - seen[1, 0]) > 40


def page_of(rng, shape, *, turn=None, noisy=False, weighed=True):
    catalog = lensed_catalog(rng, shape, (30, 30))
    sky = Sky(
        "a-long-name-" * 9, np.zeros((*shape, 1), np.uint8), wcs=None if turn is None else world_coordinates(turn)
    )
    evidence = lens_evidence(catalog) if weighed else None
    sources = noisy_sources(shape, is_star=[True] * 40, defects=all_defects(shape)) if noisy else None
    verdict = Verdict(0, 0.001, "lightgbm", unlike=True)
    with plot_theme("light"):
        return heatmap(
            sky, catalog, shear_maps(catalog), evidence=evidence, null=evidence, verdict=verdict, lens=(30, 30),
            p_value=0.0049751, sources=sources,
        )  # fmt: skip


@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (900, 300), (64, 640), (640, 64)])
@pytest.mark.parametrize("turn", [None, 66.0])
def test_a_page_for_print_is_legible_and_as_wide_as_that_of_a_journal(rng, shape, turn):
    figure = page_of(rng, shape, turn=turn, noisy=True)
    assert figure.get_figwidth() < 7.6
    texts = [*texts_of(figure), *figure.legends[0].get_texts()]
    for axes in [*figure.axes, *(bar for panel in figure.axes for bar in panel.child_axes)]:
        texts += [axes.title, axes._left_title, axes.yaxis.label]
        texts += [] if isinstance(axes, WCSAxes) else [axes.xaxis.label, *visible_tick_labels(axes)]
    assert_readable(figure, texts)
    assert min(text.get_fontsize() for text in texts) >= 7.5
    assert "Probability below 0.01, by lightgbm; unlike the training skies" in lines_of(figure)
    sizes = np.array([axes.get_window_extent().size for axes in figure.axes])
    np.testing.assert_allclose(sizes, sizes[:1].repeat(len(sizes), axis=0), rtol=1e-6)


@pytest.mark.parametrize("turn", [0.0, 66.0, 90.0])
def test_all_panels_for_print_have_right_ascension_and_declination(rng, turn):
    figure = page_of(rng, (300, 400), turn=turn)
    assert all(isinstance(axes, WCSAxes) for axes in figure.axes)
    below = 1 if turn > 45 else 0
    for k, axes in enumerate(figure.axes):
        assert axes.coords[below].get_axislabel() == ("RA", "Dec")[below]
        assert axes.coords[1 - below].get_axislabel() == (("RA", "Dec")[1 - below] if k % 2 == 0 else "")


def test_three_panels_for_print_are_in_two_rows(rng):
    figure = page_of(rng, (300, 400), weighed=False)
    assert len(figure.axes) == 3
    assert contents(axes._left_title for axes in figure.axes)[0].startswith("Sky")


def test_images_are_negatives_for_print(rng):
    pixels = np.zeros((50, 60, 1), np.uint8)
    pixels[10:20, 10:20] = 255
    catalog = lensed_catalog(rng, (50, 60), (20, 20), n=9)
    with plot_theme("light"):
        figure = heatmap(Sky("sky.png", pixels), catalog, shear_maps(catalog))
    (image,) = figure.axes[0].images
    assert image.get_array()[0, 0].tolist() == [1, 1, 1]
    assert image.get_array()[15, 15].tolist() == [0, 0, 0]


def test_galaxies_of_images_with_noise_are_no_needles():
    """A shape of error 0.35 has the fill factor 1 / (1 + (0.35 / 0.25)^2) = 0.34: it is drawn nearly round."""
    catalog = catalog_of([10, 20, 30], [10, 20, 30], np.array([0.99, 0.3, 0.2j]), (50, 50))
    catalog = replace(catalog, fill_factor=np.array([0.99, 0.34, 1.0]))
    drawn = without_noise(catalog)
    np.testing.assert_allclose(drawn.e1 + 1j * drawn.e2, [MAX_DRAWN, 0.102, 0.2j], atol=1e-3)
    _, axes = bare_axes((50, 50))
    ellipses = outlines(axes, drawn)
    assert (ellipses.get_widths() / ellipses.get_heights()).max() == pytest.approx(4)
    np.testing.assert_array_equal(catalog.e1, [0.99, 0.3, 0.0])  # what was measured stays


def test_needles_are_drawn_where_sources_have_noise_only(rng):
    shape = (100, 100)
    catalog = catalog_of([10, 50, 80], [10, 50, 80], np.full(3, 0.95 + 0j), shape)
    maps, ratios = shear_maps(lensed_catalog(rng, shape, (20, 20))), []
    for sources in (None, noisy_sources(shape, is_star=[True])):
        (ellipses,) = heatmap(sky_of(shape), catalog, maps, sources=sources).axes[0].collections
        ratios.append((ellipses.get_widths() / ellipses.get_heights()).max())
    assert ratios == pytest.approx([1.95 / 0.05, 4])


def test_the_theme_holds_within_its_block_only(lensed):
    with plot_theme("light") as theme:
        assert current_theme() is theme is LIGHT
        draw_template(LensTemplate.default())
        assert current_theme() is LIGHT
    assert current_theme() is DARK
    with pytest.raises(ConfigError, match="no theme is named 'sepia'; use one of dark, light"), plot_theme("sepia"):
        pass
