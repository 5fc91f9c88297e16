"""Fractions of an image within discs, and ranges of centres, against counts."""

import numpy as np
import pytest

from darkmatter_features.numerics.kernels.discs import disc_fractions
from darkmatter_features.numerics.kernels.mesh import index_range

N_ROWS, N_COLUMNS = 30, 50


@pytest.mark.parametrize("row", [-0.5, 0.0, 12.3, 29.0])
def test_fractions_match_a_count_of_fine_points(row):
    columns, radii = np.array([0.0, 20.0, 49.5]), np.array([0.5, 8.0, 21.0, 35.0, 80.0])
    found = np.empty((columns.size, radii.size))
    disc_fractions(N_ROWS, N_COLUMNS, row, columns, radii, found)
    fine = 8
    y, x = ((np.arange(n * fine) + 0.5) / fine - 0.5 for n in (N_ROWS, N_COLUMNS))
    for m, column in enumerate(columns):
        distance = np.hypot(*np.meshgrid(x - column, y - row))
        expected = [(distance <= radius).mean() for radius in radii]
        np.testing.assert_allclose(found[m], expected, atol=0.002)


def test_a_disc_about_the_whole_image_holds_all_of_it():
    found = np.empty((1, 1))
    disc_fractions(N_ROWS, N_COLUMNS, 3.0, np.array([7.0]), np.array([100.0]), found)
    assert found[0, 0] == pytest.approx(1.0, abs=1e-12)


def test_index_ranges_hold_the_centres_within_the_radius(rng):
    centres = 7.5 + 2.5 * np.arange(12)
    for position, radius in rng.uniform(0, 45, (50, 2)):
        first, last = index_range(position, centres, radius / 3)
        inside = np.flatnonzero(abs(centres - position) <= radius / 3)
        assert list(range(first, last)) == inside.tolist()
