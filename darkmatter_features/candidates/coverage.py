"""Apertures without galaxies: the fraction outside the field, or in a hole of the catalogue such as a mask."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import UNIT_RADIUS

Array = NDArray[np.float64]

APERTURE_RADIUS = UNIT_RADIUS
"""Radius of the aperture of a candidate, sides of the field: most of the signal comes from there."""

MAX_EMPTY = 0.25
"""Fraction of the aperture without galaxies above which a candidate has the flag `edge`. A straight border at 0.4 radii
from the candidate cuts off as much."""

HOLE_PROBABILITY = 1e-4
"""Probability that galaxies at random leave a disc empty that counts as a hole."""

N_NEIGHBORS = 10
"""Number of neighbours that give the density about a galaxy."""

APERTURE_CELLS = 41
"""Points along a diameter of the aperture."""


def empty_fractions(field: Field, x: Array, y: Array, *, radius: float = APERTURE_RADIUS) -> Array:
    """Return the fraction of the aperture about each position that is empty of galaxies.

    Parameters
    ----------
    field : Field
        Galaxies of one field.
    x, y : (m,) float64 arrays, sides of the field
        Positions.
    radius : float, sides of the field
        Radius of the aperture.

    Returns
    -------
    (m,) float64 array

    Notes
    -----
    A point is empty outside the field, or in a disc of radius rho within the field that has no galaxy, with
    ``exp(-n pi rho^2) = 1e-4`` for the median density n about the galaxies. Galaxies of weight 0 do not count.
    """
    galaxies = np.stack([field.x, field.y], axis=1)[field.weight > 0.0]
    hole = hole_radius(galaxies)
    tree = cKDTree(galaxies)
    return np.array([_empty_fraction(field.size, tree, hole, a, b, radius) for a, b in zip(x, y, strict=True)]).reshape(
        -1
    )


def empty_fraction(z: NDArray[np.complex128], radius: float) -> float:
    """Return the fraction of the disc of a radius about the origin that is empty, for galaxies at z = x + i y.

    Outside of all galaxies is a hole, too. Their density is that within the radius of the farthest galaxy.
    """
    galaxies = np.stack([z.real, z.imag], axis=1)
    if len(galaxies) <= N_NEIGHBORS:
        return 1.0
    hole = hole_radius(galaxies)
    shift = radius + 2.0 * hole
    return _empty_fraction((2.0 * shift, 2.0 * shift), cKDTree(galaxies + shift), hole, shift, shift, radius)


def empty_map(field: Field, columns: Array, rows: Array) -> Array:
    """Return where a field is empty (n_rows, n_columns): 1 in a hole, as for :func:`empty_fractions`, and 0 elsewhere.

    Parameters
    ----------
    field : Field
        Galaxies of one field.
    columns, rows : (n_columns,) and (n_rows,) float64 arrays, sides of the field
        x and y of the cells.
    """
    galaxies = np.stack([field.x, field.y], axis=1)[field.weight > 0.0]
    hole = hole_radius(galaxies)
    cells = np.stack([axis.ravel() for axis in np.meshgrid(columns, rows)], axis=1)
    within = ((cells >= hole) & (cells <= np.array(field.size) - hole)).all(axis=1)
    centres = cells[within & (cKDTree(galaxies).query(cells)[0] > hole)]
    empty = cKDTree(centres).query(cells)[0] <= hole if len(centres) else np.zeros(len(cells), dtype=np.bool_)
    return np.asarray(empty.reshape(rows.size, columns.size), dtype=np.float64)


def hole_radius(galaxies: Array) -> float:
    """Return the radius of a disc that galaxies (n, 2) at random leave empty with :data:`HOLE_PROBABILITY`."""
    k = min(N_NEIGHBORS, len(galaxies) - 1)
    distance = cKDTree(galaxies).query(galaxies, k=k + 1)[0][:, -1]
    density = k / (np.pi * np.median(distance) ** 2)
    return float(np.sqrt(-np.log(HOLE_PROBABILITY) / (np.pi * density)))


def _empty_fraction(size: tuple[float, float], tree: cKDTree, hole: float, x: float, y: float, radius: float) -> float:
    step = 2.0 * radius / APERTURE_CELLS
    reach = np.arange(-radius - hole, radius + hole + step, step)
    around = np.stack([axis.ravel() for axis in np.meshgrid(x + reach, y + reach)], axis=1)
    aperture = around[np.hypot(around[:, 0] - x, around[:, 1] - y) <= radius]
    centres = around[((around >= hole) & (around <= np.array(size) - hole)).all(axis=1)]
    centres = centres[tree.query(centres)[0] > hole] if len(centres) else centres
    empty = ~((aperture >= 0.0) & (aperture <= np.array(size))).all(axis=1)
    if len(centres):
        empty |= cKDTree(centres).query(aperture)[0] <= hole
    return float(empty.mean())
