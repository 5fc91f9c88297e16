"""Maps of S/N as FITS images, with a WCS where the catalogue has RA and Dec."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.table import written_whole
from darkmatter_features.location.locate import Location

Array = NDArray[np.float64]

MAPS = {"snr.fits": "tangential", "cross.fits": "cross"}
"""Component of the shear in each file."""


def write_maps(folder: Path, catalog: ShapeCatalog, located: Location) -> None:
    """Write the S/N of tangential and of cross shear, ``snr.fits`` and ``cross.fits``.

    Parameters
    ----------
    folder : Path
        Folder for the files.
    catalog : ShapeCatalog
        Galaxies of one field.
    located : Location
        Result of :func:`~darkmatter_features.location.locate.locate` for the catalogue.
    """
    from astropy.io import fits

    for (name, component), values in zip(MAPS.items(), (located.snr_map, located.snr_cross_map), strict=True):
        header = map_header(catalog, located)
        header["BUNIT"] = ("", "S/N")
        header["OBJECT"] = (f"S/N of {component} shear", located.profile)
        with written_whole(folder / name) as temporary:
            fits.PrimaryHDU(values.astype(np.float32), header).writeto(temporary, checksum=True)


def map_header(catalog: ShapeCatalog, located: Location) -> Any:
    """Return the header that gives x and y, or RA and Dec, of the cells of the maps.

    Where x and y were computed from RA and Dec, their projection is carried over to the cells; otherwise the axes are x
    and y of the catalogue.
    """
    from astropy.wcs import WCS

    steps = [_step(axis) for axis in (located.columns, located.rows)]
    first = [float(located.columns[0]), float(located.rows[0])]
    if catalog.wcs is None:
        wcs = WCS(naxis=2)
        wcs.wcs.crpix, wcs.wcs.crval, wcs.wcs.cdelt = [1.0, 1.0], first, steps
        wcs.wcs.cname = ["x", "y"]
        return wcs.to_header()
    wcs = catalog.wcs.deepcopy()
    origin = np.asarray(wcs.wcs.crpix) - 1.0
    wcs.wcs.crpix = (origin - first) / steps + 1.0
    wcs.wcs.cdelt = np.asarray(wcs.wcs.cdelt) * steps
    return wcs.to_header()


def _step(axis: Array) -> float:
    return float(axis[-1] - axis[0]) / (axis.size - 1) if axis.size > 1 else 1.0
