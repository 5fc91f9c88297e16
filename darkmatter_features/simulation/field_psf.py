"""PSFs of surveys, which vary over an image as low-order polynomials."""

from dataclasses import dataclass
from functools import lru_cache

import galsim
import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.surveys import Optics, Seeing, Survey

Array = NDArray[np.float64]

FFT = galsim.GSParams(minimum_fft_size=32)
"""Transform sizes: GalSim's minimum, 128 px, exceeds most galaxies."""

ELLIPTICITY_SCATTER = (0.027, 0.015, 0.015, 0.008, 0.008, 0.008)
"""Scatter of the coefficients of 1, u, v, u^2, u v and v^2 in each component of the ellipticity of the PSF, where u and
v are -1 and 1 at the edges of the image: together 0.05 in modulus."""

SIZE_SCATTER = (0.0, 0.015, 0.015, 0.006, 0.006, 0.006)
"""Scatter of those coefficients in the size of the PSF."""

STAMP = 65
"""Side of a stamp of the PSF, pixels."""

WIDE_SIDE, CORE_SIDE = 640, 160
"""Sides of the images of an optical PSF, samples of half a pixel: the spikes of stars reach 160 px. Through its core,
which has 98 % of the light, galaxies are drawn six times as fast."""


@dataclass(frozen=True)
class FieldPsf:
    """The PSF of an image.

    Attributes
    ----------
    base : galsim.GSObject
        PSF before its size and ellipticity vary, without the response of pixels; lengths are in pixels.
    wide : galsim.GSObject
        The same with the light far from its centre, for bright stars.
    base_ellipticity : complex
        Its ellipticity, of modulus (a - b) / (a + b).
    shear, size : (6, 2) and (6, 1) float64 arrays
        Coefficients of 1, u, v, u^2, u v and v^2 in the shear and in the relative size.
    side : int, pixels
        Side of the image.
    """

    base: galsim.GSObject
    wide: galsim.GSObject
    base_ellipticity: complex
    shear: Array
    size: Array
    side: int

    def at(self, x: float, y: float, *, wide: bool = False) -> galsim.GSObject:
        """Return the PSF at a position in pixels, without the response of the pixel."""
        powers = self._powers(x, y)
        g1, g2 = powers @ self.shear
        base = self.wide if wide else self.base
        return base.dilate(1.0 + float((powers @ self.size)[0])).shear(g1=float(g1), g2=float(g2))

    def ellipticity(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the components (n,) of the ellipticity of the PSF at positions in pixels."""
        g1, g2 = (self._powers(x, y) @ self.shear).T
        g, e = g1 + 1j * g2, self.base_ellipticity
        sheared = (e + g) / (1.0 + np.conj(g) * e)
        return sheared.real, sheared.imag

    def stamp(self, x: float, y: float) -> NDArray[np.float32]:
        """Return the PSF at a position with the response of the pixel, (65, 65), in parts of unit flux."""
        stamp: NDArray[np.float32] = self.at(x, y).drawImage(nx=STAMP, ny=STAMP, scale=1.0).array
        return stamp

    def _powers(self, x: Array | float, y: Array | float) -> Array:
        u, v = (2.0 * np.asarray(z, dtype=np.float64) / (self.side - 1.0) - 1.0 for z in (x, y))
        return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def draw_field_psf(rng: np.random.Generator, survey: Survey, side: int) -> FieldPsf:
    """Draw the PSF of an image of a survey, of a side in pixels."""
    if isinstance(survey.psf, Seeing):
        width = float(np.exp(survey.psf.scatter * np.clip(rng.normal(), -2.5, 2.5)))
        core = wide = _moffat(survey.psf, width / survey.pixel_scale)
    else:
        aberrations = survey.psf.aberration * rng.normal(size=7)
        core, wide = _optical(survey.psf, tuple(aberrations), survey.pixel_scale)
    shear = rng.normal(0.0, np.array(ELLIPTICITY_SCATTER)[:, None], (6, 2))
    size = rng.normal(0.0, np.array(SIZE_SCATTER)[:, None], (6, 1))
    return FieldPsf(core, wide, _ellipticity(core), shear, size, side)


@lru_cache(maxsize=4)
def median_stamp(survey: Survey) -> Array:
    """Return the median PSF of a survey, round and without aberrations, with the response of the pixel, (65, 65)."""
    if isinstance(survey.psf, Seeing):
        psf = _moffat(survey.psf, 1.0 / survey.pixel_scale)
    else:
        psf, _ = _optical(survey.psf, (0.0,) * 7, survey.pixel_scale)
    stamp: Array = psf.drawImage(nx=STAMP, ny=STAMP, scale=1.0, dtype=np.float64).array
    stamp.flags.writeable = False
    return stamp


def _moffat(seeing: Seeing, factor: float) -> galsim.GSObject:
    return galsim.Moffat(beta=seeing.beta, fwhm=factor * seeing.fwhm, gsparams=FFT)


def _optical(optics: Optics, aberrations: tuple[float, ...], scale: float) -> tuple[galsim.GSObject, galsim.GSObject]:
    """Return the core of an optical PSF and the whole as images on half pixels.

    The transform of the pupil takes 100 ms a galaxy, that of an image 5 ms.
    """
    pupil = galsim.OpticalPSF(
        lam_over_diam=optics.wavelength_over_diameter / scale,
        aberrations=[0.0, 0.0, 0.0, 0.0, *aberrations],
        obscuration=optics.obscuration,
        nstruts=optics.n_struts,
        strut_thick=0.02,
        strut_angle=45.0 * galsim.degrees,
        gsparams=galsim.GSParams(folding_threshold=4e-3),
    )
    diffused = galsim.Convolve(pupil, galsim.Gaussian(sigma=optics.diffusion / scale))
    image = diffused.drawImage(nx=WIDE_SIDE, ny=WIDE_SIDE, scale=0.5, method="no_pixel", dtype=np.float64)
    image /= image.array.sum()
    edge = (WIDE_SIDE - CORE_SIDE) // 2
    core = galsim.ImageD(np.ascontiguousarray(image.array[edge:-edge, edge:-edge]), scale=0.5)
    return tuple(_interpolated(each) for each in (core, image))


def _interpolated(image: galsim.Image) -> galsim.GSObject:
    period = 0.5 * min(len(image.array), 2 * CORE_SIDE)
    step, limit = 2.0 * np.pi / period, 2.0 * np.pi
    return galsim.InterpolatedImage(image, x_interpolant="lanczos5", _force_stepk=step, _force_maxk=limit, gsparams=FFT)


def _ellipticity(psf: galsim.GSObject) -> complex:
    """Return the ellipticity of a PSF by adaptive moments, of modulus (a - b) / (a + b)."""
    shape = galsim.hsm.FindAdaptiveMom(psf.drawImage(nx=128, ny=128, scale=0.5, method="no_pixel")).observed_shape
    return complex(shape.g1, shape.g2)
