"""Shear maps of an image with noise: galaxies weighted by their errors, windows by their density and the field."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.maps.shear import ShearMaps, centres, maps_about
from darkmatter_features.numerics.kernels.records import Galaxies

Array = NDArray[np.float64]

USUAL_DENSITY = 150 / 512**2
"""Density of galaxies for which the setting `smallest_scale` is made, per square pixel: that of skies of 512 px."""

LARGEST_WINDOW = 0.31
"""Scale of the widest window, sides of the field (the square root of its area), as in a sky of 512 px. The profiles of
`locate` have the same unit: observers choose fields about as large as the lens."""

MAX_SCALES = 12
"""Maximum number of windows."""

MAX_CENTRES = 512
"""Maximum number of candidate centres along a side."""

MIN_SIGMA = 1e-6
"""Minimum scatter of an ellipticity component: no sample of galaxies has less, and it keeps weights finite."""


def window_scales(catalog: GalaxyCatalog, config: MeasureConfig | None = None) -> Array:
    """Return scales for an image of any density and size.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of the image.
    config : MeasureConfig, optional
        Setting `smallest_scale`; the default when not given.

    Returns
    -------
    (n_scales,) float64 array, pixels
        From the scale whose window has as many galaxies as one of `smallest_scale` has in a sky of 512 px with 150
        galaxies, in steps of sqrt(2), to 0.31 of the side of the field. For such a sky they are those of `shear_maps`.
    """
    config = config or MeasureConfig()
    area = float(np.prod(catalog.shape))
    largest = LARGEST_WINDOW * np.sqrt(area)
    density = max(len(catalog), 1) / area
    smallest = min(config.smallest_scale * np.sqrt(USUAL_DENSITY / density), largest)
    n = min(1 + round(2.0 * np.log2(largest / smallest)), MAX_SCALES)
    return np.asarray(smallest * np.sqrt(2.0) ** np.arange(n))


def weighted_maps(catalog: GalaxyCatalog, config: MeasureConfig | None = None) -> ShearMaps:
    """Return shear maps of an image with noise, without a template.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of the image, as from :func:`~darkmatter_features.galaxies.measure.galaxies_of`.
    config : MeasureConfig, optional
        Settings `grid_spacing`, which follows the smallest scale, and `smallest_scale`; the defaults when not given.

    Returns
    -------
    ShearMaps
        In windows of :func:`window_scales`.

    Notes
    -----
    The maps are those of :func:`~darkmatter_features.maps.shear.shear_maps` with inverse variances
    ``v = f / s^2``, where f is the fill factor of the catalogue, ``1 / (1 + (error / 0.25)^2)``, and
    ``s^2 = mean(f |e - mean|^2) / 2`` is the variance of one component without noise.
    """
    config = config or MeasureConfig()
    scales = window_scales(catalog, config)
    factor = scales[0] / config.smallest_scale
    spacing = float(np.clip(config.grid_spacing * factor, max(1.0, max(catalog.shape) / MAX_CENTRES), 1000.0))
    grid = centres(catalog.shape, replace(config, grid_spacing=spacing))
    return maps_about(_sample(catalog), catalog.shape, grid, scales)


def _sample(catalog: GalaxyCatalog) -> Galaxies:
    """Return the galaxies with their ellipticities less the mean, and inverse variances."""
    fraction = np.where(catalog.is_resolved, catalog.fill_factor, 0.0)
    total = max(float(fraction.sum()), np.finfo(np.float64).tiny)
    e1, e2 = (e - float(fraction @ e) / total for e in (catalog.e1, catalog.e2))
    n = max(int(catalog.is_resolved.sum()), 1)
    variance = max(float(fraction @ (e1**2 + e2**2)) / (2.0 * n), MIN_SIGMA**2)
    return Galaxies(catalog.x, catalog.y, e1, e2, fraction / variance)
