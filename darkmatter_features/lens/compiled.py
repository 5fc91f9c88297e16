"""A lens template in the form that the likelihood kernels read: tables made once, and shared by all skies."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.lens.density import unaligned
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.numerics.kernels.discs import disc_fractions
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR

Array = NDArray[np.float64]

MIN_SHEAR = 0.004
"""Minimum shear that log likelihood ratios are tabulated for."""

SHEAR_RATIO = 1.2
"""Ratio of each tabulated shear to the one before, for a template with a single amplitude."""

MAX_SHEARS = 256
"""Maximum number of shears that log likelihood ratios are tabulated for: an index among them takes one byte."""

MIN_DISC_DISTANCE = 0.01
"""Minimum ``1 - |e|^2`` in the density: galaxies closer to the edge of the unit disc are treated as there."""

RADIAL_SPACING = 0.25
"""Spacing of the radii at which the shear is tabulated, pixels."""

COUNT_SPACING = 1.0
"""Spacing of the radii at which the counts are tabulated, pixels."""

LATTICE_SPACING = 16.0
"""Spacing of the lattice of centres on which the mean counts are tabulated, pixels."""


@dataclass(frozen=True, eq=False)
class CompiledTemplate:
    """Tables of a template that are the same for every sky and centre.

    Parameters
    ----------
    template : LensTemplate
        Model of the galaxies and of a lens.

    Attributes
    ----------
    density : (n_shape_bins, 101, 101) float64 array
        Log of p0(e) (1 - |e|^2)^2, see :func:`invariant_density`.
    shears : (n_shears,) float64 array
        Shears for which log ratios are tabulated, ascending.
    shear_node : (n_profiles, n_radii, n_amplitudes) uint8 array
        Index among `shears` of the one below the shear of each amplitude, by radius.
    shear_part : (n_profiles, n_radii, n_amplitudes) float32 array
        Distance from there to the shear, in steps of `shears`, below 1; negative where all shears are negligible.
    log_counts : (n_size_bins, n_radii) float64 array
        Log n(r) at radii 1 px apart.
    """

    template: LensTemplate
    density: Array = field(init=False)
    shears: Array = field(init=False)
    shear_node: NDArray[np.uint8] = field(init=False)
    shear_part: NDArray[np.float32] = field(init=False)
    log_counts: Array = field(init=False)
    _lattices: dict[tuple[int, int], Array] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        shears, shear_index = tabulated_shears(self.template)
        shear_node = np.maximum(shear_index, 0.0).astype(np.uint8)
        tables: dict[str, NDArray[Any]] = {
            "density": invariant_density(self.template),
            "shears": shears,
            "shear_node": shear_node,
            "shear_part": shear_index - shear_node,
            "log_counts": _tabulated_counts(self.template),
        }
        for name, table in tables.items():
            table.flags.writeable = False
            object.__setattr__(self, name, table)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state; arrays are read-only again, as kernels compile other code for writeable ones."""
        self.__dict__.update(state)
        tables: list[NDArray[Any]] = [self.density, self.shears, self.shear_node, self.shear_part, self.log_counts]
        for array in (*tables, *self._lattices.values()):
            array.flags.writeable = False

    @cached_property
    def unaligned(self) -> "CompiledTemplate":
        """The template with the same density of ellipticities in all directions, made at the first use."""
        template = self.template
        square = template.sigma_e**2 + 0.5 * (template.mean_e1**2 + template.mean_e2**2)
        none = np.zeros_like(template.mean_e1)
        own = CompiledTemplate(
            replace(template, log_p0=unaligned(template.log_p0), mean_e1=none, mean_e2=none, sigma_e=np.sqrt(square))
        )
        own._lattices.update(self._lattices)
        return own

    def mean_counts(self, shape: tuple[int, int]) -> Array:
        """Return log <n^A> (n_rows, n_columns, n_amplitudes) on a lattice of centres that spans the image.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the image. The lattice of each shape is made at its first use, and kept.

        Notes
        -----
        The mean over the image of the counts about a centre is smooth in the centre. With S(r) the fraction of the
        image within r of the centre, ``<n> = integral(n dS) = n(inf) - integral(S dn)``, where n is linear between
        its nodes.
        """
        if shape not in self._lattices:
            self._lattices[shape] = _mean_counts(self.template, shape)
        return self._lattices[shape]


