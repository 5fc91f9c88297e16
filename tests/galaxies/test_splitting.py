"""Kernels that split segments into galaxies, against their slow twins."""

from itertools import pairwise

import numpy as np
import pytest

from darkmatter_features.galaxies.kernels import colors, deblending, footprints, symmetry, watershed
from darkmatter_features.galaxies.kernels.records import (
    ColorSettings,
    Footprints,
    Light,
    PixelGrid,
    SaddleSettings,
    SegmentPixels,
    SplitSettings,
)
from tests.support import naive

SETTINGS = ColorSettings(noise=0.3, separation=0.012)


def test_color_residual_matches_naive(rng):
    values = rng.random((50, 3)) * 100
    assert colors.color_residual(values, values.sum(axis=1)) == pytest.approx(naive.color_residual(values))


def test_two_fluxes_match_least_squares(rng):
    for _ in range(20):
        value, a, b = drawn = rng.random((3, 3))
        found = deblending._two_fluxes(value, drawn, deblending._products(drawn), 1, 2)
        np.testing.assert_allclose(found, naive.two_fluxes(value, a, b), rtol=1e-6, atol=1e-9)


def _blob(rng, side=14):
    """Return the grid of a segment with holes and a ragged border."""
    inside = np.pad(rng.random((side, side)) < 0.85, 1)
    rows, columns = map(np.ascontiguousarray, np.nonzero(inside))
    cells = np.zeros(inside.shape, dtype=np.int32)
    cells[rows, columns] = np.arange(1, rows.size + 1)
    return PixelGrid(rows, columns, cells)


def _light(values):
    return Light(values, values.sum(axis=1))


def test_find_colors_matches_naive(rng):
    """Two galaxies of one colour each, a seam between them, and pixels of colours that do not recur."""
    own = np.array([[0.55, 0.33, 0.12], [0.25, 0.29, 0.46]])
    for seam in (0, 2):
        grid = _blob(rng)
        fraction = np.clip((grid.columns - 7) / max(seam, 0.1) + 0.5, 0, 1)[:, None]
        values = (fraction * own[0] + (1 - fraction) * own[1]) * rng.uniform(100, 300, (grid.rows.size, 1))
        values += rng.normal(0, 0.2, values.shape)
        odd = rng.choice(grid.rows.size, 10, replace=False)
        values[odd] = rng.dirichlet(np.ones(3), 10) * 200
        found, patch = np.empty((colors.MAX_COLORS, 3)), np.zeros(grid.rows.size, dtype=np.int64)
        n = colors.find_colors(_light(values), grid, SETTINGS, found, patch)
        expected, expected_patch = naive.find_colors(
            values, grid.rows, grid.columns, *SETTINGS,
            noise_radius=colors.NOISE_RADIUS, min_core_pixels=colors.MIN_CORE_PIXELS,
            n_shifts=colors.N_SHIFTS, max_colors=colors.MAX_COLORS,
        )  # fmt: skip
        np.testing.assert_allclose(found[:n], expected, atol=1e-9)
        np.testing.assert_array_equal(patch, expected_patch)
        assert n == 2


def test_pixels_too_faint_for_a_colour_do_not_change_those_found(rng):
    grid = _blob(rng)
    values = np.tile([110.0, 66.0, 24.0], (grid.rows.size, 1))
    patch = np.where(rng.random(grid.rows.size) < 0.1, -1, 0)
    values[patch < 0] += [0.4, 0.0, 0.0]  # within three standard deviations of the noise
    found = np.empty((colors.MAX_COLORS, 3))
    assert colors.find_colors(_light(values), grid, SETTINGS, found, patch) == 1
    np.testing.assert_allclose(found[0], [0.55, 0.33, 0.12], atol=1e-12)
    assert set(patch) == {-1, 1}


def _segment_pixels(values, starts, grid):
    return SegmentPixels(values, values.sum(axis=1), grid.rows, grid.columns, starts)


