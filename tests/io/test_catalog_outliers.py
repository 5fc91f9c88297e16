"""Positions that are none: far from the field, or in one coordinate alone."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from tests.support.shape_tables import galaxies, on_sky


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("key", ["x", "y"])
@pytest.mark.parametrize("value", [-32768.0, 65535.0, 1e10, -1e10, 54321.0])
def test_a_few_absurd_positions_do_not_stretch_the_field(read, value, key, n):
    frame = galaxies(348)
    frame.loc[: n - 1, key] = value
    catalog = read(frame)
    assert_array_equal(catalog.x, galaxies(348)["x"][n:])
    assert f"{n} {'row' if n == 1 else 'rows'} " in catalog.notes[-1]
    assert "left out" in catalog.notes[-1]


def test_absurd_positions_on_both_sides_are_left_out(read):
    frame = galaxies(348)
    frame.loc[:1, "x"], frame.loc[2:3, "x"], frame.loc[4, "y"] = [1e10, 2e9], [-1e10, -3e5], 7e7
    catalog = read(frame)
    assert catalog.n_dropped == 5
    assert catalog.notes[-1] == "5 rows far from the field of the others left out"


def test_the_largest_integers_are_none_in_a_wide_field(read):
    frame = galaxies(348)
    frame[["x", "y"]] *= 4
    frame.loc[0, "x"], frame.loc[1, "y"] = -32768, 65535
    assert read(frame).n_dropped == 2


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    "value", [(0.0, 0.0), (-1.0, -1.0), (0.0, 20.0), (1e10, -1e10), (-32768.0, 20.0), (150.0, 0.0)]
)
@pytest.mark.parametrize("centre", [(150.0, 20.0), (200.0, 89.9)])
def test_a_few_directions_far_away_are_left_out(read, value, centre, n):
    frame = on_sky(galaxies(348), *centre)
    frame.loc[: n - 1, ["ra", "dec"]] = value
    if centre[1] > 89 and value[1] == 20.0:
        frame.loc[: n - 1, "dec"] = -20.0
    catalog = read(frame)
    assert_array_equal(catalog.ra, on_sky(galaxies(348), *centre)["ra"][n:])


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_rows_heaped_in_one_coordinate_outside_are_left_out(read, value):
    frame = galaxies(348)
    frame["x"] += 1.0
    frame.loc[:29, "x"] = value
    catalog = read(frame)
    assert catalog.n_dropped == 30
    assert catalog.notes[-1] == "30 rows at one x outside the field left out"


def test_concentrated_and_extended_fields_stay(read):
    """A cluster in a wide field, a normal and a heavy-tailed distribution, pixels of integers, and a strip."""
    rng, frame = np.random.default_rng(4), galaxies(2000)
    wide = frame.copy()
    wide.loc[:399, ["x", "y"]] = rng.normal(2100, 20, (400, 2))
    assert read(wide).n_dropped == 0
    for position in (rng.normal(0, 100, (2000, 2)), rng.standard_t(3, (2000, 2))):
        assert read(frame.assign(x=position[:, 0], y=position[:, 1])).n_dropped == 0
    assert "field" not in read(frame.round({"x": 0, "y": 0})).notes[-1]
    assert read(on_sky(frame.assign(y=frame["y"] / 100), 150.0, 20.0)).n_dropped == 0


def test_two_fields_are_not_thinned_to_one(read):
    frame = galaxies(200)
    second = galaxies(100, seed=2)
    second["x"] += 1e5
    assert read(pd.concat([frame, second])).n_dropped == 0
