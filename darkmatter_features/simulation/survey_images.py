"""The preset ``survey`` matched to a survey: sky-subtracted images with weight, mask, PSF and the truth beside them."""

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.defects import (
    Bits,
    add_cosmic_rays,
    bleed,
    correlated_noise,
    interpolation_kernel,
    neighbour_correlation,
    spoil_columns,
)
from darkmatter_features.simulation.field_psf import FieldPsf, draw_field_psf, median_stamp
from darkmatter_features.simulation.lensing import PIVOT_RADIUS
from darkmatter_features.simulation.population import Galaxies, lensed
from darkmatter_features.simulation.sky import SimulatedSky
from darkmatter_features.simulation.survey import MARGIN, SIDE, tangential_header
from darkmatter_features.simulation.survey_sources import (
    FAINTEST,
    Stars,
    draw_galaxies,
    draw_halo,
    draw_stars,
    flux_of,
    paint,
)
from darkmatter_features.simulation.surveys import Survey

Array = NDArray[np.float64]

DEPTH_SNR = 10.0
"""S/N of a star at the depth of a survey."""

BACKGROUND_SCATTER = 0.1
"""Scatter of the coefficients of the background that is left after subtraction, standard deviations of the noise."""


def survey_like_sky(rng: np.random.Generator, survey: Survey) -> SimulatedSky:
    """Draw a sky like those of a survey, with a lens or without."""
    psf = draw_field_psf(rng, survey, SIDE)
    sources, images, place = draw_lensed(rng, survey)
    stars = draw_stars(rng, survey)
    light = paint(survey, psf, images, stars, noise_sigma(survey))
    header = world_coordinates(rng, survey)
    pixels, weight, mask = expose(rng, survey, light, header)
    x, y, e1, e2, objects = truth_of(survey, psf, sources, images, stars)
    return SimulatedSky(
        pixels, x, y, e1, e2, *place, header=header, objects=objects, planes={"WHT": weight, "DQ": mask},
        psf=psf.stamp(0.5 * (SIDE - 1), 0.5 * (SIDE - 1)),
    )  # fmt: skip


def draw_lensed(rng: np.random.Generator, survey: Survey) -> tuple[Galaxies, Galaxies, tuple[float, float, float]]:
    """Draw galaxies without and with lensing, and row, column and shear of the lens; nan without a lens."""
    sources = draw_galaxies(rng, survey)
    halo, x, y = draw_halo(rng, survey)
    images = sources if halo is None else lensed(sources, halo, x, y)
    seen = (images.luminosity > FAINTEST) & images.within(SIDE + 2.0 * MARGIN)
    place = (np.nan, np.nan, np.nan) if halo is None else (y, x, float(halo.shear(np.array(PIVOT_RADIUS))))
    return sources.select(seen), images.select(seen), place


def noise_sigma(survey: Survey) -> float:
    """Return the standard deviation of the noise before it is resampled, counts, from the depth of a survey."""
    return float(flux_of(survey, survey.depth) * np.sqrt((median_stamp(survey) ** 2).sum()) / DEPTH_SNR)


