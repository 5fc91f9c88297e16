"""The PSF of an image without a file of it: from its stars or, where these are too few, an assumed one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.few_stars import sharpest_group
from darkmatter_features.galaxies.noisy.psf.fit import psf_from_stars
from darkmatter_features.galaxies.noisy.psf.model import PsfModel
from darkmatter_features.galaxies.noisy.psf.result import PsfFit
from darkmatter_features.galaxies.noisy.psf.stars import MIN_STARS, StarCandidates, StellarLocus, find_stars

MAX_RESIDUAL_OF_FEW = 0.03
"""Maximum rms residual of the ellipticities of fewer than five stars: that of galaxies is 0.3, and less by chance."""


@dataclass(frozen=True)
class ImagePsf:
    """PSF of an image, and how it was found.

    Attributes
    ----------
    model : PsfModel
        The PSF.
    fit : PsfFit or None
        Fit to stars; None for an assumed PSF.
    locus : StellarLocus or None
        Stars; None without a stellar locus.
    note : str
        One line for the user: the stars and residuals, or the assumption and its reason.
    """

    model: PsfModel
    fit: PsfFit | None
    locus: StellarLocus | None
    note: str


def psf_of_image(
    light: NDArray[Any],
    noise: NDArray[Any] | float,
    is_bad: NDArray[np.bool_] | None,
    sources: StarCandidates,
    *,
    psf_sigma: float,
) -> ImagePsf:
    """Return the PSF of an image from the stars among its sources.

    Parameters
    ----------
    light : (n_rows, n_columns) array, counts
        Image above the background.
    noise : float or (n_rows, n_columns) array, counts
        Standard deviation of the noise of a pixel.
    is_bad : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement or is saturated.
    sources : StarCandidates
        Detected sources.
    psf_sigma : float, pixels
        Width of the round Gaussian PSF that is assumed where neither five stars stand out nor the sharpest sources
        are of one size and alike in ellipticity.

    Returns
    -------
    ImagePsf
        The PSF, the stars, and a note.
    """
    reason = f"fewer than {MIN_STARS} of {len(sources)} sources stand out as stars"
    for locus in (find_stars(sources), sharpest_group(sources)):
        if locus is None:
            continue
        own = locus.is_psf_star
        try:
            fit = psf_from_stars(light, noise, is_bad, sources.x[own], sources.y[own], sources.flux[own])
        except SkyError as error:
            reason = str(error) if own.sum() >= MIN_STARS else reason
            continue
        if len(fit.stars) < MIN_STARS and fit.rms_residuals[0] > MAX_RESIDUAL_OF_FEW:
            continue
        return ImagePsf(fit.model, fit, locus, fit.summary)
    return _assumed(psf_sigma, reason)


def _assumed(psf_sigma: float, reason: str) -> ImagePsf:
    model = PsfModel.gaussian(psf_sigma)
    return ImagePsf(model, None, None, f"round Gaussian PSF of sigma {psf_sigma:.2f} px assumed: {reason}")
