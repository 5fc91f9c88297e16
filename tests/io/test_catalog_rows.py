"""Rows that are no galaxies, and galaxies that have several rows."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import TableError
from tests.support.shape_tables import galaxies, on_sky

GOOD = {"x": 2000.0, "y": 1000.0, "e1": 0.1, "e2": -0.1, "ra": 150.0, "dec": 20.0, "weight": 1.0}


def with_bad(frame, n, **values):
    """Return a table with `n` rows more, whose values are good ones unless given."""
    good = {name: np.linspace(GOOD[name], GOOD[name] + 0.01, n) for name in frame}
    return pd.concat(
        [frame, pd.DataFrame(good | {key: np.full(n, value) for key, value in values.items()})], ignore_index=True
    )


SENTINELS = [-99.0, -999.0, 999999.0, -9999.0, 1e20, 1e30, -1e30, np.nan, np.inf, 3.4028235e38]


@pytest.mark.parametrize("value", SENTINELS)
@pytest.mark.parametrize("key", ["x", "y", "e1", "e2", "weight"])
def test_rows_with_a_sentinel_are_left_out(read, key, value):
    catalog = read(with_bad(galaxies().assign(weight=1.0), 7, **{key: value}))
    assert catalog.n_dropped == 7
    assert_array_equal(catalog.x, galaxies()["x"])


@pytest.mark.parametrize("value", [-99.0, 99.0, -999.0, 999.0, 1e20, np.nan])
@pytest.mark.parametrize("keys", [("ra",), ("dec",), ("ra", "dec")])
@pytest.mark.parametrize("ra", [150.0, 0.02, 261.0])
def test_sentinels_of_ra_and_dec_are_left_out(read, keys, value, ra):
    frame = on_sky(galaxies(), ra, 20.0)
    catalog = read(with_bad(frame, 7, **({"ra": ra, "dec": 20.0} | dict.fromkeys(keys, value))))
    assert catalog.n_dropped == 7


@pytest.mark.parametrize("value", [-99.0, 99.0, -999.0, 0.0, -5000.0, 1e5])
def test_rows_heaped_outside_the_field_are_left_out(read, value):
    catalog = read(with_bad(galaxies(), 30, x=value, y=-value / 2, e1=0.0, e2=0.0))
    assert catalog.n_dropped == 30
    assert catalog.bounds[0] == galaxies()["x"].min()
    assert "30 rows" in catalog.notes[-1]


def test_legitimate_values_that_look_like_sentinels_stay(read):
    """99 and 999 lie among the others, or alone at the border; RA 99 is a direction like any other."""
    frame = galaxies()
    frame.loc[:3, "x"] = 99.0
    frame.loc[4:6, "y"] = 999.0
    assert read(frame).n_dropped == 0
    frame = galaxies()
    frame["x"] += 150.0
    frame.loc[0, "x"] = 99.0
    assert read(frame).n_dropped == 0
    sky = on_sky(galaxies(), 99.1, 20.0)
    sky.loc[:2, "ra"] = 99.0
    assert read(sky).n_dropped == 0


def test_a_field_about_the_origin_keeps_its_negative_positions(read):
    frame = galaxies()
    frame[["x", "y"]] -= 2100.0
    frame.loc[0, "x"] = -99.0
    frame.loc[1:2, "y"] = -999.0
    assert read(frame).n_dropped == 0


def test_rows_beyond_one_are_counted_apart_from_those_without_a_shape(read):
    frame = with_bad(with_bad(galaxies(), 3, e1=1.2), 4, e1=-99.0)
    notes = read(frame).notes
    assert notes[-1] == "4 rows without a shape, 3 rows with |e| >= 1 left out"
    frame.loc[0, "e1"] = np.nan
    assert "5 rows without a shape" in read(frame).notes[-1]


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0])
def test_weights_that_are_all_useless_are_refused(read, value):
    frame = galaxies().assign(weight=value)
    with pytest.raises(TableError, match=r"none of the 60 weights is above 0; name another column with --weight"):
        read(frame)
    assert read(frame, weight="none").weight is None


@pytest.mark.parametrize(("n", "words"), [(1, "1 row carries"), (3, "3 rows carry")])
@pytest.mark.parametrize("weight", [1e4, 1e6, 1e18])
def test_a_few_rows_that_carry_most_of_the_weight_are_reported(read, n, words, weight):
    frame = galaxies(300).assign(weight=1.0)
    frame.loc[: n - 1, "weight"] = weight
    catalog = read(frame)
    assert re.fullmatch(rf"{words} (9\d\.\d|9\d|100) % of the weight \(--weight none .*\)", catalog.notes[-1])
    assert "of the weight" not in read(frame, weight="none").notes[-1]


def test_ordinary_weights_need_no_note(read):
    weight = np.random.default_rng(1).lognormal(0, 1, 60)
    assert "of the weight" not in read(galaxies().assign(weight=weight)).notes[-1]
    assert "of the weight" not in read(galaxies(11).assign(weight=weight[:11])).notes[-1]


# Repeated galaxies


def test_identical_rows_count_once(read):
    catalog = read(pd.concat([galaxies()] * 3))
    assert (len(catalog), catalog.n_dropped) == (60, 120)
    for name in galaxies():
        assert_array_equal(getattr(catalog, name), galaxies()[name])
    assert "120 repeated rows merged" in catalog.notes[-1]


def test_rows_at_one_position_become_one_with_the_weighted_mean_shape(read):
    one, other = galaxies().assign(weight=1.0), galaxies(seed=6).assign(weight=3.0)
    other[["x", "y"]] = one[["x", "y"]]
    catalog = read(pd.concat([one, other]))
    assert_allclose(catalog.e1, (one["e1"] + 3 * other["e1"]) / 4)
    assert_allclose(catalog.weight, 2.0)  # not 4: a second measurement leaves the shape noise as it is


def test_only_repeated_galaxies_are_merged(read):
    catalog = read(pd.concat([galaxies(), galaxies()[:7]]))
    assert_array_equal(catalog.e1, galaxies()["e1"])
    assert catalog.n_dropped == 7


def overlapping():
    """Return 60 galaxies and half of them again, seen by another exposure to within 0.3 pixels."""
    rng, again = np.random.default_rng(8), galaxies()[:30].copy()
    again[["x", "y"]] += rng.uniform(-0.3, 0.3, (30, 2))
    again[["e1", "e2"]] += rng.normal(0, 0.05, (30, 2))
    return pd.concat([galaxies(), again])


def test_overlapping_exposures_are_merged_and_reported(read):
    merged = read(overlapping())
    assert merged.notes[-2:] == (
        "30 repeated rows merged",
        "30 of them close to another, not at its exact position (--no-merge)",
    )
    assert len(merged) == 60
    assert len(read(overlapping(), merge=False)) == 90
    assert_array_equal(read(overlapping(), merge=True).e1, merged.e1)
    assert_array_equal(merged.x, galaxies()["x"])
    again = overlapping()["e1"].to_numpy()
    assert_allclose(merged.e1[:30], (again[:30] + again[60:]) / 2)


def test_overlapping_exposures_are_found_in_ra_and_dec(read):
    frame = on_sky(overlapping(), 0.02, 20.0)
    assert len(read(frame)) == 60
    assert "30 of them close" in read(frame).notes[-1]


@pytest.mark.parametrize("scatter", [0.01, 0.25, 0.5])
def test_four_rows_of_each_galaxy_become_one_where_they_are_dense(read, scatter):
    """The mean distance of the rows is half that of the galaxies, 21 pixels."""
    rng, once = np.random.default_rng(1), galaxies(10000)
    again = [once] + [once.assign(**{key: once[key] + rng.normal(0, scatter, 10000) for key in "xy"}) for _ in range(3)]
    assert 9500 < len(read(pd.concat(again))) < 12000


def test_galaxies_in_groups_are_no_repetitions(read):
    rng, n = np.random.default_rng(1), 3000
    centre = rng.uniform(0, 4200, (300, 2))[rng.integers(0, 300, n)]
    position = centre + 20 * rng.standard_t(2, (n, 2))
    assert read(galaxies(n).assign(x=position[:, 0], y=position[:, 1])).n_dropped == 0


def test_nothing_is_merged_against_the_user(read):
    catalog = read(pd.concat([galaxies()] * 2), merge=False)
    assert len(catalog) == 120
    assert catalog.notes[-1] == "60 rows repeat a position, not merged"


def test_chance_neighbours_are_no_repetitions(read):
    """20,000 galaxies have some 25 neighbours within the radius by chance."""
    catalog = read(galaxies(20000))
    assert catalog.n_dropped == 20000 - len(galaxies(20000)[["x", "y"]].drop_duplicates())
    assert "close to another" not in "; ".join(catalog.notes)


# Pixels of several detectors


def mosaic(n_a_side, ra=150.0, n=400):
    """Return galaxies whose pixels start anew on each of several detectors."""
    frame = galaxies(n)
    sky, size = on_sky(frame, ra, 20.0), 4200 / n_a_side
    return sky.assign(X_IMAGE=frame["x"] % size, Y_IMAGE=frame["y"] % size)


@pytest.mark.parametrize("n_a_side", [2, 3, 6])
@pytest.mark.parametrize("ra", [150.0, 0.02])
def test_pixels_that_start_anew_give_way_to_ra_and_dec(read, n_a_side, ra):
    catalog = read(mosaic(n_a_side, ra))
    assert catalog.wcs is not None
    assert "several detectors: positions by RA and Dec" in "; ".join(catalog.notes)


def test_pixels_of_one_detector_stay(read):
    assert read(mosaic(1)).wcs is None


def test_pixels_stay_if_some_galaxies_have_another_direction(read):
    frame = mosaic(1)
    frame.loc[:15, ["ra", "dec"]] = 0.0
    frame.loc[16:20, "ra"] += 1.0
    assert read(frame).wcs is None


def test_pixels_named_by_the_user_stay(read):
    assert read(mosaic(2), x="X_IMAGE", y="Y_IMAGE").wcs is None


def test_ra_and_dec_of_other_galaxies_are_not_used(read):
    frame = mosaic(1)
    order = np.random.default_rng(3).permutation(len(frame))
    frame["ra"], frame["dec"] = frame["ra"].to_numpy()[order], frame["dec"].to_numpy()[order]
    assert read(frame).wcs is None


@pytest.mark.parametrize("name", ["EXT_NUMBER", "ccdnum", "detector"])
def test_pixels_that_start_anew_are_refused_without_ra_and_dec(read, name):
    frame = galaxies(200)
    detector = 1 + (frame["x"] > 2100) + 2 * (frame["y"] > 2100)
    assert read(frame.assign(**{name: detector})).wcs is None  # side by side in one frame
    again = frame.assign(x=frame["x"] % 2100, y=frame["y"] % 2100, **{name: detector})
    with pytest.raises(TableError, match=r"start anew on each of several detectors; give RA and Dec, or .*--x and --y"):
        read(again)
    assert len(read(again, x="x", y="y")) == 200
