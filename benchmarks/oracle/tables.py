"""Tables of the likelihood of the oracle for the preset ``seed``: shears, densities, ellipticities.

Sources are drawn as a Poisson process of positions, luminosities, radii and shapes, and their images are one too. An
image depends on the radius of its source through the softened stretch next to the Einstein ring; the tables therefore
have bins of source radius. The stretches of the simulation are never negative: sources within the ring have no image,
and ``|g| < 1``.

The halos of the preset differ in amplitude, slope, core and radius. Their prior is a set of halos of equal weight, at
the points of a Sobol sequence: the mean over it converges faster than over random halos.

The bank of shapes has 320 values of |e|, and a catalogue on 320 exact rings would reveal every lens. ``p0`` is
therefore smoothed, and the ellipticities of catalogues are smeared, by 0.02, less than the median error of a measured
ellipticity. With the smoothing alone, the mean Bayes factor of skies without a lens would be 25 % too low.

References
----------
Sobol 1967, USSR Comput. Math. Math. Phys. 7, 86, doi:10.1016/0041-5553(67)90144-9
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from darkmatter_features.simulation import lensing, seed
from darkmatter_features.simulation.conditions import SkyConditions, SkyDistribution, Spread
from darkmatter_features.simulation.drawing import Bank
from darkmatter_features.simulation.lensing import CompensatedPowerLaw
from darkmatter_features.simulation.population import Galaxies
from darkmatter_features.simulation.population import lensed as lensed_galaxies

Array = NDArray[np.float64]

SMOOTHING = 0.02
"""Standard deviation of the Gaussian that smooths p0 and smears ellipticities, dimensionless."""

N_HALOS = 32
"""Number of halos, a power of 2; 512 change a log Bayes factor below 10 by 0.06 rms."""

N_ELONGATIONS = 7
"""Number of elongations at which p0 is tabulated, 0.03 apart: |e| changes by 0.013 at most from one to the next."""

MAX_DEVIATION = 2.5
"""Maximum deviation of a property of a sky from its median, standard deviations, as in ``Spread.draw``."""

SKY_PROPERTIES = ("density", "elongation", "alignment")
"""Properties of a sky on which the likelihood depends."""

N_SIZES = 8
"""Number of bins of source radius, which has an effect next to the Einstein ring alone."""

RADIAL_STEP = 0.25
"""Distance between the radii of the tables, pixels."""

E_STEP = 0.005
"""Distance between the nodes of the table of p0, dimensionless."""

E_HALF = 220
"""Number of cells from the middle of the table of p0 to its edge."""

COMMON_SHEAR_SPREAD = 0.002
"""Maximum spread of the shear over source sizes at which one value serves for all sizes, dimensionless."""

MIN_DENSITY = 1e-9
"""Minimum of p0: far outside, no shape was drawn, and a galaxy there counts as very unlikely, not as impossible."""


@dataclass(frozen=True, eq=False)
class OracleModel:
    """Tables of the likelihood.

    Attributes
    ----------
    elongations : (n_e,) float64 array
        Elongations of :class:`~darkmatter_features.simulation.conditions.SkyConditions` at which p0 is tabulated.
    densities : (n_e, 2, 2 E_HALF + 1, 2 E_HALF + 1) float64 array
        ``p0`` at alignments 0 and 1, on a grid of e2 (first axis) and e1, steps of E_STEP.
    halos : tuple of CompensatedPowerLaw
        Halos of equal prior.
    shear, number : (n_halos, n_r, n_sizes) float64 arrays
        Tangential reduced shear ``g_rho``, and ``n_rho``, at radii in steps of RADIAL_STEP; numbers below 0 count as 0.
    added_area : (n_halos, SIDE, SIDE) float32 array, square pixels
        Expected number of galaxies that a lens on a pixel adds to the image, over their density without a lens.
    """

    elongations: Array
    densities: Array
    halos: tuple[CompensatedPowerLaw, ...]
    shear: Array
    number: Array
    added_area: NDArray[np.float32]

    @cached_property
    def by_radius(self) -> tuple[NDArray[np.bool_], Array, Array, Array, Array]:
        """Tables with the radius on the first axis, in which neighbours in memory are used together.

        Whether one shear serves for all source sizes, this shear, the number of all sizes, (n_r, n_halos) each; shear
        and number of each size, (n_r, n_halos, n_sizes).
        """
        shear, number = (np.ascontiguousarray(table.swapaxes(0, 1)) for table in (self.shear, self.number))
        is_common = np.ptp(shear, axis=2) < COMMON_SHEAR_SPREAD
        return is_common, shear[:, :, 0].copy(), number.sum(axis=2), shear, number

    def ellipticity_density(self, elongation: float, alignment: float) -> Array:
        """Return ``p0`` (2 E_HALF + 1, 2 E_HALF + 1) of a sky.

        It is exactly linear in the alignment, the fraction of aligned galaxies, and interpolated in the elongation.
        """
        last = len(self.elongations) - 1
        position = float(np.interp(elongation, self.elongations, np.arange(last + 1)))
        k = min(int(position), last - 1)
        t = position - k
        even, aligned = (1.0 - t) * self.densities[k] + t * self.densities[k + 1]
        density: Array = np.maximum(even + alignment * (aligned - even), MIN_DENSITY)
        return density


@lru_cache(maxsize=4)
def oracle_model(
    *,
    distribution: SkyDistribution = seed.DISTRIBUTION,
    n_halos: int = N_HALOS,
    smoothing: float = SMOOTHING,
    n_sizes: int = N_SIZES,
) -> OracleModel:
    """Return the tables of the likelihood for skies of a distribution, by default those of the preset ``seed``."""
    halos = halo_prior(distribution, n_halos)
    radii = np.arange(0.0, max(halo.max_radius for halo in halos) + RADIAL_STEP, RADIAL_STEP)
    shear, number = (np.stack(column) for column in zip(*(_lens_tables(halo, radii, n_sizes) for halo in halos)))
    added = [_added_area(radii, each.sum(axis=1), halo) for each, halo in zip(number, halos)]
    elongations = _quantile(distribution.elongation, ndtr(np.linspace(-1, 1, N_ELONGATIONS) * MAX_DEVIATION))
    densities = ellipticity_densities(tuple(elongations), smoothing=smoothing)
    return OracleModel(elongations, densities, halos, shear, number, np.stack(added))


def halo_prior(distribution: SkyDistribution, n_halos: int) -> tuple[CompensatedPowerLaw, ...]:
    """Return halos at the points of a randomized Sobol sequence in amplitude, slope, core and radius."""
    levels = qmc.Sobol(4, rng=np.random.default_rng(0)).random(n_halos)
    low, high = np.log(distribution.amplitude)
    spreads = (distribution.halo_slope, distribution.core_radius, distribution.halo_radius)
    columns = (_quantile(spread, level) for spread, level in zip(spreads, levels.T[1:]))
    amplitudes = np.exp(low + (high - low) * levels[:, 0])
    return tuple(CompensatedPowerLaw(*(float(value) for value in row)) for row in zip(amplitudes, *columns))


def _quantile(spread: Spread, level: Array) -> Array:
    """Return the values of a property of skies at cumulative probabilities."""
    deviation = np.clip(ndtri(level), -MAX_DEVIATION, MAX_DEVIATION)
    values: Array = spread.median * np.exp(spread.scatter * deviation)
    return values


def _lens_tables(lens: CompensatedPowerLaw, radii: Array, n_sizes: int) -> tuple[Array, Array]:
    """Return the reduced shear and the number density by radius and size of source, (n_r, n_sizes) each."""
    shear, number = np.zeros((2, len(radii), n_sizes))
    kappa_bar, kappa = lens.mean_convergence(radii), lens.convergence(radii)
    outside = kappa_bar < 1.0
    # The number at the last radius within the ring is negative, so that interpolation reaches 0 on the ring.
    outside[:-1] |= outside[1:]
    for k, (rho, luminosity, brighter) in enumerate(_source_counts(n_sizes)):
        tangential, radial = lensing.stretches(lens, radii[outside], np.full(outside.sum(), rho))
        shear[outside, k] = (tangential - radial) / (tangential + radial)
        squeeze = (1.0 - kappa_bar[outside]) * (1.0 + kappa_bar[outside] - 2.0 * kappa[outside])
        number[outside, k] = squeeze * np.interp(-np.log(tangential * radial), luminosity, brighter)
    return shear, number


@lru_cache(maxsize=4)
def _source_counts(n_sizes: int) -> list[tuple[float, Array, Array]]:
    """Return, for each bin, the source radius, log luminosities, and the fraction of sources brighter than those."""
    log_l = np.linspace(np.log(seed.FAINTEST), np.log(12.0 * seed.COUNTS.cutoff), 1200)
    each = np.exp(-seed.COUNTS.slope * log_l - np.exp(log_l) / seed.COUNTS.cutoff)
    each /= each[log_l > 0.0].sum()
    area = seed.AREA_AT_LIMIT * seed.DISTRIBUTION.area.median
    typical, scatter = 0.5 * np.log(area / np.pi) + 0.5 * log_l, 0.5 * seed.AREA_SCATTER
    fine = np.linspace(typical[0] - 5.0 * scatter, typical[-1] + 5.0 * scatter, 4000)
    below = np.array([each @ ndtr((edge - typical) / scatter) for edge in fine]) / each.sum()
    edges = np.interp(np.arange(n_sizes + 1) / n_sizes, below, fine)
    middles = np.interp((np.arange(n_sizes) + 0.5) / n_sizes, below, fine)
    edges[[0, -1]] = -np.inf, np.inf
    fractions = [np.diff(ndtr((edges[k : k + 2, None] - typical) / scatter), axis=0)[0] for k in range(n_sizes)]
    return [(float(np.exp(m)), log_l, np.cumsum((each * s)[::-1])[::-1]) for m, s in zip(middles, fractions)]


def _added_area(radii: Array, number: Array, halo: CompensatedPowerLaw) -> NDArray[np.float32]:
    """Return the number of galaxies that a lens on each pixel adds to the image, over their density."""
    reach = int(halo.max_radius) + 1
    offset = np.arange(-reach, reach + 1)
    r = np.hypot(offset[:, None], offset)
    kernel = np.where(r < halo.max_radius, np.maximum(np.interp(r, radii, number), 0.0) - 1.0, 0.0)
    added: NDArray[np.float32] = fftconvolve(np.ones((seed.SIDE, seed.SIDE)), kernel, mode="same").astype(np.float32)
    return added


@lru_cache(maxsize=4)
def ellipticity_densities(
    elongations: tuple[float, ...], *, smoothing: float = SMOOTHING, n_turns: int = 8_000
) -> Array:
    """Return ``p0(e)`` at elongations and at alignments 0 and 1: the shapes of the bank, turned, symmetric in e2."""
    bank, rng = seed.shape_bank(), np.random.default_rng(0)
    kinds = np.unique(bank.morphologies)
    turns = [[_phases(seed.orientations(rng, np.full(n_turns, k), alignment)) for k in kinds] for alignment in (0, 1)]
    densities = []
    for exponent in elongations:
        stretch = seed.elongations(bank.moments, exponent)
        e1, e2 = lensing.ellipticity(stretch @ bank.moments @ stretch)
        shapes = [(e1 + 1.0j * e2)[bank.morphologies == kind] for kind in kinds]
        densities.append([_density(shapes, each, smoothing) for each in turns])
    return np.array(densities)


def _phases(turns: Array) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """Return, for rotations and reflections (n, 2, 2), the factors of ellipticities, and where these are reflected."""
    is_reflected = turns[:, 0, 0] * turns[:, 1, 1] < turns[:, 0, 1] * turns[:, 1, 0]
    return (turns[:, 0, 0] + 1.0j * turns[:, 1, 0]) ** 2, is_reflected


def _density(
    shapes: list[NDArray[np.complex128]],
    turns: list[tuple[NDArray[np.complex128], NDArray[np.bool_]]],
    smoothing: float,
) -> Array:
    """Return the smoothed density of ellipticities (n,), turned and reflected, of each morphology."""
    size = 2 * E_HALF + 1
    counts = np.zeros(size * size)
    for ellipticities, (phase, is_reflected) in zip(shapes, turns):
        for e in np.array_split(ellipticities, max(1, len(ellipticities) // 32)):
            turned = phase[:, None] * np.where(is_reflected[:, None], np.conj(e), e)
            e1, e2 = (np.rint(part / E_STEP).astype(np.int64) + E_HALF for part in (turned.real, turned.imag))
            counts += np.bincount((e2 * size + e1).ravel(), minlength=size * size)
    table = counts.reshape(size, size)
    smooth = gaussian_filter(table + table[::-1], smoothing / E_STEP, mode="constant", truncate=7.0)
    density: Array = smooth / smooth.sum() / E_STEP**2
    return density


def smeared(sky: dict[str, Array], rng: np.random.Generator, *, smoothing: float = SMOOTHING) -> dict[str, Array]:
    """Return the catalogue with its ellipticities smeared as ``p0`` is smoothed."""
    e1, e2 = (sky[name] + rng.normal(0.0, smoothing, len(sky[name])) for name in ("e1", "e2"))
    shrink = np.minimum(1.0, 0.999 / np.maximum(np.hypot(e1, e2), 0.999))
    return sky | {"e1": e1 * shrink, "e2": e2 * shrink}


def draw_catalogue(
    rng: np.random.Generator, *, lensed: bool | None = None, distribution: SkyDistribution = seed.DISTRIBUTION
) -> dict[str, Array]:
    """Draw a true catalogue of the preset ``seed``, without an image.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random numbers.
    lensed : bool, optional
        Whether there is a lens; with the preset's probability when not given.
    distribution : SkyDistribution
        Distribution of the properties of skies and lenses.

    Returns
    -------
    dict
        ``x, y, e1, e2``, (n,) float64 arrays; ``density, elongation, alignment`` of the sky; and ``lens_x, lens_y,
        amplitude``, nan without a lens.
    """
    bank = seed.shape_bank()
    conditions = distribution.draw_conditions(rng)
    galaxies = seed.draw_galaxies(rng, bank, conditions)
    lens, x, y = seed.draw_lens(rng, distribution)
    while lensed is not None and (lens is not None) != lensed:
        lens, x, y = seed.draw_lens(rng, distribution)
    galaxies = lensed_galaxies(galaxies, lens, x, y) if lens is not None else galaxies
    return as_catalogue(galaxies, bank, conditions) | {
        name: np.array(value if lens is not None else np.nan)
        for name, value in (("lens_x", x), ("lens_y", y), ("amplitude", lens.amplitude if lens else np.nan))
    }


def as_catalogue(galaxies: Galaxies, bank: Bank, conditions: SkyConditions) -> dict[str, Array]:
    """Return the catalogue of the galaxies above the limit in the image, and the properties of the sky."""
    drawn = galaxies.select((galaxies.luminosity > 1.0) & galaxies.within(seed.SIDE))
    e1, e2 = seed.true_ellipticity(drawn, bank)
    properties = {name: np.array(getattr(conditions, name)) for name in SKY_PROPERTIES}
    return {"x": drawn.x, "y": drawn.y, "e1": e1, "e2": e2} | properties