def invariant_density(template: LensTemplate) -> Array:
    """Return log [p0(e) (1 - |e|^2)^2] (n_shape_bins, n, n): log p0 per invariant area of the unit disc.

    Notes
    -----
    A shear moves the unit disc by an isometry of the hyperbolic plane, which preserves the area ``d^2e / (1 -
    |e|^2)^2``: ``1 - |e_s|^2 = (1 - |g|^2) (1 - |e|^2) / |1 - g* e|^2``, whose square is the Jacobian's factor. A ratio
    of these densities therefore needs no Jacobian.
    """
    nodes = np.linspace(-1.0, 1.0, template.log_p0.shape[1])
    inside = np.maximum(1.0 - nodes[:, None] ** 2 - nodes**2, MIN_DISC_DISTANCE)
    density: Array = template.log_p0 + 2.0 * np.log(inside)
    return density


def tabulated_shears(template: LensTemplate) -> tuple[Array, NDArray[np.float32]]:
    """Return the shears to tabulate, and the fractional index among them of the shear of each amplitude by radius.

    Returns
    -------
    shears : (n_shears,) float64 array
        Evenly spaced in their logarithm, from :data:`MIN_SHEAR` to the largest of the template.
    shear_index : (n_profiles, n_radii, n_amplitudes) float32 array
        At radii :data:`RADIAL_SPACING` apart; -1 where every amplitude has less than the minimum shear.
    """
    amplitudes = template.amplitudes
    ratio = float(amplitudes[1] / amplitudes[0]) if amplitudes.size > 1 else SHEAR_RATIO
    radii = np.arange(0.0, template.nodes[-1], RADIAL_SPACING)
    shear = np.clip(template.shears(radii).transpose(0, 2, 1), None, MAX_SHEAR)
    largest = max(shear.max(), MIN_SHEAR) / MIN_SHEAR
    ratio = max(ratio, largest ** (1.0 / (MAX_SHEARS - 2)))
    n_steps = max(int(np.ceil(np.log(largest) / np.log(ratio))), 1)
    shears: Array = np.minimum(MIN_SHEAR * ratio ** np.arange(n_steps + 1.0), MAX_SHEAR)
    index = np.interp(shear, shears, np.arange(n_steps + 1.0)).astype(np.float32)
    index = np.minimum(index, np.nextafter(np.float32(n_steps), np.float32(0)))  # there is no shear after the last
    index[shear.max(axis=2) < MIN_SHEAR] = -1.0
    return shears, index


def _tabulated_counts(template: LensTemplate) -> Array:
    nodes = NODE_SPACING * np.arange(template.log_counts.shape[1])
    radii = np.arange(0.0, nodes[-1] + COUNT_SPACING, COUNT_SPACING)
    return np.stack([np.interp(radii, nodes, own) for own in template.log_counts])


def _mean_counts(template: LensTemplate, shape: tuple[int, int]) -> Array:
    rows, columns = (np.linspace(0.0, side - 1.0, max(round(side / LATTICE_SPACING), 1) + 1) for side in shape)
    density = np.stack([template.size_fractions @ np.exp(a * template.log_counts) for a in template.amplitudes])
    middles = NODE_SPACING * (np.arange(density.shape[1] - 1) + 0.5)
    within = np.stack([fraction_within(shape, row, columns, middles) for row in rows])
    lattice: Array = np.log(density[:, -1] - within @ np.diff(density).T)
    lattice.flags.writeable = False
    return lattice


def fraction_within(shape: tuple[int, int], row: float, columns: Array, radii: Array) -> Array:
    """Return the fraction of an image that lies within distances of positions in it.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    row : float, pixels
        Row of all positions.
    columns : (m,) float64 array, pixels
        Column of each position.
    radii : (n,) float64 array, pixels
        Distances, positive.

    Returns
    -------
    (m, n) float64 array
    """
    fractions = np.empty((columns.size, radii.size))
    disc_fractions(*shape, row, columns, radii, fractions)
    return fractions
