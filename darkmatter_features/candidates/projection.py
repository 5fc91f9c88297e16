"""Projection of a catalogue that has both x, y and RA, Dec: a tangent plane fitted to its galaxies."""

from typing import Any

import numpy as np

from darkmatter_features.io.catalogs import ShapeCatalog

MAX_RESIDUAL = 0.01
"""Maximum rms distance of the galaxies from the fitted plane, relative to their rms distance from the centre of the
field: a camera's distortion leaves 0.001, and RA and Dec of other objects some 1."""

MIN_GALAXIES = 10
"""Minimum number of galaxies with RA and Dec; the plane has 6 parameters."""

MAX_GALAXIES = 5000
"""Maximum number of galaxies of the fit, evenly chosen: more do not make it better."""


def field_projection(catalog: ShapeCatalog) -> Any | None:
    """Return the transformation from x and y (origin 0) to RA and Dec.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.

    Returns
    -------
    astropy.wcs.WCS or None
        The projection of the catalogue itself where x and y were computed from RA and Dec; a tangent plane fitted by
        :func:`astropy.wcs.utils.fit_wcs_from_points` where the table has all four; None where it lacks RA and Dec, and
        where the residual of the fit is larger than :data:`MAX_RESIDUAL`.
    """
    if catalog.wcs is not None:
        return catalog.wcs
    if catalog.ra is None or catalog.dec is None:
        return None
    usable = np.flatnonzero(np.isfinite(catalog.ra) & (np.abs(catalog.dec) <= 90.0))
    if usable.size < MIN_GALAXIES:
        return None
    chosen = usable[:: -(-usable.size // MAX_GALAXIES)]
    return _fitted(*(column[chosen] for column in (catalog.x, catalog.y, catalog.ra, catalog.dec)))


def _fitted(x: Any, y: Any, ra: Any, dec: Any) -> Any | None:
    """Return the tangent plane through galaxies; None if they do not lie on one."""
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import fit_wcs_from_points

    sky = SkyCoord(ra, dec, unit="deg")
    centre = SkyCoord(sky.cartesian.mean(), frame=sky.frame).represent_as("unitspherical")
    centre = SkyCoord(centre.lon, centre.lat)
    try:
        wcs = fit_wcs_from_points((x, y), sky, proj_point=centre, projection="TAN")
        placed = SkyCoord(*wcs.wcs_pix2world(x, y, 0), unit="deg")
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    residual, spread = (np.square(sky.separation(other).rad).mean() for other in (placed, centre))
    return wcs if residual <= MAX_RESIDUAL**2 * spread else None
