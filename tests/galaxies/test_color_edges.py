"""Kernels that find the colours in a segment, on small segments whose limits are met to the last bit."""

import numpy as np
import pytest

from darkmatter_features.galaxies.kernels import colors
from darkmatter_features.galaxies.kernels.records import ColorSettings, Light, PixelGrid
from tests.support.plain import plain

NOISE = 1.0
SETTINGS = ColorSettings(NOISE, 1.0 / 64.0)
"""A pixel of 192 counts and more has a known colour; a difference is 3 counts of 192, or 4 of 256."""

BASE = np.array([128.0, 76.0, 52.0])


def grid_of(is_inside):
    """Return the grid of a segment."""
    rows, columns = map(np.ascontiguousarray, np.nonzero(np.pad(is_inside, 1)))
    cells = np.zeros(np.add(is_inside.shape, 2), dtype=np.int32)
    cells[rows, columns] = np.arange(1, rows.size + 1)
    return PixelGrid(rows, columns, cells)


def light_of(values):
    return Light(values, values.sum(axis=1))


def have_color(light, color):
    return (abs(light.values - light.totals[:, None] * color) <= 3.0 * NOISE).all(axis=1)


def are_near(grid, p):
    return (abs(grid.rows - grid.rows[p]) <= 1) & (abs(grid.columns - grid.columns[p]) <= 1)


def mean_color(light, members):
    return light.values[members].sum(axis=0) / light.totals[members].sum()


def candidates_of(light, grid, patch, most=48):
    """Return the recurring colours of a segment and their pixel counts, one pixel after the other."""
    found, is_covered = [], np.zeros(patch.size, dtype=bool)
    for p in range(patch.size):
        core = are_near(grid, p) & have_color(light, light.values[p] / light.totals[p])
        is_known = SETTINGS.separation * light.totals[p] >= 3.0 * NOISE
        if is_covered[p] or patch[p] < 0 or not is_known or core.sum() < 7 or len(found) == most:
            continue
        color = mean_color(light, core)
        members = have_color(light, color) & (patch == 0)
        for _ in range(3):
            n = members.sum()
            color = mean_color(light, members) if n else color
            members = have_color(light, color) & (patch == 0)
        is_covered |= members
        if n >= 7:
            found.append((color, n))
    return found


def colors_of(light, grid, patch, most=8):
    """Return the colours of the galaxies of a segment, and the patch of each pixel."""
    patch, kept = patch.copy(), []
    for color, _ in sorted(candidates_of(light, grid, patch), key=lambda each: -each[1]):
        members = have_color(light, color) & (patch == 0)
        is_apart = all(abs(color - other).max() >= SETTINGS.separation for other in kept)
        if len(kept) == most or not is_apart or members.sum() < 7:
            continue
        own = mean_color(light, members)
        members = have_color(light, own) & (patch == 0)
        if any((members & are_near(grid, p)).sum() >= 7 for p in np.flatnonzero(members)):
            kept.append(own)
            patch[members] = len(kept)
    return kept, patch


def drawn_segment(rng, side=7):
    """Return the grid and light of a segment of 256 counts a pixel, whose colour changes with the column."""
    grid = grid_of(rng.random((side, side)) < 0.95)
    step = rng.permutation([rng.integers(0, 3), 0, 0])
    values = BASE + grid.columns[:, None] * (step - np.roll(step, 1)) + rng.integers(0, 2, (grid.rows.size, 3))
    values[:, 1] += 256.0 - values.sum(axis=1)
    values[(grid.columns > 4) & (rng.random() < 0.5)] += [16.0, -8.0, -8.0]
    return grid, light_of(values)


