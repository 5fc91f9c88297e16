"""The result of a fit of the PSF to stars."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.model import PsfModel

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


UNDERSAMPLED_SIGMA = 1.05
"""Width below which shifts by fractions of a pixel widen the PSF, pixels.

In drawn fields the width is too large by 0.2 % for a FWHM of 2.5 px (sigma 1.25), 1 % for 2 px and 6 % for 1.6 px.
"""


@dataclass(frozen=True)
class StarTable:
    """Stars of an image, measured and modelled.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Centroids: column and row.
    flux : (n,) float64 array, counts
        Flux of the model that fits the star.
    snr : (n,) float64 array
        S/N of the flux with the PSF as the filter.
    is_reserved : (n,) bool array
        Stars that are left out of the fit to test it.
    is_outlier : (n,) bool array
        Stars that are left out, as they have no moments or others than their neighbours.
    e1, e2, sigma : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)`` and width sqrt(a b), pixels, of the star by adaptive moments.
    model_e1, model_e2, model_sigma : (n,) float64 arrays
        Those of the model at its position.
    """

    x: Array
    y: Array
    flux: Array
    snr: Array
    is_reserved: Mask
    is_outlier: Mask
    e1: Array
    e2: Array
    sigma: Array
    model_e1: Array
    model_e2: Array
    model_sigma: Array

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_used(self) -> Mask:
        """Stars that the model is fitted to."""
        return ~(self.is_reserved | self.is_outlier)

    @property
    def is_test(self) -> Mask:
        """Stars that test the model: the reserved ones that are no outliers."""
        return self.is_reserved & ~self.is_outlier

    @property
    def residual(self) -> tuple[Array, Array, Array]:
        """e1, e2 and relative width of the stars less those of the model, (n,) each."""
        return self.e1 - self.model_e1, self.e2 - self.model_e2, self.sigma / self.model_sigma - 1.0


@dataclass(frozen=True)
class PsfFit:
    """PSF of an image from its stars.

    Attributes
    ----------
    model : PsfModel
        The PSF.
    stars : StarTable
        All stars that were given.
    degree : int
        Degree of the polynomial in the position.
    """

    model: PsfModel
    stars: StarTable
    degree: int

    @property
    def tested(self) -> Mask:
        """Reserved stars, or the fitted ones where none are reserved, (n,)."""
        return self.stars.is_test if self.stars.is_test.any() else self.stars.is_used

    @property
    def rms_residuals(self) -> tuple[float, float]:
        """Root mean square of the residuals of these stars: modulus of the ellipticity, and relative width."""
        de1, de2, width = (float(np.sqrt(np.mean(each[self.tested] ** 2))) for each in self.stars.residual)
        return float(np.hypot(de1, de2)), width

    @property
    def summary(self) -> str:
        """One line: number of stars, degree, the PSF in the middle, and the residuals of stars that test it."""
        stars, (x, y) = self.stars, self.model.origin
        e1, e2 = self.model.ellipticity(x, y)
        ellipticity, width = self.rms_residuals
        sigma = float(self.model.sigma(x, y))
        warning = "; undersampled, so that its width is too large by 1 % or more: give its file"
        return (
            f"PSF from {int(stars.is_used.sum())} of {len(stars)} stars, degree {self.degree}: sigma"
            f" {sigma:.2f} px, e = ({e1:.4f}, {e2:.4f}); rms residual of {int(self.tested.sum())}"
            f" {'reserved' if stars.is_test.any() else 'fitted'} stars: e {ellipticity:.4f}, width {width:.2%}"
            f"{warning if sigma < UNDERSAMPLED_SIGMA else ''}"
        )
