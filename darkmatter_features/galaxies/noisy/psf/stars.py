"""Stars among the sources of an image: those on the ridge of one size at the bright end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_STARS = 5
"""Minimum number of stars of a stellar locus."""

MIN_SNR = 20.0
"""Minimum S/N of sources in the search: fainter ones have sizes with errors beyond the width of the locus."""

SNR_FACTOR = 2.0**0.5
"""Ratio of the limits in S/N that are tried."""

HALF_WIDTHS = (0.015, 0.03, 0.045)
"""Half-widths of the locus that are tried, in log size; a PSF varies by some per cent over an image."""

SIDE_BANDS = (2.0, 6.0)
"""Widths of the bands beside the locus that give the density of galaxies, half-widths of the locus.

A gap above a few stars is seen in the narrow band, the density among many galaxies in the wide one.
"""

EMPTY_BAND = 0.5
"""Number of sources that is added to those in a band: an empty one has a density, too."""

MIN_LOG_RATIO = 3.3
"""Minimum log of the likelihood ratio of the locus: that of its own density of sources to that of the bands."""

MAX_SMALLER = 0.15
"""Maximum number of sources smaller than the locus, as a fraction of those in it: nothing is sharper than a star."""

MIN_PURITY = 0.7
"""Minimum fraction of stars in the locus above the S/N from which its sources count as stars."""

SIZE_ERROR = 1.0
"""Relative error of a size times the S/N."""

TOLERANCE = 3.0
"""Half-width of the locus of stars, standard deviations of their sizes."""

MAX_TOLERANCE = 0.08
"""Maximum half-width in log size."""

SATURATED_SIZE = 0.9
"""Minimum size of a saturated star, in units of that of the locus."""


@dataclass(frozen=True)
class StarCandidates:
    """Detected sources of an image.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Column and row.
    flux : (n,) float64 array, counts
        Flux.
    size : (n,) float64 array, pixels
        Half-light radius or Gaussian-weighted width, not corrected for the PSF.
    peak : (n,) float64 array, counts
        Brightest pixel above the background.
    snr : (n,) float64 array
        S/N of the flux.
    flags : (n,) integer array
        0 for sources without a defect; others are no stars to measure a PSF with.
    is_saturated : (n,) bool array
        StarCandidates with saturated pixels.
    """

    x: Array
    y: Array
    flux: Array
    size: Array
    peak: Array
    snr: Array
    flags: NDArray[np.integer]
    is_saturated: Mask

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_clean(self) -> Mask:
        """StarCandidates without a defect, of positive size, flux and S/N, (n,)."""
        is_finite = np.isfinite(self.size) & np.isfinite(self.flux) & np.isfinite(self.snr)
        positive = (self.size > 0.0) & (self.flux > 0.0) & (self.snr > 0.0) & (self.peak > 0.0)
        return np.asarray(is_finite & positive & (self.flags == 0) & ~self.is_saturated)


@dataclass(frozen=True)
class StellarLocus:
    """The stars of an image.

    Attributes
    ----------
    size : float, pixels
        Size of the stars, as in the sources.
    scatter : float
        Standard deviation of the log size of bright stars.
    min_snr : float
        S/N from which sources of this size are stars; fainter ones may be galaxies.
    is_star : (n,) bool array
        Stars, saturated ones and those with defects included.
    is_psf_star : (n,) bool array
        Stars to measure the PSF with: those without defects.
    """

    size: float
    scatter: float
    min_snr: float
    is_star: Mask
    is_psf_star: Mask


def find_stars(sources: StarCandidates) -> StellarLocus | None:
    """Find the stars among the sources of an image.

    Parameters
    ----------
    sources : StarCandidates
        Detected sources.

    Returns
    -------
    StellarLocus or None
        None where fewer than five sources stand out as stars: a PSF is then to be given, or assumed.

    Notes
    -----
    Stars of all fluxes have the size of the PSF, and nothing is smaller. Above each of several limits in S/N, the
    sources within a narrow range of log size are counted, and those in wider bands above and below it. Without stars
    both have one density: the number in the range is binomial, given the sum of both. The range with the largest
    likelihood ratio to that is the locus, where few sources are smaller.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_size = np.log(sources.size)
    is_searched = sources.is_clean & (sources.snr >= MIN_SNR)
    for candidate in _candidates(log_size[is_searched], sources.snr[is_searched]):
        locus = _locus(sources, log_size, is_searched, *candidate)
        if locus.is_psf_star.sum() >= MIN_STARS:
            return locus
    return None


