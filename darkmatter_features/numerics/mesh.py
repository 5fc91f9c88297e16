"""Sums over galaxies about an even grid of centres by Fourier transforms on a mesh, for fields of many galaxies.

A sum ``sum_k q_k K(x_k - c)`` over galaxies k about centres c is a convolution. B-splines of degree 7 distribute the
galaxies over mesh points, and the transform is divided by that of the samples of the spline (Essmann et al. 1995). A
kernel of shear turns with the angle and is singular at the centre, where no mesh resolves it. Its near part, the
fraction ``(1 + u) exp(-u)``, ``u = r^2 / 2 width^2``, is therefore summed galaxy by galaxy, and the mesh carries the
rest (Ewald 1921). Empty points pad the mesh by the radius of the kernel, so that nothing wraps around. With n galaxies
and m centres the cost is ``n + m log m`` instead of ``n m``. The computation is serial: the same
catalogue gives the same bytes at any number of workers. It is in double precision, but for many skies that share the
positions of their galaxies, which are only compared with each other.

References
----------
P. P. Ewald (1921), Annalen der Physik 369, 253, doi:10.1002/andp.19213690304.
U. Essmann et al. (1995), J. Chem. Phys. 103, 8577, doi:10.1063/1.470117.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.numerics.kernels.mesh import ORDER, spline_weights, spread
from darkmatter_features.numerics.kernels.records import Galaxies, Grid, NearField
from darkmatter_features.numerics.kernels.skies import spread_skies

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
SingleComplexArray = NDArray[np.complex64]
Transform = TypeVar("Transform", SingleComplexArray, ComplexArray)

NEAR_WIDTH = 2.0
"""Width of the near part, mesh steps: the mesh then interpolates the rest to 1e-5 of its maximum."""

NEAR_RADIUS = 6.0
"""Radius of the near part, widths: ``(1 + u) exp(-u)`` is 3e-7 there."""

MARGIN = 24
"""Mesh points beyond the most distant pair: over this distance the ringing of the splines falls by 3e-7."""

POINT_NS = 50.0
"""Time per mesh point and kernel on one core, ns: three transforms and the values of the kernel. The logarithm in the
cost of a transform is smaller than the difference between machines."""

SPREAD_NS = 500.0
"""Time to distribute one galaxy over the mesh on one core, ns."""

SKIES_AT_ONCE = 8
"""Skies that share the weights of the splines; more of them do not fit into the cache."""

MIN_SPEEDUP = 3.0
"""Minimum ratio of the estimated direct cost to the cost on a mesh for the mesh to be used: the direct sum is exact."""


@dataclass(frozen=True)
class Mesh:
    """A periodic mesh over a grid of centres and the galaxies about it.

    Attributes
    ----------
    columns, rows : (n_columns,) and (n_rows,) float64 arrays
        x and y of the centres, evenly spaced, two or more of each.
    stride : int
        Mesh steps between neighbouring centres.
    shape : (int, int)
        Mesh points along y and x; point 0 is the first centre.
    min_near_radius : float
        Lower limit of the radius within which sums go galaxy by galaxy.
    """

    columns: Array
    rows: Array
    stride: int
    shape: tuple[int, int]
    min_near_radius: float = 0.0

    @property
    def grid(self) -> Grid:
        """Axes of the grid of centres."""
        return Grid(self.columns, self.rows)

    @property
    def n_centres(self) -> int:
        """Number of centres."""
        return int(self.columns.size * self.rows.size)

    @property
    def steps(self) -> tuple[float, float]:
        """Distance between mesh points along x and y."""
        across, up = ((float(axis[-1]) - float(axis[0])) / (axis.size - 1) for axis in (self.columns, self.rows))
        return across / self.stride, up / self.stride

    @property
    def near(self) -> NearField:
        """Width and radius of the part that is summed galaxy by galaxy."""
        width = NEAR_WIDTH * max(self.steps)
        return NearField(width, max(NEAR_RADIUS * width, self.min_near_radius))

    def neighbours(self, x: Array, y: Array) -> NDArray[np.int64]:
        """Return an order of the galaxies in which consecutive ones are close, for locality of memory access."""
        row = np.floor((y - self.rows[0]) / (self.steps[1] * self.stride))
        return np.lexsort((x, row))

    def transform(self, x: Array, y: Array, real: Array, imaginary: Array) -> ComplexArray:
        """Return the transform of ``real + i imaginary`` of galaxies at x, y, divided by that of the B-splines.

        Notes
        -----
        The division is that by the Euler exponential spline, Eq. 4.4 of Essmann et al. (1995).
        """
        across, up = self.steps
        mesh = np.zeros(self.shape, dtype=np.complex128)
        spread((x - self.columns[0]) / across, (y - self.rows[0]) / up, real, imaginary, mesh)
        return _transformed(mesh) / self._splines

    def transforms(self, galaxies: Galaxies) -> Iterator[SingleComplexArray]:
        """Yield the :meth:`transform` of the weighted ellipticities of each of m skies of the same positions.

        It is in single precision, as the ellipticities (n, m) are.
        """
        across, up = self.steps
        x, y = (galaxies.x - self.columns[0]) / across, (galaxies.y - self.rows[0]) / up
        for first in range(0, galaxies.e1.shape[1], SKIES_AT_ONCE):
            e = np.stack([each[:, first : first + SKIES_AT_ONCE] for each in (galaxies.e1, galaxies.e2)], axis=2)
            values = e.reshape(x.size, -1) * galaxies.weight.astype(np.float32)[:, None]
            mesh = np.zeros((*self.shape, values.shape[1]), dtype=np.float32)
            spread_skies(x, y, values, mesh)
            for sky in np.moveaxis(mesh.view(np.complex64), 2, 0):
                yield _transformed(sky.copy()) / self._single_splines

    @cached_property
    def _single_splines(self) -> NDArray[np.float32]:
        return self._splines.astype(np.float32)

    @cached_property
    def _splines(self) -> Array:
        up, across = (_spline_transform(n) for n in self.shape)
        return np.asarray(up[:, None] * across[None, :])

    def kernel(self, values: Array, *, spin: int = 0) -> ComplexArray:
        """Return the transform of the kernel ``values exp(-i spin phi)``, with `values` (shape) given at each point.

        With a spin, the values must fall smoothly to 0 at the centre.
        """
        turned = values * self._unit**spin if spin else values
        return _transformed(turned.astype(np.complex128, copy=False))

    def of_radius(self, function: Callable[[Array], Array]) -> Array:
        """Return a function of the distance of each point from the first, from the points of a quarter of the mesh."""
        n_rows, n_columns = self.shape
        quarter = function(np.sqrt(self.squares[: n_rows // 2 + 1, : n_columns // 2 + 1]))
        up, across = (np.minimum(np.arange(n), n - np.arange(n)) for n in self.shape)
        return np.asarray(quarter[up[:, None], across[None, :]])

    @cached_property
    def squares(self) -> Array:
        """Squared distance of each point from the first, the shorter way round."""
        return np.asarray(self._offsets.real**2 + self._offsets.imag**2)

    @cached_property
    def nearness(self) -> Array:
        """Fraction of a kernel that is summed galaxy by galaxy, at each point."""
        return nearness(self.squares, self.near.width)

    @cached_property
    def _unit(self) -> ComplexArray:
        """``exp(-i phi)`` of each point."""
        return np.asarray(self._offsets.conj() / np.sqrt(np.maximum(self.squares, np.finfo(np.float64).tiny)))

    @cached_property
    def _offsets(self) -> ComplexArray:
        x, y = (np.fft.fftfreq(n, 1.0 / n) * step for n, step in zip(self.shape[::-1], self.steps))
        return np.asarray(x[None, :] + 1j * y[:, None])

    def sums(self, galaxies: Transform, kernel: Transform) -> Transform:
        """Return the sums (n_rows, n_columns) about the centres from the transforms of galaxies and kernel."""
        from scipy.fft import ifft2

        n, (n_rows, n_columns) = self.stride, self.shape
        product = galaxies * kernel
        if n > 1:  # only every n-th point is needed: its transform is the full transform, folded
            product = product.reshape(n, n_rows // n, n, n_columns // n).sum(axis=(0, 2)) / n**2
        sums = ifft2(product, workers=1, overwrite_x=True)
        return sums[: self.rows.size, : self.columns.size]  # type: ignore[no-any-return]

    def cost(self, n_galaxies: int, *, n_kernels: float, near_ns: float) -> float:
        """Return the estimated time of sums with `n_kernels` kernels, ns; `near_ns` for each galaxy and near centre."""
        n_near = np.prod([2.0 * self.near.radius / (self.stride * step) for step in self.steps])
        return float(POINT_NS * n_kernels * np.prod(self.shape) + n_galaxies * (SPREAD_NS + near_ns * n_near))


def nearness(squares: Array, width: float) -> Array:
    """Return the fraction of a kernel that is summed galaxy by galaxy, by squared distances."""
    u = 0.5 * squares / width**2
    return np.asarray((1.0 + u) * np.exp(-u))


def mesh_over(
    columns: Array,
    rows: Array,
    x: Array,
    y: Array,
    *,
    stride: int = 1,
    reach: float = np.inf,
    min_near_radius: float = 0.0,
) -> Mesh | None:
    """Return a mesh for centres and galaxies at x, y.

    Parameters
    ----------
    columns, rows : (n_columns,) and (n_rows,) float64 arrays
        x and y of the centres, evenly spaced, two or more of each.
    x, y : (n,) float64 arrays
        Positions of the galaxies.
    stride : int
        Mesh steps between neighbouring centres.
    reach : float
        Radius beyond which all kernels vanish.
    min_near_radius : float
        Lower limit of the radius within which sums go galaxy by galaxy.

    Returns
    -------
    Mesh or None
        None where the centres are no grid of at least two by two, or there are no galaxies.
    """
    if x.size == 0 or any(axis.size < 2 or axis[0] == axis[-1] for axis in (columns, rows)):
        return None
    shape = tuple(_length(centres, at, stride, reach) for centres, at in ((rows, y), (columns, x)))
    return Mesh(columns, rows, stride, (shape[0], shape[1]), min_near_radius)


def _length(centres: Array, at: Array, stride: int, reach: float) -> int:
    """Return the number of points along an axis that keeps the periodic images of galaxies and centres apart."""
    from scipy.fft import next_fast_len

    step = (centres[-1] - centres[0]) / (centres.size - 1) / stride
    farthest = max(at.max() - centres[0], centres[-1] - at.min()) / step
    n = int(np.ceil(farthest + min(farthest, reach / step))) + 2 * MARGIN + 1
    return stride * int(next_fast_len(-(-n // stride)))


def _transformed(mesh: Transform) -> Transform:
    from scipy.fft import fft2

    return np.asarray(fft2(mesh, workers=1, overwrite_x=True))


def _spline_transform(n: int) -> Array:
    """Return the transform of the samples of the B-spline on a periodic mesh of n points."""
    from scipy.fft import fft

    weights, samples = np.empty(ORDER), np.zeros(n)
    spline_weights(0.0, weights)
    np.add.at(samples, (np.arange(ORDER) - ORDER // 2) % n, weights)
    return np.asarray(fft(samples, workers=1).real)
