"""The preset ``seed``: skies like the published ones, galaxies on a black background in 8 bits."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.conditions import SkyConditions, SkyDistribution
from darkmatter_features.simulation.drawing import Bank, make_bank, paint_galaxies
from darkmatter_features.simulation.lensing import CompensatedPowerLaw
from darkmatter_features.simulation.population import Counts, Galaxies, lensed
from darkmatter_features.simulation.sky import SimulatedSky

Array = NDArray[np.float64]

SIDE = 512
"""Side of an image, pixels."""

LENS_FRACTION = 0.5
"""Fraction of the skies that have a lens."""

# --- Set such that benchmarks/bench_simulation.py finds the statistics of the published skies ---------------------

COUNTS = Counts(slope=0.55, cutoff=4.3)
"""Source counts, from the areas of the segments, which span a factor 20 (5 to 95 %), and the counts about lenses."""

FAINTEST = 1.0 / 6.0
"""Minimum luminosity relative to the limit: magnifications above 6 add no more galaxies."""

AREA_AT_LIMIT = 23.0
"""Typical lit area of a galaxy at the limit, without the PSF, square pixels."""

AREA_SCATTER = 1.15
"""Scatter of the lit area at given luminosity, e-folds."""

# --- Measured on the two published full skies ---------------------------------------------------------------------

BLUEST = np.array([0.233, 0.282, 0.485])
"""Fractions of the light in R, G and B of a galaxy of hue 0."""

REDDEST = np.array([0.560, 0.334, 0.108])
"""Fractions of the light in R, G and B of a galaxy of hue 1; colours are on the line between the two."""

RED_LEVELS = np.array([0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0])
"""Cumulative probabilities of the fraction of light in R."""

RED_QUANTILES = np.array([0.233, 0.275, 0.335, 0.365, 0.39, 0.413, 0.437, 0.455, 0.477, 0.513, 0.555, 0.57])
"""Fractions of light in R at ``RED_LEVELS``."""

BRIGHTNESS_HUES = np.array([0.0, 0.3, 0.45, 0.6, 1.0])
"""Hues at which the brightness is tabulated."""

BRIGHTNESS = np.array([149.0, 138.0, 154.0, 185.0, 193.0])
"""Typical brightness of the body in the brightest band at ``BRIGHTNESS_HUES``, 8-bit counts. The brightest blue
galaxies have 170, the brightest orange ones 230; many are close to that and few are faint."""

BRIGHTNESS_ALPHA = 8.0
"""Parameter alpha of the beta distribution of the brightness."""

BRIGHTNESS_BETA = 2.0
"""Parameter beta of the beta distribution of the brightness."""

MAX_BRIGHTNESS = 1.20
"""Upper end of the distribution of the brightness, relative to the typical brightness."""

FADING = -0.14
"""Exponent of the brightness as a function of the area: large galaxies are fainter per pixel."""

# Most bars and crosses (morphologies 1 and 2) are near the horizontal, few of the others: this makes the mean e1 of
# 0.075 in every sky, with or without a lens. In the published skies, elongated segments cluster within 30 degrees of
# the horizontal.
ALIGNED_FRACTION = np.array([0.1, 0.85, 0.9, 0.1, 0.1])
"""Fraction of each morphology that is aligned with the horizontal."""

ALIGNMENT_SCATTER = np.radians([25.0, 22.0, 12.0, 25.0, 25.0])
"""Scatter of the angle of the aligned galaxies of each morphology, radians."""

MAX_SCALE = np.array([10.8, 18.0, 8.0, 10.0, 8.0])
"""Maximum radius or half length of each morphology before lensing, pixels."""

MARGIN = 45.0
"""Distance from the image within which galaxies may extend into it, pixels; a lens, always inside, moves them out."""

BANK_SIZE = 320
"""Number of shapes in the bank."""

BANK_SEED = 512
"""Seed of the bank."""


DISTRIBUTION = SkyDistribution()
"""Distributions of the properties of the preset's skies and lenses."""


def shape_bank() -> Bank:
    """Return the bank of shapes of the preset."""
    return make_bank(BANK_SIZE, BANK_SEED)


def seed_sky(rng: np.random.Generator, distribution: SkyDistribution = DISTRIBUTION) -> SimulatedSky:
    """Draw a sky of the preset ``seed``, with a lens or without; its properties have the given distributions."""
    bank = shape_bank()
    conditions = distribution.draw_conditions(rng)
    galaxies = draw_galaxies(rng, bank, conditions)
    lens, x, y = draw_lens(rng, distribution)
    if lens is not None:
        galaxies = lensed(galaxies, lens, x, y)
    galaxies = galaxies.select(galaxies.luminosity > 1.0)
    pixels = paint(galaxies, bank, conditions)
    truth = galaxies.select(galaxies.within(SIDE))
    e1, e2 = true_ellipticity(truth, bank)
    if lens is None:
        return SimulatedSky(pixels, truth.x, truth.y, e1, e2, conditions=conditions)
    return SimulatedSky(pixels, truth.x, truth.y, e1, e2, y, x, lens.amplitude, conditions=conditions)


