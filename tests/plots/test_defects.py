"""The tint over pixels that are left out, and its legend."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from darkmatter_features.galaxies.noisy.defects.kinds import NAMES, Defect, Defects
from darkmatter_features.plots.defects import MAX_SIDE, draw_defects, draw_stars
from darkmatter_features.plots.panels import draw_sky
from darkmatter_features.plots.theme import THEMES
from tests.plots.figures import bare_axes, noisy_sources, rendered, sky_of


def track(shape):
    kinds = np.zeros(shape, np.uint16)
    kinds[shape[0] // 4 : shape[0] // 2] = Defect.TRACK
    return Defects(kinds, {Defect.TRACK: 1})


def test_pixels_left_out_are_tinted_and_no_others():
    shape = (120, 200)
    figure, axes = bare_axes(shape)
    draw_sky(axes, sky_of(shape))
    draw_defects(axes, track(shape))
    red = rendered(figure)[:, :, 0].astype(float)
    is_bright = red > 0.2 * red.max()
    n = len(red)
    assert is_bright[int(0.27 * n) : int(0.48 * n)].all()
    assert not is_bright[: int(0.23 * n)].any()
    assert not is_bright[int(0.52 * n) :].any()


def test_the_legend_gives_the_counts_of_each_kind_that_occurs():
    axes = draw_sky(Figure().add_subplot(), sky_of((100, 100)))
    limits = axes.get_xlim(), axes.get_ylim()
    kinds = track((100, 100)).kinds | np.uint16(0)
    kinds[60:70, 60:70] = Defect.SATURATED
    kinds[55:75, 50:80] |= np.uint16(Defect.HALO)
    marks = draw_defects(axes, Defects(kinds, {Defect.TRACK: 1, Defect.SATURATED: 3}))
    assert list(marks) == ["3 saturated stars", "1 track"]
    assert len({mark.get_facecolor() for mark in marks.values()}) == 2
    assert (axes.get_xlim(), axes.get_ylim()) == limits


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_each_kind_has_a_color_of_its_own(theme):
    assert set(theme.tints) == set(NAMES)
    assert len(set(theme.tints.values())) == len(theme.tints)


def test_the_stars_of_an_image_are_marked():
    axes = draw_sky(Figure().add_subplot(), sky_of((100, 100)))
    sources = noisy_sources((100, 100), is_star=[True, False, True])
    assert list(draw_stars(axes, sources)) == ["2 stars"]
    (marks,) = (line for line in axes.lines if line.get_gid() == "stars")
    np.testing.assert_array_equal(marks.get_xdata(), sources.sources.x[[0, 2]])
    assert draw_stars(axes, noisy_sources((100, 100), is_star=[False] * 3)) == {}


def test_a_sky_without_defects_has_no_entry():
    axes = draw_sky(Figure().add_subplot(), sky_of((100, 100)))
    assert draw_defects(axes, Defects(np.zeros((100, 100), np.uint16), {})) == {}
    assert len(axes.images) == 1


def test_large_masks_are_drawn_in_blocks():
    axes = draw_sky(Figure().add_subplot(), sky_of((10, 10)))
    draw_defects(axes, track((40, 2 * MAX_SIDE)))
    assert axes.images[-1].get_array().shape == (20, MAX_SIDE)
    assert axes.images[-1].get_extent() == pytest.approx((-0.5, 2 * MAX_SIDE - 0.5, -0.5, 39.5))