def drawn_segments(seed, n=3):
    """Yield grid and light of n segments, with some pixels that are too faint to have a known colour."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        grid, light = drawn_segment(rng)
        yield grid, light, -(rng.random(grid.rows.size) < 0.05).astype(np.int64)


@pytest.mark.parametrize("seed", range(6))
def test_candidates_match_their_twin(seed):
    for grid, light, patch in drawn_segments(seed):
        found, n_members = np.full((49, 3), np.nan), np.zeros(49)
        n = plain(colors._candidate_colors)(light, grid, SETTINGS, patch, found, n_members)
        expected = candidates_of(light, grid, patch)
        assert n == len(expected)
        for k, (color, count) in enumerate(expected):
            np.testing.assert_allclose(found[k], color, rtol=1e-12)
            assert n_members[k] == count


@pytest.mark.parametrize("seed", range(6))
def test_colours_match_their_twin(seed):
    for grid, light, patch in drawn_segments(seed):
        kept, expected = colors_of(light, grid, patch)
        found = np.empty((colors.MAX_COLORS, 3))
        assert colors.find_colors(light, grid, SETTINGS, found, patch) == len(kept)
        np.testing.assert_array_equal(patch, expected)
        np.testing.assert_allclose(found[: len(kept)], np.reshape(kept, (-1, 3)), rtol=1e-12)


@pytest.mark.parametrize("band", range(3))
@pytest.mark.parametrize(("step", "n"), [(3.0, 9), (-3.0, 9), (4.0, 8), (-4.0, 8)])
@pytest.mark.parametrize("at", [0, 8])
def test_a_pixel_has_a_colour_to_three_standard_deviations(band, step, n, at):
    """The others share the change of a band, so that it decides alone; the middle pixel is the fifth."""
    values = np.tile([128.0, 64.0, 64.0], (9, 1))
    values[at] -= 0.5 * step
    values[at, band] += 1.5 * step
    grid, light, color = grid_of(np.ones((3, 3), dtype=bool)), light_of(values), np.empty(3)
    assert colors._core_color(light, grid, 4, NOISE, color) == n
    is_near = np.arange(9) != (at if n == 8 else -1)
    np.testing.assert_allclose(color, mean_color(light, is_near), rtol=1e-12)
    members = np.zeros(9, dtype=bool)
    assert colors._mark(light, np.zeros(9, dtype=np.int64), NOISE, values[4] / 256.0, members)
    np.testing.assert_array_equal(members, is_near)


def test_cells_without_a_pixel_have_no_colour():
    """All pixels have one colour, the last of the list too, for which a cell of 0 could be mistaken."""
    grid, color = grid_of(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=bool)), np.empty(3)
    for p, n in enumerate([3, 3, 3, 1]):
        assert colors._core_color(light_of(np.tile(BASE, (4, 1))), grid, p, NOISE, color) == n


def test_a_mean_of_no_pixels_is_the_colour_that_it_was():
    values, color = np.array([[8.0, 4.0, 4.0], [2.0, 2.0, 12.0]]), np.array([0.5, 0.25, 0.25])
    assert colors._mean_color(values, np.zeros(2, dtype=bool), color) == 0
    np.testing.assert_array_equal(color, [0.5, 0.25, 0.25])
    assert colors._mean_color(values, np.array([False, True]), color) == 1
    np.testing.assert_array_equal(color, [0.125, 0.125, 0.75])


@pytest.mark.parametrize(("total", "n"), [(192.0, 1), (191.0, 0)])
def test_colours_are_known_from_a_number_of_counts_on(total, n):
    grid = grid_of(np.ones((3, 3), dtype=bool))
    found, n_members = np.empty((49, 3)), np.empty(49)
    light, patch = light_of(np.full((9, 3), total / 3.0)), np.zeros(9, dtype=np.int64)
    assert plain(colors._candidate_colors)(light, grid, SETTINGS, patch, found, n_members) == n


@pytest.mark.parametrize("shape", ["core", "less", "line"])
def test_seven_pixels_in_a_square_are_a_colour(shape):
    """Two corners of a square are missing, or three, or all pixels are in a line."""
    is_inside = np.ones((1, 12), dtype=bool) if shape == "line" else np.ones((3, 3), dtype=bool)
    is_inside[0, 0] = is_inside[-1, -1] = shape == "line"
    is_inside[-1, 0] = shape != "less"
    grid = grid_of(is_inside)
    light, patch = light_of(np.tile(BASE, (grid.rows.size, 1))), np.zeros(grid.rows.size, dtype=np.int64)
    found, n_members = np.empty((49, 3)), np.empty(49)
    n = plain(colors._candidate_colors)(light, grid, SETTINGS, patch, found, n_members)
    assert n == (shape == "core")
    assert colors.find_colors(light, grid, SETTINGS, found, patch) == n
    assert (patch == n).all()


def stripes(steps):
    """Return the grid and light of squares of nine pixels side by side, each of a colour of its own."""
    grid = grid_of(np.ones((3, 3 * len(steps)), dtype=bool))
    return grid, light_of(BASE + np.array(steps, dtype=float)[(grid.columns - 1) // 3])


STEPS = [[0, 0, 0], [16, -16, 0], [32, -32, 0], [48, -48, 0]]


@pytest.mark.parametrize("most", [2, 3, 4])
def test_no_more_colours_than_there_is_room_for(monkeypatch, most):
    grid, light = stripes(STEPS)
    for name in ("MAX_CANDIDATES", "MAX_COLORS"):
        monkeypatch.setattr(colors, name, most)
        patch, found = np.zeros(36, dtype=np.int64), np.full((5, 3), np.nan)
        if name == "MAX_CANDIDATES":
            assert plain(colors._candidate_colors)(light, grid, SETTINGS, patch, found, np.empty(5)) == most
        else:
            assert plain(colors.find_colors)(light, grid, SETTINGS, found, patch) == most
            np.testing.assert_array_equal(patch, np.where(grid.columns <= 3 * most, (grid.columns + 2) // 3, 0))
        np.testing.assert_allclose(found[:most], (BASE + STEPS[:most]) / 256.0, rtol=1e-12)
        assert np.isnan(found[most:]).all()
        monkeypatch.undo()


@pytest.mark.parametrize("band", range(3))
def test_a_difference_in_one_band_is_enough(band):
    """The change of the others is 2 counts of 256 below the separation, which is 4."""
    step = np.roll([5.0, -2.5, -2.5], band)
    grid, light = stripes([[0, 0, 0], step, [-40, 40, 0], 0.2 * step])
    patch, found = np.zeros(36, dtype=np.int64), np.empty((8, 3))
    assert colors.find_colors(light, grid, SETTINGS, found, patch) == 3
    np.testing.assert_array_equal(patch.reshape(3, 12)[0], np.repeat([1, 2, 3, 1], 3))


@pytest.mark.parametrize("seed", range(4))
def test_cores_match_their_twin(seed):
    rng = np.random.default_rng(seed)
    grid = grid_of(rng.random((4, 5)) < 0.9)
    for _ in range(10):
        members = rng.random(grid.rows.size) < 0.6
        expected = any((members & are_near(grid, p)).sum() >= 7 for p in np.flatnonzero(members))
        assert colors._has_core(members, grid) == expected


def test_the_first_pixel_and_the_last_belong_to_a_core():
    grid = grid_of(np.ones((3, 3), dtype=bool))
    for n in (6, 7):
        for members in (np.arange(9) < n, np.arange(9) >= 9 - n):
            assert colors._has_core(members, grid) == (n == 7)


@pytest.mark.parametrize("width", [2, 3])
def test_pixels_that_two_colours_share_belong_to_the_first(width):
    """The second has six pixels of its own, too few, or nine; one elsewhere has their colour, not the mean."""
    own = np.repeat([0.0, 2.75, 5.75, 40.0], [9, 3, width, 3])
    grid = grid_of(np.ones((3, own.size), dtype=bool))
    step = own[grid.columns - 1]
    step[-1] = 8.5
    light, patch, found = (
        light_of(BASE + np.outer(step, [1, -1, 0])),
        np.zeros(step.size, dtype=np.int64),
        np.empty((8, 3)),
    )
    n = colors.find_colors(light, grid, ColorSettings(NOISE, 3.0 / 256.0), found, patch)
    assert n == width
    number = {0.0: 1, 2.75: 1, 5.75: 2 if width == 3 else 0, 8.5: 2 if width == 3 else 0, 40.0: n}
    np.testing.assert_array_equal(patch, [number[each] for each in step])
