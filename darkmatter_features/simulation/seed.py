"""The preset ``seed``: skies like the published ones, galaxies on exact black in 8 bits."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.drawing import Bank, make_bank, paint_galaxies
from darkmatter_features.simulation.lensing import CompensatedPowerLaw
from darkmatter_features.simulation.population import Counts, Galaxies, lensed
from darkmatter_features.simulation.sky import SimulatedSky

Array = NDArray[np.float64]

SIDE = 512
"""Side of a picture, pixels."""

LENS_SHARE = 0.5
"""Share of the skies that have a lens."""

BLUR = 0.92
"""Blur of the drawings, sigma in pixels; the rims of large discs in the two published full skies fall off with
0.96, of which drawing on pixels makes 0.29, in quadrature."""

# --- Set so that benchmarks/bench_simulation.py finds the figures of the published skies --------------------------
DENSITY = 193.0 / SIDE**2  # galaxies above the limit, per pixel, without a lens; from the pieces counted
# From the areas of the pieces, which spread over a factor 20 (5 to 95 %); the slope also from the counts about lenses.
COUNTS = Counts(slope=0.55, cutoff=4.3)
FAINTEST = 1.0 / 6.0  # of the luminosity limit: magnifications beyond 6 bring in no more
AREA_AT_LIMIT = 23.0  # pixels: typical lit area, before blurring, of a galaxy at the limit
AREA_SCATTER = 1.15  # e-folds, at given luminosity
# From gamma_t by radius. What is measured is three quarters of the true shear: the blur rounds, neighbours merge.
STRENGTH = (0.130, 0.340)  # shear at 100 px, evenly in the logarithm: the published lenses vary by about 2.5
HALO_SLOPE = 0.5  # isothermal, 1, would have an Einstein ring as large as the radii where galaxies are published
CORE = 4.0  # pixels
REACH = 243.0  # pixels; gamma_t is .09 at 180-250 px and .005 beyond

# --- Read off the two published full skies ------------------------------------------------------------------------
# Fractions (R, G, B) of a galaxy's light: BLUEST + hue (REDDEST - BLUEST), the same over its whole body.
BLUEST, REDDEST = np.array([0.233, 0.282, 0.485]), np.array([0.560, 0.334, 0.108])
RED_LEVELS = np.array([0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0])
RED_QUANTILES = np.array([0.233, 0.275, 0.335, 0.365, 0.39, 0.413, 0.437, 0.455, 0.477, 0.513, 0.555, 0.57])
# Body in the brightest channel: peaks of blue galaxies end near 170, of orange ones near 230, many are close to
# that and few are faint: a beta distribution, its median at the hue's brightness.
BRIGHTNESS_HUES = np.array([0.0, 0.3, 0.45, 0.6, 1.0])
BRIGHTNESS = np.array([149.0, 138.0, 154.0, 185.0, 193.0])
BRIGHTNESS_SPREAD = (8.0, 2.0, 1.20)  # beta distribution's a and b, and its end
FADING = -0.14  # power of the area: large galaxies are fainter per pixel
# Bars and crosses (kinds 1 and 2) lean to the horizontal, the others hardly: this makes the mean e1 of +.075, in
# every sky, lens or not. In the published skies elongated pieces crowd within 30 degrees of the horizontal.
LEANING = np.array([0.1, 0.85, 0.9, 0.1, 0.1])  # share of each kind that leans
LEAN_SCATTER = np.radians([25.0, 22.0, 12.0, 25.0, 25.0])
LARGEST = np.array([10.8, 18.0, 8.0, 10.0, 8.0])  # pixels, radius or half length before lensing, by kind

# Galaxies this far outside the picture may reach into it; a lens, always inside, pushes them outward.
_MARGIN = 45.0
_BANK = (320, 512)  # how many shapes, and their seed


def seed_sky(rng: np.random.Generator) -> SimulatedSky:
    """Draw a sky of the preset ``seed``, with a lens or without."""
    bank = make_bank(*_BANK)
    galaxies = draw_galaxies(rng, bank)
    lens, x, y = draw_lens(rng)
    if lens is not None:
        galaxies = lensed(galaxies, lens, x, y)
    galaxies = galaxies.select(galaxies.luminosity > 1.0)
    pixels = paint(galaxies, bank)
    truth = galaxies.select(galaxies.within(SIDE))
    e1, e2 = true_ellipticity(truth, bank)
    if lens is None:
        return SimulatedSky(pixels, truth.x, truth.y, e1, e2)
    return SimulatedSky(pixels, truth.x, truth.y, e1, e2, y, x, lens.strength)


def draw_lens(rng: np.random.Generator) -> tuple[CompensatedPowerLaw | None, float, float]:
    """Draw a lens and its place x and y in the picture; None for no lens."""
    strength = float(np.exp(rng.uniform(*np.log(STRENGTH))))
    x, y = rng.uniform(0.0, SIDE - 1.0, 2)
    lens = CompensatedPowerLaw(strength, HALO_SLOPE, CORE, REACH) if rng.random() < LENS_SHARE else None
    return lens, float(x), float(y)


def draw_galaxies(rng: np.random.Generator, bank: Bank) -> Galaxies:
    """Galaxies before lensing, evenly over the picture and a margin, below the limit too."""
    side = SIDE + 2.0 * _MARGIN
    luminosity = COUNTS.draw(rng, DENSITY, side**2, FAINTEST)
    n = len(luminosity)
    area = AREA_AT_LIMIT * luminosity * np.exp(rng.normal(0.0, AREA_SCATTER, n))
    hue = _hues(rng, n)
    kind = rng.integers(0, len(bank.areas), n)
    scale = np.minimum(np.sqrt(area / bank.areas[kind]), LARGEST[bank.kinds[kind]])
    x, y = rng.uniform(-_MARGIN - 0.5, SIDE - 0.5 + _MARGIN, (2, n))
    return Galaxies(
        x,
        y,
        luminosity,
        kind,
        scale[:, None, None] * orientations(rng, bank.kinds[kind]),
        np.sqrt(area / np.pi),
        _brightness(rng, area, hue),
        hue,
    )


def orientations(rng: np.random.Generator, kinds: NDArray[np.int64]) -> Array:
    """Rotations, and reflections for half of the galaxies, (n, 2, 2)."""
    n = len(kinds)
    leans = rng.random(n) < LEANING[kinds]
    phi = np.where(leans, rng.normal(0.0, LEAN_SCATTER[kinds]), rng.uniform(0.0, 2.0 * np.pi, n))
    parity = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    c, s = np.cos(phi), np.sin(phi)
    return np.stack([np.stack([c, -parity * s], -1), np.stack([s, parity * c], -1)], -2)


def _brightness(rng: np.random.Generator, area: Array, hue: Array) -> Array:
    a, b, end = BRIGHTNESS_SPREAD
    typical: Array = np.interp(hue, BRIGHTNESS_HUES, BRIGHTNESS)
    return typical * end * rng.beta(a, b, len(hue)) * (area / AREA_AT_LIMIT) ** FADING


def _hues(rng: np.random.Generator, n: int) -> Array:
    red = np.interp(rng.random(n), RED_LEVELS, RED_QUANTILES)
    hues: Array = (red - BLUEST[0]) / (REDDEST[0] - BLUEST[0])
    return hues


def colours(galaxies: Galaxies) -> Array:
    """Surface brightness of the bodies in R, G and B, (n, 3), in 8-bit counts."""
    fractions = BLUEST + galaxies.hue[:, None] * (REDDEST - BLUEST)
    over_brightest: Array = fractions / fractions.max(axis=1, keepdims=True)
    return galaxies.brightness[:, None] * over_brightest


def paint(galaxies: Galaxies, bank: Bank) -> NDArray[np.uint8]:
    """Paint galaxies on black, blur them, and clip to 8 bits."""
    planes = np.zeros((3, SIDE, SIDE), dtype=np.float32)
    paint_galaxies(planes, galaxies, colours(galaxies), bank)
    for plane in planes:
        gaussian_filter(plane, BLUR, output=plane, mode="constant", truncate=4.0)
    return np.clip(np.rint(planes), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def true_ellipticity(galaxies: Galaxies, bank: Bank) -> tuple[Array, Array]:
    """Ellipticities of galaxies as drawn, before the blur."""
    frame = galaxies.frame
    return lensing.ellipticity(frame @ bank.moments[galaxies.kind] @ frame.transpose(0, 2, 1))
