"""Maps of a survey on the sky turned with north up and east to the left, as in its figure."""

from dataclasses import replace
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from classify.report.candidate_data import MapPair

Array = NDArray[np.float64]

MAX_TURN = 1e-3
"""Largest element of a rotation, in radians, that is none: a pixel moves by less than a thousandth of its distance."""


def north_up(pair: MapPair) -> MapPair:
    """Return a pair of maps with north up at their reference point, and RA increasing to the left.

    The value of a pixel is that of the nearest one; the pixel of the reference point stays one. Maps without RA and
    Dec, or with north up already, are returned as they are.
    """
    wcs = WCS(pair.header)
    if not wcs.has_celestial:
        return pair
    matrix = wcs.celestial.pixel_scale_matrix
    side = float(np.sqrt(np.abs(np.linalg.det(matrix))))
    turn = np.linalg.solve(matrix, np.diag([-side, side]))  # from the new pixels to the old ones
    if np.abs(turn - np.eye(2)).max() < MAX_TURN:
        return pair
    reference = np.asarray(wcs.wcs.crpix) - 1.0
    low, shape = _bounds(pair, reference, turn)
    new = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))).reshape(2, -1) + low[:, None]
    column, row = np.rint(turn @ new + reference[:, None]).astype(np.int64)
    inside = (column >= 0) & (column < pair.snr.shape[1]) & (row >= 0) & (row < pair.snr.shape[0])

    def turned(values: NDArray[Any], outside: Any) -> Any:
        made = np.full(shape[0] * shape[1], outside, dtype=values.dtype)
        made[inside] = values[row[inside], column[inside]]
        return made.reshape(shape)

    return replace(
        pair, snr=turned(pair.snr, np.nan), cross=turned(pair.cross, np.nan), empty=turned(pair.empty, True),
        header=_header(wcs, side, 1.0 - low),
    )  # fmt: skip


def _bounds(pair: MapPair, reference: Array, turn: Array) -> tuple[Array, tuple[int, int]]:
    """Return the first column and row of the new grid, from the reference point, and its shape: that of all values."""
    row, column = np.nonzero(np.isfinite(pair.snr) | np.isfinite(pair.cross))
    if not row.size:
        row, column = np.array([[0, pair.snr.shape[0] - 1], [0, pair.snr.shape[1] - 1]])
    new = np.linalg.solve(turn, np.stack([column, row]) - reference[:, None])
    low, high = np.rint(new.min(axis=1)), np.rint(new.max(axis=1))
    n_columns, n_rows = (high - low + 1.0).astype(int)
    return low, (int(n_rows), int(n_columns))


def _header(wcs: Any, side: float, crpix: Array) -> Any:
    """Return the header of the same projection with north up."""
    made = WCS(naxis=2)
    made.wcs.ctype, made.wcs.cunit = list(wcs.celestial.wcs.ctype), ["deg", "deg"]
    made.wcs.crval, made.wcs.cdelt, made.wcs.crpix = wcs.celestial.wcs.crval, [-side, side], crpix
    return made.to_header()
