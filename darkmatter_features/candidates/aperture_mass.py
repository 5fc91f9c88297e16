"""Aperture mass of a field and its S/N, with the filters that the literature uses."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import NODE_SPACING, PROFILE_RADIUS, ShearProfiles

Array = NDArray[np.float64]

CORNER = 0.15
"""Radius x_c at which the filter of Schirmer et al. turns over, aperture radii: they found the highest S/N of clusters
with it."""

MAX_RADIUS = 0.5
"""Maximum aperture radius, sides of the field: the aperture about the centre fills the field."""


class ApertureMass(NamedTuple):
    """Maps of the aperture mass with one filter.

    Attributes
    ----------
    filter_name : str
        Name of the filter.
    radius : float, sides of the field
        Aperture radius.
    mass : (n_rows, n_columns) float64 array
        Aperture mass, dimensionless; nan where no galaxy is in the aperture.
    snr, snr_cross : (n_rows, n_columns) float64 arrays
        S/N of the aperture mass, and the same of cross shear.
    """

    filter_name: str
    radius: float
    mass: Array
    snr: Array
    snr_cross: Array


def schneider(x: Array) -> Array:
    """Return the filter ``(6 / pi) x^2 (1 - x^2)`` at radii x in aperture radii, 0 beyond 1.

    Notes
    -----
    The polynomial filter of order 1 of Schneider et al. (1998), times the square of the aperture radius, for the
    aperture mass of Schneider (1996).

    References
    ----------
    P. Schneider (1996), MNRAS 283, 837, arXiv:astro-ph/9601039.
    P. Schneider, L. van Waerbeke, B. Jain, G. Kruse (1998), MNRAS 296, 873, arXiv:astro-ph/9708143.
    """
    return np.asarray(np.where(x < 1.0, 6.0 / np.pi * x**2 * (1.0 - x**2), 0.0))


def schirmer(x: Array) -> Array:
    """Return the filter ``tanh(x / x_c) / (x / x_c) / (1 + exp(6 - 150 x) + exp(-47 + 50 x))``, 0 beyond 1.

    Notes
    -----
    It follows the shear of an NFW halo, with an exponential cut at the centre and at the border; x_c = 0.15.

    References
    ----------
    M. Schirmer, T. Erben, M. Hetterscheidt, P. Schneider (2007), A&A 462, 875, doi:10.1051/0004-6361:20065955,
    arXiv:astro-ph/0607022.
    """
    t = np.maximum(x, 1e-9) / CORNER
    cut = 1.0 + np.exp(6.0 - 150.0 * x) + np.exp(np.minimum(-47.0 + 50.0 * x, 100.0))
    return np.asarray(np.where(x < 1.0, np.tanh(t) / t / cut, 0.0))


FILTERS: dict[str, Callable[[Array], Array]] = {"Schneider 1996": schneider, "Schirmer 2007": schirmer}
"""Filters Q(x) by name, x in aperture radii."""


def aperture_radii(profiles: ShearProfiles) -> tuple[float, ...]:
    """Return the aperture radii for some profiles, sides of the field: ``scale / 0.15``, 0.5 at most.

    With them the filter of Schirmer et al. turns over at the core or scale radius of a profile.
    """
    radii = {round(scale / CORNER, 6) for scale in profiles.scales}
    return tuple(sorted(radius for radius in radii if radius <= MAX_RADIUS)) or (MAX_RADIUS,)


def aperture_mass(field: Field, columns: Array, rows: Array, radius: float) -> list[ApertureMass]:
    """Return the aperture mass about each point of a grid, one for each of :data:`FILTERS`.

    Parameters
    ----------
    field : Field
        Galaxies of one field.
    columns, rows : (n_columns,) and (n_rows,) float64 arrays, sides of the field
        x and y of the grid, evenly spaced.
    radius : float, sides of the field
        Aperture radius theta.

    Notes
    -----
    ``M_ap = pi sum(w Q gamma_t) / sum(w)``, sums over the galaxies in the aperture, with w their weights and Q(x) the
    filter times theta^2, the unbiased estimate of Schneider (1996) with weights; and ``S/N = sum(w Q gamma_t) /
    (s sqrt(sum(w Q^2)))``, with s^2 the variance of one component for a weight of 1. With equal weights that is the S/N
    of Schirmer et al. (2007), with the mean ``|e|^2`` of the field for that of the galaxies in the aperture.
    """
    nodes: Array = np.arange(round(PROFILE_RADIUS / NODE_SPACING) + 1) * np.float64(NODE_SPACING)
    shear = np.stack([*(filter_(nodes / radius) for filter_ in FILTERS.values()), nodes <= radius], axis=1)
    table = ShearProfiles((*FILTERS, "number"), shear.astype(np.float64))
    response, norm = filter_sums(field, table, columns, rows, *field.with_cross())
    shape = rows.size, columns.size
    number = norm[:, -1]
    maps = []
    for k, name in enumerate(FILTERS):
        mass = np.where(number > 0.0, np.pi * response[:, 0, k] / np.where(number > 0.0, number, 1.0), np.nan)
        snr = response[:, :, k] / np.sqrt(np.maximum(norm[:, k], np.finfo(np.float64).tiny))[:, None]
        maps.append(ApertureMass(name, radius, *(each.reshape(shape) for each in (mass, snr[:, 0], snr[:, 1]))))
    return maps
