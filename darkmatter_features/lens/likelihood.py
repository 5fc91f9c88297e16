"""The likelihood ratio of a catalogue for a lens at given places, over none: of its shapes and of its counts."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.kernels.evidence import (
    MAX_SHEAR,
    count_likelihood,
    lens_likelihood,
    read_lattice,
    tabulate,
)
from darkmatter_features.lens.template import STEP, LensTemplate
from darkmatter_features.numerics.kernels.discs import disc_fractions

Array = NDArray[np.float64]

# Directions and least shear that log ratios are tabulated for, and the ratio of each shear to the one before it if
# there is one amplitude alone.
N_DIRECTIONS, LEAST_SHEAR, SHEAR_RATIO = 32, 0.004, 1.2
# Least 1 - |e|^2 that is told apart: beyond, galaxies are lines.
RIM = 0.01
# Steps of the radii of shear and of counts, pixels.
RADIAL_STEP, COUNT_STEP = 0.25, 1.0
# Side of the cells of the lattice of centres for which the counts are normalised, pixels.
CENTRES = 16.0


def likelihoods(
    catalog: GalaxyCatalog, template: LensTemplate, rows: Array, columns: Array, *, cross: bool = False
) -> tuple[Array, Array]:
    """Return the log likelihood ratios for a lens at given places.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate
        What a lens does.
    rows, columns : (m,) float64 arrays, pixels
        The places.
    cross : bool
        Whether it shears across instead of tangentially.

    Returns
    -------
    log_shear : (m, n_profiles, n_amplitudes) float64 array
        Of the shapes.
    log_counts : (m, n_amplitudes) float64 array
        Of the counts.
    """
    return LensRatios.of(catalog, template, cross=cross).likelihoods(rows, columns)


@dataclass(frozen=True)
class LensRatios:
    """The log ratios of a catalogue's galaxies, tabulated: alike for every place.

    Attributes
    ----------
    catalog : GalaxyCatalog
        n galaxies.
    template : LensTemplate
        What a lens does.
    ratios : (n, n_directions + 1, n_shears) float32 array
        Of each galaxy for the shears that are tabulated, in all directions.
    places : (n_profiles, n_radii, n_amplitudes) float32 array
        Where among those shears the one of each amplitude lies, by radius.
    """

    catalog: GalaxyCatalog
    template: LensTemplate
    ratios: NDArray[np.float32]
    places: NDArray[np.float32]

    @classmethod
    def of(cls, catalog: GalaxyCatalog, template: LensTemplate, *, cross: bool) -> "LensRatios":
        """Tabulate them; with `cross`, for a lens that shears across."""
        shape_bin = template.shape_bins(catalog)
        shears, places = _shears(template)
        ratios = np.empty((len(catalog), N_DIRECTIONS + 1, shears.size), dtype=np.float32)
        tabulate(_invariant(template), shape_bin, catalog.e1, catalog.e2, template.response, shears, ratios)
        return cls(catalog, template, _across(ratios) if cross else ratios, places)

    def likelihoods(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """See :func:`likelihoods`."""
        catalog, template = self.catalog, self.template
        log_shear, sums = np.empty((rows.size, *template.weights.shape)), np.empty(rows.size)
        lens_likelihood(catalog.x, catalog.y, self.ratios, self.places, RADIAL_STEP, columns, rows, log_shear)
        size_bin = template.size_bins(catalog.size)
        count_likelihood(catalog.x, catalog.y, size_bin, _counts(template), COUNT_STEP, columns, rows, sums)
        log_mean = _log_mean_counts(template, catalog.shape, rows, columns)
        return log_shear, template.amplitudes * sums[:, None] - len(catalog) * log_mean


@lru_cache(maxsize=8)
def _invariant(template: LensTemplate) -> Array:
    """Return log [p0(e) (1 - |e|^2)^2] (n_kinds, n, n): as log p0, by the area d^2e / (1 - |e|^2)^2 of the unit disc.

    A shear moves the disc as a motion of the hyperbolic plane, which keeps that area: ``1 - |e_s|^2 = (1 - |g|^2) (1 -
    |e|^2) / |1 - g* e|^2``, whose last factors are the jacobian.
    """
    nodes = np.linspace(-1.0, 1.0, template.log_p0.shape[1])
    inside = np.maximum(1.0 - nodes[:, None] ** 2 - nodes**2, RIM)
    density: Array = template.log_p0 + 2.0 * np.log(inside)
    density.flags.writeable = False
    return density


@lru_cache(maxsize=8)
def _counts(template: LensTemplate) -> Array:
    """Return log n(r) (n_classes, n_radii), the radii :data:`COUNT_STEP` apart."""
    nodes = STEP * np.arange(template.log_counts.shape[1])
    radii = np.arange(0.0, nodes[-1] + COUNT_STEP, COUNT_STEP)
    counts = np.stack([np.interp(radii, nodes, own) for own in template.log_counts])
    counts.flags.writeable = False
    return counts


def _across(ratios: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log ratios (n, N_DIRECTIONS + 1, n_shears) of shears turned by 45 degrees on the sky: a quarter turn.

    A shear g at the position angle phi, -g exp(2i phi), becomes -i g exp(2i phi), whose gamma_x is g.
    """
    turned = np.roll(ratios[:, :-1], -N_DIRECTIONS // 4, axis=1)
    return np.concatenate([turned, turned[:, :1]], axis=1)


@lru_cache(maxsize=8)
def _shears(template: LensTemplate) -> tuple[Array, NDArray[np.float32]]:
    """Return the shears (n_shears,) to tabulate, and where among them those of all amplitudes lie.

    The latter are (n_profiles, n_radii, n_amplitudes), the radii :data:`RADIAL_STEP` apart; -1 where no amplitude has
    more than next to no shear.
    """
    amplitudes = template.amplitudes
    ratio = float(amplitudes[1] / amplitudes[0]) if amplitudes.size > 1 else SHEAR_RATIO
    radii = np.arange(0.0, template.nodes[-1], RADIAL_STEP)
    shear = np.clip(template.shears(radii).transpose(0, 2, 1), None, MAX_SHEAR)
    n_steps = max(int(np.ceil(np.log(max(shear.max(), LEAST_SHEAR) / LEAST_SHEAR) / np.log(ratio))), 1)
    shears: Array = np.minimum(LEAST_SHEAR * ratio ** np.arange(n_steps + 1.0), MAX_SHEAR)
    places = np.interp(shear, shears, np.arange(n_steps + 1.0)).astype(np.float32)
    places = np.minimum(places, np.nextafter(np.float32(n_steps), np.float32(0)))  # there is no shear after the last
    places[shear.max(axis=2) < LEAST_SHEAR] = -1.0
    shears.flags.writeable = places.flags.writeable = False
    return shears, places


def _log_mean_counts(template: LensTemplate, shape: tuple[int, int], rows: Array, columns: Array) -> Array:
    """Return log <n^A> (m, n_amplitudes), the means over the picture of the counts about each place."""
    if not template.log_counts.any():
        return np.zeros((rows.size, template.amplitudes.size))
    lattice, means = _counts_lattice(template, shape), np.empty((rows.size, template.amplitudes.size))
    per_pixel = [(n - 1) / max(side - 1, 1) for n, side in zip(lattice.shape, shape, strict=False)]
    read_lattice(lattice, rows * per_pixel[0], columns * per_pixel[1], means)
    return means


@lru_cache(maxsize=8)
def _counts_lattice(template: LensTemplate, shape: tuple[int, int]) -> Array:
    """Return log <n^A> (n_rows, n_columns, n_amplitudes) on a lattice of centres that spans the picture.

    It is smooth, and alike for all skies of a shape. With S(r) the share of the picture within r of a centre, ``<n> =
    integral(n dS) = n(inf) - integral(S dn)``, where n is linear between its nodes.
    """
    rows, columns = (np.linspace(0.0, side - 1.0, max(round(side / CENTRES), 1) + 1) for side in shape)
    density = np.stack([template.size_fractions @ np.exp(a * template.log_counts) for a in template.amplitudes])
    middles = STEP * (np.arange(density.shape[1] - 1) + 0.5)
    shares = np.stack([share_within(shape, row, columns, middles) for row in rows])
    lattice: Array = np.log(density[:, -1] - shares @ np.diff(density).T)
    lattice.flags.writeable = False
    return lattice


def share_within(shape: tuple[int, int], row: float, columns: Array, radii: Array) -> Array:
    """Return what share of a picture lies within distances of places in it.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the picture.
    row : float, pixels
        Of all places.
    columns : (m,) float64 array, pixels
        Of each.
    radii : (n,) float64 array, pixels
        The distances, positive.

    Returns
    -------
    (m, n) float64 array
    """
    shares = np.empty((columns.size, radii.size))
    disc_fractions(*shape, row, columns, radii, shares)
    return shares
