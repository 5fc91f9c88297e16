"""The preset ``survey``: what a deep ground-based survey sees, as FITS with world coordinates.

Exponential and Sersic galaxies behind an NFW halo, through an elliptical Moffat PSF, among stars, on a sky that
is brighter to one side, with the noise of counted electrons. The numbers are those of a good camera on a
good site: 0.263 arcsec pixels, 0.7 arcsec seeing, some 45 galaxies a square arcminute.
"""

import galsim
import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import NDArray

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.lensing import PIVOT
from darkmatter_features.simulation.nfw import NfwHalo
from darkmatter_features.simulation.population import Counts, Galaxies, lensed
from darkmatter_features.simulation.sky import SimulatedSky

Array = NDArray[np.float64]

SIDE = 512  # pixels
SCALE = 0.263  # arcsec per pixel
LENS_SHARE = 0.5
GAIN = 12.0  # electrons per count
BACKGROUND = 200.0  # counts per pixel: with GAIN, a noise of 4 counts
GRADIENT = 0.06  # of the background, from the middle to the edge

DENSITY = 230.0 / SIDE**2  # galaxies above the limit, per pixel
COUNTS = Counts(slope=0.7, cutoff=12.0)
FAINTEST = 1.0 / 6.0
FLUX_AT_LIMIT = 260.0  # counts: a signal to noise near 10 for a galaxy little larger than the PSF
HALF_LIGHT, HALF_LIGHT_SCATTER = 1.9, 0.35  # pixels, e-folds: 0.5 arcsec
ELLIPTICITY = 0.24  # scatter per component before lensing
ROUNDEST_AXES = 0.75  # largest |e|

SEEING = (0.6, 0.85)  # arcsec, full width at half maximum
MOFFAT_BETA = 3.0
PSF_ELLIPTICITY = 0.03  # scatter per component, one value per sky

STARS = 22.0  # per sky
STAR_FLUX = (300.0, 60000.0)  # counts, evenly in the logarithm

MASS = (2.5e14, 8e14)  # M200, solar masses / h, evenly in the logarithm
CONCENTRATION = 5.0
LENS_REDSHIFT, SOURCE_REDSHIFT = 0.3, 1.0

# Galaxies this far outside the picture may shine into it; a lens, always inside, pushes them outward.
_MARGIN = 60.0
# GalSim's smallest transform, 128 px, is larger than most galaxies: 2.6x slower, and 0.004 counts more exact.
_FFT = galsim.GSParams(minimum_fft_size=32)


def survey_sky(rng: np.random.Generator) -> SimulatedSky:
    """Draw a sky of the preset ``survey``, with a lens or without."""
    galaxies = draw_galaxies(rng)
    halo, x, y = draw_halo(rng)
    if halo is not None:
        galaxies = lensed(galaxies, halo, x, y)
    galaxies = galaxies.select(galaxies.luminosity > 1.0)
    pixels = expose(rng, galaxies)
    truth = galaxies.select(galaxies.within(SIDE))
    e1, e2 = lensing.ellipticity(truth.frame @ truth.frame.transpose(0, 2, 1))
    header = world_coordinates(rng)
    if halo is None:
        return SimulatedSky(pixels, truth.x, truth.y, e1, e2, header=header)
    strength = float(halo.shear(np.array(PIVOT)))
    return SimulatedSky(pixels, truth.x, truth.y, e1, e2, y, x, strength, header)


def draw_halo(rng: np.random.Generator) -> tuple[NfwHalo | None, float, float]:
    """Draw a halo and its place x and y in the picture; None for no halo."""
    mass = float(np.exp(rng.uniform(*np.log(MASS))))
    x, y = rng.uniform(0.0, SIDE - 1.0, 2)
    halo = NfwHalo(mass, CONCENTRATION, LENS_REDSHIFT, SOURCE_REDSHIFT, SCALE)
    return (halo if rng.random() < LENS_SHARE else None), float(x), float(y)


def draw_galaxies(rng: np.random.Generator) -> Galaxies:
    """Draw galaxies before lensing, evenly over the picture and a margin, below the limit too."""
    luminosity = COUNTS.draw(rng, DENSITY, (SIDE + 2.0 * _MARGIN) ** 2, FAINTEST)
    n = len(luminosity)
    radius = HALF_LIGHT * luminosity**0.15 * np.exp(rng.normal(0.0, HALF_LIGHT_SCATTER, n))
    frame = radius[:, None, None] * _ellipses(rng, n)
    x, y = rng.uniform(-_MARGIN - 0.5, SIDE - 0.5 + _MARGIN, (2, n))
    return Galaxies(
        x,
        y,
        luminosity,
        (rng.random(n) < 0.2).astype(np.int64),
        frame,
        radius,
        FLUX_AT_LIMIT * luminosity / np.linalg.det(frame),
        np.zeros(n),
    )


