"""Places where a small change of a kernel went unnoticed by other tests; found by `benchmarks/bench_mutations.py`."""

from itertools import product

import numpy as np
import pytest

from darkmatter_features.galaxies.kernels import artifacts, colors, footprints, moments, segments, symmetry, watershed
from darkmatter_features.galaxies.kernels.records import (
    ColorSettings,
    FlatImage,
    Footprints,
    Light,
    PixelGrid,
    SaddleSettings,
    SegmentIndices,
    SegmentPixels,
    SplitSettings,
    VisiblePixels,
)
from tests.support import naive
from tests.support.plain import plain

SETTINGS = ColorSettings(noise=0.3, separation=0.012)


def square_grid(side):
    """Return the grid of a full square of pixels, in the order of rows."""
    rows, columns = (each.ravel() + 1 for each in np.indices((side, side)))
    cells = np.zeros((side + 2, side + 2), dtype=np.int32)
    cells[rows, columns] = np.arange(1, rows.size + 1)
    return PixelGrid(rows, columns, cells)


def light_of(values):
    return Light(values, values.sum(axis=1))


def is_narrow(image, i, j, single, pair, margin):
    """Return whether both neighbours are dark, or those of a pair, along the row or the column."""
    for line in (image[i, j - 2 : j + 3], image[i - 2 : i + 3, j]):
        limits = single * line[2] - margin, pair * line[2] - margin
        if max(line[1], line[3]) < limits[0] or any(max(each) < limits[1] for each in (line[[1, 4]], line[[0, 3]])):
            return True
    return False


def test_narrow_pixels_match_naive(rng):
    """A pixel at a time, with neighbours of which each is dark by turns."""
    for levels in product([10.0, 60.0], repeat=8):
        image = np.full((7, 7), 100.0)
        image[3, [1, 2, 4, 5]], image[[1, 2, 4, 5], 3] = levels[:4], levels[4:]
        flat = FlatImage(image.ravel(), 7)
        here = np.array([24], dtype=np.int32)
        found = artifacts.has_narrow_pixels(flat, here, np.array([0.3, 0.2]), 1.0)
        assert found == is_narrow(image, 3, 3, 0.3, 0.2, 1.0), levels


def test_marking_a_colour_returns_whether_a_flag_changed():
    values = np.array([[110.0, 66.0, 24.0], [50.0, 58.0, 92.0]])
    color, patch, members = values[0] / 200, np.zeros(2, dtype=np.int64), np.zeros(2, dtype=bool)
    assert colors._mark(light_of(values), patch, 0.3, color, members)
    np.testing.assert_array_equal(members, [True, False])
    assert not colors._mark(light_of(values), patch, 0.3, color, members)
    assert colors._mark(light_of(values), patch + 1, 0.3, color, members)
    assert not members.any()


@pytest.mark.parametrize("n", [colors.MIN_CORE_PIXELS - 1, colors.MIN_CORE_PIXELS])
def test_a_core_is_enough_pixels_in_a_square_of_nine(n):
    """Beside members at the corners, that in the last place of the list among them."""
    grid = square_grid(9)
    near = np.flatnonzero((abs(grid.rows - 5) <= 1) & (abs(grid.columns - 5) <= 1))
    members = np.zeros(grid.rows.size, dtype=bool)
    members[[0, 8, 72, 80, *near[:n]]] = True
    assert colors._has_core(members, grid) == (n == colors.MIN_CORE_PIXELS)


@pytest.mark.parametrize(("row", "column"), [(4, 3), (4, 7), (2, 5), (7, 5)])
def test_a_core_is_no_wider_than_three_pixels(row, column):
    """Six pixels in a square of nine, and a seventh beside the square."""
    grid = square_grid(9)
    is_near = (grid.rows >= 4) & (grid.rows <= 5) & (abs(grid.columns - 5) <= 1)
    assert not colors._has_core(is_near | ((grid.rows == row) & (grid.columns == column)), grid)


def test_pixels_outside_a_segment_are_in_no_core():
    """A cell of 0 stands for no pixel, not for the last one of the list."""
    rows, columns = np.array([1, 1, 2, 9]), np.array([1, 2, 1, 9])
    cells = np.zeros((11, 11), dtype=np.int32)
    cells[rows, columns] = np.arange(1, 5)
    assert not colors._has_core(np.ones(4, dtype=bool), PixelGrid(rows, columns, cells))


