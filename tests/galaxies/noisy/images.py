"""Images of sources that are drawn by hand: noise of 1 per pixel, and a Moffat PSF."""

import functools

import galsim
import numpy as np

from darkmatter_features.galaxies.noisy.sources import measure_sources

PSF = galsim.Moffat(beta=3.0, fwhm=3.5).shear(g1=0.04, g2=0.03)
SIGMA = 1.68
"""Standard deviation of the PSF by adaptive moments, pixels."""


@functools.cache
def _stamp(side=65):
    values = PSF.drawImage(nx=side, ny=side, scale=1.0).array.astype(np.float64)
    return values / values.sum()


def psf_at(x, y):
    """Return the PSF, the same at all places."""
    return _stamp()


class Canvas:
    """An image without noise to which light is added."""

    def __init__(self, n_rows=200, n_columns=None):
        self.image = galsim.ImageF(n_columns or n_rows, n_rows, xmin=0, ymin=0, scale=1.0)

    def add(self, profile, x, y):
        """Add light through the PSF."""
        center = galsim.PositionD(x, y)
        galsim.Convolve(profile, PSF).drawImage(self.image, center=center, add_to_image=True)
        return self

    def galaxy(self, x, y, flux=2000.0, radius=2.5, e1=0.0, e2=0.0, n=1.0):
        """Add a galaxy of a Sersic profile."""
        return self.add(galsim.Sersic(n, half_light_radius=radius, flux=flux).shear(g1=e1, g2=e2), x, y)

    def star(self, x, y, flux=2000.0):
        """Add a star."""
        self.image += PSF.withFlux(flux).drawImage(
            galsim.ImageF(self.image.bounds), scale=1.0, center=galsim.PositionD(x, y)
        )
        return self

    def through_psf(self, light):
        """Add light given by pixels, through the PSF."""
        profile = galsim.InterpolatedImage(galsim.ImageF(light.astype(np.float32)), scale=1.0, normalization="sb")
        middle = galsim.PositionD(0.5 * (light.shape[1] - 1), 0.5 * (light.shape[0] - 1))
        galsim.Convolve(profile, PSF).drawImage(self.image, center=middle, add_to_image=True)
        return self

    def noisy(self, seed=1):
        """Return the image with noise."""
        light = self.image.array.astype(np.float32)
        return light + np.random.default_rng(seed).normal(size=light.shape).astype(np.float32)


def measured(light, mask=None, noise=1.0, **options):
    """Return the sources of an image of constant noise."""
    given = {"psf": psf_at, "psf_sigma": SIGMA} | options
    return measure_sources(light, np.full(light.shape, noise, dtype=np.float32), mask, **given)


def near(sources, x, y, radius=3.0):
    """Return the indices of sources near a place."""
    return np.flatnonzero(np.hypot(sources.x - x, sources.y - y) < radius)
