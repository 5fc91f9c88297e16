"""Galaxies, stars and lenses of a survey, and their light through its PSF."""

from dataclasses import dataclass
from math import gamma

import galsim
import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.field_psf import FFT, FieldPsf
from darkmatter_features.simulation.nfw import NfwHalo
from darkmatter_features.simulation.population import Counts, Galaxies
from darkmatter_features.simulation.survey import (
    CONCENTRATION,
    LENS_FRACTION,
    LENS_REDSHIFT,
    MARGIN,
    SIDE,
    random_ellipses,
)
from darkmatter_features.simulation.surveys import Seeing, Survey

Array = NDArray[np.float64]

COUNT_SLOPE = 0.27
"""Slope of the counts of galaxies, dex per magnitude."""

BRIGHTEST = 20.0
"""Magnitude above which the counts of galaxies fall exponentially in flux."""

FAINTEST = 0.2
"""Minimum flux of a galaxy relative to that at the depth: S/N below 2, fainter than any detection."""

MAX_MAGNIFICATION = 6.0
"""Maximum magnification up to which fainter sources are drawn."""

SIZE_SLOPE = 0.269
"""Slope of the logarithm of the radius with magnitude, e-folds per magnitude [1]_.

References
----------
.. [1] Miller et al. 2013, MNRAS 429, 2858, doi:10.1093/mnras/sts454.
"""

SIZE_SCATTER = 0.35
"""Scatter of the half-light radius at a magnitude, e-folds."""

BULGE_FRACTION, BULGE_RADIUS = 0.3, 0.6
"""Fraction of galaxies with the second of the profiles, and their radius relative to the others: in [1]_, the
half-light radius of a bulge is the scale length of a disc.

References
----------
.. [1] Miller et al. 2013, MNRAS 429, 2858, doi:10.1093/mnras/sts454.
"""

PROFILES = ((1.0, 1.678), (3.0, 5.670))
"""Sersic index n and coefficient b of ``I(r) = I_0 exp(-b (r / r_half)^(1 / n))``."""

STAR_SLOPE = 0.13
"""Slope of the counts of stars at high latitude, dex per magnitude [1]_.

References
----------
.. [1] Bahcall & Soneira 1980, ApJS 44, 73, doi:10.1086/190685.
"""

BRIGHTEST_STAR, STAR_MAGNITUDE, FAINT_STARS = 13.5, 22.0, 1.5
"""Magnitude of the brightest stars; that to which the density of a survey refers; how much fainter than the depth."""

MIN_BRIGHTNESS = 0.05
"""Surface brightness at which stamps end, standard deviations of the noise."""

WIDE_RADIUS = 36.0
"""Distance beyond which the light of a star is drawn with the wings of the PSF, pixels."""

DRAWN_RADIUS = (10.0, 256.0)
"""Range of the distance to which light is drawn, pixels."""


@dataclass(frozen=True)
class Stars:
    """Stars: positions x, y (n,) in pixels and fluxes (n,) in counts."""

    x: Array
    y: Array
    flux: Array


def flux_of(survey: Survey, magnitude: Array | float) -> Array:
    """Return the flux of a magnitude, counts."""
    return np.asarray(10.0 ** (0.4 * (survey.zero_point - np.asarray(magnitude, dtype=np.float64))))


def draw_halo(rng: np.random.Generator, survey: Survey) -> tuple[NfwHalo | None, float, float]:
    """Draw a halo, or None for no halo, and its position x and y in the image, pixels."""
    mass = float(np.exp(rng.uniform(*np.log(survey.mass))))
    x, y = rng.uniform(0.0, SIDE - 1.0, 2)
    halo = NfwHalo(mass, CONCENTRATION, LENS_REDSHIFT, survey.source_redshift, survey.pixel_scale)
    return (halo if rng.random() < LENS_FRACTION else None), float(x), float(y)


def draw_galaxies(rng: np.random.Generator, survey: Survey) -> Galaxies:
    """Draw galaxies before lensing over the image and its margin; their luminosity is 1 at the depth of the survey."""
    counts = Counts(2.5 * COUNT_SLOPE, float(10.0 ** (0.4 * (survey.depth - BRIGHTEST))))
    per_pixel = survey.density * (survey.pixel_scale / 60.0) ** 2
    luminosity = counts.draw(rng, per_pixel, (SIDE + 2.0 * MARGIN) ** 2, FAINTEST / MAX_MAGNIFICATION)
    n = len(luminosity)
    # SIZE_SLOPE is in magnitudes: a factor L^(SIZE_SLOPE / 0.4 ln 10) in luminosity.
    median = survey.radius / survey.pixel_scale * luminosity ** (SIZE_SLOPE / (0.4 * np.log(10.0)))
    profile = (rng.random(n) < BULGE_FRACTION).astype(np.int64)
    radius = median * np.exp(rng.normal(0.0, SIZE_SCATTER, n)) * np.where(profile == 1, BULGE_RADIUS, 1.0)
    frame = radius[:, None, None] * random_ellipses(rng, n)
    x, y = rng.uniform(-MARGIN - 0.5, SIDE - 0.5 + MARGIN, (2, n))
    brightness = flux_of(survey, survey.depth) * luminosity / np.linalg.det(frame)
    return Galaxies(x, y, luminosity, profile, frame, radius, brightness, np.zeros(n))


