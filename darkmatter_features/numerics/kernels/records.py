"""Records of arrays that the kernels take as arguments: galaxies, centres, a grid, shear profiles, a near field."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Reals = NDArray[np.floating]
"""Array of real numbers in single or double precision."""


class Galaxies(NamedTuple):
    """Positions, ellipticities and weights of n galaxies.

    Attributes
    ----------
    x, y : (n,) float64 arrays
        Positions, in the unit of the centres.
    e1, e2 : (n,) or (n, m) arrays
        Ellipticity components; of m skies that share the positions, if two-dimensional. They are in double precision
        unless a kernel states otherwise.
    weight : (n,) float64 array
        Inverse variance of one ellipticity component, or a relative weight, as the kernel states.
    """

    x: Array
    y: Array
    e1: Reals
    e2: Reals
    weight: Array


class Centres(NamedTuple):
    """Trial positions of a lens: `x` and `y`, (n_centres,) float64 arrays."""

    x: Array
    y: Array


class Grid(NamedTuple):
    """Axes of an even grid of trial positions: `columns` (n_columns,) and `rows` (n_rows,) float64 arrays.

    Centre ``i * n_columns + j`` lies at ``(columns[j], rows[i])``.
    """

    columns: Array
    rows: Array


class Profiles(NamedTuple):
    """Radial profiles, tabulated at even radii and linear between them.

    Attributes
    ----------
    shear : (n_nodes, n_profiles) float64 array
        Tangential shear at the radii 0, spacing, 2 spacing, ...; the last node holds beyond.
    spacing : float
        Distance between nodes, in the unit of the positions.
    """

    shear: Array
    spacing: float


class NearField(NamedTuple):
    """Region about each galaxy where a kernel is summed galaxy by galaxy instead of on a mesh.

    Attributes
    ----------
    width : float
        Scale of the near part ``(1 + u) exp(-u)``, ``u = r^2 / 2 width^2``.
    radius : float
        Distance beyond which the near part is neglected.
    """

    width: float
    radius: float
