"""Kernels that divide the light of a segment between its galaxies, on segments of all shapes and at equal costs."""

import numpy as np
import pytest

from darkmatter_features.galaxies.kernels import colors, deblending
from darkmatter_features.galaxies.kernels.deblending import DEBLENDING_RADIUS, FAR
from tests.galaxies.test_color_edges import grid_of, light_of
from tests.support import naive

UNIT = np.eye(3)


def full_grid(n_rows, n_columns):
    return grid_of(np.ones((n_rows, n_columns), dtype=bool))


@pytest.mark.parametrize("shape", [(20, 3), (3, 20), (14, 14), (20, 6)])
def test_distances_to_patches_match_a_search(rng, shape):
    """Narrow segments among them, and rows without a pixel of the patch."""
    grid = full_grid(*shape)
    patch = np.zeros(grid.rows.size, dtype=np.int64)
    patch[[0, -1]] = 1, 2
    patch[rng.integers(0, patch.size, 2)] = 2, 4
    in_row = deblending._squared_distance_in_row(grid, patch, 4)
    rows, columns = np.indices(grid.cells.shape)
    for k in range(4):
        own = patch == k + 1
        dx = abs(columns[..., None] - grid.columns[own])
        dy = abs(rows[..., None] - grid.rows[own])
        in_reach = np.where((dy == 0) & (dx <= DEBLENDING_RADIUS), dx**2, FAR)
        np.testing.assert_array_equal(in_row[k].T, in_reach.min(axis=2, initial=FAR))
    found = np.empty(4)
    for p in np.flatnonzero(rng.random(patch.size) < 0.5):
        deblending._distance_to_patches(in_row, grid.rows[p], grid.columns[p], found)
        dy, dx = abs(grid.rows - grid.rows[p]), abs(grid.columns - grid.columns[p])
        near = np.maximum(dy, dx) <= DEBLENDING_RADIUS
        expected = [np.hypot(dy, dx)[near & (patch == k + 1)].min(initial=np.inf) for k in range(4)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 5), (20, 2), (2, 20)])
@pytest.mark.parametrize("n_colors", [2, 3, 4])
def test_deblended_flux_of_small_segments_matches_naive(rng, shape, n_colors):
    """Some colours have no patch, and some fluxes are below one count."""
    grid = full_grid(*shape)
    n = grid.rows.size
    own = np.array([[0.55, 0.33, 0.12], [0.25, 0.29, 0.46], [0.15, 0.65, 0.2], [0.3, 0.1, 0.6]])[:n_colors]
    for counts, noise in ((200.0, 0.3), (2.0, 0.01)):
        patch = np.where(rng.random(n) < 0.2, rng.integers(0, n_colors + 1, n), 0)
        patch[patch == rng.integers(1, n_colors + 1)] = 0
        values = rng.dirichlet(np.full(n_colors, 0.5), n) @ own * counts + rng.normal(0, 3 * noise, (n, 3))
        found = np.empty((n, n_colors))
        deblending.deblend_flux(light_of(values), grid, noise, own, patch, found)
        expected = naive.deblend_flux(
            values, grid.rows, grid.columns, own, patch, colors.NOISE_RADIUS * noise, DEBLENDING_RADIUS
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def deblended(own, value, patch, at):
    """Return the fluxes at one pixel of a row in which some others are patches."""
    values = np.ones((len(patch), 3))
    values[at] = value
    found = np.empty((len(patch), len(own)))
    grid = full_grid(1, len(patch))
    deblending.deblend_flux(light_of(values), grid, 1.0, np.array(own), np.array(patch), found)
    return found[at].tolist()


def test_of_two_galaxies_of_equal_cost_the_first_has_the_light():
    assert deblended(UNIT[:2], [0.0, 0.0, 8.0], [1, 0, 2], 1) == [8.0, 0.0]
    assert deblended(UNIT[:2], [0.0, 0.0, 8.0], [2, 0, 1], 1) == [8.0, 0.0]


def test_of_two_pairs_of_equal_cost_the_first_has_the_light():
    """The first galaxy is the brightest; the two others are equal, and as far from the pixel."""
    assert deblended(UNIT, [90.0, 60.0, 60.0], [2, 1, 0, 1, 3], 2) == [90.0, 60.0, 0.0]


def test_a_galaxy_out_of_reach_leaves_the_pixel_to_others():
    assert deblended(UNIT, [90.0, 0.0, 60.0], [1, 0, 3], 1) == [90.0, 0.0, 60.0]


@pytest.mark.parametrize("first", [0, 1])
def test_a_galaxy_without_flux_is_in_no_pair(first):
    """Its neighbour has all counts of the pixel, those that its colour does not account for among them."""
    own = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    patch = [1, 0, 0, 0, 2] if first == 0 else [2, 0, 0, 0, 1]
    expected = [0.0, 16.5] if first == 0 else [16.5, 0.0]
    assert deblended(own if first == 0 else own[::-1], [8.0, 8.0, 0.5], patch, 1) == expected


def test_light_far_from_all_patches_is_left_out():
    n = DEBLENDING_RADIUS + 2
    for at, flux in ((n - 1, 0.0), (n - 2, 6.0)):
        assert deblended(UNIT[:1], [6.0, 0.0, 0.0], [1] + [0] * (n - 1), at) == [flux]
