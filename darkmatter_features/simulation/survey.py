"""The preset ``survey``: images of a deep ground-based survey, as FITS with world coordinates.

Exponential and Sersic galaxies behind an NFW halo, through an elliptical Moffat PSF, among stars, on a background
with a gradient and with the Poisson noise of the electrons. The numbers are those of a good camera at a good site:
pixels of 0.263 arcsec, seeing of 0.7 arcsec and about 45 galaxies per square arcminute.
"""

import galsim
import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import NDArray

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.lensing import PIVOT_RADIUS
from darkmatter_features.simulation.nfw import NfwHalo
from darkmatter_features.simulation.population import Counts, Galaxies, lensed
from darkmatter_features.simulation.sky import SimulatedSky

Array = NDArray[np.float64]

SIDE = 512
"""Side of an image, pixels."""

SCALE = 0.263
"""Pixel scale, arcsec per pixel."""

LENS_FRACTION = 0.5
"""Fraction of the skies that have a lens."""

ELECTRONS_PER_COUNT = 12.0
"""Gain of the camera, electrons per count."""

BACKGROUND = 200.0
"""Background, counts per pixel: with the gain, its noise is 4 counts."""

GRADIENT = 0.06
"""Maximum change of the background from the centre to the edge, fraction of the background."""

DENSITY = 230.0 / SIDE**2
"""Number of galaxies above the luminosity limit per pixel."""

COUNTS = Counts(slope=0.7, cutoff=12.0)
"""Source counts."""

FAINTEST = 1.0 / 6.0
"""Minimum luminosity relative to the limit: magnifications above 6 add no more galaxies."""

FLUX_AT_LIMIT = 260.0
"""Flux of a galaxy at the limit, counts: S/N about 10 for a galaxy little larger than the PSF."""

HALF_LIGHT_RADIUS = 1.9
"""Typical half-light radius, pixels: 0.5 arcsec."""

HALF_LIGHT_SCATTER = 0.35
"""Scatter of the half-light radius, e-folds."""

SIGMA_E = 0.24
"""Scatter of the ellipticity per component before lensing."""

MAX_ELLIPTICITY = 0.75
"""Maximum modulus of the ellipticity before lensing."""

SEEING = (0.6, 0.85)
"""Range of the full width at half maximum of the PSF, arcsec."""

MOFFAT_BETA = 3.0
"""Exponent of the Moffat profile of the PSF."""

PSF_ELLIPTICITY = 0.03
"""Scatter of the PSF's ellipticity per component, one value for each sky."""

STARS = 22.0
"""Mean number of stars in a sky."""

STAR_FLUX = (300.0, 60000.0)
"""Range of the flux of a star, uniform in the logarithm, counts."""

MASS = (2.5e14, 8e14)
"""Range of M200, uniform in the logarithm, solar masses / h."""

CONCENTRATION = 5.0
"""Concentration of a halo."""

LENS_REDSHIFT = 0.3
"""Redshift of a halo."""

SOURCE_REDSHIFT = 1.0
"""Redshift of the galaxies."""

MARGIN = 60.0
"""Distance from the image within which galaxies may shine into it, pixels; a lens, always inside, moves them out."""

_FFT = galsim.GSParams(minimum_fft_size=32)
"""Transform sizes: GalSim's minimum, 128 px, exceeds most galaxies: 2.6x slower and 0.004 counts more exact."""


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
    amplitude = float(halo.shear(np.array(PIVOT_RADIUS)))
    return SimulatedSky(pixels, truth.x, truth.y, e1, e2, y, x, amplitude, header)


def draw_halo(rng: np.random.Generator) -> tuple[NfwHalo | None, float, float]:
    """Draw a halo, or None for no halo, and its position x and y in the image, pixels."""
    mass = float(np.exp(rng.uniform(*np.log(MASS))))
    x, y = rng.uniform(0.0, SIDE - 1.0, 2)
    halo = NfwHalo(mass, CONCENTRATION, LENS_REDSHIFT, SOURCE_REDSHIFT, SCALE)
    return (halo if rng.random() < LENS_FRACTION else None), float(x), float(y)


def draw_galaxies(rng: np.random.Generator) -> Galaxies:
    """Draw galaxies before lensing, uniformly over the image and its margin, also those below the limit."""
    luminosity = COUNTS.draw(rng, DENSITY, (SIDE + 2.0 * MARGIN) ** 2, FAINTEST)
    n = len(luminosity)
    radius = HALF_LIGHT_RADIUS * luminosity**0.15 * np.exp(rng.normal(0.0, HALF_LIGHT_SCATTER, n))
    frame = radius[:, None, None] * random_ellipses(rng, n)
    x, y = rng.uniform(-MARGIN - 0.5, SIDE - 0.5 + MARGIN, (2, n))
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


