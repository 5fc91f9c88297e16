"""Apertures that are empty: borders, corners and masks, and none in a field of random galaxies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.candidates.coverage import APERTURE_RADIUS, MAX_EMPTY, empty_fractions
from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.location.field import field_of
from tests.support.located import SIDE, catalog_of, galaxies

MASK = 0.08
"""Radius of the mask, sides of the field."""


def field_with(n, *, mask=None):
    """Return a field of n galaxies, without those within MASK of a position."""
    rng = np.random.default_rng(n)
    z = rng.random(n) + 1j * rng.random(n)
    if mask is not None:
        z = z[np.abs(z - mask) > MASK]
    return field_of(catalog_of(z, np.full(z.size, 0.1 + 0.1j)), subtract_mean=False)


@pytest.mark.parametrize("n", [500, 3000])
def test_the_border_cuts_off_a_half_and_the_corner_three_quarters(n):
    field = field_with(n)
    fractions = empty_fractions(field, np.array([0.0, 0.0, 0.5]), np.array([0.5, 0.0, 0.5]))
    assert_allclose(fractions, [0.5, 0.75, 0.0], atol=0.05)


@pytest.mark.parametrize("n", [500, 3000])
def test_a_mask_is_empty_by_its_area(n):
    field = field_with(n, mask=0.5 + 0.5j)
    inside, outside = empty_fractions(field, np.array([0.5, 0.8]), np.array([0.5, 0.8]))
    assert_allclose(inside, (MASK / APERTURE_RADIUS) ** 2, atol=0.2)
    assert inside > MAX_EMPTY
    assert outside == 0.0


def test_few_apertures_of_random_galaxies_are_empty():
    fractions = []
    for n in (100, 300, 500, 700, 900):
        at = np.random.default_rng(0).uniform(0.15, 0.85, (2, 20))
        fractions += list(empty_fractions(field_with(n), *at))
    assert np.mean(np.array(fractions) > MAX_EMPTY) < 0.04


def test_a_lens_at_the_border_has_the_flag_and_one_in_the_middle_has_not():
    for lens, edge in (((2100.0, 2100.0), False), ((30.0, 2100.0), True)):
        catalog = galaxies(np.random.default_rng(0), theta_e=250.0, n=500, lens=lens)
        (found,) = find_candidates(catalog, most=1)
        assert np.hypot(found.x - lens[0], found.y - lens[1]) < 0.05 * SIDE
        assert found.edge == edge
        assert (found.empty_fraction > MAX_EMPTY) == edge
