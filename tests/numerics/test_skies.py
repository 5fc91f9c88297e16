"""Sums of several skies match slow twins on inputs small enough for mutation testing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.numerics.kernels.mesh import ORDER
from darkmatter_features.numerics.kernels.records import Galaxies, Grid, Profiles
from darkmatter_features.numerics.kernels.skies import near_sums_of_skies, spread_skies
from tests.support import naive, naive_locate


@pytest.mark.parametrize("x", [3.0, 3.4, 7.9, 8.0, 2.9, -1.2, 30.6])
def test_a_galaxy_is_spread_within_the_mesh_and_across_each_border(x):
    """Columns 3 to 7 are the only ones whose eight points do not cross a border of 12 columns."""
    position, values = np.array([x]), np.array([[1.5, -0.5]], dtype=np.float32)
    for y in (4.3, -0.6):
        mesh = np.ones((9, 12, 2), dtype=np.float32)
        spread_skies(position, np.array([y]), values, mesh)
        for s in range(2):
            spread = naive.spread(position, np.array([y]), values[:, s].astype(complex), (9, 12), ORDER).real
            assert_allclose(mesh[..., s], 1.0 + spread, atol=1e-6)


@pytest.mark.parametrize("n", [1, 4, 16, 19])
def test_near_sums_of_skies_match_naive(rng, n):
    """Groups are whole, in part, and followed by others; galaxies lie at a centre, at the radius and beyond it."""
    columns, rows, radius = np.array([1.0, 2.0, 3.0]), np.array([-0.5, 0.5]), 1.25
    x, y = rng.uniform(0.0, 4.0, n), rng.uniform(-2.0, 2.0, n)
    x[0], y[0] = 3.25, -0.5  # at the radius from (2, -0.5)
    x[1:2], y[1:2] = 2.0, 0.5
    e1, e2 = rng.normal(0.0, 0.3, (2, n, 2)).astype(np.float32)
    weight, spacing, table = rng.uniform(0.5, 2.0, n), 0.25, rng.uniform(0.5, 1.5, (5, 2))  # constant from 1.0 on
    found = np.full((6, 2, 2), 0.5, dtype=np.float32)
    near_sums_of_skies(Galaxies(x, y, e1, e2, weight), Profiles(table, spacing), radius, Grid(columns, rows), found)
    for q in range(6):
        distance, phi = naive_locate.polar(x, y, columns[q % 3], rows[q // 3])
        g = naive_locate.shear_at(table, spacing, distance) * (weight * (distance <= radius))[:, None]
        spin = np.where(distance > 0, np.exp(-2j * phi), 0.0)
        gamma_t = -((e1 + 1j * e2) * spin[:, None]).real
        assert_allclose(found[q], 0.5 + g.T @ gamma_t, rtol=1e-5, atol=1e-5)


def test_galaxies_that_are_near_no_centre_add_nothing():
    columns = rows = np.arange(3.0)
    e = np.ones((4, 1), dtype=np.float32)
    found = np.zeros((9, 1, 1), dtype=np.float32)
    for x, y in ((8.0, 1.0), (-8.0, 1.0), (1.0, 8.0), (1.0, -8.0)):
        galaxies = Galaxies(np.full(4, x), np.full(4, y), e, e, np.ones(4))
        near_sums_of_skies(galaxies, Profiles(np.ones((9, 1)), 0.5), 2.0, Grid(columns, rows), found)
    assert not found.any()
