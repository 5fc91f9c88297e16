"""Sums over the galaxies of a field for many shear profiles about a grid of centres, by the cheaper of two methods.

The direct method visits each pair of galaxy and centre; for many galaxies the sums are Fourier transforms on a mesh,
see :mod:`~darkmatter_features.numerics.mesh`. The expansion of the likelihood to second order in shear consists of such
sums too. With ``E = gamma_t + i gamma_x``, ``m = |e|^2`` and the variance s^2 of p0, the log ratio of a galaxy for a
shear g is ::

    g gamma_t ((1 - m) / s^2 + 4) + g^2 (Re(E^2) ((1 - m) / s^2 + 2) - (1 - m)^2 / 2 s^2 - 2),

with terms of spin 2, 4 and 0. Where shear is strong, the difference from the exact ratio is added galaxy by galaxy.
"""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.location.field import Field
from darkmatter_features.location.mesh_sums import MeshSums, by_centre, kernels, mesh_of, smoothed
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.mesh import near_likelihood
from darkmatter_features.numerics.kernels.profiles import profile_likelihood, profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies, NearField, Profiles, Reals
from darkmatter_features.numerics.mesh import MIN_SPEEDUP, SPREAD_NS, Mesh

Array = NDArray[np.float64]

GEOMETRY_NS = 1.5
"""Time per galaxy, centre and profile for geometry, on one core, ns."""

SKY_NS = 0.22
"""Time per galaxy, centre, profile and sky, on one core, ns."""

NEAR_SKY_NS = 0.11
"""The same near a centre, where many skies are summed in single precision."""

FINER = (1, 2)
"""Meshes that are compared by their cost: of the usual number of points per side, and of twice as many."""

LIKELIHOOD_NS = 9.0
"""Time per galaxy, centre and profile for the likelihood, on one core, ns."""

SKY_COST = 0.1
"""Cost of another sky on the mesh, relative to that of a kernel."""

MAX_EXPANDED_SHEAR = 0.05
"""Shear below which the expansion of the likelihood to second order is used, dimensionless. Its error at the limit is
3e-4 rms and 6e-4 at most in the log ratio of a galaxy, for an ellipticity dispersion of 0.24 a component. (The template
likelihood interpolates exact values by a quadratic instead, whose error at 0.06 is 3e-5 rms: it has its own limit.)"""


def filter_sums(
    field: Field,
    profiles: ShearProfiles,
    columns: Array,
    rows: Array,
    e1: Array,
    e2: Array,
    *,
    n_skies: int | None = None,
    n_threads: int = 1,
) -> tuple[Array, Array]:
    """Return the sums of the matched filter, ``sum(v g gamma_t)`` and ``sum(v g^2)``, about a grid of centres.

    Parameters
    ----------
    field : Field
        Positions and inverse variances v of the galaxies.
    profiles : ShearProfiles
        Shear profiles g of unit amplitude.
    columns, rows : (n_columns,) and (n_rows,) float64 arrays, sides of the field
        x and y of the centres, evenly spaced.
    e1, e2 : (n, m) float64 arrays
        Ellipticities of m skies.
    n_skies : int, optional
        Number of skies in all, if larger than m: the method is the cheaper one for that number.
    n_threads : int
        Number of threads. The sums do not depend on it.

    Returns
    -------
    filter_response : (n_rows * n_columns, m, n_profiles) float64 array
    filter_norm : (n_rows * n_columns, n_profiles) float64 array

    Notes
    -----
    ``filter_response / sqrt(filter_norm)`` is the S/N of the matched filter (Schneider 1996).

    References
    ----------
    P. Schneider (1996), MNRAS 283, 837, arXiv:astro-ph/9601039.
    """
    sums = FilterSums(field, profiles, columns, rows, n_skies=n_skies or e1.shape[1])
    return sums(e1, e2, n_threads=n_threads)


class FilterSums:
    """Sums of the matched filter about a grid of centres for any ellipticities, by the method for `n_skies` in all.

    Parameters
    ----------
    field, profiles, columns, rows
        As in :func:`filter_sums`.
    n_skies : int
        Number of skies for which the method is the cheaper one.
    """

    def __init__(self, field: Field, profiles: ShearProfiles, columns: Array, rows: Array, *, n_skies: int) -> None:
        self.field, self.profiles = field, profiles
        mesh = cheap_mesh(field, profiles, columns, rows, n_skies=n_skies)
        self._on_mesh = None if mesh is None else MeshSums(field, profiles, mesh)
        self._grid = columns, rows

    @property
    def dtype(self) -> type[np.floating]:
        """Type in which the ellipticities of many skies are best given: others are converted."""
        return np.float64 if self._on_mesh is None else np.float32

    def __call__(self, e1: Reals, e2: Reals, *, n_threads: int = 1) -> tuple[Array, Array]:
        """Return `filter_response` and `filter_norm` for ellipticities e1 and e2, see :func:`filter_sums`."""
        if self._on_mesh is not None:
            return self._on_mesh(e1, e2, n_threads=n_threads)
        return _direct_sums(self.field, self.profiles, *self._grid, e1, e2)


def cheap_mesh(field: Field, profiles: ShearProfiles, columns: Array, rows: Array, *, n_skies: int) -> Mesh | None:
    """Return the mesh on which the :class:`FilterSums` are computed, None where they go galaxy by galaxy."""
    meshes = [mesh_of(field, columns, rows, finer=finer) for finer in FINER]
    n, n_profiles = field.x.size, len(profiles)
    cost, mesh = min(
        ((_cost(mesh, n, n_skies, n_profiles), mesh) for mesh in meshes if mesh is not None),
        key=lambda each: each[0], default=(np.inf, None),
    )  # fmt: skip
    direct = n_profiles * (GEOMETRY_NS + SKY_NS * n_skies) * n * columns.size * rows.size
    return mesh if MIN_SPEEDUP * cost < direct else None