def random_ellipses(rng: np.random.Generator, n: int) -> Array:
    """Draw matrices (n, 2, 2) of unit determinant that give round profiles random ellipticities."""
    e = rng.normal(0.0, SIGMA_E, n) + 1j * rng.normal(0.0, SIGMA_E, n)
    e *= np.minimum(1.0, MAX_ELLIPTICITY / np.abs(e))
    matrix = np.stack([np.stack([1.0 + e.real, e.imag], -1), np.stack([e.imag, 1.0 - e.real], -1)], -2)
    return matrix / np.sqrt(1.0 - np.abs(e) ** 2)[:, None, None]


def expose(rng: np.random.Generator, galaxies: Galaxies) -> NDArray[np.float32]:
    """Return an image (SIDE, SIDE) of galaxies and stars through the PSF on a background, with Poisson noise."""
    image = galsim.ImageD(SIDE, SIDE, xmin=0, ymin=0, scale=1.0)
    psf = draw_psf(rng)
    _add_galaxies(image, galaxies, psf)
    _add_stars(image, rng, psf)
    expected = np.maximum(image.array + _background(rng), 0.0)
    counted: NDArray[np.float32] = (rng.poisson(expected * ELECTRONS_PER_COUNT) / ELECTRONS_PER_COUNT).astype(
        np.float32
    )
    return counted


def _add_galaxies(image: galsim.Image, galaxies: Galaxies, psf: galsim.GSObject) -> None:
    profiles = (galsim.Exponential(half_light_radius=1.0), galsim.Sersic(2.5, half_light_radius=1.0, trunc=5.0))
    for i in range(len(galaxies)):
        # GalSim's transform conserves the surface brightness, as lensing does.
        profile = profiles[galaxies.profile[i]].transform(*galaxies.frame[i].ravel()) * galaxies.brightness[i]
        observed = galsim.Convolve(profile, psf, gsparams=_FFT)
        _add(image, observed, galaxies.x[i], galaxies.y[i], 6.0 * galaxies.radius[i])


def _add_stars(image: galsim.Image, rng: np.random.Generator, psf: galsim.GSObject) -> None:
    n = rng.poisson(STARS)
    fluxes = np.exp(rng.uniform(np.log(STAR_FLUX[0]), np.log(STAR_FLUX[1]), n))
    for flux, x, y in zip(fluxes, *rng.uniform(-0.5, SIDE - 0.5, (2, n))):
        _add(image, psf.withFlux(flux), x, y, 25.0)


def draw_psf(rng: np.random.Generator) -> galsim.GSObject:
    """Draw the PSF of a sky, a slightly elliptical Moffat profile."""
    e1, e2 = rng.normal(0.0, PSF_ELLIPTICITY, 2)
    return galsim.Moffat(beta=MOFFAT_BETA, fwhm=rng.uniform(*SEEING) / SCALE).shear(g1=e1, g2=e2)


def _add(image: galsim.Image, profile: galsim.GSObject, x: float, y: float, extent: float) -> None:
    half = int(extent) + 8
    box = galsim.BoundsI(int(x) - half, int(x) + half, int(y) - half, int(y) + half) & image.bounds
    if box.isDefined():
        profile.drawImage(image=image[box], center=galsim.PositionD(x, y), add_to_image=True)


def _background(rng: np.random.Generator) -> Array:
    """Draw the background (SIDE, SIDE), brighter towards one side."""
    slope = rng.uniform(-GRADIENT, GRADIENT, 2)
    axis = np.linspace(-1.0, 1.0, SIDE)
    tilt: Array = slope[0] * axis[None, :] + slope[1] * axis[:, None]
    return BACKGROUND * (1.0 + tilt)


def world_coordinates(rng: np.random.Generator) -> Header:
    """Draw a tangential projection with the rows to the north within a few degrees and east to the left."""
    turn = np.radians(rng.normal(0.0, 3.0))
    header = tangential_header(SCALE, turn, (rng.uniform(0.0, 360.0), rng.uniform(-60.0, 60.0)))
    header["gain"] = (ELECTRONS_PER_COUNT, "electrons per count")
    return header


def tangential_header(scale: float, turn: float, centre: tuple[float, float], *, mirrored: bool = False) -> Header:
    """Return a header with a tangential projection about the centre of an image, in counts.

    Parameters
    ----------
    scale : float, arcsec per pixel
        Pixel scale.
    turn : float, radians
        Angle from the rows to the north; without a turn, east is to the left.
    centre : (float, float), degrees
        RA and Dec of the centre of the image.
    mirrored : bool
        Whether east is to the right without a turn.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = [0.5 * (SIDE + 1), 0.5 * (SIDE + 1)]
    cd = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    wcs.wcs.cd = scale / 3600.0 * (cd * [-1.0, 1.0] if mirrored else cd)
    header = wcs.to_header()
    header["BUNIT"] = "count"
    return header