def test_segment_residuals_match_naive(rng):
    grid, starts, residuals = _blob(rng), np.array([0, 12, 13, 60]), np.empty(3)
    values = rng.random((grid.rows.size, 3)) * 100
    footprints.segment_residuals(_segment_pixels(values, starts, grid), residuals)
    segments = [values[start:stop] for start, stop in pairwise(starts)]
    np.testing.assert_allclose(residuals, [naive.color_residual(segment) for segment in segments], atol=1e-12)


@pytest.mark.parametrize("by_color", [True, False])
def test_segment_of_one_galaxy_keeps_its_pixels_flux_and_order(rng, by_color):
    grid = _blob(rng)
    own = grid.rows * 80 + grid.columns
    totals = rng.uniform(100, 200, own.size)
    pixels = _segment_pixels(np.outer(totals, [0.5, 0.3, 0.2]), np.array([0, own.size]), grid)
    settings = SplitSettings(by_color, SETTINGS, SaddleSettings(contrast=0.9, depth=1.0, n_pixels=8))
    found = Footprints(
        pixels=np.empty(8 * own.size, dtype=np.int64),
        flux=np.empty(8 * own.size),
        starts=np.empty(own.size, dtype=np.int64),
        blended=np.empty(own.size, dtype=bool),
    )
    assert footprints.split_segments(pixels, np.array([0.0]), 80, settings, found) == 1
    assert not found.blended[0]
    np.testing.assert_array_equal(found.pixels[: found.starts[1]], own)
    np.testing.assert_allclose(found.flux[: found.starts[1]], totals)


def test_deblended_flux_matches_naive(rng):
    grid = _blob(rng)
    own = np.array([[0.55, 0.33, 0.12], [0.25, 0.29, 0.46], [0.38, 0.31, 0.31]])
    n = grid.rows.size
    patch = np.where(grid.columns < 6, rng.integers(0, 4, n), 0)  # too far from some of the mixed pixels
    values = rng.dirichlet(np.ones(3), n) @ own * 200 + rng.normal(0, 0.3, (n, 3))
    found = np.empty((n, 3))
    deblending.deblend_flux(_light(values), grid, 0.3, own, patch, found)
    expected = naive.deblend_flux(
        values, grid.rows, grid.columns, own, patch, colors.NOISE_RADIUS * 0.3, deblending.DEBLENDING_RADIUS
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_symmetry_fill_matches_naive(rng):
    grid = _blob(rng)
    for _ in range(5):
        visible = rng.random(grid.rows.size) * 50
        visible[np.hypot(grid.rows - rng.uniform(0, 15), grid.columns - 10) < 4] = 0
        found = np.empty(grid.rows.size)
        symmetry.fill_by_symmetry(grid, 0.3, visible, found)
        expected = naive.fill_by_symmetry(grid.rows, grid.columns, 0.3, visible, symmetry.OCCLUSION_COST)
        np.testing.assert_array_equal(found, expected)


def test_smoothed_brightness_is_the_mean_of_neighbours(rng):
    grid = _blob(rng)
    brightness, smoothed = rng.random(grid.rows.size), np.empty(grid.rows.size)
    watershed.smooth(brightness, grid, smoothed)
    for p, (i, j) in enumerate(zip(grid.rows, grid.columns, strict=True)):
        near = (abs(grid.rows - i) <= 1) & (abs(grid.columns - j) <= 1)
        assert smoothed[p] == pytest.approx(brightness[near].mean())


@pytest.mark.parametrize(("contrast", "depth"), [(0.0, 0.0), (0.2, 0.0), (0.5, 0.0), (0.0, 0.1)])
def test_saddles_match_naive(rng, contrast, depth):
    grid = _blob(rng, side=20)
    rough, brightness = rng.random(grid.rows.size), np.empty(grid.rows.size)
    watershed.smooth(rough, grid, brightness)
    patch = np.empty(grid.rows.size, dtype=np.int64)
    n = watershed.split_saddles(brightness, grid, SaddleSettings(contrast, depth, 3), patch)
    found = sorted(np.flatnonzero(patch == k + 1).tolist() for k in range(n))
    assert found == naive.split_saddles(brightness, grid.rows, grid.columns, contrast, depth, 3)
