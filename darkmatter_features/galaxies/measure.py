"""From an image of any kind to the catalogue of its galaxies."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.artifacts import without_narrow_gaps
from darkmatter_features.galaxies.detection import background_levels
from darkmatter_features.galaxies.noisy.catalog import SourceCatalog, measure_image, psf_width
from darkmatter_features.galaxies.noisy.exposure import typical_noise
from darkmatter_features.galaxies.noisy.sources import SourceFlag
from darkmatter_features.galaxies.segmentation import check_sides, few_galaxies, segment, too_few_galaxies
from darkmatter_features.galaxies.shapes import Flag, GalaxyCatalog, ImageProperties, measure_shapes
from darkmatter_features.io.sky import Sky

MIN_WEIGHT = 0.3
"""Minimum weight of a shape for a galaxy of the catalogue of an image with noise: maps without a template give all the
same weight, and below it the error of an ellipticity is 1.5 times the scatter of shapes."""

SHAPE_NOISE = 0.25
"""Scatter of the ellipticities of galaxies per component, with which their error by noise is compared."""


MIN_SIZE = 0.3
"""Minimum size of a galaxy, pixels: that of galaxies in images without noise."""

MAX_ELLIPTICITY = 0.99
"""Maximum modulus of an ellipticity."""


def measure(sky: Sky, config: MeasureConfig | None = None) -> GalaxyCatalog:
    """Find and measure the galaxies of a sky.

    On a background without noise, galaxies are segmented and measured by :func:`segment` and :func:`measure_shapes`. In
    images with noise they are found and measured by :func:`~darkmatter_features.galaxies.noisy.catalog.measure_image`,
    by the noise and the PSF of the image; stars are left out.

    Parameters
    ----------
    sky : Sky
        The image.
    config : MeasureConfig, optional
        Settings. Default: all defaults.

    Returns
    -------
    GalaxyCatalog
        Catalogue of the galaxies.

    Raises
    ------
    SkyError
        If the image is too small, or fewer than `config.min_galaxies` galaxies are found.
    """
    return measure_with_sources(sky, config)[0]


def measure_with_sources(sky: Sky, config: MeasureConfig | None = None) -> tuple[GalaxyCatalog, SourceCatalog | None]:
    """Return the galaxies of a sky as :func:`measure` does, and all sources of an image with noise; None without noise.

    The sources have the weights of the shapes, stars, and what was left out of the image.
    """
    config = config or MeasureConfig()
    check_sides(sky)
    sky = without_narrow_gaps(sky)
    levels = background_levels(sky)
    if levels is None:
        return _with_noise(sky, config)
    segments = segment(sky, config, levels=levels)
    if len(segments) < config.min_galaxies:
        raise too_few_galaxies(segments, config)
    return measure_shapes(segments, config), None


def _with_noise(sky: Sky, config: MeasureConfig) -> tuple[GalaxyCatalog, SourceCatalog]:
    """Return the galaxies and the sources of an image with noise."""
    sources = measure_image(sky, config)
    galaxies = galaxies_of(sources, n_bands=sky.pixels.shape[2])
    if len(galaxies) < config.min_galaxies:
        found = f"found {len(galaxies)} resolved galaxies of S/N above threshold_sigma={config.threshold_sigma:g}"
        raise few_galaxies(sky, found, config)
    return galaxies, sources


def galaxies_of(catalog: SourceCatalog, n_bands: int = 1) -> GalaxyCatalog:
    """Return the galaxies among the sources of an image with noise: those whose shape has a weight.

    Parameters
    ----------
    catalog : SourceCatalog
        Sources of the image.
    n_bands : int
        Number of bands of the image.

    Returns
    -------
    GalaxyCatalog
        Galaxies. The fill factor is ``1 / (1 + (error / 0.25)**2)`` with the error of the ellipticity by noise:
        galaxies alike in it have ellipticities of the same scatter.
    """
    weight, sources = catalog.weight, catalog.sources
    own = np.flatnonzero(weight > MIN_WEIGHT)
    response = float(np.average(catalog.response[own], weights=weight[own])) if own.size else 1.0
    e1, e2 = _bounded(catalog.e1[own] / response, catalog.e2[own] / response)
    blended = (sources.flags[own] & SourceFlag.BLENDED) != 0
    return GalaxyCatalog(
        name=catalog.name,
        shape=catalog.shape,
        x=sources.x[own],
        y=sources.y[own],
        e1=e1,
        e2=e2,
        theta=0.5 * np.arctan2(e2, e1),
        size=np.maximum(sources.size[own], MIN_SIZE),
        fill_factor=1.0 / (1.0 + (sources.e_error[own] / SHAPE_NOISE) ** 2),
        flux=sources.flux[own],
        snr=sources.snr[own],
        n_pixels=sources.n_pixels[own].astype(np.int32),
        flags=np.where(blended, np.uint8(Flag.BLENDED), np.uint8(0)),
        image=ImageProperties(
            psf_width(catalog.psf.model, catalog.shape), typical_noise(catalog.exposure.noise), n_bands
        ),
    )


def _bounded(e1: NDArray[np.float64], e2: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ellipticities with a modulus of at most MAX_ELLIPTICITY."""
    factor = np.minimum(1.0, MAX_ELLIPTICITY / np.maximum(np.hypot(e1, e2), np.finfo(np.float64).tiny))
    return e1 * factor, e2 * factor
