"""Sums over galaxies about an even grid of centres, by Fourier transforms on a mesh: for fields of many galaxies.

A sum ``sum_k q_k K(x_k - c)`` over galaxies k about centres c is a convolution. Its kernel K is taken from its values
on a mesh, between whose points it is interpolated by splines of degree 7: galaxies are shared among mesh points by
B-splines, and the transform is divided by that of the B-spline's own samples (as Essmann et al. 1995 do for charges).
Kernels of shear turn with the angle and are not smooth at the centre, where no mesh could tell them: their share
``(1 + u) exp(-u)``, ``u = r^2 / 2 width^2``, is summed galaxy by galaxy, near each, and the mesh gets the rest (after
Ewald 1921). The mesh is padded with as many empty points as a kernel reaches, so that nothing wraps around. With n
galaxies and m centres all costs ``n + m log m`` in place of ``n m``. All is serial and of double precision: the same
catalogue gives the same bytes at any number of workers.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, fft2, fftfreq, ifft2, next_fast_len

from darkmatter_features.numerics.kernels.mesh import ORDER, spline_weights, spread

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

NEAR_WIDTH = 2.0
"""Width of what is summed galaxy by galaxy, mesh steps: the rest is then interpolated to 1e-5 of its highest value."""

NEAR_RADIUS = 6.0
"""How far that goes, widths: (1 + u) exp(-u) is 3e-7 there."""

MARGIN = 24
"""Mesh points beyond the farthest pair: over so many what a spline rings with where its samples end falls by 3e-7."""

POINT_NS, SPREAD_NS = 50.0, 500.0
"""Measured on one core: what a point costs for each kernel, of which there are three transforms and the kernel's own
values, and a galaxy that is shared among points. The logarithm in the transforms' cost is less than machines differ."""

MIN_SPEEDUP = 3.0
"""How many times cheaper than galaxy by galaxy a mesh must look to be used: the direct way is exact, and simpler."""


