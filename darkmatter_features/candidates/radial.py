"""Mean tangential and cross shear about a position, in annuli."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.location.field import Field

Array = NDArray[np.float64]

FIELD_ANNULI = (0.0, 0.04, 0.08, 0.12, 0.17, 0.23, 0.3, 0.4, 0.5)
"""Limits of the annuli about a candidate of one field, sides of the field."""

SURVEY_ANNULI = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 15.0)
"""Limits of the annuli about a candidate of a survey, arcmin: as far as the galaxies that locate it."""


class RadialProfile(NamedTuple):
    """Mean shear in the annuli that have galaxies.

    Attributes
    ----------
    radius : (n,) float64 array
        Mean distance of the galaxies, in the unit of the positions.
    gamma_t, gamma_x : (n,) float64 arrays
        Tangential and cross shear, means weighted by inverse variance.
    error : (n,) float64 array
        Error of each, ``1 / sqrt(sum of the weights)``.
    n_galaxies : (n,) int64 array
        Numbers of galaxies.
    """

    radius: Array
    gamma_t: Array
    gamma_x: Array
    error: Array
    n_galaxies: NDArray[np.int64]


def radial_profile(z: NDArray[np.complex128], e: NDArray[np.complex128], weight: Array, edges: Array) -> RadialProfile:
    """Return the mean shear about the origin.

    Parameters
    ----------
    z : (n,) complex128 array
        Positions x + i y of the galaxies, relative to the lens.
    e : (n,) complex128 array
        Ellipticities e1 + i e2.
    weight : (n,) float64 array
        Inverse variances of one component; galaxies of weight 0 do not count.
    edges : (n_annuli + 1,) float64 array
        Limits of the annuli, in the unit of z.

    Notes
    -----
    ``gamma_t + i gamma_x = -e exp(-2i phi)`` (Schneider 2006, eq. 17).

    References
    ----------
    P. Schneider (2006), Saas-Fee Advanced Course 33, 269, arXiv:astro-ph/0509252.
    """
    radius, n = np.abs(z), len(edges) - 1
    shear = -e * np.exp(-2j * np.angle(z))
    annulus = np.searchsorted(edges, radius, side="right") - 1
    inside = np.where(annulus < n, weight, 0.0)
    total, *sums = (
        np.bincount(np.minimum(annulus, n - 1), inside * values, n) for values in (1.0, radius, shear.real, shear.imag)
    )
    filled = total > 0
    means = [np.asarray(each[filled] / total[filled]) for each in sums]
    number = np.bincount(annulus[inside > 0], minlength=n)[filled]
    return RadialProfile(means[0], means[1], means[2], np.asarray(1.0 / np.sqrt(total[filled])), number)


def field_profile(field: Field, x: float, y: float) -> RadialProfile:
    """Return the mean shear about a position of a field; x and y, and the radius, in the catalogue's unit."""
    z = field.x + 1j * field.y - complex(x - field.corner[0], y - field.corner[1]) / field.side
    found = radial_profile(z, field.e1 + 1j * field.e2, field.weight / field.variance, np.array(FIELD_ANNULI))
    return found._replace(radius=field.side * found.radius)
