"""The sharpest sources of an image with too few stars for a stellar locus."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.stars import MIN_SNR, StarCandidates, StellarLocus

MIN_GROUP = 3
"""Minimum number of sources of one size that are taken as stars."""

GROUP_WIDTH = 0.04
"""Range of log size of these."""

MAX_SHARPER = 2
"""Maximum number of sharper sources: noise, or what is left of cosmic rays."""

MIN_SNR_OF_PEAK = 10.0
"""Minimum S/N of the sources of which the sharpest limits the width of the PSF."""

SHARPEST_FACTOR = 0.7
"""Width of the PSF in units of the size of the second sharpest source, where no group of sources is sharpest.

Galaxies are larger than the PSF. One that is too wide amplifies noise, one that is too narrow makes shapes rounder.
"""


def sharpest_group(sources: StarCandidates) -> StellarLocus | None:
    """Return a few sources of one size, the sharpest of an image, as its stars.

    Parameters
    ----------
    sources : StarCandidates
        Detected sources.

    Returns
    -------
    StellarLocus or None
        Three sources or more; None where the sizes of the sharpest sources differ. Whether they are stars is seen in
        their ellipticities: :func:`~darkmatter_features.galaxies.noisy.psf.fit.psf_from_stars` refuses galaxies.
    """
    own = np.flatnonzero(sources.is_clean & (sources.snr >= MIN_SNR))
    order = own[np.argsort(sources.size[own], kind="stable")]
    log_size = np.log(sources.size[order])
    for first in range(min(MAX_SHARPER + 1, order.size - MIN_GROUP + 1)):
        n = int(np.searchsorted(log_size[first:], log_size[first] + GROUP_WIDTH, side="right"))
        if n >= MIN_GROUP:
            is_star = np.zeros(len(sources), dtype=np.bool_)
            is_star[order[first : first + n]] = True
            size = float(np.exp(np.median(log_size[first : first + n])))
            return StellarLocus(size, GROUP_WIDTH, float(sources.snr[is_star].min()), is_star, is_star)
    return None


def sharpest_width(size: NDArray[np.float64], snr: NDArray[np.float64], default: float) -> float:
    """Return the width of a PSF that is narrower than all sources but one, pixels.

    Parameters
    ----------
    size : (n,) float64 array, pixels
        Sizes of sources, not corrected for the PSF; those without one are 0.
    snr : (n,) float64 array
        S/N of their peaks.
    default : float, pixels
        Width for an image without bright sources.
    """
    bright = np.sort(size[(snr > MIN_SNR_OF_PEAK) & (size > 0.0)])
    return SHARPEST_FACTOR * float(bright[min(1, bright.size - 1)]) if bright.size else default