@dataclass(frozen=True)
class Mesh:
    """A periodic mesh over a grid of centres and the galaxies about it.

    Attributes
    ----------
    columns, rows : (n_columns,) and (n_rows,) float64 arrays
        x and y of the centres, evenly spaced, two or more of each.
    stride : int
        Mesh steps between one centre and the next.
    shape : (int, int)
        Points up and across; point 0 is the first centre.
    near : float
        How far from each galaxy sums go galaxy by galaxy, at least.
    """

    columns: Array
    rows: Array
    stride: int
    shape: tuple[int, int]
    near: float = 0.0

    @property
    def steps(self) -> tuple[float, float]:
        """Between its points, across and up."""
        across, up = ((float(axis[-1]) - float(axis[0])) / (axis.size - 1) for axis in (self.columns, self.rows))
        return across / self.stride, up / self.stride

    @property
    def width(self) -> float:
        """Of what is summed galaxy by galaxy."""
        return NEAR_WIDTH * max(self.steps)

    @property
    def reach(self) -> float:
        """How far from a galaxy that goes."""
        return max(NEAR_RADIUS * self.width, self.near)

    def neighbours(self, x: Array, y: Array) -> NDArray[np.int64]:
        """Return an order of galaxies in which one is near the next, so that what they share is at hand."""
        row = np.floor((y - self.rows[0]) / (self.steps[1] * self.stride))
        return np.lexsort((x, row))

    def transform(self, x: Array, y: Array, real: Array, imaginary: Array) -> ComplexArray:
        """Return the transform of ``real + i imaginary`` of galaxies at x, y: what kernels are multiplied with."""
        across, up = self.steps
        mesh = np.zeros(self.shape, dtype=np.complex128)
        spread((x - self.columns[0]) / across, (y - self.rows[0]) / up, real, imaginary, mesh)
        spline_up, spline_across = (_spline_transform(n) for n in self.shape)
        return _transformed(mesh) / (spline_up[:, None] * spline_across[None, :])

    def kernel(self, values: Array, *, spin: int = 0) -> ComplexArray:
        """Return the transform of the kernel ``values exp(-i spin phi)``, the values (shape) being those at each point.

        Where there is a spin, they must fall to 0 at the centre smoothly.
        """
        z = self._offsets
        turn = (z.conj() / np.sqrt(np.maximum(self.squares, np.finfo(np.float64).tiny))) ** spin if spin else 1.0
        return _transformed((values * turn).astype(np.complex128))

    @cached_property
    def squares(self) -> Array:
        """Squared distance of each point from the first, the shorter way round."""
        return np.asarray(self._offsets.real**2 + self._offsets.imag**2)

    @cached_property
    def nearness(self) -> Array:
        """What is summed galaxy by galaxy of a kernel that is 1 at its centre, at each point."""
        u = 0.5 * self.squares / self.width**2
        return np.asarray((1.0 + u) * np.exp(-u))

    @cached_property
    def _offsets(self) -> ComplexArray:
        x, y = (fftfreq(n, 1.0 / n) * step for n, step in zip(self.shape[::-1], self.steps))
        return np.asarray(x[None, :] + 1j * y[:, None])

    def sums(self, galaxies: ComplexArray, kernel: ComplexArray) -> ComplexArray:
        """Return the sums (n_rows, n_columns) about the centres, of two transforms."""
        n, (n_rows, n_columns) = self.stride, self.shape
        product = galaxies * kernel
        if n > 1:  # every n-th point is all that is wanted: its transform is that of all, folded
            product = product.reshape(n, n_rows // n, n, n_columns // n).sum(axis=(0, 2)) / n**2
        sums = ifft2(product, workers=1, overwrite_x=True)
        return np.asarray(sums[: self.rows.size, : self.columns.size])

    def cost(self, n_galaxies: int, *, n_kernels: float, near_ns: float) -> float:
        """Return about how many ns sums with so many kernels take here, at `near_ns` a galaxy and centre near it."""
        n_near = np.prod([2.0 * self.reach / (self.stride * step) for step in self.steps])
        return float(POINT_NS * n_kernels * np.prod(self.shape) + n_galaxies * (SPREAD_NS + near_ns * n_near))


def mesh_over(
    columns: Array, rows: Array, x: Array, y: Array, *, stride: int = 1, reach: float = np.inf, near: float = 0.0
) -> Mesh | None:
    """Return a mesh for centres and galaxies at x, y.

    Parameters
    ----------
    columns, rows : (n_columns,) and (n_rows,) float64 arrays
        x and y of the centres, evenly spaced, two or more of each.
    x, y : (n,) float64 arrays
        Galaxies.
    stride : int
        Mesh steps between one centre and the next.
    reach : float
        Beyond it all kernels are nothing.
    near : float
        How far from each galaxy sums go galaxy by galaxy, at least.

    Returns
    -------
    Mesh or None
        None where the centres are no grid of two or more by two or more, or there are no galaxies.
    """
    if x.size == 0 or any(axis.size < 2 or axis[0] == axis[-1] for axis in (columns, rows)):
        return None
    shape = tuple(_length(c, at, stride, reach) for c, at in ((rows, y), (columns, x)))
    return Mesh(columns, rows, stride, (shape[0], shape[1]), near)


def _length(centres: Array, at: Array, stride: int, reach: float) -> int:
    """Return how many points keep apart what is at most as far as the farthest galaxy from the farthest centre."""
    step = (centres[-1] - centres[0]) / (centres.size - 1) / stride
    farthest = max(at.max() - centres[0], centres[-1] - at.min()) / step
    n = int(np.ceil(farthest + min(farthest, reach / step))) + 2 * MARGIN + 1
    return stride * int(next_fast_len(-(-n // stride)))


def _transformed(mesh: ComplexArray) -> ComplexArray:
    return np.asarray(fft2(mesh, workers=1, overwrite_x=True))


def _spline_transform(n: int) -> Array:
    """Return the transform of the B-spline's samples on a periodic mesh of n points."""
    weights, samples = np.empty(ORDER), np.zeros(n)
    spline_weights(0.0, weights)
    np.add.at(samples, (np.arange(ORDER) - ORDER // 2) % n, weights)
    return np.asarray(fft(samples, workers=1).real)
