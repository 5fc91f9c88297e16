"""Skies drawn by GalSim: Sersic galaxies of other colours on black, behind NFW halos."""

import galsim
import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.nfw import NfwHalo
from darkmatter_features.simulation.population import Counts, Galaxies, lensed
from darkmatter_features.simulation.sky import SimulatedSky

Array = NDArray[np.float64]

SIDE = 512
MARGIN = 60.0
DENSITY = 170.0 / SIDE**2
COUNTS = Counts(slope=0.7, cutoff=8.0)
FAINTEST = 1.0 / 6.0
HALF_LIGHT_RADIUS = 3.2
HALF_LIGHT_SCATTER = 0.3
SIGMA_E = 0.26
MAX_ELLIPTICITY = 0.8
SERSIC_INDICES = (0.5, 1.0, 1.5)
PSF_SIGMA = 1.1
SURFACE_BRIGHTNESS = 150.0
SURFACE_BRIGHTNESS_SCATTER = 0.35
MASS = (2e14, 8e14)
COLORS = np.array([[1.0, 0.95, 0.75], [0.55, 0.8, 1.0], [0.8, 1.0, 0.7], [1.0, 0.6, 0.65]])
"""Colours, R, G and B, between which galaxies are drawn."""


def sersic_sky(rng: np.random.Generator) -> SimulatedSky:
    """Draw a sky, with a lens in half of all cases."""
    galaxies = _draw_galaxies(rng)
    x, y = rng.uniform(0.0, SIDE - 1.0, 2)
    halo = NfwHalo(float(np.exp(rng.uniform(*np.log(MASS)))), 6.0, 0.3, 1.0, 0.45)
    has_lens = rng.random() < 0.5
    if has_lens:
        galaxies = lensed(galaxies, halo, float(x), float(y))
    galaxies = galaxies.select(galaxies.luminosity > 1.0)
    pixels = _paint(galaxies, rng)
    truth = galaxies.select(galaxies.within(SIDE))
    e1, e2 = lensing.ellipticity(truth.frame @ truth.frame.transpose(0, 2, 1))
    if not has_lens:
        return SimulatedSky(pixels, truth.x, truth.y, e1, e2)
    amplitude = float(halo.shear(np.array(lensing.PIVOT_RADIUS)))
    return SimulatedSky(pixels, truth.x, truth.y, e1, e2, float(y), float(x), amplitude)


def _draw_galaxies(rng: np.random.Generator) -> Galaxies:
    density = DENSITY * np.exp(rng.normal(0.0, 0.12))
    luminosity = COUNTS.draw(rng, density, (SIDE + 2.0 * MARGIN) ** 2, FAINTEST)
    n = len(luminosity)
    radius = HALF_LIGHT_RADIUS * luminosity**0.25 * np.exp(rng.normal(0.0, HALF_LIGHT_SCATTER, n))
    e = rng.normal(0.0, SIGMA_E, n) + 1j * rng.normal(0.0, SIGMA_E, n)
    e *= np.minimum(1.0, MAX_ELLIPTICITY / np.abs(e))
    matrix = np.stack([np.stack([1.0 + e.real, e.imag], -1), np.stack([e.imag, 1.0 - e.real], -1)], -2)
    frame = radius[:, None, None] * matrix / np.sqrt(1.0 - np.abs(e) ** 2)[:, None, None]
    x, y = rng.uniform(-MARGIN - 0.5, SIDE - 0.5 + MARGIN, (2, n))
    profile = rng.integers(0, len(SERSIC_INDICES), n)
    brightness = SURFACE_BRIGHTNESS * np.exp(rng.normal(0.0, SURFACE_BRIGHTNESS_SCATTER, n))
    return Galaxies(x, y, luminosity, profile, frame, radius, brightness, rng.uniform(0.0, len(COLORS) - 1.0, n))


def _paint(galaxies: Galaxies, rng: np.random.Generator) -> NDArray[np.uint8]:
    planes = [galsim.ImageD(SIDE, SIDE, xmin=0, ymin=0, scale=1.0) for _ in range(3)]
    psf = galsim.Gaussian(sigma=PSF_SIGMA)
    profiles = [galsim.Sersic(n, half_light_radius=1.0, trunc=4.0) for n in SERSIC_INDICES]
    # Flux within unit area of the unit profile such that `brightness` is the mean surface brightness within it.
    for i in range(len(galaxies)):
        profile = profiles[galaxies.profile[i]].transform(*galaxies.frame[i].ravel()) * (2.0 * np.pi)
        observed = galsim.Convolve(profile, psf, gsparams=galsim.GSParams(minimum_fft_size=32))
        half = int(4.0 * np.linalg.norm(galaxies.frame[i])) + 8
        x, y = galaxies.x[i], galaxies.y[i]
        box = galsim.BoundsI(int(x) - half, int(x) + half, int(y) - half, int(y) + half) & planes[0].bounds
        if not box.isDefined():
            continue
        stamp = galsim.ImageD(box, scale=1.0)
        observed.drawImage(image=stamp, center=galsim.PositionD(x, y))
        low = min(int(galaxies.hue[i]), len(COLORS) - 2)
        color = COLORS[low] + (galaxies.hue[i] - low) * (COLORS[low + 1] - COLORS[low])
        for plane, part in zip(planes, color):
            plane[box] += stamp * (part * galaxies.brightness[i])
    image = np.stack([plane.array for plane in planes], axis=-1)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
