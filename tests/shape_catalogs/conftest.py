"""A measured image."""

import numpy as np
import pytest
from shear.scenes import noise_of, scene

from darkmatter_features.galaxies.noisy.catalog import measure_image
from darkmatter_features.galaxies.noisy.psf.model import PsfModel
from darkmatter_features.io.sky import Sky


@pytest.fixture(scope="package")
def drawn():
    """Return a field of galaxies and stars with its noise, and the field."""
    field = scene(21, "blended", (0.02, 0.0), n_cells=4, density=60.0, star_density=20.0)
    return (100.0 + field.image + noise_of(field, 22)).astype(np.float32), field


@pytest.fixture(scope="package")
def psf(drawn):
    """Return the PSF of the field as an image."""
    return drawn[1].psf(127.5, 127.5)


@pytest.fixture(scope="package")
def measured(drawn, psf):
    """Return the catalogue of the field."""
    from astropy.wcs import WCS

    sky = Sky("field.fits", drawn[0][..., np.newaxis], wcs=WCS(drawn[1].header))
    return measure_image(sky, psf=PsfModel.constant(psf, name="psf.fits"))
