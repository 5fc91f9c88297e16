"""Sums over the galaxies of a field for many profiles of shear about a grid of centres, by the cheaper of two ways.

With few galaxies each is gone to about each centre; with many the sums are Fourier transforms on a mesh, see
:mod:`~darkmatter_features.numerics.mesh`. The expansion of the likelihood to second order in shear is such sums: with
``E = gamma_t + i gamma_x``, ``m = |e|^2`` and the variance s^2 of p0, a galaxy's log ratio is for a shear g ::

    g gamma_t ((1 - m) / s^2 + 4) + g^2 (Re(E^2) ((1 - m) / s^2 + 2) - (1 - m)^2 / 2 s^2 - 2),

of spins 2, 4 and 0. What differs from it where shear is strong is added galaxy by galaxy.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.mesh import near_likelihood, near_profile_sums
from darkmatter_features.numerics.kernels.profiles import profile_likelihood, profile_sums
from darkmatter_features.numerics.mesh import MIN_SPEEDUP, SPREAD_NS, ComplexArray, Mesh, mesh_over

Array = NDArray[np.float64]

MIN_MESH_POINTS = 200
"""Mesh points to a side of the field, at least."""

NEAR_RADIUS = 0.085
"""How far from each galaxy sums go galaxy by galaxy, sides. At the edge of its core an isothermal profile has a kink,
about which a spline rings; three of the four cores end within this. Of the largest, 0.008 in S/N was the most that was
seen, of galaxies whose weights spread over 1.5 e-folds."""

SMOOTHING_WIDTH, SMOOTHING_RADIUS = 1.25, 0.85
"""By how many mesh steps profiles are blurred for the mesh, and up to which share of the reach of what is summed galaxy
by galaxy, which makes up for it."""

GEOMETRY_NS, SKY_NS, LIKELIHOOD_NS = 1.5, 0.22, 9.0
"""What a galaxy costs at a centre for each profile, ns on one core: once, for each sky, and for the likelihood."""

SKY_COST = 0.1
"""What a sky costs on the mesh beside what the making of a kernel does."""

MAX_EXPANDED_SHEAR = 0.05
"""Shears from this on are undone exactly; of less, the expansion to second order serves."""


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
    """Return ``sum(v g gamma_t)`` and ``sum(v g^2)`` about centres, with v the inverse variances.

    Parameters
    ----------
    field : Field
        Tells where the galaxies are, and what they weigh.
    profiles : ShearProfiles
        g, of unit amplitude.
    columns, rows : (n_columns,) and (n_rows,) float64 arrays, sides of the field
        x and y of the centres, evenly spaced.
    e1, e2 : (n, m) float64 arrays
        Ellipticities of m skies.
    n_skies : int, optional
        How many there are in all, if not m: the cheaper way for these is taken.

    Returns
    -------
    filter_response : (n_rows * n_columns, m, n_profiles) float64 array
        By rows.
    filter_norm : (n_rows * n_columns, n_profiles) float64 array
        The same for all skies.
    """
    mesh = _mesh(field, columns, rows)
    if mesh is None or not _pays(mesh, len(e1), n_skies or e1.shape[1], len(profiles)):
        return _direct_sums(field, profiles, columns, rows, e1, e2)
    return _mesh_sums(field, profiles, mesh, e1, e2)


def _pays(mesh: Mesh, n: int, n_skies: int, n_profiles: int) -> bool:
    """Return whether the mesh is much cheaper for n galaxies. Further skies cost a fraction: kernels are known then."""
    pair_ns = n_profiles * (GEOMETRY_NS + SKY_NS * n_skies)
    n_kernels = n_profiles * (2.0 + SKY_COST * n_skies)
    on_mesh = mesh.cost(n, n_kernels=n_kernels, near_ns=pair_ns) + n * n_skies * SPREAD_NS
    return MIN_SPEEDUP * on_mesh < pair_ns * n * mesh.columns.size * mesh.rows.size


def _mesh(field: Field, columns: Array, rows: Array) -> Mesh | None:
    n_a_side = np.sqrt(columns.size * rows.size)
    return mesh_over(columns, rows, field.x, field.y, stride=max(int(np.ceil(MIN_MESH_POINTS / n_a_side - 1e-9)), 1), near=NEAR_RADIUS)


def _direct_sums(
    field: Field, profiles: ShearProfiles, columns: Array, rows: Array, e1: Array, e2: Array
) -> tuple[Array, Array]:
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    filter_response = np.empty((x.size, e1.shape[1], len(profiles)))
    filter_norm = np.empty((x.size, len(profiles)))
    weight = field.weight / field.variance
    profile_sums(field.x, field.y, e1, e2, weight, profiles.shear, profiles.spacing, x, y, filter_response, filter_norm)
    return filter_response, filter_norm


def _mesh_sums(field: Field, profiles: ShearProfiles, mesh: Mesh, e1: Array, e2: Array) -> tuple[Array, Array]:
    n_profiles, n_centres = len(profiles), mesh.rows.size * mesh.columns.size
    order = mesh.neighbours(field.x, field.y)
    x, y, weight = field.x[order], field.y[order], (field.weight / field.variance)[order]
    e1, e2 = e1[order], e2[order]
    filter_response, filter_norm = np.empty((n_centres, e1.shape[1], n_profiles)), np.empty((n_centres, n_profiles))
    smooth = _smoothed(mesh, profiles)
    shears = list(_kernels(mesh, -smooth[:, :n_profiles], profiles.spacing, spin=2))
    for j in range(e1.shape[1]):
        sky = mesh.transform(x, y, weight * e1[:, j], weight * e2[:, j])
        filter_response[:, j] = _by_centre(mesh.sums(sky, shear) for shear in shears)
    weights = mesh.transform(x, y, weight, np.zeros_like(weight))
    squares = _kernels(mesh, smooth[:, n_profiles:], profiles.spacing, spin=0)
    filter_norm[:] = _by_centre(mesh.sums(weights, square) for square in squares)
    near_profile_sums(
        x, y, e1, e2, weight, profiles.shear, smooth, profiles.spacing, mesh.columns, mesh.rows, mesh.width, mesh.reach,
        filter_response, filter_norm,
    )  # fmt: skip
    return filter_response, filter_norm


def _smoothed(mesh: Mesh, profiles: ShearProfiles) -> Array:
    """Return the profiles and their squares (n_nodes, 2 n_profiles), without the kinks that are near enough to sum."""
    values = np.concatenate([profiles.shear, profiles.shear**2], axis=1)
    blurred = gaussian_filter1d(values, SMOOTHING_WIDTH * max(mesh.steps) / profiles.spacing, axis=0, mode="mirror")
    radius = np.arange(len(values)) * profiles.spacing / mesh.reach
    share = 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - SMOOTHING_RADIUS) / (1.0 - SMOOTHING_RADIUS), 0.0, 1.0))
    return np.asarray(values + share[:, None] * (blurred - values))


def _kernels(mesh: Mesh, smooth: Array, step: float, *, spin: int) -> Iterator[ComplexArray]:
    """Yield the transforms of the columns of `smooth`, away from the galaxies."""
    radii, nodes = np.sqrt(mesh.squares), np.arange(len(smooth)) * step
    for values in smooth.T:
        yield mesh.kernel(np.interp(radii, nodes, values) * (1.0 - mesh.nearness), spin=spin)


def log_likelihood_ratios(
    field: Field, profiles: ShearProfiles, amplitudes: Array, columns: Array, rows: Array, cells: NDArray[np.int64]
) -> Array:
    """Return the log ratio of the shapes for a lens in some of the cells, every shear undone.

    Parameters
    ----------
    field, profiles, columns, rows
        As in :func:`filter_sums`.
    amplitudes : (n_profiles, n_amplitudes) float64 array
        Of the profiles, ascending.
    cells : (n_cells,) int64 array
        Of the grid, by rows.

    Returns
    -------
    (n_cells, n_profiles, n_amplitudes) float64 array
    """
    mesh = _mesh(field, columns, rows)
    x, y = columns[cells % columns.size], rows[cells // columns.size]
    strong = _strong_radius(profiles, amplitudes)
    if mesh is None or not _likelihood_pays(mesh, field.x.size, cells.size, len(profiles), strong):
        return _direct_likelihood(field, profiles, amplitudes, x, y)
    smooth = _smoothed(mesh, profiles)
    linear, quadratic = (sums[cells][:, :, None] for sums in _expansion(field, profiles, mesh, smooth))
    likelihood = amplitudes * (linear + amplitudes * quadratic)
    order = np.argsort(field.y, kind="stable")
    galaxies = (column[order] for column in (field.x, field.y, field.e1, field.e2, field.weight))
    near_likelihood(
        *galaxies, field.variance, profiles.shear, smooth, profiles.spacing, amplitudes, MAX_EXPANDED_SHEAR, x, y,
        mesh.width, max(mesh.reach, strong), likelihood,
    )  # fmt: skip
    return np.asarray(likelihood)


def _likelihood_pays(mesh: Mesh, n: int, n_cells: int, n_profiles: int, strong: float) -> bool:
    """Return whether the mesh is much cheaper where shear may be strong within a radius."""
    direct = LIKELIHOOD_NS * n_profiles * n * n_cells
    near = min(np.pi * max(mesh.reach, strong) ** 2, 1.0)
    return bool(MIN_SPEEDUP * (mesh.cost(n, n_kernels=3 * n_profiles, near_ns=0.0) + near * direct) < direct)


def _direct_likelihood(field: Field, profiles: ShearProfiles, amplitudes: Array, x: Array, y: Array) -> Array:
    likelihood = np.empty((x.size, *amplitudes.shape))
    profile_likelihood(
        field.x, field.y, field.e1, field.e2, field.weight, field.variance, profiles.shear, profiles.spacing,
        amplitudes, MAX_EXPANDED_SHEAR, x, y, likelihood,
    )  # fmt: skip
    return likelihood


def _expansion(field: Field, profiles: ShearProfiles, mesh: Mesh, smooth: Array) -> tuple[Array, Array]:
    """Return the sums that g and g^2 of the profiles come with, (n_centres, n_profiles), far from the galaxies."""
    e = field.e1 + 1j * field.e2
    rest, variance = 1.0 - np.abs(e) ** 2, field.variance
    terms = e * (rest / variance + 4.0), e**2 * (rest / variance + 2.0), -(rest**2) / (2.0 * variance) - 2.0
    spin2, spin4, spin0 = (
        mesh.transform(field.x, field.y, np.real(field.weight * term), np.imag(field.weight * term)) for term in terms
    )
    shears, squares = -smooth[:, : len(profiles)], smooth[:, len(profiles) :]
    linear = _by_centre(mesh.sums(spin2, kernel) for kernel in _kernels(mesh, shears, profiles.spacing, spin=2))
    turning = _by_centre(mesh.sums(spin4, kernel) for kernel in _kernels(mesh, squares, profiles.spacing, spin=4))
    still = _by_centre(mesh.sums(spin0, kernel) for kernel in _kernels(mesh, squares, profiles.spacing, spin=0))
    return linear, turning + still


def _by_centre(sums: Iterable[ComplexArray]) -> Array:
    return np.stack([each.real.ravel() for each in sums], axis=1)


def _strong_radius(profiles: ShearProfiles, amplitudes: Array) -> float:
    """Return the radius beyond which no shear is to be undone exactly."""
    strong = np.flatnonzero((profiles.shear * amplitudes[:, -1] >= MAX_EXPANDED_SHEAR).any(axis=1))
    return float(profiles.spacing * (strong[-1] + 1)) if strong.size else 0.0