def _ellipses(rng: np.random.Generator, n: int) -> Array:
    """Matrices of unit determinant that give round profiles random ellipticities, (n, 2, 2)."""
    e = rng.normal(0.0, ELLIPTICITY, n) + 1j * rng.normal(0.0, ELLIPTICITY, n)
    e *= np.minimum(1.0, ROUNDEST_AXES / np.abs(e))
    matrix = np.stack([np.stack([1.0 + e.real, e.imag], -1), np.stack([e.imag, 1.0 - e.real], -1)], -2)
    return matrix / np.sqrt(1.0 - np.abs(e) ** 2)[:, None, None]


def expose(rng: np.random.Generator, galaxies: Galaxies) -> NDArray[np.float32]:
    """Take the picture: galaxies and stars through the PSF, sky, and the noise of both."""
    image = galsim.ImageD(SIDE, SIDE, xmin=0, ymin=0, scale=1.0)
    psf = draw_psf(rng)
    _add_galaxies(image, galaxies, psf)
    _add_stars(image, rng, psf)
    expected = np.maximum(image.array + _background(rng), 0.0)
    counted: NDArray[np.float32] = (rng.poisson(expected * GAIN) / GAIN).astype(np.float32)
    return counted


def _add_galaxies(image: galsim.Image, galaxies: Galaxies, psf: galsim.GSObject) -> None:
    profiles = (galsim.Exponential(half_light_radius=1.0), galsim.Sersic(2.5, half_light_radius=1.0, trunc=5.0))
    for i in range(len(galaxies)):
        # GalSim's transform keeps the surface brightness, as lensing does.
        profile = profiles[galaxies.kind[i]].transform(*galaxies.frame[i].ravel()) * galaxies.brightness[i]
        seen = galsim.Convolve(profile, psf, gsparams=_FFT)
        _add(image, seen, galaxies.x[i], galaxies.y[i], 6.0 * galaxies.radius[i])


def _add_stars(image: galsim.Image, rng: np.random.Generator, psf: galsim.GSObject) -> None:
    n = rng.poisson(STARS)
    fluxes = np.exp(rng.uniform(np.log(STAR_FLUX[0]), np.log(STAR_FLUX[1]), n))
    for flux, x, y in zip(fluxes, *rng.uniform(-0.5, SIDE - 0.5, (2, n))):
        _add(image, psf.withFlux(flux), x, y, 25.0)


def draw_psf(rng: np.random.Generator) -> galsim.GSObject:
    """Draw a sky's PSF: a Moffat profile, a little elliptical."""
    e1, e2 = rng.normal(0.0, PSF_ELLIPTICITY, 2)
    return galsim.Moffat(beta=MOFFAT_BETA, fwhm=rng.uniform(*SEEING) / SCALE).shear(g1=e1, g2=e2)


def _add(image: galsim.Image, profile: galsim.GSObject, x: float, y: float, reach: float) -> None:
    half = int(reach) + 8
    box = galsim.BoundsI(int(x) - half, int(x) + half, int(y) - half, int(y) + half) & image.bounds
    if box.isDefined():
        profile.drawImage(image=image[box], center=galsim.PositionD(x, y), add_to_image=True)


def _background(rng: np.random.Generator) -> Array:
    """Sky level, brighter to one side, (SIDE, SIDE)."""
    slope = rng.uniform(-GRADIENT, GRADIENT, 2)
    across = np.linspace(-1.0, 1.0, SIDE)
    tilt: Array = slope[0] * across[None, :] + slope[1] * across[:, None]
    return BACKGROUND * (1.0 + tilt)


def world_coordinates(rng: np.random.Generator) -> Header:
    """Point the camera somewhere: a tangential projection, north up to a few degrees, east to the left."""
    wcs, turn = WCS(naxis=2), np.radians(rng.normal(0.0, 3.0))
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [rng.uniform(0.0, 360.0), rng.uniform(-60.0, 60.0)]
    wcs.wcs.crpix = [0.5 * (SIDE + 1), 0.5 * (SIDE + 1)]
    wcs.wcs.cd = SCALE / 3600.0 * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    header = wcs.to_header()
    header["BUNIT"], header["GAIN"] = "count", (GAIN, "electrons per count")
    return header
