"""Sums over the galaxies of a field for many shear profiles about a grid of centres, by the cheaper of two methods.

The direct method visits each pair of galaxy and centre; for many galaxies the sums are Fourier transforms on a mesh,
see :mod:`~darkmatter_features.numerics.mesh`. The expansion of the likelihood to second order in shear consists of such
sums too. With ``E = gamma_t + i gamma_x``, ``m = |e|^2`` and the variance s^2 of p0, the log ratio of a galaxy for a
shear g is ::

    g gamma_t ((1 - m) / s^2 + 4) + g^2 (Re(E^2) ((1 - m) / s^2 + 2) - (1 - m)^2 / 2 s^2 - 2),

with terms of spin 2, 4 and 0. Where shear is strong, the difference from the exact ratio is added galaxy by galaxy.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.mesh import near_likelihood, near_profile_sums
from darkmatter_features.numerics.kernels.profiles import profile_likelihood, profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies, NearField, Profiles
from darkmatter_features.numerics.mesh import MIN_SPEEDUP, SPREAD_NS, ComplexArray, Mesh, mesh_over

Array = NDArray[np.float64]

MIN_MESH_POINTS = 200
"""Minimum number of mesh points per side of the field."""

MIN_NEAR_RADIUS = 0.085
"""Minimum radius within which sums go galaxy by galaxy, sides of the field. An isothermal profile has a kink at the
edge of its core, about which a spline rings; three of the four cores end within this radius. The largest error of S/N
from the fourth was 0.008, for galaxies whose log weights scatter by 1.5."""

SMOOTHING_WIDTH = 1.25
"""Standard deviation of the Gaussian that smooths the profiles for the mesh, mesh steps."""

SMOOTHING_RADIUS = 0.85
"""Radius up to which profiles are fully smoothed, in near radii: the near part corrects for it."""

GEOMETRY_NS = 1.5
"""Time per galaxy, centre and profile for geometry, on one core, ns."""

SKY_NS = 0.22
"""Time per galaxy, centre, profile and sky, on one core, ns."""

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
    mesh = _mesh(field, columns, rows)
    if mesh is None or not _sums_pay(mesh, len(e1), n_skies or e1.shape[1], len(profiles)):
        return _direct_sums(field, profiles, columns, rows, e1, e2)
    return _mesh_sums(field, profiles, mesh, e1, e2)


def _sums_pay(mesh: Mesh, n: int, n_skies: int, n_profiles: int) -> bool:
    """Return whether the mesh is much cheaper for n galaxies; the skies share the kernels."""
    pair_ns = n_profiles * (GEOMETRY_NS + SKY_NS * n_skies)
    n_kernels = n_profiles * (2.0 + SKY_COST * n_skies)
    on_mesh = mesh.cost(n, n_kernels=n_kernels, near_ns=pair_ns) + n * n_skies * SPREAD_NS
    return MIN_SPEEDUP * on_mesh < pair_ns * n * mesh.columns.size * mesh.rows.size


def _mesh(field: Field, columns: Array, rows: Array) -> Mesh | None:
    stride = int(np.ceil(MIN_MESH_POINTS / np.sqrt(columns.size * rows.size) - 1e-9))
    return mesh_over(columns, rows, field.x, field.y, stride=max(stride, 1), min_near_radius=MIN_NEAR_RADIUS)


def _direct_sums(
    field: Field, profiles: ShearProfiles, columns: Array, rows: Array, e1: Array, e2: Array
) -> tuple[Array, Array]:
    centres = Centres(*(axis.ravel() for axis in np.meshgrid(columns, rows)))
    filter_response = np.empty((centres.x.size, e1.shape[1], len(profiles)))
    filter_norm = np.empty((centres.x.size, len(profiles)))
    galaxies = Galaxies(field.x, field.y, e1, e2, field.weight / field.variance)
    profile_sums(galaxies, profiles.tabulated, centres, filter_response, filter_norm)
    return filter_response, filter_norm


def _mesh_sums(field: Field, profiles: ShearProfiles, mesh: Mesh, e1: Array, e2: Array) -> tuple[Array, Array]:
    n_profiles, n_centres = len(profiles), mesh.rows.size * mesh.columns.size
    order = mesh.neighbours(field.x, field.y)
    columns = field.x, field.y, e1, e2, field.weight / field.variance
    galaxies = Galaxies(*(column[order] for column in columns))
    x, y, weight = galaxies.x, galaxies.y, galaxies.weight
    filter_response, filter_norm = np.empty((n_centres, e1.shape[1], n_profiles)), np.empty((n_centres, n_profiles))
    smooth = _smoothed(mesh, profiles)
    shears = list(_kernels(mesh, -smooth.shear[:, :n_profiles], smooth.spacing, spin=2))
    for j in range(e1.shape[1]):
        sky = mesh.transform(x, y, weight * galaxies.e1[:, j], weight * galaxies.e2[:, j])
        filter_response[:, j] = _by_centre(mesh.sums(sky, shear) for shear in shears)
    weights = mesh.transform(x, y, weight, np.zeros_like(weight))
    squares = _kernels(mesh, smooth.shear[:, n_profiles:], smooth.spacing, spin=0)
    filter_norm[:] = _by_centre(mesh.sums(weights, square) for square in squares)
    near_profile_sums(galaxies, profiles.tabulated, smooth, mesh.near, mesh.grid, filter_response, filter_norm)
    return filter_response, filter_norm


def _smoothed(mesh: Mesh, profiles: ShearProfiles) -> Profiles:
    """Return the profiles and their squares, 2 n_profiles columns, without the kinks within the near radius."""
    values = np.concatenate([profiles.shear, profiles.shear**2], axis=1)
    smooth = gaussian_filter1d(values, SMOOTHING_WIDTH * max(mesh.steps) / profiles.spacing, axis=0, mode="mirror")
    radius = np.arange(len(values)) * profiles.spacing / mesh.near.radius
    taper = 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - SMOOTHING_RADIUS) / (1.0 - SMOOTHING_RADIUS), 0.0, 1.0))
    return Profiles(np.asarray(values + taper[:, None] * (smooth - values)), profiles.spacing)


def _kernels(mesh: Mesh, smooth: Array, spacing: float, *, spin: int) -> Iterator[ComplexArray]:
    """Yield the transform of the far part of each column of `smooth`, tabulated at radii `spacing` apart."""
    radii, nodes = np.sqrt(mesh.squares), np.arange(len(smooth)) * spacing
    for values in smooth.T:
        yield mesh.kernel(np.interp(radii, nodes, values) * (1.0 - mesh.nearness), spin=spin)


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
    mesh = _mesh(field, columns, rows)
    centres = Centres(columns[cells % columns.size], rows[cells // columns.size])
    strong = _strong_radius(profiles, amplitudes)
    if mesh is None or not _likelihood_pays(mesh, field.x.size, cells.size, len(profiles), strong):
        return _direct_likelihood(field, profiles, amplitudes, centres)
    smooth = _smoothed(mesh, profiles)
    linear, quadratic = (sums[cells][:, :, None] for sums in _expansion(field, mesh, smooth))
    likelihood = amplitudes * (linear + amplitudes * quadratic)
    order = np.argsort(field.y, kind="stable")
    galaxies = Galaxies(*(column[order] for column in field.galaxies))
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
    linear = _by_centre(mesh.sums(spin2, kernel) for kernel in _kernels(mesh, -shears, smooth.spacing, spin=2))
    anisotropic = _by_centre(mesh.sums(spin4, kernel) for kernel in _kernels(mesh, squares, smooth.spacing, spin=4))
    isotropic = _by_centre(mesh.sums(spin0, kernel) for kernel in _kernels(mesh, squares, smooth.spacing, spin=0))
    return linear, anisotropic + isotropic


def _by_centre(sums: Iterable[ComplexArray]) -> Array:
    return np.stack([each.real.ravel() for each in sums], axis=1)


def _strong_radius(profiles: ShearProfiles, amplitudes: Array) -> float:
    """Return the radius beyond which the expansion serves at every amplitude, sides of the field."""
    strong = np.flatnonzero((profiles.shear * amplitudes[:, -1] >= MAX_EXPANDED_SHEAR).any(axis=1))
    return float(profiles.spacing * (strong[-1] + 1)) if strong.size else 0.0
