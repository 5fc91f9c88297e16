"""Scale of a noise map, and the correlation of the noise between pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.level import level_and_noise, spread_ties
from darkmatter_features.galaxies.noisy.kernels.noise import pair_counts, pair_sums, standardise

Array = NDArray[np.float64]

MAX_SAMPLE = 65_536
"""Maximum number of pixels from which the scale is estimated: its error is 0.3 per cent for uncorrelated noise."""

MAX_FIRST = 70_000
"""Maximum number of pixels in the rows from which pairs start: the error of a correlation is then 0.004 for white
noise of an image without sources."""

CLIP = 3.5
"""Pixels farther from the level than this are no part of the correlation, standard deviations."""

MIN_SIGNIFICANCE = 2.0
"""Correlations below this many standard errors are set to 0."""

START_CLIP = 10.0
"""The same before the standard deviation is known, in units of the noise map."""

MAX_CLIPPED = 16_384
"""Maximum number of pixels from which the mean is computed: its error is 0.008 standard deviations."""

MIN_POWER = 0.01
"""Minimum of the power spectrum, in units of that of uncorrelated noise."""

TAPER_START = 0.67
"""Offset from which correlations are tapered, in units of the reach."""

N_FREQUENCIES = 64
"""Frequencies along each axis at which the power spectrum must be positive."""

N_PROJECTIONS = 8
"""Number of times that negative power and correlations beyond the reach are both set to 0."""


def scaled_noise(
    light: NDArray[Any], noise_map: NDArray[Any], is_bad: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float32]]:
    """Return the factor by which a noise map must be multiplied to give the scatter of blank pixels, and that map.

    Parameters
    ----------
    light : (n_rows, n_columns) array, counts
        Light above the background.
    noise_map : (n_rows, n_columns) array, counts or any unit
        Standard deviation of a pixel up to a factor: an RMS map, the root of a variance, or of the inverse of a weight.
    is_bad : (n_rows, n_columns) bool array
        True where a pixel has no measurement. Pixels whose noise is not positive or not finite are left out too.

    Returns
    -------
    factor : float
        Clipped scatter of light over noise; 1 if no pixel is left, or if all are equal.
    noise : (n_rows, n_columns) float32 array, counts
        Standard deviation of a pixel.

    Notes
    -----
    Weights are often only relative. The scatter is that of single pixels as they are. Where an image was resampled, the
    noise is correlated between neighbours and the scatter of a pixel smaller than that of the exposures, which their
    weights give: the factor is below 1, and sums over pixels need the correlations (:func:`noise_correlation`). The
    correlation also increases the error of the factor, by the root of the sum of its squares.
    """
    step = max(1, -(-light.size // MAX_SAMPLE))  # whole rows, evenly spaced
    sigma, is_good = np.asarray(noise_map[::step], dtype=np.float32), ~is_bad[::step]
    is_good &= np.isfinite(sigma) & (sigma > 0.0)
    ratio = np.asarray(light[::step], dtype=np.float32)[is_good] / sigma[is_good]
    ratio = np.sort(ratio[np.isfinite(ratio)])
    factor = _scatter(ratio) or 1.0
    noise = (factor * np.asarray(noise_map, dtype=np.float32)).astype(np.float32, copy=False)
    noise.flags.writeable = False
    return factor, noise


def _scatter(values: NDArray[np.float32]) -> float:
    """Return the standard deviation of ascending values without those of galaxies, 0 without values."""
    if values.size == 0:
        return 0.0
    return float(level_and_noise(values, spread_ties(values), np.empty((2, values.size + 1)))[1])


def noise_correlation(
    light: NDArray[Any], noise: NDArray[Any], is_blank: NDArray[np.bool_], reach: int = 6
) -> NDArray[np.float64]:
    """Return the correlation of the noise of two pixels by their offset.

    Parameters
    ----------
    light : (n_rows, n_columns) array, counts
        Light above the background.
    noise : (n_rows, n_columns) array, counts
        Standard deviation of a pixel.
    is_blank : (n_rows, n_columns) bool array
        True where a pixel is measured and has no light of a known source.
    reach : int, pixels
        Largest offset along rows and columns, at most 31; beyond it, noise is taken as uncorrelated.

    Returns
    -------
    (2 * reach + 1, 2 * reach + 1) float64 array
        Correlation by offset along y and x: 1 at the centre, point-symmetric, with a positive Fourier transform.

    Notes
    -----
    Light over noise less its mean is multiplied in pairs of blank pixels, those beyond CLIP standard deviations left
    out. What is left of galaxies too faint to be known is the variance of their light over that of the noise, within
    the width of the PSF: 0.01 where their light is 0.06 standard deviations on average and 0.1 rms. Structure of the
    background that is smaller than its boxes adds likewise. Pairs with one faint pixel only are less affected, but have
    an error three times as large.

    Correlations within MIN_SIGNIFICANCE of their standard errors are 0. Others are tapered from TAPER_START times the
    reach on. Pairs start in evenly spaced rows of large images, always the same ones.
    Where the power spectrum almost vanishes, white noise is added: correlations are then up to 3 per cent low.
    """
    pixels, is_kept = _standardised(light, noise, is_blank)
    rows = np.arange(0, len(pixels), max(1, -(-pixels.size // MAX_FIRST)))
    products, n_pairs = np.empty((2, reach + 1, 2 * reach + 1))
    pair_sums(pixels, rows, products)
    pair_counts(is_kept, rows, n_pairs)
    n_pixels = n_pairs[0, reach]
    variance = products[0, reach] / max(n_pixels, 1.0)
    if variance <= 0.0:
        return _uncorrelated(reach)
    half = products / (variance * np.maximum(n_pairs, 1.0))
    correlation = np.concatenate([half[:0:-1, ::-1], half])
    correlation[reach, :reach] = correlation[reach, :reach:-1]
    return _with_positive_power(_significant(correlation, float(n_pixels)))


def _standardised(
    light: NDArray[Any], noise: NDArray[Any], is_blank: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return light over noise less its mean, and 1 where it is blank and not clipped; both are 0 elsewhere."""
    light, noise = (np.ascontiguousarray(each, dtype=np.float32) for each in (light, noise))
    pixels, is_kept = np.empty(light.shape, dtype=np.float32), np.empty(light.shape, dtype=np.uint8)
    standardise(light, noise, is_blank, _clipped_mean(light, noise, is_blank), pixels, is_kept)
    return pixels, is_kept


