"""Maps of candidates as the page draws them: the first row on top, with marks and coordinates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from classify.report.candidate_data import CandidateData, MapPair, plane_key
from classify.report.encoding import encoded_map, rounded
from classify.report.world import encoded_world

Array = NDArray[np.float64]


def encoded_pair(data: CandidateData, pair: MapPair) -> dict[str, Any]:
    """Return the data of a pair of maps: both maps, empty cells, coordinates, and marks inside.

    Returns
    -------
    dict
        ``shape``; ``snr, cross, empty``, encoded maps; ``world``, the table of RA and Dec, or None; ``plane``, x and y
        of the first pixel, and their steps by column and by row, or None; ``candidates`` and ``known``, row, column and
        number in its table of each mark, with the error of the position, pixels.
    """
    n_rows, n_columns = pair.snr.shape
    main = WCS(pair.header)
    has_sky = main.has_celestial
    plane = WCS(pair.header, key=plane_key(pair.header))
    is_linear = not plane.has_celestial
    return {
        "shape": [n_rows, n_columns],
        "grid": [0.0, 1.0, 0.0, 1.0],
        "snr": encoded_map(pair.snr[::-1]),
        "cross": encoded_map(pair.cross[::-1]),
        "empty": encoded_map(np.where(pair.empty, 1.0, np.nan)[::-1]),
        "world": encoded_world(flipped(main, n_rows), (n_rows, n_columns)) if has_sky else None,
        "plane": _affine(plane, n_rows) if is_linear else None,
        "candidates": marks_in(data.table, pair),
        "known": [] if data.known is None else marks_in(data.known, pair),
    }


def flipped(wcs: Any, n_rows: int) -> Any:
    """Return the WCS of the image whose first row is the last one."""
    made = wcs.deepcopy()
    made.wcs.crpix = [wcs.wcs.crpix[0], n_rows + 1 - wcs.wcs.crpix[1]]
    made.wcs.pc = wcs.wcs.get_pc() * np.array([1.0, -1.0])
    return made


def _affine(plane: Any, n_rows: int) -> list[float | None]:
    """Return x and y of the first pixel of the page's map, the steps of x and y by column, and those by row."""
    first, right, down = plane.wcs_pix2world([[0, n_rows - 1], [1, n_rows - 1], [0, n_rows - 2]], 0)
    return rounded([*first, *(right - first), *(down - first)], 12)


def marks_in(table: Any, pair: MapPair) -> list[list[Any]]:
    """Return number, row, column and position error, pixels, of the rows of a table that lie in a pair of maps.

    Positions are x and y where the map has them, and RA and Dec otherwise.
    """
    shape, wcs = pair.snr.shape, WCS(pair.header, key=plane_key(pair.header))
    names = ("ra", "dec") if wcs.has_celestial else ("x", "y")
    if not len(table):
        return []
    world = np.stack([np.asarray(table[name], dtype=np.float64) for name in names], axis=1)
    column, row = np.full((2, len(table)), np.nan)
    known = np.isfinite(world).all(axis=1)
    column[known], row[known] = wcs.wcs_world2pix(world[known], 0).T
    row = shape[0] - 1 - row
    inside = np.flatnonzero((np.abs(row + 0.5) <= shape[0] + 0.5) & (row >= -1) & (column >= -1) & (column <= shape[1]))
    has_error = "position_error" in table.colnames
    errors = np.asarray(table["position_error"] if has_error else np.zeros(len(table))) / _pixel(wcs)
    return [[int(k), *rounded([row[k], column[k], errors[k]])] for k in inside]


def homes(table: Any, pairs: Sequence[MapPair]) -> list[int | None]:
    """Return the index of the map that shows each candidate, None without one.

    It is that with a value there and, of several, the one in which it is nearest to the middle.
    """
    best: list[tuple[float, int | None]] = [(np.inf, None)] * len(table)
    for number, pair in enumerate(pairs):
        shape = np.array(pair.snr.shape)
        for k, row, column, _ in marks_in(table, pair):
            at = np.clip(np.rint([shape[0] - 1 - row, column]).astype(int), 0, shape - 1)
            away = float(np.abs(at / (shape - 1).clip(1) - 0.5).max()) + float(np.isnan(pair.snr[tuple(at)]))
            best[k] = min(best[k], (away, number), key=lambda each: each[0])
    return [number for _, number in best]


def _pixel(wcs: Any) -> float:
    """Return the size of a pixel in the unit of the position errors: arcmin on the sky."""
    size = float(np.sqrt(np.abs(np.linalg.det(wcs.pixel_scale_matrix))))
    return 60.0 * size if wcs.has_celestial else size
