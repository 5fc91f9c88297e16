"""Matched filter of a template: S/N of its own shear profile about every candidate centre."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.maps.shear import centres
from darkmatter_features.numerics.kernels.profiles import profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies, Profiles

Array = NDArray[np.float64]


def matched_filter(
    galaxies: GalaxyCatalog | PreparedCatalog,
    template: LensTemplate | CompiledTemplate | None = None,
    config: MeasureConfig | None = None,
) -> tuple[Array, Array]:
    """Return maps of the S/N of tangential and of cross shear, weighted by the shear profile of the template.

    Parameters
    ----------
    galaxies : GalaxyCatalog or PreparedCatalog
        Galaxies of one sky.
    template : LensTemplate or CompiledTemplate, optional
        Template for a catalogue that is not prepared: its mean profile is the filter, and its bias is subtracted from
        the ellipticities. The default with the sky's own mean ellipticity when not given.
    config : MeasureConfig, optional
        Setting `grid_spacing`; the default when not given.

    Returns
    -------
    snr, snr_cross : (n_rows, n_columns) float64 arrays
        On the grid of :func:`~darkmatter_features.maps.shear.shear_maps`; 0 where no galaxy is within the profile.

    Notes
    -----
    With the profile g(r) and the variances s^2, ``snr = sum(g gamma_t / s^2) / sqrt(sum(g^2 / s^2))`` [1]_, which is
    the S/N of the best amplitude of that profile.

    References
    ----------
    .. [1] Schneider 1996, MNRAS 283, 837, arXiv:astro-ph/9601039.
    """
    prepared = prepare(galaxies, template)
    catalog, e1, e2 = prepared.catalog, prepared.e1, prepared.e2
    rows, columns = centres(catalog.shape, config or MeasureConfig())
    y, x = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    # The tangential shear of a sky with ellipticities (e2, -e1) is the cross shear of the one with (e1, e2).
    skies = np.stack([e1, e2], axis=1), np.stack([e2, -e1], axis=1)
    filter_response, filter_norm = np.empty((x.size, 2, 1)), np.empty((x.size, 1))
    sample = Galaxies(catalog.x, catalog.y, *skies, prepared.weight)
    profile = Profiles(_profile(prepared.template), NODE_SPACING)
    profile_sums(sample, profile, Centres(x, y), filter_response, filter_norm)
    snr = (filter_response[:, :, 0] / np.sqrt(np.maximum(filter_norm, np.finfo(np.float64).tiny))).T
    tangential, cross = snr.reshape(2, rows.size, columns.size)
    return tangential, cross


def _profile(template: LensTemplate) -> Array:
    """Return the mean profile (n_nodes + 2, 1), 0 from one node beyond the template's last."""
    mean = template.weights.sum(axis=1) @ template.shear_profile
    return np.append(mean, [0.0, 0.0])[:, None]
