"""The matched filter of a template: the S/N of its own profile of shear about every candidate centre."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.template import STEP, LensTemplate
from darkmatter_features.maps.shear import centres
from darkmatter_features.numerics.kernels.profiles import profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies, Profiles

Array = NDArray[np.float64]


def matched_filter(
    catalog: GalaxyCatalog, template: LensTemplate | None = None, config: MeasureConfig | None = None
) -> tuple[Array, Array]:
    """Map the S/N of tangential and of cross shear, weighed by the shear that a lens would make.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate, optional
        Its mean profile is the filter, its bias comes off the ellipticities; the default, with the sky's own mean
        ellipticity, when not given.
    config : MeasureConfig, optional
        Of which `grid_spacing` counts; the default when not given.

    Returns
    -------
    snr, snr_cross : (n_rows, n_columns) float64 arrays
        On the grid of :func:`~darkmatter_features.maps.shear.shear_maps`; 0 where the profile reaches no galaxy.

    Notes
    -----
    With the profile g(r) and the variances s^2, ``snr = sum(g gamma_t / s^2) / sqrt(sum(g^2 / s^2))`` (Schneider 1996),
    which is the S/N of the best amplitude of that profile.
    """
    template = template or LensTemplate.of_sky(catalog)
    rows, columns = centres(catalog.shape, config or MeasureConfig())
    y, x = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    mean_e1, mean_e2, weight = template.unlensed(catalog)
    e1, e2 = catalog.e1 - mean_e1, catalog.e2 - mean_e2
    # A sky of (e2, -e1) has the cross shear of (e1, e2) for its tangential one.
    skies = np.stack([e1, e2], axis=1), np.stack([e2, -e1], axis=1)
    filter_response, filter_norm = np.empty((x.size, 2, 1)), np.empty((x.size, 1))
    galaxies = Galaxies(catalog.x, catalog.y, *skies, weight)
    profile_sums(galaxies, Profiles(_profile(template), STEP), Centres(x, y), filter_response, filter_norm)
    snr = (filter_response[:, :, 0] / np.sqrt(np.maximum(filter_norm, np.finfo(np.float64).tiny))).T
    tangential, cross = snr.reshape(2, rows.size, columns.size)
    return tangential, cross


def _profile(template: LensTemplate) -> Array:
    """Return the mean profile (n_nodes + 2, 1): zero from a step beyond the template's last node on."""
    mean = template.weights.sum(axis=1) @ template.shear_profile
    return np.append(mean, [0.0, 0.0])[:, None]
