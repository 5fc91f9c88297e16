"""Maps of S/N of a survey as FITS images, one for each patch, in its tangent plane."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.maps import MAPS
from darkmatter_features.io.fits_output import write_fits
from darkmatter_features.io.table import written_whole
from darkmatter_features.surveys.filter_maps import FilterBank, Map
from darkmatter_features.surveys.frame import ARCMIN, Frame
from darkmatter_features.surveys.patches import PATCH_SIZE, Patch

PIXEL = 1.0
"""Distance of the pixels of the maps, arcmin; the cells of the search are four times as fine."""

MAX_REACH = 1.1
"""Half of the widest map, heights of a patch: at its corners a patch reaches beyond the middle of its sides."""


class PatchMaps(NamedTuple):
    """Maps of one patch.

    Attributes
    ----------
    x, y : (n_columns,) and (n_rows,) float64 arrays, arcmin
        Pixels in the tangent plane of the patch, to the west and the north of its frame.
    snr, cross : (n_rows, n_columns) float32 arrays
        S/N of tangential and of cross shear, of the profile with the largest absolute value; nan outside the patch
        and where galaxies are few.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    snr: Map
    cross: Map


def patch_maps(patch: Patch, bank: FilterBank) -> PatchMaps:
    """Return the maps of a search at the pixels that a patch owns."""
    grid = bank.patch.grid
    reach = MAX_REACH * PATCH_SIZE * ARCMIN / 2.0
    x, y = (
        np.arange(np.ceil(max(-reach, low) / PIXEL), np.floor(min(reach, high) / PIXEL) + 1) * PIXEL
        for low, high in ((bank.patch.x.min(), bank.patch.x.max()), (bank.patch.y.min(), bank.patch.y.max()))
    )
    across, up = (each.ravel() for each in np.meshgrid(x, y))
    cells = np.minimum(grid.cells(across, up), grid.shape[0] * grid.shape[1] - 1)
    covered = np.any([root.ravel()[cells] > 0.0 for root in bank.inverse_roots], axis=0)
    used = covered & patch.owns(*patch.restore(across, up))
    shape = y.size, x.size
    values = [np.where(used, each.ravel()[cells], np.nan).astype(np.float32).reshape(shape) for each in _extremes(bank)]
    rows, columns = (np.flatnonzero(used.reshape(shape).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return PatchMaps(x[:0], y[:0], values[0][:0, :0], values[1][:0, :0])
    inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return PatchMaps(x[inner[1]], y[inner[0]], values[0][inner], values[1][inner])


def _extremes(bank: FilterBank) -> tuple[Map, Map]:
    """Return the S/N of tangential and of cross shear with the largest absolute values over the filters."""
    best = np.zeros(bank.patch.grid.shape, np.float32), np.zeros(bank.patch.grid.shape, np.float32)
    for snr in bank.snr_maps((bank.patch.v * bank.patch.e).astype(np.complex64)):
        for values, own in zip(best, (snr.real, snr.imag), strict=True):
            np.copyto(values, own, where=np.abs(own) > np.abs(values))
    return best


def write_survey_maps(folder: Path, frame: Frame, found: list[tuple[Patch, PatchMaps]]) -> None:
    """Write ``snr.fits`` and ``cross.fits``, each with an image for each patch that has galaxies."""
    from astropy.io import fits

    for k, (name, component) in enumerate(MAPS.items()):
        images: list[Any] = [fits.PrimaryHDU()]
        for patch, maps in found:
            if maps.x.size:
                image = fits.ImageHDU((maps.snr, maps.cross)[k], map_header(frame, patch, maps), name="PATCH")
                image.ver = len(images)
                image.header["BUNIT"], image.header["OBJECT"] = ("", "S/N"), f"S/N of {component} shear"
                images.append(image)
        with written_whole(folder / name) as temporary:
            write_fits(temporary, images)


def map_header(frame: Frame, patch: Patch, maps: PatchMaps) -> Any:
    """Return the header that gives RA and Dec of the pixels of a patch; x and y of the catalogue in a plane survey."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.crpix = [1.0 - maps.x[0] / PIXEL, 1.0 - maps.y[0] / PIXEL]
    steps = PIXEL * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    first, second = frame.restore(*patch.restore(steps[:, 0], steps[:, 1]))
    wcs.wcs.crval = [first[0], second[0]]
    if frame.is_plane:
        wcs.wcs.cname = ["x", "y"]
        wcs.wcs.pc = [first[1:] - first[0], second[1:] - second[0]]
        return wcs.to_header()
    wcs.wcs.ctype, wcs.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
    tangent = wcs.deepcopy()
    tangent.wcs.crpix = [0.0, 0.0]
    xi, eta = tangent.wcs_world2pix(first, second, 0)
    wcs.wcs.pc = [xi[1:] - xi[0], eta[1:] - eta[0]]
    return wcs.to_header()
