"""Fields of stars and galaxies drawn by GalSim, with a PSF that varies over the image."""

from dataclasses import dataclass

import galsim
import numpy as np

from darkmatter_features.galaxies.noisy.psf.adaptive_moments import adaptive_moments

NOISE = 10.0
"""Standard deviation of a pixel, counts."""

SIDE = 49
"""Side of a drawn star, pixels."""


def moffat(u, v, *, e=0.05):
    """Return a Moffat PSF whose ellipticity varies linearly over the field, |u|, |v| <= 1."""
    return galsim.Moffat(beta=3.0, fwhm=3.4).shear(g1=0.6 * e * u + 0.3 * e, g2=0.7 * e * v)


def aberrated(u, v, *, e=0.05):
    """Return seeing, and aberrations that vary linearly over the field."""
    optics = galsim.OpticalPSF(lam_over_diam=0.9, obscuration=0.3, coma1=0.04 + 0.02 * u, astig1=0.03 * v, defocus=0.05)
    return galsim.Convolve(optics, galsim.Moffat(beta=4.765, fwhm=3.0).shear(g1=0.5 * e * u, g2=0.4 * e))


def constant(u, v, *, e=0.05):
    """Return a Moffat PSF that is the same everywhere."""
    return moffat(0.4, -0.5, e=e)


@dataclass
class Field:
    """Image, with the positions, fluxes and S/N of its stars."""

    light: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    snr: np.ndarray
    psf: object

    def truth(self, x, y):
        """Return the moments of the true PSF at positions (n,)."""
        return adaptive_moments(np.stack([drawn(self.at(i, j), 0.0, 0.0) for i, j in zip(x, y)]))

    def at(self, x, y):
        half = 0.5 * (self.light.shape[0] - 1)
        return self.psf(x / half - 1, y / half - 1)


def drawn(profile, dx, dy, side=SIDE):
    return profile.shift(dx, dy).drawImage(nx=side, ny=side, scale=1.0).array.astype(np.float64)


def add(light, stamp, column, row):
    """Add a stamp about a pixel, cut at the borders of the image."""
    half = stamp.shape[0] // 2
    top, left = max(row - half, 0), max(column - half, 0)
    bottom, right = min(row + half + 1, light.shape[0]), min(column + half + 1, light.shape[1])
    own = (slice(top - row + half, bottom - row + half), slice(left - column + half, right - column + half))
    light[top:bottom, left:right] += stamp[own]


def star_field(rng, psf, n_stars, n_galaxies, *, side=1500, snr=(50.0, 1000.0)):
    """Return a field with stars of log-uniform S/N, and galaxies of half-light radii of 1 to 4 px before the PSF."""
    light = rng.normal(0.0, NOISE, (side, side))
    field = Field(light, *(rng.uniform(12, side - 13, n_stars) for _ in range(2)), None, None, psf)
    field.snr = np.exp(rng.uniform(*np.log(snr), n_stars))
    field.flux = field.snr * NOISE * np.sqrt(4 * np.pi) * 1.6
    for x, y, flux in zip(field.x, field.y, field.flux):
        column, row = round(x), round(y)
        add(light, drawn(flux * field.at(x, y), x - column, y - row), column, row)
    for _ in range(n_galaxies):
        column, row = rng.integers(0, side, 2)
        disc = galsim.Exponential(half_light_radius=rng.uniform(1.0, 4.0), flux=np.exp(rng.uniform(6.5, 10.5)))
        e = rng.normal(0, 0.2, 2).clip(-0.6, 0.6)
        add(light, drawn(galsim.Convolve(disc.shear(g1=e[0], g2=e[1]), field.at(column, row)), 0, 0), column, row)
    return field