def _locus(
    sources: StarCandidates, log_size: Array, is_searched: Mask, centre: float, half: float, limit: float
) -> StellarLocus:
    """Return the stars of a range of log size that was found above a limit in S/N."""
    own, snr = log_size[is_searched], sources.snr[is_searched]
    centre, scatter = _refined(own, snr, centre, half, limit)
    error = np.hypot(scatter, SIZE_ERROR / np.maximum(sources.snr, 1.0))
    width = np.minimum(TOLERANCE * error, MAX_TOLERANCE)
    limit = _faintest(own, snr, centre, width[is_searched])
    is_on_locus = (np.abs(log_size - centre) < width) & (sources.snr >= limit)
    is_bright = sources.is_saturated & (log_size > centre + np.log(SATURATED_SIZE))
    return StellarLocus(float(np.exp(centre)), scatter, limit, is_on_locus | is_bright, is_on_locus & sources.is_clean)


def _limits(snr: Array) -> Array:
    """Return the limits in S/N to try: at least MIN_STARS sources are above each."""
    if snr.size < MIN_STARS:
        return np.empty(0)
    highest = np.sort(snr)[-MIN_STARS]
    n = 1 + int(np.log(highest / MIN_SNR) / np.log(SNR_FACTOR))
    return np.asarray(MIN_SNR * SNR_FACTOR ** np.arange(n), dtype=np.float64)


def _candidates(log_size: Array, snr: Array) -> list[tuple[float, float, float]]:
    """Return centre, half-width and limit in S/N of the ranges that may be the locus, by their likelihood ratio."""
    found = []
    for limit in _limits(snr):
        ordered = np.sort(log_size[snr >= limit])
        log_ratios = _log_ratios(ordered)
        for half, own, k in zip(HALF_WIDTHS, log_ratios, log_ratios.argmax(axis=1), strict=True):
            if own[k] > MIN_LOG_RATIO:
                found.append((float(own[k]), (float(ordered[k]), half, float(limit))))
    return [own for _, own in sorted(found, reverse=True)]


def _log_ratios(ordered: Array) -> Array:
    """Return the log likelihood ratio of a locus of each half-width about each log size (n,), ascending, (3, n).

    It is that with the band that gives the larger one, and 0 where there cannot be a locus.
    """
    half, band = np.array(HALF_WIDTHS)[:, None], np.array(SIDE_BANDS)
    ends = half * np.concatenate([[-1.0, 1.0], -1.0 - band, 1.0 + band])
    n_below = np.searchsorted(ordered, ordered + ends[:, :, None])  # (half-widths, ends, n)
    first, end = n_below[:, :1], n_below[:, 1:2]
    low, high = np.split(n_below[:, 2:], 2, axis=1)
    inside, beside = end - first, np.maximum(high - end, first - low) + EMPTY_BAND
    total, expected = inside + beside, (2.0 / (2.0 + band))[:, None]
    log_ratio = inside * np.log(inside / total / expected) + beside * np.log(beside / total / (1.0 - expected))
    possible = (inside >= MIN_STARS) & (inside > expected * total)
    possible &= first <= np.maximum(1.0, MAX_SMALLER * inside)
    return np.asarray(np.where(possible, log_ratio, 0.0).max(axis=1))


def _refined(log_size: Array, snr: Array, centre: float, half: float, limit: float) -> tuple[float, float]:
    """Return the median log size in a range about its own median, and the scatter beyond measurement errors."""
    own, error = log_size[snr >= limit], SIZE_ERROR / snr[snr >= limit]
    for _ in range(3):
        is_inside = np.abs(own - centre) < half
        centre = float(np.median(own[is_inside]))
    deviation = own[is_inside] - centre
    variance = (1.4826 * float(np.median(np.abs(deviation)))) ** 2 - float(np.median(error[is_inside])) ** 2
    return centre, float(np.clip(np.sqrt(max(variance, 0.0)), 0.005, half))


def _faintest(log_size: Array, snr: Array, centre: float, width: Array) -> float:
    """Return the lowest limit in S/N above which the locus is pure, given the density of sources next to it."""
    offset, limits = log_size - centre, _limits(snr)
    is_inside, is_beside = np.abs(offset) < width, (offset > width) & (offset < 3.0 * width)
    for limit in limits:
        is_above = snr >= limit
        n, galaxies = int((is_above & is_inside).sum()), int((is_above & is_beside).sum())
        if n >= MIN_STARS and galaxies <= (1.0 - MIN_PURITY) * n:
            return float(limit)
    return float(limits[-1])