def draw_lens(
    rng: np.random.Generator, distribution: SkyDistribution
) -> tuple[CompensatedPowerLaw | None, float, float]:
    """Draw a lens, or None for no lens, and its position x and y in the image, pixels."""
    halo = distribution.draw_halo(rng)
    x, y = rng.uniform(0.0, SIDE - 1.0, 2)
    return (halo if rng.random() < LENS_FRACTION else None), float(x), float(y)


def draw_galaxies(rng: np.random.Generator, bank: Bank, conditions: SkyConditions) -> Galaxies:
    """Draw galaxies before lensing, uniformly over the image and its margin, also those below the limit."""
    side = SIDE + 2.0 * MARGIN
    luminosity = COUNTS.draw(rng, conditions.density / SIDE**2, side**2, FAINTEST)
    n = len(luminosity)
    area = AREA_AT_LIMIT * conditions.area * luminosity * np.exp(rng.normal(0.0, AREA_SCATTER, n))
    hue = _hues(rng, n)
    profile = rng.integers(0, len(bank.areas), n)
    morphology = bank.morphologies[profile]
    scale = np.minimum(np.sqrt(area / bank.areas[profile]), MAX_SCALE[morphology])
    x, y = rng.uniform(-MARGIN - 0.5, SIDE - 0.5 + MARGIN, (2, n))
    return Galaxies(
        x,
        y,
        luminosity,
        profile,
        scale[:, None, None]
        * orientations(rng, morphology, conditions.alignment)
        @ elongations(bank.moments, conditions.elongation)[profile],
        np.sqrt(area / np.pi),
        conditions.brightness * _brightness(rng, area, hue),
        hue,
    )


def elongations(moments: Array, exponent: float) -> Array:
    """Return symmetric matrices (n, 2, 2) of unit determinant that raise axis ratios to a power.

    Parameters
    ----------
    moments : (n, 2, 2) float64 array
        Second moments of the shapes.
    exponent : float
        Exponent of the axis ratio a/b.
    """
    squares, axes = np.linalg.eigh(moments)
    stretch = (squares / np.sqrt(squares[:, :1] * squares[:, 1:])) ** (0.5 * (exponent - 1.0))
    matrices: Array = (axes * stretch[:, None, :]) @ axes.transpose(0, 2, 1)
    return matrices


def orientations(rng: np.random.Generator, morphologies: NDArray[np.int64], alignment: float = 1.0) -> Array:
    """Draw rotations (n, 2, 2), and reflections for half of the galaxies; `alignment` scales the aligned fractions."""
    n = len(morphologies)
    is_aligned = rng.random(n) < alignment * ALIGNED_FRACTION[morphologies]
    phi = np.where(is_aligned, rng.normal(0.0, ALIGNMENT_SCATTER[morphologies]), rng.uniform(0.0, 2.0 * np.pi, n))
    parity = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    c, s = np.cos(phi), np.sin(phi)
    return np.stack([np.stack([c, -parity * s], -1), np.stack([s, parity * c], -1)], -2)


def _brightness(rng: np.random.Generator, area: Array, hue: Array) -> Array:
    typical: Array = np.interp(hue, BRIGHTNESS_HUES, BRIGHTNESS)
    return (
        typical
        * MAX_BRIGHTNESS
        * rng.beta(BRIGHTNESS_ALPHA, BRIGHTNESS_BETA, len(hue))
        * (area / AREA_AT_LIMIT) ** FADING
    )


def _hues(rng: np.random.Generator, n: int) -> Array:
    red = np.interp(rng.random(n), RED_LEVELS, RED_QUANTILES)
    hues: Array = (red - BLUEST[0]) / (REDDEST[0] - BLUEST[0])
    return hues


def colors(galaxies: Galaxies, colorfulness: float = 1.0) -> Array:
    """Return the surface brightness of the bodies in R, G and B, (n, 3), 8-bit counts."""
    fractions = BLUEST + galaxies.hue[:, None] * (REDDEST - BLUEST)
    fractions = 1.0 / 3.0 + colorfulness * (fractions - 1.0 / 3.0)
    over_brightest: Array = fractions / fractions.max(axis=1, keepdims=True)
    return galaxies.brightness[:, None] * over_brightest


def paint(galaxies: Galaxies, bank: Bank, conditions: SkyConditions) -> NDArray[np.uint8]:
    """Return an image (SIDE, SIDE, 3) of galaxies on black, smoothed by the PSF and clipped to 8 bits."""
    planes = np.zeros((3, SIDE, SIDE), dtype=np.float32)
    paint_galaxies(planes, galaxies, colors(galaxies, conditions.colorfulness), bank)
    for plane in planes:
        gaussian_filter(plane, conditions.psf_sigma, output=plane, mode="constant", truncate=4.0)
    return np.clip(np.rint(planes), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def true_ellipticity(galaxies: Galaxies, bank: Bank) -> tuple[Array, Array]:
    """Return the ellipticities e1, e2 of the galaxies as drawn, before the PSF."""
    frame = galaxies.frame
    return lensing.ellipticity(frame @ bank.moments[galaxies.profile] @ frame.transpose(0, 2, 1))
