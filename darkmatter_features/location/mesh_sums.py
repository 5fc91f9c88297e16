"""Sums of the matched filter on a mesh, for one or many skies that share the positions of their galaxies.

What does not depend on the ellipticities is computed once: the order of the galaxies, the transforms of the shear
profiles, and the norm of the filter.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.mesh import near_profile_sums
from darkmatter_features.numerics.kernels.records import Galaxies, Profiles, Reals
from darkmatter_features.numerics.kernels.skies import near_sums_of_skies
from darkmatter_features.numerics.mesh import ComplexArray, Mesh, SingleComplexArray, mesh_over, nearness
from darkmatter_features.workers import threaded

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

NODES_PER_WIDTH = 40
"""Minimum number of nodes of the near parts of the profiles within a width of the near part."""

MANY_SKIES = 8
"""Number of skies from which on the near part is summed with the skies in the innermost loop."""

BANDS = 16
"""Bands of rows of centres that threads share: fewer galaxies lie about the outer ones."""


class MeshSums:
    """Sums about a grid of centres for any ellipticities of the galaxies of a field.

    Parameters
    ----------
    field : Field
        Positions and inverse variances of the galaxies.
    profiles : ShearProfiles
        Shear profiles of unit amplitude.
    mesh : Mesh
        Mesh over the centres, see :func:`mesh_of`.
    """

    def __init__(self, field: Field, profiles: ShearProfiles, mesh: Mesh) -> None:
        self._mesh, self._n_profiles = mesh, len(profiles)
        self._order = mesh.neighbours(field.x, field.y)
        inverse_variance = field.weight / field.variance
        self._x, self._y, self._weight = (each[self._order] for each in (field.x, field.y, inverse_variance))
        self._smooth = smoothed(mesh, profiles)
        self._near = near_profiles(mesh, profiles, self._smooth)

    def __call__(self, e1: Reals, e2: Reals, *, n_threads: int = 1) -> tuple[Array, Array]:
        """Return the sums for m skies of ellipticities e1 and e2 (n, m).

        Parameters
        ----------
        e1, e2 : (n, m) arrays
            Ellipticities. The sums of :data:`MANY_SKIES` or more are in single precision inside.
        n_threads : int
            Number of threads for the near part of a few skies. The sums do not depend on it.

        Returns
        -------
        filter_response : (n_centres, m, n_profiles) float64 array
        filter_norm : (n_centres, n_profiles) float64 array
        """
        many = e1.shape[1] >= MANY_SKIES
        dtype: type[np.floating] = np.float32 if many else np.float64
        own_e1, own_e2 = (each.astype(dtype, copy=False)[self._order] for each in (e1, e2))
        galaxies = Galaxies(self._x, self._y, own_e1, own_e2, self._weight)
        if many:
            return self._response_of_many(galaxies), self.filter_norm.copy()
        filter_response, filter_norm = self._far_response(galaxies), self._far_norm.copy()
        self._add_near(galaxies, filter_response, filter_norm, n_threads)
        return filter_response, filter_norm

    @cached_property
    def filter_norm(self) -> Array:
        """``sum(v g^2)`` about each centre, (n_centres, n_profiles)."""
        no_sky, filter_norm = np.empty((self._x.size, 0)), self._far_norm.copy()
        no_response = np.empty((len(filter_norm), 0, self._n_profiles))
        galaxies = Galaxies(self._x, self._y, no_sky, no_sky, self._weight)
        self._add_near(galaxies, no_response, filter_norm, n_threads=1)
        return filter_norm

    @cached_property
    def _shears(self) -> tuple[ComplexArray, ...]:
        return tuple(kernels(self._mesh, -self._smooth.shear[:, : self._n_profiles], self._smooth.spacing, spin=2))

    @cached_property
    def _single_shears(self) -> tuple[SingleComplexArray, ...]:
        return tuple(shear.astype(np.complex64) for shear in self._shears)

    @cached_property
    def _far_norm(self) -> Array:
        weights = self._mesh.transform(self._x, self._y, self._weight, np.zeros_like(self._weight))
        squares = kernels(self._mesh, self._smooth.shear[:, self._n_profiles :], self._smooth.spacing, spin=0)
        return by_centre(self._mesh.sums(weights, square) for square in squares)

    def _far_response(self, galaxies: Galaxies) -> Array:
        """Return the part of the sums (n_centres, m, n_profiles) of a few skies that the mesh carries."""
        filter_response = np.empty((self._mesh.n_centres, galaxies.e1.shape[1], self._n_profiles))
        for j, each in enumerate(zip(galaxies.e1.T, galaxies.e2.T, strict=True)):
            sky = self._mesh.transform(self._x, self._y, *(self._weight * e for e in each))
            filter_response[:, j] = by_centre(self._mesh.sums(sky, shear) for shear in self._shears)
        return filter_response

    def _add_near(self, galaxies: Galaxies, filter_response: Array, filter_norm: Array, n_threads: int) -> None:
        """Add the near part to both sums, in bands of rows of centres."""
        mesh, radius = self._mesh, self._mesh.near.radius

        def add(first: int, last: int) -> None:
            near_profile_sums(galaxies, self._near, radius, mesh.grid, first, last, filter_response, filter_norm)

        borders = np.linspace(0, mesh.rows.size, (BANDS if n_threads > 1 else 1) + 1).astype(int).tolist()
        for _ in threaded(add, pairwise(borders), n_threads=n_threads):
            pass

    def _response_of_many(self, galaxies: Galaxies) -> Array:
        """Return the sums (n_centres, m, n_profiles) of many skies."""
        n_skies = galaxies.e1.shape[1]
        by_profile = np.empty((self._mesh.n_centres, self._n_profiles, n_skies), dtype=np.float32)
        for j, sky in enumerate(self._mesh.transforms(galaxies)):
            for p, shear in enumerate(self._single_shears):
                by_profile[:, p, j] = self._mesh.sums(sky, shear).real.ravel()
        near = Profiles(self._near.shear[:, : self._n_profiles].copy(), self._near.spacing)
        near_sums_of_skies(galaxies, near, self._mesh.near.radius, self._mesh.grid, by_profile)
        return np.swapaxes(by_profile, 1, 2).astype(np.float64, order="C")


def mesh_of(field: Field, columns: Array, rows: Array, *, finer: int = 1) -> Mesh | None:
    """Return a mesh over a grid of centres and the galaxies of a field, if there is one.

    With `finer` of 2, it has twice as many points per side, and the near part half the radius: a spline rings less
    about a kink there, and the S/N of the profiles is as good.
    """
    stride = int(np.ceil(MIN_MESH_POINTS / np.sqrt(columns.size * rows.size) - 1e-9))
    return mesh_over(
        columns, rows, field.x, field.y, stride=finer * max(stride, 1), min_near_radius=MIN_NEAR_RADIUS / finer
    )


def smoothed(mesh: Mesh, profiles: ShearProfiles) -> Profiles:
    """Return the profiles and their squares, 2 n_profiles columns, without the kinks within the near radius."""
    values = np.concatenate([profiles.shear, profiles.shear**2], axis=1)
    smooth = gaussian_filter1d(values, SMOOTHING_WIDTH * max(mesh.steps) / profiles.spacing, axis=0, mode="mirror")
    radius = np.arange(len(values)) * profiles.spacing / mesh.near.radius
    taper = 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - SMOOTHING_RADIUS) / (1.0 - SMOOTHING_RADIUS), 0.0, 1.0))
    return Profiles(np.asarray(values + taper[:, None] * (smooth - values)), profiles.spacing)


def near_profiles(mesh: Mesh, profiles: ShearProfiles, smooth: Profiles) -> Profiles:
    """Return the near parts of the profiles and of their squares, 2 n_profiles columns, up to the near radius.

    Their nodes are finer, as the near part falls within a width or two: the error of linear interpolation between them
    is at most 8e-5 of a profile.
    """
    finer = int(np.ceil(NODES_PER_WIDTH * profiles.spacing / mesh.near.width))
    nodes, spacing = np.arange(len(profiles.shear)) * profiles.spacing, profiles.spacing / finer
    radii = np.arange(int(np.ceil(mesh.near.radius / spacing)) + 2) * spacing
    shear, meshed = (
        np.stack([np.interp(radii, nodes, column) for column in table.T], axis=1)
        for table in (profiles.shear, smooth.shear)
    )
    is_meshed = 1.0 - nearness(np.square(radii), mesh.near.width)
    return Profiles(np.concatenate([shear, shear**2], axis=1) - is_meshed[:, None] * meshed, spacing)


def kernels(mesh: Mesh, smooth: Array, spacing: float, *, spin: int) -> Iterator[ComplexArray]:
    """Yield the transform of the far part of each column of `smooth`, tabulated at radii `spacing` apart."""
    nodes = np.arange(len(smooth)) * spacing
    for values in smooth.T:
        at_points = mesh.of_radius(lambda radii: np.interp(radii, nodes, values))  # noqa: B023
        yield mesh.kernel(at_points * (1.0 - mesh.nearness), spin=spin)


def by_centre(sums: Iterable[ComplexArray]) -> Array:
    """Return the real part of sums, with the centres along the first axis."""
    return np.stack([each.real.ravel() for each in sums], axis=1)
