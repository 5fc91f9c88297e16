"""Galaxies of an image after turns, shifts and changes of its scale of brightness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.galaxies.shapes import measure_shapes
from darkmatter_features.io.sky import Sky
from tests.support.drawing import BLUE, ORANGE, PINK, disc
from tests.support.turns import Turn

CELL, ROWS, COLUMNS = 30, 3, 4
TURNS = st.builds(Turn, st.integers(0, 3), st.booleans())
SEEDS = st.integers(0, 2**32 - 1)


def light_of(seed, margin=0):
    """Return the light of a galaxy in each cell, (n_rows, n_columns, 3) float32 of whole numbers to 250."""
    rng = np.random.default_rng(seed)
    light = np.zeros((ROWS * CELL, COLUMNS * CELL, 3))
    for i, j in np.ndindex(ROWS, COLUMNS):
        e = rng.uniform(0.05, 0.5) * np.exp(2j * rng.uniform(0, np.pi))
        x, y = rng.uniform(11, CELL - 12, 2)
        image = disc((CELL, CELL), x, y, size=rng.uniform(1.5, 3.5), e1=e.real, e2=e.imag)
        color = (ORANGE, BLUE, PINK)[rng.integers(3)]
        light[i * CELL : (i + 1) * CELL, j * CELL : (j + 1) * CELL] = image[..., None] * color * rng.uniform(150, 400)
    return np.pad(np.rint(light), ((margin, margin), (margin, margin), (0, 0))).astype(np.float32)


def galaxies_of(light):
    return measure_shapes(segment(Sky("drawn", light)))


def rows_of(catalog, flux=1.0):
    """Return position, shape and other columns, a row for each galaxy, in the order of x and y."""
    columns = (catalog.x, catalog.y, catalog.e1, catalog.e2, catalog.size, catalog.fill_factor, catalog.flux * flux)
    rows = np.stack(columns, axis=1)
    return rows[np.lexsort((np.round(rows[:, 1], 3), np.round(rows[:, 0], 3)))]


def assert_same(one, other):
    assert len(one) >= 0.8 * ROWS * COLUMNS
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@given(seed=SEEDS, turn=TURNS)
def test_galaxies_turn_with_the_image(seed, turn):
    light = light_of(seed)
    assert_same(rows_of(galaxies_of(turn.image(light))), rows_of(turn.catalog(galaxies_of(light))))


@given(seed=SEEDS, down=st.integers(-10, 10), right=st.integers(-10, 10))
def test_galaxies_shift_with_the_light(seed, down, right):
    light = light_of(seed, margin=12)
    found = galaxies_of(np.roll(light, (down, right), axis=(0, 1)))
    expected = rows_of(galaxies_of(light)) + np.array([right, down, 0, 0, 0, 0, 0])
    assert_same(rows_of(found), expected)


@given(seed=SEEDS, factor=st.sampled_from([2.0**-12, 0.25, 2.0, 2.0**20]))
def test_shapes_do_not_depend_on_the_unit_of_the_light(seed, factor):
    light = light_of(seed)
    assert_same(rows_of(galaxies_of(np.float32(factor) * light), 1.0 / factor), rows_of(galaxies_of(light)))


@given(seed=SEEDS, order=st.permutations(range(3)))
def test_the_order_of_the_bands_does_not_change_the_shapes(seed, order):
    light = light_of(seed)
    assert_same(rows_of(galaxies_of(light[..., order].copy())), rows_of(galaxies_of(light)))


def test_the_properties_see_a_change_of_the_shapes():
    rows = rows_of(galaxies_of(light_of(1)))
    with pytest.raises(AssertionError):
        assert_same(rows, rows * np.where(np.arange(7) == 3, -1.0, 1.0))