@pytest.mark.parametrize(("step", "n_colors"), [(0.05, 2), (0.008, 1)])
def test_colours_count_apart_by_their_largest_difference(step, n_colors):
    """The third band is the same; those closer than the separation, 0.012, are one galaxy."""
    grid = square_grid(10)
    fractions = np.where(grid.columns[:, None] <= 6, [0.5, 0.3, 0.2], [0.5 - step, 0.3 + step, 0.2])
    values = 900.0 * fractions
    found, patch = np.empty((colors.MAX_COLORS, 3)), np.zeros(grid.rows.size, dtype=np.int64)
    assert colors.find_colors(light_of(values), grid, SETTINGS, found, patch) == n_colors
    assert (patch == 1).sum() == 60


def test_galaxies_split_by_brightness_keep_their_own_light():
    grid = square_grid(12)
    peaks = [np.exp(-((grid.rows - 6) ** 2 + (grid.columns - x) ** 2) / 4.0) for x in (3, 10)]
    totals = 200.0 * peaks[0] + 100.0 * peaks[1] + 5.0
    starts = np.array([0, totals.size])
    pixels = SegmentPixels(np.outer(totals, [0.5, 0.3, 0.2]), totals, grid.rows, grid.columns, starts)
    found = Footprints(
        np.empty(4 * totals.size, dtype=np.int64), np.empty(4 * totals.size), np.full(9, -1), np.zeros(8, dtype=bool)
    )
    settings = SplitSettings(False, SETTINGS, SaddleSettings(contrast=0.3, depth=1.0, n_pixels=8))
    assert footprints.split_segments(pixels, np.array([0.0]), 80, settings, found) == 2
    assert found.starts[0] == 0
    assert found.starts[2] == totals.size
    assert found.blended[:2].all()
    own = [found.pixels[found.starts[k] : found.starts[k + 1]] for k in range(2)]
    assert [6 * 80 + 3 in own[0], 6 * 80 + 10 in own[1]] == [True, True]
    assert found.flux[: totals.size].sum() == pytest.approx(totals.sum())


def test_pixels_at_the_threshold_are_in_no_segment():
    image = np.zeros((6, 6), dtype=np.uint8)
    image[1:3, 1:3], image[4, 4] = 5, 6
    flat = FlatImage(np.pad(image, 1).ravel(), 8)
    found = SegmentIndices(np.empty(64, dtype=np.int32), np.empty(64, dtype=np.int64))
    foreground = np.flatnonzero(flat.values).astype(np.int32)
    assert segments.connected_segments(flat, foreground, 5, 1, found) == 1
    assert found.indices[0] == 5 * 8 + 5


def test_a_segment_of_one_pixel_is_dilated():
    image = np.zeros((5, 5), dtype=np.float32)
    image[2, 2], image[2, 3] = 1.0, 0.5
    flat = FlatImage(np.pad(image, 1).ravel(), 7)
    found = SegmentIndices(np.empty(49, dtype=np.int32), np.empty(49, dtype=np.int64))
    n = segments.connected_segments(flat, np.flatnonzero(flat.values).astype(np.int32), 0.8, 1, found)
    found = found._replace(starts=found.starts[: n + 1])
    dilated = SegmentIndices(np.empty_like(found.indices), np.empty_like(found.starts))
    segments.dilate_segments(flat, 0.3, 1, found, dilated)
    assert dilated.starts.tolist() == [0, 2]


def test_there_is_no_flux_outside_a_segment():
    image = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert symmetry._flux_at(image, 1, 0) == 3.0
    for row, column in ((-1, 0), (0, -1), (2, 0), (0, 2)):
        assert symmetry._flux_at(image, row, column) == -1.0


@pytest.mark.parametrize("n_pixels", [6, 20, 60])
def test_merged_basins_count_all_of_their_pixels(rng, n_pixels):
    grid = square_grid(20)
    rough, brightness = rng.random(grid.rows.size), np.empty(grid.rows.size)
    watershed.smooth(rough, grid, brightness)
    patch = np.empty(grid.rows.size, dtype=np.int64)
    n = watershed.split_saddles(brightness, grid, SaddleSettings(0.0, 0.0, n_pixels), patch)
    found = sorted(np.flatnonzero(patch == k + 1).tolist() for k in range(n))
    assert n > 1
    assert found == naive.split_saddles(brightness, grid.rows, grid.columns, 0.0, 0.0, n_pixels)


