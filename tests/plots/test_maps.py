"""The maps of tangential and cross shear: their grid, colours, contours and titles."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from darkmatter_features.config import MeasureConfig
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import Peak, ShearMaps, shear_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.snr import draw_map
from tests.plots.figures import bare_axes, lensed_catalog, lines_of, marks, rendered, world_coordinates


def test_null_has_the_colours_of_the_tangential_map(lensed):
    sky, catalog, maps, _ = lensed
    tangential, cross = (axes.images[0] for axes in heatmap(sky, catalog, maps).axes[1:3])
    k = maps.best_scale
    np.testing.assert_array_equal(tangential.get_array(), maps.snr[k])
    np.testing.assert_array_equal(cross.get_array(), maps.snr_cross[k])
    assert tangential.get_clim() == cross.get_clim()
    assert tangential.get_cmap() is cross.get_cmap()
    low, high = tangential.get_clim()
    assert -low == high >= maps.peak.snr


def test_colours_extend_to_a_strong_null(lensed):
    maps = lensed[2]
    strong = replace(maps, snr_cross=-20 * np.ones_like(maps.snr_cross))
    axes = draw_map(Figure().add_subplot(), strong, which="tangential")
    assert axes.images[0].get_clim() == (-20, 20)


def test_matched_filter_and_its_null_are_drawn_instead_of_the_window(lensed):
    sky, catalog, maps, lens = lensed
    snr, snr_cross = matched_filter(catalog)
    figure = heatmap(sky, catalog, maps, matched=(snr, snr_cross))
    tangential, cross = figure.axes[1:3]
    np.testing.assert_array_equal(tangential.images[0].get_array(), snr)
    np.testing.assert_array_equal(cross.images[0].get_array(), snr_cross)
    assert tangential.images[0].get_clim() == cross.images[0].get_clim()
    assert tangential.images[0].get_clim()[1] >= snr.max()
    assert [axes.get_title(loc="left") for axes in (tangential, cross)] == [
        "Tangential shear: matched filter",
        "Cross shear: the filter's null",
    ]
    ((column, row),) = marks(tangential, "peak")
    i, j = np.unravel_index(snr.argmax(), snr.shape)
    assert (row, column) == pytest.approx((maps.rows[i], maps.columns[j]), abs=10)
    assert np.hypot(row - lens[0], column - lens[1]) < 20
    null = f"|S/N| ≤ {abs(snr_cross).max():.1f} in the null"
    assert f"Peak S/N {snr.max():.1f} at row {row:.0f}, column {column:.0f}; {null}" in lines_of(figure)


def test_a_strong_null_of_the_filter_widens_the_colours_and_is_printed(lensed):
    sky, catalog, maps, _ = lensed
    snr, snr_cross = matched_filter(catalog)
    figure = heatmap(sky, catalog, maps, matched=(snr, snr_cross - 20.5))
    assert figure.axes[1].images[0].get_clim()[0] == np.floor((snr_cross - 20.5).min())
    assert any(f"|S/N| ≤ {20.5 - snr_cross.min():.1f} in the null" in line for line in lines_of(figure))


def test_a_filter_on_another_grid_is_refused(lensed):
    sky, catalog, maps, _ = lensed
    coarse = matched_filter(catalog, config=MeasureConfig(grid_spacing=50))
    with pytest.raises(ValueError, match=r"the grid of maps, \(20, 26\), got \(7, 9\); make both with the same config"):
        heatmap(sky, catalog, maps, matched=coarse)


def test_peak_is_at_the_brightest_pixel_of_the_drawn_map(lensed):
    maps: ShearMaps = lensed[2]
    figure, axes = bare_axes(maps.shape)
    draw_map(axes, maps)
    for artist in axes.collections:  # the contours
        artist.set_visible(False)
    # Warm colours brighten with the S/N, and have more red than blue.
    warmth = rendered(figure).sum(axis=2) * (rendered(figure)[:, :, 0] > rendered(figure)[:, :, 2])
    row, column = np.unravel_index(warmth.argmax(), warmth.shape)
    assert np.hypot(row - maps.peak.row, column - maps.peak.column) < 10


def test_cells_of_a_map_are_centred_on_its_grid(rng):
    """A narrow strip has two rows, further apart than its columns."""
    catalog = lensed_catalog(rng, (24, 400), (10, 200))
    maps = shear_maps(catalog)
    left, right, top, bottom = draw_map(Figure().add_subplot(), maps).images[0].get_extent()
    across, down = (right - left) / maps.columns.size, (bottom - top) / maps.rows.size
    assert (across, down) == pytest.approx((maps.columns[1], 23.0))
    assert (left, top) == pytest.approx((-across / 2, -down / 2))


def test_a_scale_can_be_chosen_and_is_in_the_title(lensed):
    maps = lensed[2]
    axes = draw_map(Figure().add_subplot(), maps, scale=0)
    np.testing.assert_array_equal(axes.images[0].get_array(), maps.snr[0])
    assert "scale 28 px" in axes.get_title(loc="center") + axes.get_title(loc="left")


def test_contours_surround_the_peak(lensed):
    """The innermost contour encloses the peak; drawn half a cell off, it is 5 px away."""
    maps: ShearMaps = lensed[2]
    axes = draw_map(Figure().add_subplot(), maps)
    innermost = [path for path in axes.collections[0].get_paths() if len(path)][-1]
    column, row = innermost.vertices.mean(axis=0)
    assert np.hypot(row - maps.peak.row, column - maps.peak.column) < 12


def test_peak_is_interpolated_between_the_nodes_of_the_grid():
    rows, columns = np.arange(0.0, 101.0, 10.0), np.arange(0.0, 201.0, 10.0)
    peak = Peak.of(5 - ((rows[:, None] - 43) ** 2 + (columns - 128) ** 2) / 1000, rows, columns)
    assert (peak.row, peak.column) == pytest.approx((43, 128))
    assert np.isnan(peak.scale)


def test_the_scale_is_in_arcmin_with_coordinates(lensed):
    sky, catalog, maps, _ = lensed
    with_wcs = heatmap(replace(sky, wcs=world_coordinates()), catalog, maps)
    scale = maps.scales[maps.best_scale]
    assert with_wcs.axes[1].get_title("left") == f"Tangential shear: scale {scale:.0f} px ({scale * 0.2 / 60:.2g}′)"
    assert heatmap(sky, catalog, maps).axes[1].get_title("left").endswith(" px")
