"""Known lenses: the nearest one by angle or on the plane, its probability by chance, and lists of many kinds."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from darkmatter_features.candidates.known import KnownLenses, read_known
from darkmatter_features.errors import TableError


def listed(ra, dec):
    return KnownLenses("list.csv", tuple(f"L{k}" for k in range(len(ra))), np.stack([ra, dec], axis=1).astype(float))


def test_the_nearest_lens_is_by_angle_across_zero_hours_and_near_a_pole():
    known = listed([359.9, 10.0, 180.0], [0.0, 0.0, 89.9])
    assert known.nearest(0, 0, 0.1, 0.0)[:2] == ("L0", pytest.approx(12.0))
    name, separation, _ = known.nearest(0, 0, 0.0, 89.9)
    assert (name, separation) == ("L2", pytest.approx(12.0))


def test_the_chance_is_uniform_for_positions_at_random():
    """The probability of a match as near is itself uniform where positions and lenses have nothing to do."""
    rng = np.random.default_rng(1)
    known = listed(rng.uniform(0, 360, 3000), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 3000))))
    ra, dec = rng.uniform(0, 360, 400), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 400)))
    chance = np.array([known.nearest(0, 0, a, d).chance for a, d in zip(ra, dec, strict=True)])
    assert_allclose(np.quantile(chance, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.1)


def test_a_lens_at_the_position_is_no_chance_and_one_of_a_pair_neither():
    known = listed([10.0, 10.0, 12.0, 14.0], [0.0, 0.001, 3.0, -2.0])
    assert known.nearest(0, 0, 10.0, 0.0).chance == 0.0
    assert np.isnan(listed([10.0], [0.0]).nearest(0, 0, 11.0, 0.0).chance)


def test_lists_without_ra_and_dec_are_compared_by_x_and_y():
    known = KnownLenses("list.csv", ("a", "b"), plane=np.array([[1.0, 2.0], [30.0, 40.0]]))
    name, separation, chance = known.nearest(27.0, 36.0, np.nan, np.nan)
    assert (name, separation) == ("b", 5.0)
    assert_allclose(chance, 1 - np.exp(-25 / (26**2 + 34**2)))
    assert known.unit("shapes.csv", has_sky=False) == ""
    assert known.unit("shapes.csv", has_sky=True) == ""


def test_a_list_of_ra_and_dec_for_a_catalogue_without_is_refused_with_the_remedy():
    with pytest.raises(TableError, match=r"list.csv lists known lenses by RA and Dec, which shapes.csv lacks.*--ra"):
        listed([1.0], [2.0]).unit("shapes.csv", has_sky=False)


@pytest.mark.parametrize(
    "text",
    [
        "name,RA [deg],DEC [deg],zlens\nA1,10.5,-3\nA2,11,-4\n",
        "Name,ra,dec\nA1,10.5,-3\nA2,11,-4\nno position,,\n",
        "ID,RAJ2000,DEJ2000\nA1,10.5,-3\nA2,11,-4\n",
    ],
)
def test_lists_with_usual_names_are_read(tmp_path, text):
    path = tmp_path / "list.csv"
    path.write_text(text.replace("A1,10.5,-3\nA2,11,-4", "A1,10.5,-3,.2\nA2,11,-4,.3") if "zlens" in text else text)
    known = read_known(path)
    assert known.names == ("A1", "A2")
    assert known.sky is not None
    assert_allclose(known.sky, [[10.5, -3], [11, -4]])


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "vot"])
def test_other_formats_are_read_and_rows_without_names_are_numbered(tmp_path, suffix):
    path = tmp_path / f"list.{suffix}"
    table = Table({"ra": [1.0, 2.0], "dec": [3.0, 4.0], "x": [5.0, 6.0], "y": [7.0, 8.0]})
    table.write(path, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(suffix, suffix))
    known = read_known(path)
    assert known.names == ("1", "2")
    assert known.plane is not None
    assert_allclose(known.plane, [[5, 7], [6, 8]])


@pytest.mark.parametrize(("text", "message"), [("a,b\n1,2\n", "needs columns ra and dec, or x and y"),
                                               ("ra,dec\n,\n,\n", "no row has a position"),
                                               ("ra,dec\n10,95\n", "no row has a position")])  # fmt: skip
def test_a_table_that_is_no_list_of_lenses_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=message) as caught:
        read_known(path)
    assert "\n" not in str(caught.value)
