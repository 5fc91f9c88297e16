"""Simple galaxies for tests: ellipses of known shape, one colour each."""

from dataclasses import replace

import numpy as np

from darkmatter_features.galaxies.shapes import Flag, GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.density import log_density_of
from darkmatter_features.lens.template import LensTemplate

ORANGE, BLUE, PINK = np.array([0.55, 0.33, 0.12]), np.array([0.25, 0.29, 0.46]), np.array([0.38, 0.31, 0.31])


def ellipse(shape, x, y, *, size, e1, e2, profile):
    """Return the brightness of a galaxy, averaged over pixels.

    It is `profile` of the squared elliptical radius in units of `size`, pixels.
    """
    fine = (np.arange(5) - 2) / 5
    columns, rows = (np.add.outer(np.arange(n), fine).ravel() for n in (shape[1], shape[0]))
    dx, dy = np.meshgrid(columns - x, rows - y)
    e, theta = np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)
    along, across = dx * np.cos(theta) + dy * np.sin(theta), dy * np.cos(theta) - dx * np.sin(theta)
    square = (along**2 * (1 - e) / (1 + e) + across**2 * (1 + e) / (1 - e)) / size**2
    return profile(square).reshape(shape[0], 5, shape[1], 5).mean(axis=(1, 3))


def disc(shape, x, y, *, size, e1=0.0, e2=0.0):
    """Return a uniform disc of brightness 1; its rms half-axes have the geometric mean `size`, pixels."""
    return ellipse(shape, x, y, size=2 * size, e1=e1, e2=e2, profile=lambda square: (square < 1).astype(float))


def gaussian(shape, x, y, *, size, e1=0.0, e2=0.0):
    """Return a Gaussian of peak 1."""
    return ellipse(shape, x, y, size=size, e1=e1, e2=e2, profile=lambda square: np.exp(-square / 2))


def sky_of(*galaxies, name="drawn.png"):
    """Return an 8-bit colour sky of (image, colour, level) galaxies, each of which covers those before it.

    The level is the flux, summed over bands, where the image is 1.
    """
    light = np.zeros((*galaxies[0][0].shape, 3))
    for image, color, level in galaxies:
        light += image[..., None] * (level * color - light)
    return Sky(name, np.clip(np.rint(light), 0, 255).astype(np.uint8))


def catalog_of(x, y, e1, e2, *, shape=(512, 512), size=None, fill_factor=None, name="planted"):
    """Return a catalogue with the given columns and plausible values of the others."""
    n = len(x)
    size = np.full(n, 2.0) if size is None else size
    fill_factor = np.ones(n) if fill_factor is None else fill_factor
    columns = {"x": x, "y": y, "e1": e1, "e2": e2, "theta": 0.5 * np.arctan2(e2, e1)}
    columns |= {"size": size, "fill_factor": fill_factor}
    columns = {key: np.array(value, dtype=np.float64) for key, value in columns.items()}
    return GalaxyCatalog(
        name, shape, **columns, flux=np.ones(n), snr=np.full(n, 50.0),
        n_pixels=np.full(n, 40, dtype=np.int32), flags=np.zeros(n, dtype=np.uint8),
    )  # fmt: skip


def lensed_catalog(rng, *, n=4000, centre=(300.0, 200.0), gamma=0.1, scatter=0.2, bias=0.0, shape=(512, 512)):
    """Return randomly oriented galaxies, sheared tangentially by `gamma` about `centre` (x, y).

    `gamma`, the reduced shear, is a number or a function of the radius in pixels.
    """
    x, y = rng.uniform(0, shape[1] - 1, n), rng.uniform(0, shape[0] - 1, n)
    e = np.clip(np.abs(rng.normal(0, scatter, n) + 1j * rng.normal(0, scatter, n)), 0, 0.8)
    e = e * np.exp(2j * rng.uniform(0, np.pi, n))
    dx, dy = x - centre[0], y - centre[1]
    g = -(gamma(np.hypot(dx, dy)) if callable(gamma) else gamma) * np.exp(2j * np.arctan2(dy, dx))
    lensed = (e + g) / (1 + np.conj(g) * e)
    return catalog_of(x, y, lensed.real + bias, lensed.imag, shape=shape)


def with_two_shape_bins(catalog):
    """Return the same galaxies, the second half of them flagged as blended: a catalogue of two shape bins."""
    n = len(catalog)
    return replace(catalog, flags=np.where(np.arange(n) < n // 2, 0, Flag.BLENDED).astype(np.uint8))


def two_shape_bins(*, response=(1.3, 0.6)):
    """Return the default template with two shape bins, which differ in unlensed ellipticities and response to shear."""
    moments = ((0.1, 0.3), (-0.05, 0.15))
    log_p0 = [log_density_of(np.array([mean]), np.zeros(1), smoothing=sigma) for mean, sigma in moments]
    return replace(LensTemplate.default(), log_p0=np.stack(log_p0), response=np.array(response))