def expose(
    rng: np.random.Generator, survey: Survey, light: Array, header: Header
) -> tuple[NDArray[np.float32], NDArray[np.float32], Bits]:
    """Return an image with noise and defects, its weight, inverse variance, and its mask; complete the header.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    survey : Survey
        Survey.
    light : (n_rows, n_columns) float64 array, counts
        Light of galaxies and stars.
    header : astropy.io.fits.Header
        Header, to which the properties of the image are added.

    Returns
    -------
    pixels, weight : (n_rows, n_columns) float32 arrays
        Image, and inverse variance of the noise of the sky, 0 where the mask is set.
    mask : (n_rows, n_columns) int16 array
        Bits ``BAD_COLUMN`` and ``SATURATED``.
    """
    sigma = noise_sigma(survey)
    kernels = [interpolation_kernel(survey.resampling, phase) for phase in rng.uniform(0.0, 1.0, 2)]
    of_sky = sigma**2 * survey.n_exposures / number_of_exposures(rng, survey, light.shape)
    image = light + sigma * _residual_background(rng, light.shape)
    image += correlated_noise(rng, np.sqrt(of_sky + np.maximum(light, 0.0) / survey.gain), kernels)
    mask = np.zeros(light.shape, dtype=np.int16)
    level = float(flux_of(survey, survey.saturation) * median_stamp(survey).max())
    bleed(image, light, level, mask)
    spoil_columns(rng, image, survey.n_bad_columns, sigma, mask)
    add_cosmic_rays(rng, image, survey.n_cosmic_rays, sigma)
    smoothing = float(np.prod([(kernel**2).sum() for kernel in kernels]))
    weight = np.where(mask > 0, 0.0, 1.0 / (of_sky * smoothing))
    for card, value, comment in (
        ("SURVEY", survey.name, "survey that the image resembles"),
        ("MAGZERO", survey.zero_point, "AB magnitude of one count"),
        ("GAIN", survey.gain, "electrons per count"),
        ("SATURATE", level, "level of saturation, counts"),
        ("CORRX", neighbour_correlation(kernels[1]), "correlation of noise, adjacent columns"),
        ("CORRY", neighbour_correlation(kernels[0]), "correlation of noise, adjacent rows"),
    ):
        header[card] = (value, comment)
    return image.astype(np.float32), weight.astype(np.float32), mask


def number_of_exposures(rng: np.random.Generator, survey: Survey, shape: tuple[int, ...]) -> Array:
    """Draw a map of the number of exposures: beyond a straight line, at random, there is one less."""
    rows, columns = np.indices(shape)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    edge = rng.uniform(along.min(), along.max())
    return np.where(along < edge, survey.n_exposures, max(survey.n_exposures - 1, 1)).astype(np.float64)


def _residual_background(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw a quadratic background (n_rows, n_columns) in units of the noise."""
    v, u = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in shape), indexing="ij")
    terms = np.stack([np.ones(shape), u, v, u * u - 1 / 3, u * v, v * v - 1 / 3])
    background: Array = np.tensordot(rng.normal(0.0, BACKGROUND_SCATTER, len(terms)), terms, axes=1)
    return background


def truth_of(
    survey: Survey, psf: FieldPsf, sources: Galaxies, images: Galaxies, stars: Stars
) -> tuple[Array, Array, Array, Array, dict[str, Array]]:
    """Return positions, lensed ellipticities and all other columns of the objects inside the image, galaxies first."""
    inside = images.within(SIDE)
    sources, images = sources.select(inside), images.select(inside)
    shining = np.maximum(np.abs(stars.x - 0.5 * (SIDE - 1)), np.abs(stars.y - 0.5 * (SIDE - 1))) < 0.5 * SIDE
    point, n = np.zeros(shining.sum()), len(images)
    x, y = (np.append(a, b[shining]) for a, b in ((images.x, stars.x), (images.y, stars.y)))
    e1, e2, before1, before2 = (
        np.append(e, point)
        for own in (images, sources)
        for e in lensing.ellipticity(own.frame @ own.frame.transpose(0, 2, 1))
    )
    radius = np.append(np.sqrt(np.abs(np.linalg.det(images.frame))), point)
    flux = np.append(flux_of(survey, survey.depth) * images.luminosity, stars.flux[shining])
    psf_e1, psf_e2 = psf.ellipticity(x, y)
    objects = {
        "e1_unlensed": before1,
        "e2_unlensed": before2,
        "radius": radius,
        "mag": survey.zero_point - 2.5 * np.log10(flux),
        "is_star": np.repeat([0.0, 1.0], [n, len(point)]),
        "psf_e1": psf_e1,
        "psf_e2": psf_e2,
    }
    return x, y, e1, e2, objects


def world_coordinates(rng: np.random.Generator, survey: Survey) -> Header:
    """Draw a tangential projection, turned by any angle."""
    turn, ra, dec = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.0, 360.0), rng.uniform(-60.0, 60.0)
    return tangential_header(survey.pixel_scale, turn, (ra, dec), mirrored=survey.mirrored)
