"""Maps of surveys turned with north up: values stay at their places on the sky."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal

from classify.report.candidate_data import MapPair
from classify.report.candidate_maps import homes, marks_in
from classify.report.north_up import north_up

SHAPE = (30, 40)


def pair_at(angle, *, shift=(0.0, 0.0), shape=SHAPE):
    """Return maps whose columns run to the west, turned by an angle; each value is that of one pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
    wcs.wcs.crval, wcs.wcs.crpix = [30.0 + shift[0], 5.0 + shift[1]], [18.0, 11.0]
    wcs.wcs.pc = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 60.0
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    values[:4, :9] = np.nan
    return MapPair(values, -values, np.isnan(values), wcs.to_header())


@pytest.mark.parametrize("angle", [0.0, 0.01, 0.6, 1.9, np.pi, -2.5])
def test_values_stay_at_their_places(angle):
    pair = pair_at(angle)
    found = north_up(pair)
    row, column = np.nonzero(np.isfinite(found.snr))
    ra, dec = WCS(found.header).wcs_pix2world(column, row, 0)
    x, y = np.rint(WCS(pair.header).wcs_world2pix(ra, dec, 0)).astype(int)
    assert_array_equal(found.snr[row, column], pair.snr[y, x])
    assert_array_equal(found.cross, -found.snr)
    assert_array_equal(found.empty, np.isnan(found.snr))
    assert np.isfinite(found.snr).sum() == pytest.approx(np.isfinite(pair.snr).sum(), rel=0.01)
    assert_allclose(WCS(found.header).pixel_scale_matrix, np.diag([-1.0, 1.0]) / 60.0, atol=2e-5)


def test_half_a_turn_keeps_all_values():
    pair = pair_at(np.pi)
    assert_array_equal(north_up(pair).snr, pair.snr[::-1, ::-1])
    assert_array_equal(north_up(pair_at(0.0)).snr, pair.snr)


def test_north_is_up_and_east_left_at_the_marks():
    table = Table({"ra": [30.1, 30.0, 29.9], "dec": [5.0, 5.1, 4.95]})
    marks = {k: (row, column) for k, row, column, _ in marks_in(table, north_up(pair_at(2.0, shape=(40, 40))))}
    assert marks[0][1] < marks[1][1] < marks[2][1]
    assert marks[1][0] < marks[0][0] < marks[2][0]


def test_maps_in_a_plane_keep_their_axes():
    wcs = WCS(naxis=2)
    wcs.wcs.pc = [[-1.0, 0.2], [0.2, 1.0]]
    pair = MapPair(np.ones(SHAPE), np.ones(SHAPE), np.zeros(SHAPE, bool), wcs.to_header())
    assert north_up(pair) is pair


def test_the_home_of_a_candidate_is_the_map_with_its_value():
    """Though another map, which is empty there, reaches over it; of two with a value, it is that around it."""
    one, two = north_up(pair_at(0.8)), north_up(pair_at(0.8, shift=(0.2, 0.0)))
    hollow = replace(one, snr=np.full(one.snr.shape, np.nan))
    row, column = (side // 2 for side in one.snr.shape)
    ra, dec = WCS(one.header).wcs_pix2world([column], [row], 0)
    table = Table({"ra": [ra[0], 80.0], "dec": [dec[0], 5.0]})
    assert homes(table, [hollow, one]) == [1, None]
    assert homes(table, [two, hollow, one]) == [2, None]
