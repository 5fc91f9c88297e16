"""Where on the sky a place in a shape catalogue is."""

import numpy as np

from darkmatter_features.io.catalogs import ShapeCatalog

N_NEAREST = 50
"""Galaxies about a place that tell how RA and Dec run there: over so few, distortions of a camera are even."""

MAX_RESIDUAL = 0.05
"""Of their spread, root mean square: RA and Dec that fit x and y no better are those of something else."""


def sky_position(catalog: ShapeCatalog, x: float, y: float) -> tuple[float, float] | None:
    """Return RA and Dec of a place.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.
    x, y : float, the catalogue's unit
        The place.

    Returns
    -------
    (float, float) or None, degrees
        By the catalogue's projection, where x and y were made out of RA and Dec. Where the table has all four, by a fit
        to the 50 nearest galaxies: their directions, as unit vectors, are linear in x and y. None where it lacks RA and
        Dec, or these do not go with x and y.
    """
    if catalog.wcs is not None:
        ra, dec = catalog.wcs.wcs_pix2world([[x, y]], 0)[0]
        return float(ra), float(dec)
    if catalog.ra is None or catalog.dec is None:
        return None
    usable = np.isfinite(catalog.ra) & (np.abs(catalog.dec) <= 90.0)
    far = np.where(usable, np.hypot(catalog.x - x, catalog.y - y), np.inf)
    nearest = np.argsort(far, kind="stable")[: min(N_NEAREST, int(usable.sum()))]
    return _fitted(catalog, nearest, x, y)


def _fitted(catalog: ShapeCatalog, nearest: np.ndarray, x: float, y: float) -> tuple[float, float] | None:
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