def _clipped_mean(
    light: NDArray[np.float32], noise: NDArray[np.float32], is_blank: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the mean of light over noise in blank pixels, and the distance from it beyond which they are clipped."""
    step = max(1, -(-light.size // MAX_CLIPPED))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = light[::step][is_blank[::step]] / noise[::step][is_blank[::step]]
    values = values[np.isfinite(values)]
    mean, most = (float(np.median(values)), START_CLIP) if values.size else (0.0, -1.0)
    for _ in range(3):
        values = values[np.abs(values - np.float32(mean)) <= np.float32(most)]
        if values.size:
            mean, most = float(values.mean(dtype=np.float64)), CLIP * float(values.std(dtype=np.float64))
    return mean, most


def _uncorrelated(reach: int) -> Array:
    """Return the correlation of white noise."""
    correlation = np.zeros((2 * reach + 1, 2 * reach + 1))
    correlation[reach, reach] = 1.0
    return correlation


def _significant(correlation: Array, n_pairs: float) -> Array:
    """Return correlations, those within their errors 0.

    The variance of a correlation is the sum of the squares of all correlations over the number of pairs (Bartlett 1946,
    doi:10.2307/2983611).
    """
    total = max(1.0, float((correlation**2 - 1.0 / n_pairs).sum()))
    is_zero = correlation**2 < MIN_SIGNIFICANCE**2 * total / n_pairs
    return np.asarray(np.where(is_zero, 0.0, correlation))


def _with_positive_power(correlation: Array) -> Array:
    """Return correlations tapered at large offsets, and changed as little as needed for a positive power spectrum.

    Negative power and what it adds beyond the reach are set to 0 in turn; white noise is added for what remains.
    """
    reach = len(correlation) // 2
    offset = np.arange(-reach, reach + 1)
    radius = np.hypot(offset[:, None], offset)
    flat = TAPER_START * reach
    correlation = correlation * 0.5 * (1.0 + np.cos(np.pi * np.clip((radius - flat) / (reach + 1.0 - flat), 0.0, 1.0)))
    for _ in range(N_PROJECTIONS):
        power = power_spectrum(correlation)
        if power.min() >= MIN_POWER:
            return np.asarray(correlation)
        correlation = np.fft.irfft2(np.maximum(power, MIN_POWER), (N_FREQUENCIES, N_FREQUENCIES))
        correlation = np.roll(correlation, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
        correlation /= correlation[reach, reach]
    lowest = float(power_spectrum(correlation).min())
    added = max(0.0, (MIN_POWER - lowest) / (1.0 - lowest))
    correlation = (1.0 - added) * correlation + added * _uncorrelated(reach)
    return np.asarray(0.5 * (correlation + correlation[::-1, ::-1]))


def power_spectrum(correlation: Array) -> Array:
    """Return the power spectrum of noise of variance 1 with a correlation, at the frequencies of a real transform.

    Parameters
    ----------
    correlation : (2 * reach + 1, 2 * reach + 1) float64 array
        Correlation by offset.

    Returns
    -------
    (N_FREQUENCIES, N_FREQUENCIES // 2 + 1) float64 array
        Power, 1 for white noise.
    """
    reach = len(correlation) // 2
    padded = np.zeros((N_FREQUENCIES, N_FREQUENCIES))
    padded[: 2 * reach + 1, : 2 * reach + 1] = correlation
    return np.asarray(np.fft.rfft2(np.roll(padded, (-reach, -reach), axis=(0, 1))).real)
