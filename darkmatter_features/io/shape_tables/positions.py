"""Positions from RA and Dec: the tangent plane, north in it, and detectors whose pixels overlap."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from darkmatter_features.errors import TableError

Array = NDArray[np.float64]
Columns = dict[str, Array]

MAX_FIELD_RADIUS = 10.0
"""Maximum distance of a galaxy from the centre of its field, degrees: the tangent plane shears it by 0.008."""

MIN_ROTATION = 1.0
"""Minimum rotation of shapes that is reported, degrees: a smaller one changes e by less than 4 % of its length."""

MAX_PIXEL_RESIDUAL = 0.1
"""Maximum difference of a direction from a quadratic function of the pixels, relative to the rms spread of all, for
galaxies of one detector. The distortion of a camera leaves 0.001; two detectors with the same pixels leave 0.5."""

MAX_ELSEWHERE = 0.1
"""Maximum fraction of galaxies with a larger difference: some may have the direction of another galaxy."""

MAX_NEIGHBOR_DISTANCE = 0.5
"""Maximum median distance in pixels of neighbours on the sky, relative to the rms spread of the pixels, for pixels and
directions of the same galaxies; it is about 1.2 where they do not belong together."""

MAX_SPREAD = 5.0
"""Maximum distance of directions from their middle, in median distances: some rows may have another one."""

MAX_COVERAGE = 1.5
"""Maximum area of the pixels of all detectors, relative to that of their union, for detectors side by side."""

N_FITS = 4
"""Number of fits of the quadratic function, each without the galaxies that are far from the one before."""

MIN_FIT = 24
"""Minimum number of galaxies for the quadratic function, which has 6 coefficients."""


def pixels_overlap(columns: Mapping[str, Array]) -> bool:
    """Return whether pixels start anew on each detector while RA and Dec distinguish the detectors."""
    x, y, ra, dec = (columns[key] for key in ("x", "y", "ra", "dec"))
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(ra) & (np.abs(dec) <= 90.0) & (np.abs(ra) <= 360.0)
    if good.sum() < max(MIN_FIT, 0.5 * x.size):
        return False
    pixels, directions = np.stack([x[good], y[good]], axis=1), directions_of(ra[good], dec[good])
    distance = np.linalg.norm(directions - np.median(directions, axis=0), axis=1)
    within = distance <= MAX_SPREAD * np.median(distance)
    pixels, directions = pixels[within], directions[within]
    pixels = (pixels - pixels.mean(axis=0)) / max(float(pixels.std(axis=0).max()), np.finfo(np.float64).tiny)
    if _fraction_elsewhere(pixels, directions) <= MAX_ELSEWHERE:
        return False
    nearest = cKDTree(directions).query(directions, k=2)[1][:, 1]
    apart = np.hypot(*(pixels - pixels[nearest]).T)
    return bool(np.median(apart) < MAX_NEIGHBOR_DISTANCE * np.sqrt(np.square(pixels).sum(axis=1).mean()))


def detectors_overlap(columns: Mapping[str, Array]) -> bool:
    """Return whether the pixels of several detectors cover each other."""
    if "detector" not in columns or columns["detector"].size == 0:
        return False
    x, y, detector = (columns[key] for key in ("x", "y", "detector"))
    area = sum(float(np.ptp(x[detector == each]) * np.ptp(y[detector == each])) for each in np.unique(detector))
    return bool(np.unique(detector).size > 1 and area > MAX_COVERAGE * np.ptp(x) * np.ptp(y))


def _fraction_elsewhere(pixels: Array, directions: Array) -> float:
    """Return the fraction of galaxies far from a quadratic function of their pixels, fitted to the others."""
    x, y = pixels.T
    design = np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], axis=1)
    centred = directions - directions.mean(axis=0)
    limit, near = (
        MAX_PIXEL_RESIDUAL * float(np.sqrt(np.square(centred).sum(axis=1).mean())),
        np.ones(x.size, dtype=bool),
    )
    residual = np.zeros(x.size)
    for _ in range(N_FITS):
        residual = np.linalg.norm(centred - design @ np.linalg.lstsq(design[near], centred[near])[0], axis=1)
        near = residual <= max(limit, 3.0 * float(np.median(residual)))
    return float(np.mean(residual > limit))


def projected(path: Path, columns: Columns) -> tuple[Columns, Any]:
    """Return the columns with x and y from RA and Dec, arcmin on the tangent plane, and the projection.

    Raises
    ------
    TableError
        If RA and Dec are no degrees, or the field is too wide.
    """
    from astropy.wcs import WCS

    ra, dec = columns["ra"], columns["dec"]
    if np.abs(dec).max() > 90 or np.abs(ra).max() > 360:
        raise TableError(
            f"{path}: RA reaches {np.abs(ra).max():g} and Dec {np.abs(dec).max():g}; give degrees with --ra and --dec "
            "(Python: ra=, dec=)"
        )
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = _mean_direction(path, ra, dec)
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cdelt = [-1.0 / 60.0, 1.0 / 60.0]
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    return {**columns, "x": np.array(x), "y": np.array(y)}, wcs


def from_local_north(columns: Columns, wcs: Any) -> tuple[Columns, float]:
    r"""Return the columns with shapes turned from north at each galaxy to north at the centre, and the most, degrees.

    Notes
    -----
    Meridians are straight lines in a gnomonic projection. With the offset in RA :math:`\Delta` and the declination of
    the centre :math:`\delta_0`, north has the direction :math:`(-\sin\Delta \sin\delta_0, \cos\Delta)` to the east
    and the north of the centre (the derivative of equations 12 to 15 of [1]_ with respect to declination).

    References
    ----------
    .. [1] Calabretta & Greisen (2002), doi:10.1051/0004-6361:20021327
    """
    ra0, dec0 = np.deg2rad(wcs.wcs.crval)
    offset = np.deg2rad(columns["ra"]) - ra0
    angle = np.arctan2(-np.sin(offset) * np.sin(dec0), np.cos(offset))  # from north towards east, which is -x
    turned = (columns["e1"] + 1j * columns["e2"]) * np.exp(2j * angle)
    return columns | {"e1": turned.real, "e2": turned.imag}, float(np.rad2deg(np.abs(angle).max()))


def _mean_direction(path: Path, ra: Array, dec: Array) -> tuple[float, float]:
    """Return RA and Dec, degrees, of the mean direction; raise an error if a galaxy is too far from it."""
    directions = directions_of(ra, dec)
    mean = directions.mean(axis=0)
    mean /= max(float(np.linalg.norm(mean)), np.finfo(np.float64).tiny)
    radius = float(np.rad2deg(np.arccos(np.clip(directions @ mean, -1.0, 1.0).min())))
    if radius > MAX_FIELD_RADIUS:
        raise TableError(
            f"{path} extends {radius:.0f} degrees from its centre, the limit is {MAX_FIELD_RADIUS:g}; "
            "divide it into fields"
        )
    return float(np.rad2deg(np.arctan2(mean[1], mean[0]))) % 360.0, float(np.rad2deg(np.arcsin(mean[2])))


def directions_of(ra: Array, dec: Array) -> Array:
    """Return unit vectors (n, 3) of RA and Dec in degrees."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)
