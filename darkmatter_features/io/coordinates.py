"""Celestial coordinates of a position in a shape catalogue."""

import numpy as np

from darkmatter_features.io.catalogs import ShapeCatalog

N_NEAREST = 50
"""Number of galaxies nearest to a position to which RA and Dec are fitted.

Over the area of so few, the distortion of a camera is linear.
"""

MAX_RESIDUAL = 0.05
"""Maximum rms residual of the fit, relative to the rms spread of the directions.

If it is larger, RA and Dec do not belong to x and y.
"""


def sky_position(catalog: ShapeCatalog, x: float, y: float) -> tuple[float, float] | None:
    """Return RA and Dec of a position.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.
    x, y : float, unit of the catalogue
        Position.

    Returns
    -------
    (float, float) or None, degrees
        RA and Dec; None where the catalogue lacks them, or they do not belong to x and y.

    Notes
    -----
    Where x and y were computed from RA and Dec, the projection of the catalogue is inverted. Where the table has all
    four, the directions of the 50 nearest galaxies, as unit vectors, are fitted by a linear function of x and y.
    """
    if catalog.wcs is not None:
        ra, dec = catalog.wcs.wcs_pix2world([[x, y]], 0)[0]
        return float(ra), float(dec)
    if catalog.ra is None or catalog.dec is None:
        return None
    usable = np.isfinite(catalog.ra) & (np.abs(catalog.dec) <= 90.0)
    distance = np.where(usable, np.hypot(catalog.x - x, catalog.y - y), np.inf)
    nearest = np.argsort(distance, kind="stable")[: min(N_NEAREST, int(usable.sum()))]
    return _fitted(catalog, nearest, x, y)


def _fitted(catalog: ShapeCatalog, nearest: np.ndarray, x: float, y: float) -> tuple[float, float] | None:
    """Return RA and Dec of a position by a linear fit to the galaxies `nearest`; None where it fails."""
    if catalog.ra is None or catalog.dec is None or nearest.size < 4:
        return None
    ra, dec = np.deg2rad(catalog.ra[nearest]), np.deg2rad(catalog.dec[nearest])
    directions = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    offsets = np.stack([catalog.x[nearest] - x, catalog.y[nearest] - y], axis=1)
    design = np.column_stack([np.ones(nearest.size), offsets / np.abs(offsets).max()])
    fitted = np.linalg.lstsq(design, directions)[0]
    residual, spread = (
        np.square(each).sum() for each in (directions - design @ fitted, directions - directions.mean(0))
    )
    if residual > MAX_RESIDUAL**2 * spread:
        return None
    towards = fitted[0] / np.linalg.norm(fitted[0])
    return float(np.rad2deg(np.arctan2(towards[1], towards[0])) % 360.0), float(np.rad2deg(np.arcsin(towards[2])))