@pytest.mark.parametrize(("side", "beside", "narrow"), [(24.0, 90.0, True), (26.0, 90.0, False), (26.0, 14.0, True)])
def test_dark_is_a_fraction_less_the_margin(side, beside, narrow):
    """Of a pixel of 100 counts with a neighbour of 90: below 30 - 5 for a single pixel, below 20 - 5 for a pair."""
    image = np.full((7, 7), 90.0)
    image[3, 3], image[3, [2, 4]] = 100.0, side
    if beside < side:
        image[3, 1:6] = 90.0, beside, 100.0, 90.0, beside
    for turned in (image, image.T, image[::-1, ::-1]):
        flat, here = FlatImage(turned.ravel(), 7), np.array([24], dtype=np.int32)
        assert artifacts.has_narrow_pixels(flat, here, np.array([0.3, 0.2]), 5.0) == narrow


def test_a_hot_pixel_counts_once():
    """It is narrow along both its row and its column."""
    flat, found = FlatImage(np.zeros(49), 7), np.zeros(49, dtype=bool)
    flat.values[[16, 32]] = 100.0
    candidates = np.array([16, 32], dtype=np.int32)
    assert artifacts.sharp_pixels(flat, candidates, np.array([0.3, 0.2]), 5.0, found) == 2
    assert np.flatnonzero(found).tolist() == [16, 32]
    assert artifacts.sharp_pixels(flat, candidates, np.array([0.3, 0.2]), 5.0, found) == 0


@pytest.mark.parametrize("pixel", [0, 7, 72, 79])
def test_moments_of_one_pixel_at_a_corner(pixel):
    found, extents = np.empty((1, 7)), np.empty((1, 4), dtype=np.int64)
    moments.footprint_moments(np.array([0, 1]), np.array([pixel]), np.array([2.0]), 8, found, extents)
    row, column = divmod(pixel, 8)
    assert extents.tolist() == [[row, row, column, column]]
    assert found.tolist() == [[2.0, column, row, 0.0, 0.0, 0.0, 1.0]]


def test_grid_of_one_pixel():
    grid = watershed.pixel_grid(np.array([5]), np.array([7]))
    assert grid.cells.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert (grid.rows.tolist(), grid.columns.tolist()) == ([1], [1])


@pytest.mark.parametrize("brightness", [[9.3, 7.0, 7.9, 9.0], [9.0, 7.9, 7.0, 9.3]])
@pytest.mark.parametrize("turned", [False, True])
def test_basins_meet_where_they_touch(brightness, turned):
    """Two peaks in a line are 2 counts above the saddle; the higher one is 1.4 above the slope of the other."""
    line, ones = np.arange(1, 5), np.ones(4, dtype=np.int64)
    rows, columns = (line, ones) if turned else (ones, line)
    patch = np.empty(4, dtype=np.int64)
    grid = watershed.pixel_grid(rows.copy(), columns.copy())
    assert watershed.split_saddles(np.array(brightness), grid, SaddleSettings(0.0, 1.5, 1), patch) == 2
    assert watershed.split_saddles(np.array(brightness), grid, SaddleSettings(0.0, 2.1, 1), patch) == 1


def strip(flux):
    """Return the image and the visible pixels of a galaxy in one row, with a dark margin."""
    image = np.full((3, len(flux) + 2), -1.0)
    image[1, 1:-1] = flux
    columns = np.flatnonzero(image[1] > 1.5)
    return image, VisiblePixels(np.ones_like(columns), columns, image[1, columns])


def test_asymmetry_of_a_row_by_hand():
    """About the third of five pixels, 1.5 counts or less are covered; outside the segment it is dark."""
    image, galaxy = strip([0.5, 4.0, 9.0, 6.0, 3.0])
    covered = symmetry.OCCLUSION_COST * 3.0
    assert symmetry._asymmetry(image, galaxy, 1.5, 2, 6, np.inf) == pytest.approx(2.0 + 2.0 + covered)
    assert symmetry._asymmetry(image, galaxy, 1.5, 2, 6, 1.0) == pytest.approx(2.0)
    assert symmetry._asymmetry(image, galaxy, 1.5, 2, 60, np.inf) == pytest.approx(4.0 + 9.0 + 6.0 + 3.0)
    assert symmetry._asymmetry(image, galaxy, 1.5, 2, 60, 10.0) == pytest.approx(4.0 + 9.0)
    image[1, 1] = 0.0
    assert symmetry._asymmetry(image, galaxy, 1.5, 2, 6, np.inf) == pytest.approx(4.0 + covered)


@pytest.mark.parametrize("flux", [[0.5, 6.0, 9.0, 6.0, 3.0], [3.0, 6.0, 9.0, 6.0, 1.5], [0.0, 6.0, 9.0, 6.0, 3.0]])
def test_pixels_at_the_noise_are_filled_from_the_opposite_end(flux):
    grid = watershed.pixel_grid(np.ones(5, dtype=np.int64), np.arange(5))
    found = np.empty(5)
    symmetry.fill_by_symmetry(grid, 1.5, np.array(flux), found)
    assert found.tolist() == [3.0, 6.0, 9.0, 6.0, 3.0]


