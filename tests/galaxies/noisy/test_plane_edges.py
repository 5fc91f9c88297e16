"""Planes with kernels of random numbers: those of the smoothing are almost 0 at their ends, and hide them."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.kernels import planes
from tests.galaxies.noisy import naive_shapes as naive

SHAPE = (11, 9)


def random_plane(rng, step, n_taps):
    """Return a plane of an image of a shape, with a random table."""
    empty = planes.Plane(np.empty(0, np.float32), step, rng.normal(size=(step, 5, n_taps)))
    return naive.sampled(lambda x, y: rng.normal(size=x.shape), SHAPE, empty)


def all_light(plane):
    return np.array([[naive.derivatives(plane, i, j, 1.0)[0] for j in range(SHAPE[1])] for i in range(SHAPE[0])])


@pytest.mark.parametrize("n_taps", [3, 7, 8, 11, 17])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_light_of_all_pixels_up_to_the_border_matches_naive(rng, step, n_taps):
    plane = random_plane(rng, step, n_taps)
    expected = all_light(plane)
    for spacing in (k for k in (1, 2, 4) if step % k == 0):
        for row, column in ((0, 0), (1, 2), (4, 8), (10, 0)):
            part = expected[row::spacing, column::spacing]
            found = np.full(part.shape, np.nan, dtype=np.float32)
            planes.take_light(plane, row, column, spacing, found)
            np.testing.assert_allclose(found, part, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("n_taps", [3, 8])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_derivatives_up_to_the_border_match_naive(rng, step, n_taps):
    plane = random_plane(rng, step, n_taps)
    for n, row, column in ((1, 10, 8), (1, 5, 3), (3, 8, 6), (3, 0, 0), (3, 3, 2), (2, 9, 7)):
        found = np.full((n * n, 15), np.nan)
        planes.take_derivatives(plane, row, column, n, 0.7, np.full((5, n_taps + n), np.nan), found)
        pixels = [(row + i, column + j) for i in range(n) for j in range(n)]
        expected = [naive.derivatives(plane, *pixel, 0.7) for pixel in pixels]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_peaks_climb_to_the_brightest_pixel_within_a_step_that_is_in_the_image(rng, step):
    plane = random_plane(rng, step, 3)
    light = all_light(plane)
    rows, columns = (each.ravel() for each in np.meshgrid(range(0, 11, step), range(0, 9, step), indexing="ij"))
    expected = []
    for row, column in zip(rows, columns):
        window = light[max(row - step, 0) : row + step + 1, max(column - step, 0) : column + step + 1]
        i, j = np.unravel_index(window.argmax(), window.shape)
        expected.append((max(row - step, 0) + i, max(column - step, 0) + j, window.max()))
    found = np.empty(rows.size)
    planes.climb(plane, rows, columns, SHAPE, found)
    np.testing.assert_allclose(np.transpose([rows, columns, found]), expected, rtol=1e-4, atol=1e-5)


def test_of_equally_bright_pixels_a_peak_keeps_the_first():
    plane = planes.Plane(np.ones((17, 15), np.float32), 1, np.ones((1, 5, 3)))
    rows, columns = np.array([4, 0]), np.array([5, 0])
    planes.climb(plane, rows, columns, SHAPE, np.empty(2))
    assert (rows.tolist(), columns.tolist()) == ([3, 0], [4, 0])
