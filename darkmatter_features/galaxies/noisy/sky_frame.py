"""Directions of sources, and their shapes in the frame of the sky."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALF_STEP = 0.5
"""Distance over which the transformation from pixels to the sky is differenced, pixels."""

MAX_CONDITION = 1e3
"""Maximum ratio of the half-axes of a pixel on the sky: beyond it, a transformation is taken as singular."""


class SkyFrame(NamedTuple):
    """Directions and shapes on the sky; nan where the transformation from pixels to the sky is not valid.

    Attributes
    ----------
    ra, dec : (n,) float64 arrays, degrees
        Right ascension and declination.
    e1, e2 : (n,) float64 arrays
        Ellipticity with x to the west and y to the north at each source: e1 > 0 is east-west.
    """

    ra: Array
    dec: Array
    e1: Array
    e2: Array


def sky_frame(wcs: Any, x: Array, y: Array, e1: Array, e2: Array) -> SkyFrame:
    """Return directions, and shapes turned from the frame of the pixels to that of the sky.

    Parameters
    ----------
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to RA and Dec, with its distortions.
    x, y : (n,) float64 arrays, pixels
        Positions.
    e1, e2 : (n,) float64 arrays
        Ellipticity in the frame of the pixels.

    Notes
    -----
    The matrix J from pixels to the sky is taken at each source, so that rotations, mirrors, and distortions count. A
    shape with second moments Q has ``J Q J^T`` on the sky.
    """
    unknown = np.full(x.size, np.nan)
    if wcs is None or x.size == 0:
        return SkyFrame(unknown, unknown, unknown, unknown)
    ra, dec = _directions(wcs, x, y)
    jacobian = _jacobian(wcs, x, y, ra, dec)
    values = np.linalg.svd(np.where(np.isfinite(jacobian), jacobian, 0.0), compute_uv=False)
    is_valid = np.isfinite(jacobian).all(axis=(1, 2)) & (values[:, 0] < MAX_CONDITION * values[:, 1])
    turned = transformed(jacobian, e1, e2)
    known = [np.where(is_valid, each, np.nan) for each in (ra, dec, *turned)]
    return SkyFrame(*known)


def transformed(jacobian: Array, e1: Array, e2: Array) -> tuple[Array, Array]:
    """Return ellipticities after linear transformations (n, 2, 2)."""
    squared = np.minimum(e1**2 + e2**2, 1.0 - 1e-9)
    chi1, chi2 = 2.0 * e1 / (1.0 + squared), 2.0 * e2 / (1.0 + squared)
    moments = np.stack([np.stack([1.0 + chi1, chi2], axis=-1), np.stack([chi2, 1.0 - chi1], axis=-1)], axis=-2)
    moments = jacobian @ moments @ jacobian.transpose(0, 2, 1)
    q_xx, q_xy, q_yy = moments[:, 0, 0], moments[:, 0, 1], moments[:, 1, 1]
    root = np.sqrt(np.maximum(q_xx * q_yy - q_xy**2, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        total = q_xx + q_yy + 2.0 * root
        return (q_xx - q_yy) / total, 2.0 * q_xy / total


def _directions(wcs: Any, x: Array, y: Array) -> tuple[Array, Array]:
    """Return RA and Dec, degrees; nan where the transformation fails."""
    try:
        ra, dec = wcs.all_pix2world(x, y, 0)
    except Exception:  # wcslib raises errors of many types for singular transformations
        return np.full(x.size, np.nan), np.full(x.size, np.nan)
    return np.asarray(ra, dtype=np.float64) % 360.0, np.asarray(dec, dtype=np.float64)


def _jacobian(wcs: Any, x: Array, y: Array, ra: Array, dec: Array) -> Array:
    """Return the derivatives (n, 2, 2) of the directions to the west and to the north, degrees per pixel."""
    columns = []
    for dx, dy in ((HALF_STEP, 0.0), (0.0, HALF_STEP)):
        (ra1, dec1), (ra0, dec0) = _directions(wcs, x + dx, y + dy), _directions(wcs, x - dx, y - dy)
        east = (ra1 - ra0 + 180.0) % 360.0 - 180.0
        columns.append(np.stack([-east * np.cos(np.deg2rad(dec)), dec1 - dec0], axis=-1))
    return np.asarray(np.stack(columns, axis=-1)) / (2.0 * HALF_STEP)