def draw_stars(rng: np.random.Generator, survey: Survey) -> Stars:
    """Draw stars over the image and its margin, from the brightest to those too faint to be seen."""
    limits = BRIGHTEST_STAR, survey.depth + FAINT_STARS
    bright, faint = (10.0 ** (STAR_SLOPE * (limit - STAR_MAGNITUDE)) for limit in limits)
    area = ((SIDE + 2.0 * MARGIN) * survey.pixel_scale / 60.0) ** 2
    n = rng.poisson(survey.star_density * (faint - bright) * area)
    magnitude = STAR_MAGNITUDE + np.log10(rng.uniform(bright, faint, n)) / STAR_SLOPE
    x, y = rng.uniform(-MARGIN - 0.5, SIDE - 0.5 + MARGIN, (2, n))
    return Stars(x, y, flux_of(survey, magnitude))


def paint(survey: Survey, psf: FieldPsf, galaxies: Galaxies, stars: Stars, sigma: float) -> Array:
    """Return the light (SIDE, SIDE) of galaxies and stars through the PSF, counts; it ends where noise hides it."""
    image = galsim.ImageD(SIDE, SIDE, xmin=0, ymin=0, scale=1.0)
    profiles = [galsim.Sersic(n, half_light_radius=1.0, gsparams=FFT) for n, _ in PROFILES]
    flux = flux_of(survey, survey.depth) * galaxies.luminosity
    reach = np.hypot(_galaxy_reach(galaxies, flux, sigma), _psf_reach(survey, flux, sigma))
    for i in range(len(galaxies)):
        # GalSim's transform conserves the surface brightness, as lensing does.
        light = profiles[galaxies.profile[i]].transform(*galaxies.frame[i].ravel()) * galaxies.brightness[i]
        local = psf.at(galaxies.x[i], galaxies.y[i])
        _add(image, galsim.Convolve(light, local, gsparams=FFT), galaxies.x[i], galaxies.y[i], reach[i])
    star_reach = _psf_reach(survey, stars.flux, sigma)
    for x, y, flux_of_star, far in zip(stars.x, stars.y, stars.flux, star_reach):
        local = psf.at(x, y, wide=far > WIDE_RADIUS) * flux_of_star
        _add(image, local, x, y, far)
    array: Array = image.array
    return array


def _add(image: galsim.Image, light: galsim.GSObject, x: float, y: float, reach: float) -> None:
    half = int(np.clip(reach, *DRAWN_RADIUS))
    box = galsim.BoundsI(int(x) - half, int(x) + half, int(y) - half, int(y) + half) & image.bounds
    if box.isDefined():
        light.drawImage(image=image[box], center=galsim.PositionD(x, y), add_to_image=True)


def _galaxy_reach(galaxies: Galaxies, flux: Array, sigma: float) -> Array:
    """Return the distances (n,) at which the profiles of galaxies are as faint as ``MIN_BRIGHTNESS``, pixels."""
    index, b = np.array(PROFILES)[galaxies.profile].T
    area = np.array([2.0 * np.pi * n * gamma(2.0 * n) for n, _ in PROFILES])[galaxies.profile] * b ** (-2.0 * index)
    major = np.linalg.norm(galaxies.frame, ord=2, axis=(1, 2))
    centre = flux / (area * np.abs(np.linalg.det(galaxies.frame)))
    return np.asarray(major * (np.log(np.maximum(centre / (MIN_BRIGHTNESS * sigma), 1.0)) / b) ** index)


def _psf_reach(survey: Survey, flux: Array, sigma: float) -> Array:
    """Return the distances (n,) at which the wings of stars are as faint as ``MIN_BRIGHTNESS``, pixels."""
    if isinstance(survey.psf, Seeing):
        beta = survey.psf.beta
        core = survey.psf.fwhm / survey.pixel_scale / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
        centre = flux * (beta - 1.0) / (np.pi * core**2)
        return np.asarray(core * (centre / (MIN_BRIGHTNESS * sigma)) ** (0.5 / beta))
    # The mean wings of a diffraction pattern fall as r^-3; spikes reach some twice as far.
    width = survey.psf.wavelength_over_diameter / survey.pixel_scale
    wings = flux * width / (np.pi**3 * (1.0 - survey.psf.obscuration))
    return np.asarray(2.0 * (wings / (MIN_BRIGHTNESS * sigma)) ** (1.0 / 3.0))
