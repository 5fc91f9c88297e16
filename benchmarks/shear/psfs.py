"""PSFs of the shear benchmark, in pixels of 0.2 arcsec."""

from collections.abc import Callable
from functools import lru_cache

import galsim
import numpy as np
from numpy.typing import NDArray
from shear.galaxies import FFT

Array = NDArray[np.float64]

FWHM = 3.5
"""Full width at half maximum of the Moffat profile, pixels: 0.7 arcsec."""

BETA = 3.0
"""Exponent of the Moffat profile."""

ELLIPTICITY = (0.04, 0.03)
"""Ellipticity of the PSF ``moffat``: 0.05."""

STAMP = 65
"""Side of a stamp of the PSF, pixels: it holds all but 2e-4 of the light."""

ELLIPTICITY_CHANGE = 0.04
"""Change of e1 along the columns and of e2 along the rows, from the centre to the edge."""

SIZE_CHANGE = 0.08
"""Change of the size of the PSF along the rows, from the centre to the edge, a fraction."""


@lru_cache(maxsize=1)
def moffat() -> galsim.GSObject:
    """Return an elliptical Moffat profile."""
    return galsim.Moffat(beta=BETA, fwhm=FWHM, gsparams=FFT).shear(g1=ELLIPTICITY[0], g2=ELLIPTICITY[1])


@lru_cache(maxsize=1)
def aberrated() -> galsim.GSObject:
    """Return an optical PSF with an obscured pupil, coma, astigmatism and trefoil, smoothed by 0.4 arcsec.

    It is drawn once on pixels of half the size: GalSim needs 5 ms a galaxy with that image, and 90 ms with the pupil.
    """
    optics = galsim.OpticalPSF(
        lam_over_diam=1.25, obscuration=0.3, coma1=0.06, coma2=-0.04, astig1=0.06, astig2=0.04, trefoil1=0.04
    )
    image = galsim.ImageD(160, 160, scale=0.5)
    galsim.Convolve(optics, galsim.Gaussian(fwhm=2.0)).drawImage(image, method="no_pixel")
    return galsim.InterpolatedImage(image, x_interpolant="lanczos5", flux=1.0)


PSFS: dict[str, Callable[[], galsim.GSObject]] = {"moffat": moffat, "aberrated": aberrated}
"""PSFs by name."""


class VaryingPsf:
    """A PSF that is constant or varies linearly over an image.

    Parameters
    ----------
    central : galsim.GSObject
        PSF at the centre of the image.
    side : int
        Side of the image, pixels.
    varies : bool
        Whether it varies.
    """

    def __init__(self, central: galsim.GSObject, side: int, varies: bool):
        self.central = central
        self.side = side
        self.varies = varies

    def at(self, x: float, y: float) -> galsim.GSObject:
        """Return the PSF at a position, without the pixel."""
        if not self.varies:
            return self.central
        u, v = (2.0 * z / (self.side - 1.0) - 1.0 for z in (x, y))
        shear = galsim.Shear(g1=ELLIPTICITY_CHANGE * u, g2=ELLIPTICITY_CHANGE * v)
        return self.central.dilate(1.0 + SIZE_CHANGE * v).shear(shear)

    def stamp(self, x: float, y: float) -> Array:
        """Return the PSF at a position as a stamp, with the response of the pixel."""
        stamp: Array = self.at(x, y).drawImage(nx=STAMP, ny=STAMP, scale=1.0, dtype=np.float64).array
        return stamp
