"""Galaxies of a patch in its tangent plane, sorted by the cells of a grid."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

CELL_IN_SCALES = 0.3
"""Side of a cell, smallest scale radii."""

MAX_CELL = 1.0
"""Maximum side of a cell, arcmin."""


class Grid(NamedTuple):
    """Grid of square cells; those of a border at the end are empty, so that filters do not meet across it.

    Attributes
    ----------
    x0, y0 : float, arcmin
        Lower left corner of the first cell.
    cell : float, arcmin
        Side of a cell.
    shape : (int, int)
        Numbers of rows and columns.
    """

    x0: float
    y0: float
    cell: float
    shape: tuple[int, int]

    def cells(self, x: Array, y: Array) -> NDArray[np.int64]:
        """Return the index of the cell of each position, by rows."""
        columns = np.floor((x - self.x0) / self.cell).astype(np.int64)
        return np.asarray(np.floor((y - self.y0) / self.cell).astype(np.int64) * self.shape[1] + columns)

    def centres(self, cells: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return x and y of the centres of cells."""
        rows, columns = np.divmod(cells, self.shape[1])
        return self.x0 + (columns + 0.5) * self.cell, self.y0 + (rows + 0.5) * self.cell


@dataclass(frozen=True)
class SkyPatch:
    """Galaxies of a patch, sorted by cells.

    Attributes
    ----------
    grid : Grid
        Cells.
    x, y : (n,) float64 arrays, arcmin
        Positions in the tangent plane.
    e : (n,) complex128 array
        Ellipticities in the tangent plane.
    v : (n,) float64 array
        Inverse variances of one component.
    redshift : (n,) float64 array or None
        Redshifts; None where they are unknown.
    occupied : (n_occupied,) int64 array
        Cells with galaxies.
    starts : (n_occupied,) int64 array
        Index of the first galaxy of each.
    """

    grid: Grid
    x: Array
    y: Array
    e: ComplexArray
    v: Array
    redshift: Array | None
    occupied: NDArray[np.int64]
    starts: NDArray[np.int64]

    def binned(self, values: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
        """Return the sums of a value (n,) over the galaxies of each cell."""
        image = np.zeros(self.grid.shape, dtype=np.complex64)
        image.ravel()[self.occupied] = np.add.reduceat(values, self.starts)
        return image

    def within(self, x: float, y: float, radius: float) -> NDArray[np.int64]:
        """Return the indices of the galaxies within a radius of a position, arcmin."""
        low, high = (int(np.floor((y + step - self.grid.y0) / self.grid.cell)) for step in (-radius, radius))
        first, last = np.searchsorted(self.occupied, np.array([low, high + 1]) * self.grid.shape[1])
        ends = np.append(self.starts, len(self.x))
        rows_of = slice(int(ends[first]), int(ends[last]))
        near = np.square(self.x[rows_of] - x) + np.square(self.y[rows_of] - y) <= radius**2
        return np.asarray(np.flatnonzero(near) + rows_of.start)


def sky_patch(
    x: Array, y: Array, e: ComplexArray, v: Array, *, cell: float, border: float, redshift: Array | None = None
) -> SkyPatch:
    """Return the galaxies of a patch sorted by the cells of a grid that covers them.

    Parameters
    ----------
    x, y : (n,) float64 arrays, arcmin
        Positions.
    e : (n,) complex128 array
        Ellipticities.
    v : (n,) float64 array
        Inverse variances.
    cell : float, arcmin
        Side of a cell.
    border : float, arcmin
        Minimum width of the empty border, the radius of the largest filter.
    redshift : (n,) float64 array, optional
        Redshifts.
    """
    size = [next_fast_len(int((np.ptp(each) + border) / cell) + 2) for each in (y, x)]
    grid = Grid(float(x.min()), float(y.min()), cell, (size[0], size[1]))
    cells = grid.cells(x, y)
    order = np.argsort(cells + np.modf((x - grid.x0) / cell)[0], kind="stable")  # in a cell by x, not by rows
    occupied, starts = np.unique(cells[order], return_index=True)
    redshift = None if redshift is None else redshift[order]
    return SkyPatch(grid, x[order], y[order], e[order], v[order], redshift, occupied, starts)