def _cost(mesh: Mesh, n: int, n_skies: int, n_profiles: int) -> float:
    """Return the estimated time of the sums for n galaxies on a mesh, ns; the skies share the kernels."""
    near_ns = n_profiles * (GEOMETRY_NS + NEAR_SKY_NS * n_skies)
    n_kernels = n_profiles * (2.0 + SKY_COST * n_skies)
    return mesh.cost(n, n_kernels=n_kernels, near_ns=near_ns) + n * n_skies * SPREAD_NS


def _direct_sums(
    field: Field, profiles: ShearProfiles, columns: Array, rows: Array, e1: Reals, e2: Reals
) -> tuple[Array, Array]:
    centres = Centres(*(axis.ravel() for axis in np.meshgrid(columns, rows)))
    filter_response = np.empty((centres.x.size, e1.shape[1], len(profiles)))
    filter_norm = np.empty((centres.x.size, len(profiles)))
    galaxies = Galaxies(field.x, field.y, e1, e2, field.weight / field.variance)
    profile_sums(galaxies, profiles.tabulated, centres, filter_response, filter_norm)
    return filter_response, filter_norm


def log_likelihood_ratios(
    field: Field, profiles: ShearProfiles, amplitudes: Array, columns: Array, rows: Array, cells: NDArray[np.int64]
) -> Array:
    """Return the log likelihood ratio of the shapes for a lens in some cells of a grid, exact where shear is strong.

    Parameters
    ----------
    field, profiles, columns, rows
        As in :func:`filter_sums`.
    amplitudes : (n_profiles, n_amplitudes) float64 array
        Amplitudes of the profiles, ascending.
    cells : (n_cells,) int64 array
        Indices of cells of the grid, by rows.

    Returns
    -------
    (n_cells, n_profiles, n_amplitudes) float64 array
    """
    mesh = mesh_of(field, columns, rows)
    centres = Centres(columns[cells % columns.size], rows[cells // columns.size])
    strong = _strong_radius(profiles, amplitudes)
    if mesh is None or not _likelihood_pays(mesh, field.x.size, cells.size, len(profiles), strong):
        return _direct_likelihood(field, profiles, amplitudes, centres)
    smooth = smoothed(mesh, profiles)
    linear, quadratic = (sums[cells][:, :, None] for sums in _expansion(field, mesh, smooth))
    likelihood = amplitudes * (linear + amplitudes * quadratic)
    order = np.argsort(field.y, kind="stable")
    galaxies = Galaxies._make(column[order] for column in field.galaxies)
    near = NearField(mesh.near.width, max(mesh.near.radius, strong))
    near_likelihood(
        galaxies, field.variance, profiles.tabulated, smooth, near, amplitudes, MAX_EXPANDED_SHEAR, centres, likelihood
    )
    return np.asarray(likelihood)


def _likelihood_pays(mesh: Mesh, n: int, n_cells: int, n_profiles: int, strong_radius: float) -> bool:
    """Return whether the mesh is much cheaper, with the pairs nearer than the near or the strong radius summed."""
    direct = LIKELIHOOD_NS * n_profiles * n * n_cells
    near = min(np.pi * max(mesh.near.radius, strong_radius) ** 2, 1.0)
    return bool(MIN_SPEEDUP * (mesh.cost(n, n_kernels=3 * n_profiles, near_ns=0.0) + near * direct) < direct)


def _direct_likelihood(field: Field, profiles: ShearProfiles, amplitudes: Array, centres: Centres) -> Array:
    likelihood = np.empty((centres.x.size, *amplitudes.shape))
    profile_likelihood(
        field.galaxies, field.variance, profiles.tabulated, amplitudes, MAX_EXPANDED_SHEAR, centres, likelihood
    )
    return likelihood


def _expansion(field: Field, mesh: Mesh, smooth: Profiles) -> tuple[Array, Array]:
    """Return the far part of the coefficients of A and A^2 in the expansion, each (n_centres, n_profiles)."""
    e = field.e1 + 1j * field.e2
    rest, variance = 1.0 - np.abs(e) ** 2, field.variance
    terms = e * (rest / variance + 4.0), e**2 * (rest / variance + 2.0), -(rest**2) / (2.0 * variance) - 2.0
    spin2, spin4, spin0 = (
        mesh.transform(field.x, field.y, np.real(field.weight * term), np.imag(field.weight * term)) for term in terms
    )
    shears, squares = np.split(smooth.shear, 2, axis=1)
    linear = by_centre(mesh.sums(spin2, kernel) for kernel in kernels(mesh, -shears, smooth.spacing, spin=2))
    anisotropic = by_centre(mesh.sums(spin4, kernel) for kernel in kernels(mesh, squares, smooth.spacing, spin=4))
    isotropic = by_centre(mesh.sums(spin0, kernel) for kernel in kernels(mesh, squares, smooth.spacing, spin=0))
    return linear, anisotropic + isotropic


def _strong_radius(profiles: ShearProfiles, amplitudes: Array) -> float:
    """Return the radius beyond which the expansion serves at every amplitude, sides of the field."""
    strong = np.flatnonzero((profiles.shear * amplitudes[:, -1] >= MAX_EXPANDED_SHEAR).any(axis=1))
    return float(profiles.spacing * (strong[-1] + 1)) if strong.size else 0.0
