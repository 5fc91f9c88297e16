"""Places where a small change of a kernel went unnoticed by other tests; found by `benchmarks/bench_mutations.py`."""

from itertools import product

import numpy as np
import pytest

from darkmatter_features.galaxies.kernels import artifacts, colors, footprints, segments, symmetry, watershed
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
)
from tests.support import naive

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
