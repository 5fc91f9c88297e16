"""Ellipticities of a ground-based image beside those of the same galaxies by HST."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import darkmatter_features as dm

Array = NDArray[np.float64]
Shapes = NDArray[np.complex128]

MAX_MAGNITUDE = 26.0
"""Magnitude of the faintest sources of HST that are used: fainter ones have no measured shape."""

MAX_SHIFT = 10.0
"""Maximum difference of the two astrometries, pixels."""

SHIFT_CELL = 1.0
"""Cell of the histogram of offsets, in whose peak the shift is, pixels."""

MATCH_ARCSEC = 0.5
"""Maximum distance of two measurements of one galaxy, arcsec."""

N_RESAMPLES = 1000
"""Number of bootstrap resamples."""


@dataclass(frozen=True)
class HstShapes:
    """Galaxies of HST in the frame of another image.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Positions in the other image, by its WCS.
    e : (n,) complex128 array
        Ellipticities with x to the west and y to the north.
    """

    x: Array
    y: Array
    e: Shapes


def read_hst(path: Path, sky: dm.Sky) -> HstShapes:
    """Return the galaxies of a catalogue of pyRRG in the frame of an image.

    Its ellipticities are those of second moments within a Gaussian as wide as the galaxy, which has about half the
    distortion ``(a^2 - b^2) / (a^2 + b^2)`` of the galaxy: they are about ``(a - b) / (a + b)``, in an image with north
    up and east left (Rhodes, Refregier & Groth 2000, doi:10.1086/308902).
    """
    rows = fits.getdata(path)
    e = rows["e1"].astype(np.float64) + 1j * rows["e2"].astype(np.float64)
    good = (np.abs(e) < 1.0) & (rows["MAG_AUTO"] < MAX_MAGNITUDE)  # false for nan
    x, y = sky.wcs.all_world2pix(rows["ra"][good], rows["dec"][good], 0)
    return HstShapes(x, y, e[good])


def astrometric_shift(hst: HstShapes, x: Array, y: Array) -> Array:
    """Return the offset (x, y) that takes the sources of HST to those of the image: the most frequent one of pairs."""
    there, here = np.column_stack([hst.x, hst.y]), np.column_stack([x, y])
    pairs = cKDTree(there).query_ball_point(here, MAX_SHIFT)
    offsets = np.concatenate([here[k] - there[near] for k, near in enumerate(pairs) if near])
    edges = np.arange(-MAX_SHIFT, MAX_SHIFT + SHIFT_CELL, SHIFT_CELL)
    counts, _, _ = np.histogram2d(*offsets.T, bins=(edges, edges))
    peak = edges[np.array(np.unravel_index(counts.argmax(), counts.shape))] + 0.5 * SHIFT_CELL
    return np.median(offsets[np.hypot(*(offsets - peak).T) < 1.5 * SHIFT_CELL], axis=0)


def nearest(x: Array, y: Array, to_x: Array, to_y: Array, max_distance: float) -> NDArray[np.intp]:
    """Return the index of the nearest of some sources (x, y) to each position; -1 with none within the distance."""
    distance, index = cKDTree(np.column_stack([x, y])).query(
        np.column_stack([to_x, to_y]), distance_upper_bound=max_distance
    )
    return np.where(np.isfinite(distance), index, -1)


@dataclass(frozen=True)
class Agreement:
    """Agreement of ellipticities with those of HST.

    Attributes
    ----------
    n : int
        Number of galaxies.
    correlation, correlation_error : float
        Modulus of the complex correlation, and its bootstrap error.
    slope : float
        Mean ellipticity per unit of that of HST.
    angle, angle_error : float, degrees
        Angle by which the ellipses are turned against those of HST, and its bootstrap error.
    """

    n: int
    correlation: float
    correlation_error: float
    slope: float
    angle: float
    angle_error: float


def agreement(e: Shapes, e_hst: Shapes) -> Agreement:
    """Return the agreement of ellipticities with those of HST."""
    rng, n = np.random.default_rng(0), e.size
    own = correlation(e, e_hst)
    resamples = (rng.integers(0, n, n) for _ in range(N_RESAMPLES))
    drawn = np.array([correlation(e[rows], e_hst[rows]) for rows in resamples])
    return Agreement(
        n=n,
        correlation=abs(own),
        correlation_error=float(np.abs(drawn).std()),
        slope=float(abs(np.vdot(e_hst, e)) / np.vdot(e_hst, e_hst).real),
        angle=_degrees(own),
        angle_error=float(np.std([_degrees(each / own) for each in drawn])),
    )


def correlation(e: Shapes, e_hst: Shapes) -> complex:
    """Return the complex correlation of ellipticities about zero."""
    return complex(np.vdot(e_hst, e) / np.sqrt(np.vdot(e, e).real * np.vdot(e_hst, e_hst).real))


def _degrees(spin2: complex) -> float:
    """Return the angle by which a spin-2 number turns an ellipse, degrees."""
    return float(np.rad2deg(np.angle(spin2)) / 2.0)
