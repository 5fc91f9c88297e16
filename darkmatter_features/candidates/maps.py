"""Maps of S/N and of the aperture mass as FITS images, with a WCS where the catalogue has RA and Dec."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.aperture_mass import ApertureMass, aperture_mass, aperture_radii
from darkmatter_features.candidates.coverage import empty_map
from darkmatter_features.candidates.projection import field_projection
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.fits_output import write_fits
from darkmatter_features.io.table import written_whole
from darkmatter_features.location.field import Field, field_of
from darkmatter_features.location.locate import Location
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]

EMPTY = "empty.fits"
"""File with 1 in the cells without galaxies, outside the field or in a hole, and 0 elsewhere."""

PLANE_KEY = "A"
"""Key of the second coordinates of the maps: x and y of the catalogue."""

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
            write_fits(temporary, [fits.PrimaryHDU(values.astype(np.float32), header)])


def write_empty(folder: Path, catalog: ShapeCatalog, located: Location) -> None:
    """Write ``empty.fits``: where the field has no galaxies, see :func:`~.coverage.empty_map`; cells as in the maps."""
    from astropy.io import fits

    field = field_of(catalog, subtract_mean=False)
    values = empty_map(field, *_in_sides(field, located))
    with written_whole(folder / EMPTY) as temporary:
        write_fits(temporary, [fits.PrimaryHDU(values.astype(np.uint8), map_header(catalog, located))])


def _in_sides(field: Field, located: Location) -> tuple[Array, Array]:
    """Return x and y of the cells of the maps in sides of the field."""
    columns, rows = (
        (axis - corner) / field.side for axis, corner in zip((located.columns, located.rows), field.corner, strict=True)
    )
    return columns, rows


def write_aperture_mass(
    folder: Path, catalog: ShapeCatalog, located: Location, profiles: ShearProfiles, *, subtract_mean: bool = False
) -> None:
    """Write the aperture mass and its S/N, ``aperture_mass.fits`` and ``aperture_mass_snr.fits``.

    Parameters
    ----------
    folder, catalog, located
        As in :func:`write_maps`; the maps have the same cells.
    profiles : ShearProfiles
        Shear profiles, from whose scales the aperture radii are.
    subtract_mean : bool
        Subtract the mean ellipticity.

    Notes
    -----
    Each file has an image for each filter and radius, see
    :func:`~darkmatter_features.candidates.aperture_mass.aperture_mass`, whose header gives both; that of S/N has one of
    the cross shear beside each.
    """
    field = field_of(catalog, subtract_mean=subtract_mean)
    columns, rows = _in_sides(field, located)
    found = [each for radius in aperture_radii(profiles) for each in aperture_mass(field, columns, rows, radius)]
    header = map_header(catalog, located)
    masses = [_image(each.mass, header, "MAP", each, field.side, catalog) for each in found]
    snrs = [
        _image(values, header, name, each, field.side, catalog)
        for each in found
        for name, values in (("SNR", each.snr), ("SNR_CROSS", each.snr_cross))
    ]
    for name, images in (("aperture_mass.fits", masses), ("aperture_mass_snr.fits", snrs)):
        _write_images(folder / name, images)


def _image(values: Array, header: Any, name: str, mass: ApertureMass, side: float, catalog: ShapeCatalog) -> Any:
    """Return an image with its filter and radius in the header."""
    from astropy.io import fits

    image = fits.ImageHDU(values.astype(np.float32), header.copy(), name=name)
    unit = "arcmin" if catalog.wcs is not None else "unit of x and y"
    image.header["FILTER"] = (mass.filter_name, "filter of the aperture mass")
    image.header["RADIUS"] = (side * mass.radius, f"aperture radius, {unit}")
    image.header["BUNIT"] = ""
    return image


def _write_images(path: Path, images: list[Any]) -> None:
    from astropy.io import fits

    for version, image in enumerate(images, start=1):
        image.ver = 1 + [other.name for other in images[: version - 1]].count(image.name)
    with written_whole(path) as temporary:
        write_fits(temporary, [fits.PrimaryHDU(), *images])


def map_header(catalog: ShapeCatalog, located: Location) -> Any:
    """Return the header that gives x and y, or RA and Dec, of the cells of the maps.

    Where the catalogue has a projection, see :func:`~darkmatter_features.candidates.projection.field_projection`, it is
    carried over to the cells; otherwise the axes are x and y of the catalogue. The coordinates of key A are these in
    both cases.
    """
    from astropy.wcs import WCS

    steps = np.array([_step(axis) for axis in (located.columns, located.rows)])
    first = np.array([located.columns[0], located.rows[0]])
    projection = field_projection(catalog)
    plane, wcs = WCS(naxis=2), WCS(naxis=2)
    plane.wcs.crpix, plane.wcs.crval, plane.wcs.cdelt = [1.0, 1.0], first, steps
    plane.wcs.cname = ["x", "y"]
    header = plane.to_header(key=PLANE_KEY)
    if projection is None:
        header.update(plane.to_header())
        return header
    own, matrix = projection.wcs, projection.pixel_scale_matrix
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cunit = own.ctype, own.crval, own.cunit
    wcs.wcs.lonpole, wcs.wcs.latpole = own.lonpole, own.latpole
    wcs.wcs.radesys = own.radesys
    wcs.wcs.crpix = (np.asarray(own.crpix) - 1.0 - first) / steps + 1.0
    is_diagonal = matrix[0, 1] == 0.0 == matrix[1, 0]
    wcs.wcs.cdelt = np.diag(matrix) * steps if is_diagonal else [1.0, 1.0]
    if not is_diagonal:
        wcs.wcs.pc = matrix * steps
    header.update(wcs.to_header())
    return header


def _step(axis: Array) -> float:
    return float(axis[-1] - axis[0]) / (axis.size - 1) if axis.size > 1 else 1.0