@pytest.mark.parametrize("by_color", [True, False])
def test_footprints_are_pixels_above_the_noise_in_galaxies_of_enough(by_color):
    """Two of three segments have fewer than four pixels above the noise: a pixel at the noise is not above it."""
    totals = np.array([5.0, 5.0, 5.0, 0.3, 5.0, 6.0, 7.0, 0.3, 5.0, 5.0, 5.0])
    starts, rows = np.array([0, 4, 9, 11]), np.repeat([3, 6, 9], [4, 5, 2])
    columns = np.concatenate([np.arange(n) for n in (4, 5, 2)])
    pixels = SegmentPixels(np.outer(totals, [0.5, 0.3, 0.2]), totals, rows, columns, starts)
    found = Footprints(np.empty(11, dtype=np.int64), np.empty(11), np.full(4, -1), np.zeros(4, dtype=bool))
    settings = SplitSettings(by_color, SETTINGS, SaddleSettings(contrast=0.9, depth=9.0, n_pixels=4))
    assert footprints.split_segments(pixels, np.zeros(3), 20, settings, found) == 1
    assert found.starts[:2].tolist() == [0, 4]
    assert found.pixels[:4].tolist() == [120, 121, 122, 124]
    assert found.flux[:4].tolist() == [5.0, 6.0, 7.0, 5.0]
    assert not found.blended[0]


def test_a_covered_part_of_a_galaxy_is_filled_after_a_split_by_colour():
    """A small galaxy before a large one: the large one has its own light at the end, and is filled below the other."""
    grid = square_grid(9)
    small = (grid.rows >= 4) & (grid.rows <= 6) & (grid.columns <= 3)
    values = np.where(small[:, None], [60.0, 90.0, 150.0], [150.0, 90.0, 60.0])
    flux = plain(footprints._split_by_color)(light_of(values), grid, SETTINGS)
    np.testing.assert_allclose(flux, np.stack([np.full(81, 300.0), 300.0 * small], axis=1))


def test_a_footprint_that_is_too_small_leaves_room_for_the_next():
    """The first galaxy of a segment split by brightness has three pixels, of which four are asked for."""
    totals = np.array([40.0, 0.5, 0.5, 5.0, 6.0, 7.0, 6.0, 5.0])
    rows, columns, starts = np.ones(8, dtype=np.int64), np.arange(8), np.array([0, 8])
    pixels = SegmentPixels(np.outer(totals, [0.5, 0.3, 0.2]), totals, rows, columns, starts)
    found = Footprints(np.empty(16, dtype=np.int64), np.empty(16), np.full(4, -1), np.zeros(4, dtype=bool))
    settings = SplitSettings(False, SETTINGS, SaddleSettings(contrast=0.0, depth=2.0, n_pixels=4))
    assert footprints.split_segments(pixels, np.zeros(1), 20, settings, found) == 1
    assert found.pixels[: found.starts[1]].tolist() == [23, 24, 25, 26, 27]
    assert found.blended[0]


def test_a_neighbour_at_the_limit_is_bright():
    flat, found = FlatImage(np.zeros(49), 7), np.zeros(49, dtype=bool)
    flat.values[24], here = 100.0, np.array([24], dtype=np.int32)
    for side, n in ((20.0, 0), (19.0, 1)):
        flat.values[[17, 23, 25, 31]] = side
        assert artifacts.has_narrow_pixels(flat, here, np.array([0.25, 0.0]), 5.0) == n
        assert artifacts.sharp_pixels(flat, here, np.array([0.25, 0.0]), 5.0, found) == n


def test_cells_outside_a_segment_are_not_covered():
    """Opposite the end of a row is no pixel: with noise above one count, it is dark all the same."""
    grid, found = watershed.pixel_grid(np.ones(4, dtype=np.int64), np.arange(4, 0, -1)), np.empty(4)
    symmetry.fill_by_symmetry(grid, 1.5, np.array([3.0, 6.0, 9.0, 6.0]), found)
    assert found.tolist() == [3.0, 6.0, 9.0, 6.0]


def test_the_last_pixel_counts_for_the_centroid():
    """The search starts at the centroid: from there, the mirror of the two equal peaks is the nearest minimum."""
    image, galaxy = strip([5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0])
    assert symmetry._doubled_centre(image, galaxy, 1.5) == (2, 9)
