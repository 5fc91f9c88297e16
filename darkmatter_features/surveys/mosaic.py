"""Maps of all patches of a survey on one grid of pixels, for its figure."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.surveys.frame import ARCMIN, Frame
from darkmatter_features.surveys.maps import PIXEL, PatchMaps
from darkmatter_features.surveys.patches import Patch
from darkmatter_features.surveys.result import SurveyCandidates

Array = NDArray[np.float64]

MAX_PIXELS = 900
"""Maximum number of pixels along the longer side."""


class Mosaic(NamedTuple):
    """Maps of a survey on one grid.

    Attributes
    ----------
    snr, cross : (n_rows, n_columns) float32 arrays
        S/N of tangential and of cross shear; nan outside the survey.
    wcs : astropy.wcs.WCS
        RA and Dec of the pixels, in a projection of equal areas about the centre of the survey; x and y of a plane one.
    is_plane : bool
        Whether the survey is plane.
    """

    snr: NDArray[np.float32]
    cross: NDArray[np.float32]
    wcs: Any
    is_plane: bool

    def pixels(self, first: Array, second: Array) -> tuple[Array, Array]:
        """Return the columns and rows, from 0, of RA and Dec or of x and y."""
        column, row = self.wcs.wcs_world2pix(first, second, 0)
        return np.asarray(column), np.asarray(row)


def mosaic(found: SurveyCandidates) -> Mosaic:
    """Return the maps of a survey on one grid, of a pixel an arcminute or as large as :data:`MAX_PIXELS` asks for.

    The value of a pixel is that of the nearest one of its patch.
    """
    frame, patches = found.survey.frame, [(each.patch, each.maps) for each in found.patches if each.maps.x.size]
    wcs = _wcs(frame)
    columns, rows = (np.concatenate(each) for each in zip(*(_limits(frame, wcs, *each) for each in patches)))
    low, size = np.array([columns.min(), rows.min()]), np.array([np.ptp(columns), np.ptp(rows)])
    factor = max(1.0, float(size.max()) / MAX_PIXELS)
    shape = tuple(int(n) for n in np.floor(size / factor)[::-1] + 1)
    wcs.wcs.cdelt = wcs.wcs.cdelt * factor
    wcs.wcs.crpix = (wcs.wcs.crpix - 1.0 - low) / factor + 1.0
    snr, cross = np.full(shape, np.nan, dtype=np.float32), np.full(shape, np.nan, dtype=np.float32)
    for patch, maps in patches:
        _fill((snr, cross), frame, wcs, patch, maps)
    return Mosaic(snr, cross, wcs, frame.is_plane)


def _wcs(frame: Frame) -> Any:
    """Return the projection with a pixel an arcminute and the centre of the survey at pixel 0."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.crpix = [1.0, 1.0]
    first, second = frame.restore(np.zeros(1), np.zeros(1))
    wcs.wcs.crval = [first[0], second[0]]
    if frame.is_plane:
        (x, y), (x0, y0) = frame.restore(np.zeros(1), np.ones(1)), (first, second)
        pixel = PIXEL / ARCMIN * float(np.hypot(x - x0, y - y0)[0])
        wcs.wcs.cdelt = [pixel, pixel]
    else:
        wcs.wcs.ctype, wcs.wcs.cunit = ["RA---ZEA", "DEC--ZEA"], ["deg", "deg"]
        wcs.wcs.cdelt = [-PIXEL / ARCMIN, PIXEL / ARCMIN]
    return wcs


def _limits(frame: Frame, wcs: Any, patch: Patch, maps: PatchMaps) -> tuple[Array, Array]:
    """Return the columns and rows of the pixels of a patch that have a value."""
    used = np.isfinite(maps.snr)
    across, up = (each[used] for each in np.meshgrid(maps.x, maps.y))
    column, row = wcs.wcs_world2pix(*frame.restore(*patch.restore(across, up)), 0)
    return np.asarray(column), np.asarray(row)


def _fill(images: tuple[Any, Any], frame: Frame, wcs: Any, patch: Patch, maps: PatchMaps) -> None:
    """Fill the pixels that lie in a patch."""
    columns, rows = _limits(frame, wcs, patch, maps)
    shape = images[0].shape
    left, right = np.clip([np.floor(columns.min()) - 1, np.ceil(columns.max()) + 2], 0, shape[1]).astype(int)
    low, high = np.clip([np.floor(rows.min()) - 1, np.ceil(rows.max()) + 2], 0, shape[0]).astype(int)
    across, up = (each.ravel() for each in np.meshgrid(np.arange(left, right), np.arange(low, high)))
    placed = frame.place(*wcs.wcs_pix2world(across, up, 0))
    owned = np.flatnonzero(np.isfinite(placed.lon) & patch.owns(placed.lon, placed.lat))
    x, y, _ = patch.project(placed.lon[owned], placed.lat[owned])
    j, i = (np.rint((at - axis[0]) / PIXEL).astype(int) for at, axis in ((x, maps.x), (y, maps.y)))
    near = (i >= -1) & (i <= maps.y.size) & (j >= -1) & (j <= maps.x.size)  # between the last pixels of two patches
    cells = up[owned][near], across[owned][near]
    nearest = np.clip(i[near], 0, maps.y.size - 1), np.clip(j[near], 0, maps.x.size - 1)
    for image, values in zip(images, (maps.snr, maps.cross), strict=True):
        image[cells] = values[nearest]
