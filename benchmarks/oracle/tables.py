"""Tables of the likelihood of the oracle for the preset ``seed``: shears, densities, ellipticities.

Sources are drawn as a Poisson process of positions, luminosities, radii and shapes, and their images are one too. An
image depends on the radius of its source through the softened stretch next to the Einstein ring; the tables therefore
have bins of source radius. The stretches of the simulation are never negative: sources within the ring have no image,
and ``|g| < 1``.

The bank of shapes has 320 values of |e| to five digits, and a catalogue on 320 exact rings would reveal every lens.
``p0`` is therefore smoothed, and the ellipticities of catalogues are smeared, by 0.02, less than the median error of a
measured ellipticity. With the smoothing alone, the mean Bayes factor of skies without a lens would be 25 % too low.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.special import ndtr

from darkmatter_features.simulation import lensing, seed
from darkmatter_features.simulation.drawing import Bank
from darkmatter_features.simulation.lensing import CompensatedPowerLaw
from darkmatter_features.simulation.population import Galaxies
from darkmatter_features.simulation.population import lensed as lensed_galaxies

Array = NDArray[np.float64]

SMOOTHING = 0.02
"""Standard deviation of the Gaussian that smooths p0 and smears ellipticities, dimensionless."""

N_AMPLITUDES = 12
"""Number of amplitudes, even in their logs, 8 % apart; one sky measures the amplitude to 10 or 15 %."""

N_SIZES = 8
"""Number of bins of source radius, which has an effect next to the Einstein ring alone."""

RADIAL_STEP = 0.25
"""Distance between the radii of the tables, pixels."""

E_STEP = 0.005
"""Distance between the nodes of the table of p0, dimensionless."""

E_HALF = 220
"""Number of cells from the middle of the table of p0 to its edge."""


@dataclass(frozen=True)
class OracleModel:
    """Tables of the likelihood.

    Attributes
    ----------
    density : (2 E_HALF + 1, 2 E_HALF + 1) float64 array
        ``p0`` on a grid of e2 (first axis) and e1, steps of E_STEP.
    amplitudes : (n_a,) float64 array
        Shears of the lens at 100 px, dimensionless, of equal prior.
    shear, number : (n_a, n_r, n_sizes) float64 arrays
        Tangential reduced shear ``g_rho``, and ``n_rho``, at radii in steps of RADIAL_STEP; numbers below 0 count as 0.
    added_galaxies : (n_a, SIDE, SIDE) float64 array
        Expected number of galaxies that a lens on a pixel adds to the image.
    """

    density: Array
    amplitudes: Array
    shear: Array
    number: Array
    added_galaxies: Array


@lru_cache(maxsize=4)
def oracle_model(
    *, n_amplitudes: int = N_AMPLITUDES, smoothing: float = SMOOTHING, n_sizes: int = N_SIZES
) -> OracleModel:
    """Return the tables of the likelihood for the preset ``seed``."""
    levels = (np.arange(n_amplitudes) + 0.5) / n_amplitudes
    amplitudes = seed.AMPLITUDE[0] * (seed.AMPLITUDE[1] / seed.AMPLITUDE[0]) ** levels
    radii = np.arange(0.0, seed.HALO_RADIUS + RADIAL_STEP, RADIAL_STEP)
    tables = [_lens_tables(halo(amplitude), radii, n_sizes) for amplitude in amplitudes]
    shear, number = (np.stack(column) for column in zip(*tables))
    added = np.stack([_added_galaxies(radii, each.sum(axis=1)) for each in number])
    return OracleModel(ellipticity_density(smoothing=smoothing), amplitudes, shear, number, added)


def halo(amplitude: float) -> CompensatedPowerLaw:
    """Return the lens of the preset ``seed`` with an amplitude."""
    return CompensatedPowerLaw(amplitude, seed.HALO_SLOPE, seed.CORE_RADIUS, seed.HALO_RADIUS)


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


def _source_counts(n_sizes: int) -> list[tuple[float, Array, Array]]:
    """Return, for each bin, the source radius, log luminosities, and the fraction of sources brighter than those."""
    log_l = np.linspace(np.log(seed.FAINTEST), np.log(12.0 * seed.COUNTS.cutoff), 1200)
    each = np.exp(-seed.COUNTS.slope * log_l - np.exp(log_l) / seed.COUNTS.cutoff)
    each /= each[log_l > 0.0].sum()
    typical, scatter = 0.5 * np.log(seed.AREA_AT_LIMIT / np.pi) + 0.5 * log_l, 0.5 * seed.AREA_SCATTER
    fine = np.linspace(typical[0] - 5.0 * scatter, typical[-1] + 5.0 * scatter, 4000)
    below = np.array([each @ ndtr((edge - typical) / scatter) for edge in fine]) / each.sum()
    edges = np.interp(np.arange(n_sizes + 1) / n_sizes, below, fine)
    middles = np.interp((np.arange(n_sizes) + 0.5) / n_sizes, below, fine)
    edges[[0, -1]] = -np.inf, np.inf
    fractions = [np.diff(ndtr((edges[k : k + 2, None] - typical) / scatter), axis=0)[0] for k in range(n_sizes)]
    return [(float(np.exp(m)), log_l, np.cumsum((each * s)[::-1])[::-1]) for m, s in zip(middles, fractions)]


def _added_galaxies(radii: Array, number: Array) -> Array:
    """Return the number of galaxies that a lens on each pixel adds to the image."""
    reach = int(seed.HALO_RADIUS) + 1
    offset = np.arange(-reach, reach + 1)
    r = np.hypot(offset[:, None], offset)
    kernel = np.where(r < seed.HALO_RADIUS, np.maximum(np.interp(r, radii, number), 0.0) - 1.0, 0.0)
    added: Array = seed.DENSITY * fftconvolve(np.ones((seed.SIDE, seed.SIDE)), kernel, mode="same")
    return added


@lru_cache(maxsize=4)
def ellipticity_density(*, smoothing: float = SMOOTHING, n_turns: int = 16_000) -> Array:
    """Return ``p0(e)``: all shapes of the bank, turned as in the simulation, symmetric in e2, smoothed."""
    bank, rng = seed.shape_bank(), np.random.default_rng(0)
    size = 2 * E_HALF + 1
    counts = np.zeros(size * size)
    for moments, kind in zip(bank.moments, bank.morphologies):
        turn = seed.orientations(rng, np.full(n_turns, kind))
        e1, e2 = (np.rint(e / E_STEP).astype(np.int64) + E_HALF for e in _turned(turn, moments))
        counts += np.bincount(e2 * size + e1, minlength=size * size)
    table = counts.reshape(size, size)
    smooth = gaussian_filter(table + table[::-1], smoothing / E_STEP, mode="constant", truncate=7.0)
    # Far outside p0 no shape was drawn; a galaxy there counts as very unlikely, not as impossible.
    density: Array = np.maximum(smooth / smooth.sum() / E_STEP**2, 1e-9)
    return density


def _turned(turn: Array, moments: Array) -> tuple[Array, Array]:
    return lensing.ellipticity(turn @ moments @ turn.transpose(0, 2, 1))


def smeared(sky: dict[str, Array], rng: np.random.Generator, *, smoothing: float = SMOOTHING) -> dict[str, Array]:
    """Return the catalogue with its ellipticities smeared as ``p0`` is smoothed."""
    e1, e2 = (sky[name] + rng.normal(0.0, smoothing, len(sky[name])) for name in ("e1", "e2"))
    shrink = np.minimum(1.0, 0.999 / np.maximum(np.hypot(e1, e2), 0.999))
    return sky | {"e1": e1 * shrink, "e2": e2 * shrink}


def thinned(model: OracleModel, fraction: float) -> OracleModel:
    """Return the tables for catalogues whose galaxies are kept with a probability, `fraction`."""
    return replace(model, added_galaxies=model.added_galaxies * fraction)


def draw_catalogue(
    rng: np.random.Generator, *, lensed: bool | None = None, bank: Bank | None = None
) -> dict[str, Array]:
    """Draw a true catalogue of the preset ``seed``, without an image.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random numbers.
    lensed : bool, optional
        Whether there is a lens; with the preset's probability when not given.
    bank : Bank, optional
        Shapes; those of the preset when not given.

    Returns
    -------
    dict
        ``x, y, e1, e2``, (n,) float64 arrays, and ``lens_x, lens_y, amplitude``, nan without a lens.
    """
    shapes = bank or seed.shape_bank()
    galaxies = seed.draw_galaxies(rng, shapes)
    lens, x, y = seed.draw_lens(rng)
    while lensed is not None and (lens is not None) != lensed:
        lens, x, y = seed.draw_lens(rng)
    galaxies = lensed_galaxies(galaxies, lens, x, y) if lens is not None else galaxies
    return _as_catalogue(galaxies, shapes) | {
        name: np.array(value if lens is not None else np.nan)
        for name, value in (("lens_x", x), ("lens_y", y), ("amplitude", lens.amplitude if lens else np.nan))
    }


def _as_catalogue(galaxies: Galaxies, bank: Bank) -> dict[str, Array]:
    drawn = galaxies.select((galaxies.luminosity > 1.0) & galaxies.within(seed.SIDE))
    e1, e2 = seed.true_ellipticity(drawn, bank)
    return {"x": drawn.x, "y": drawn.y, "e1": e1, "e2": e2}
