"""The foreground of an image, and the thresholds that separate galaxies from the background."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.artifacts import artifacts_in_noise, find_artifacts, repaired
from darkmatter_features.galaxies.background import noise_level, subtract_background
from darkmatter_features.galaxies.kernels.pixels import BLOCK_PIXELS, count_equal, count_values, foreground_pixels
from darkmatter_features.galaxies.kernels.records import FlatBackground, Foreground, ImageBlocks
from darkmatter_features.io.sky import Sky

MIN_FLAT_FRACTION = 0.4
"""Minimum fraction of a sample's pixels that have one and the same value where a background is noiseless."""

QUANTISATION_NOISE = 12**-0.5
"""Standard deviation of the error of rounding to integers, counts: that of a uniform distribution of width 1."""

RELATIVE_NOISE = 1e-3
"""Noise assumed for a noiseless image of real numbers, as a fraction of its bright level."""

BRIGHT_PERCENTILE = 99.0
"""Percentile of the pixels above the background that is the bright level of an image."""

ORDINARY_PERCENTILE = 90.0
"""Percentile of the same pixels with which the bright level is compared."""

MAX_CONTRAST = 10.0
"""Maximum ratio of the two, for brighter pixels are those of a bright star. It is 1.3 to 3.4 in simulated skies."""

MAX_CLIPS = 5
"""Maximum number of times that brighter pixels are left out."""

FAINTEST = 1e-4
"""Fraction of the bright level below which pixels are no part of the comparison, but faint wings of drawn galaxies."""

DETECTION_SIGMA = 1.2
"""Standard deviation of the Gaussian that smooths noisy images before detection, pixels."""


@dataclass(frozen=True)
class Detection:
    """Foreground of an image, its thresholds and its background.

    Attributes
    ----------
    image : ((n_rows + 2) * (n_columns + 2),) array, counts
        Image in which galaxies are detected, flat, with a margin of one pixel of value 0 on all sides.
    foreground : (m,) int32 array
        Flat indices into `image` of the pixels that may exceed the thresholds, ascending.
    threshold : float, counts
        Threshold that some pixel of each segment exceeds.
    dilation_threshold : float or None, counts
        Pixels above it that touch a segment belong to it; None where noise exceeds it.
    bands : (n_rows, n_columns, n_bands) array, counts
        Light to measure.
    background : (n_bands,) float64 array, counts
        Background of `bands`.
    noise : float, counts
        Standard deviation of the background in a band.
    """

    image: NDArray[Any]
    foreground: NDArray[np.int32]
    threshold: float
    dilation_threshold: float | None
    bands: NDArray[Any]
    background: NDArray[np.float64]
    noise: float


def detect(sky: Sky, config: MeasureConfig, levels: NDArray[Any] | None = None) -> Detection:
    """Find the foreground of a sky, on a flat background or on a noisy one.

    Parameters
    ----------
    sky : Sky
        The image.
    config : MeasureConfig
        Settings.
    levels : (n_bands,) array, optional
        Background of an image without noise; by default it is found here.

    Returns
    -------
    Detection
        Foreground, thresholds and background.

    Raises
    ------
    SkyError
        If the background is noisy and too many pixels are masked to estimate it.
    """
    levels = background_levels(sky) if levels is None else levels
    return _detect_in_noise(sky, config) if levels is None else _detect_on_flat(sky, levels, config)


def background_levels(sky: Sky) -> NDArray[Any] | None:
    """Return the background (n_bands,) of an image without noise, its most frequent value; None if it has noise."""
    sample = _sample(sky)
    levels = _mode(sample[::4, ::4])
    fraction = _fraction_at(levels, sample)
    if fraction <= 0.5:  # another level may be more frequent
        levels = _mode(sample)
        fraction = _fraction_at(levels, sample)
    return levels if fraction >= MIN_FLAT_FRACTION else None


def _sample(sky: Sky) -> NDArray[Any]:
    """Return one of 16 measured pixels, in rows and columns, (.., .., n_bands)."""
    return np.asarray(sky.pixels[::4, ::4] if sky.mask is None else sky.pixels[~sky.mask][np.newaxis, ::16])


def _fraction_at(levels: NDArray[Any], sample: NDArray[Any]) -> float:
    """Return the fraction of a sample's pixels that equal `levels` in every band."""
    return float(count_equal(sample, levels) / (sample.shape[0] * sample.shape[1]))


def _mode(sample: NDArray[Any]) -> NDArray[Any]:
    """Return the most frequent value in each band, (n_bands,); the lowest of several."""
    if sample.dtype.kind == "u":
        return np.asarray(_counts(sample).argmax(axis=1), dtype=sample.dtype)
    bands = (np.unique(band, return_counts=True) for band in np.moveaxis(sample, 2, 0))
    return np.array([values[counts.argmax()] for values, counts in bands])


def _counts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the frequency (n_bands, n_values) of each integer in each band of `values` (.., .., n_bands)."""
    counts = np.zeros((values.shape[2], np.iinfo(values.dtype).max + 1), dtype=np.int64)
    count_values(values, counts)
    return counts


def _detect_on_flat(sky: Sky, levels: NDArray[Any], config: MeasureConfig) -> Detection:
    """Set thresholds at fractions of the bright level in the brightest band: footprints do not depend on exposure."""
    pixels = sky.pixels
    image, foreground, flux = brightest_band(sky, levels)
    bright = bright_level(flux) if flux.size else 0.0
    noise = QUANTISATION_NOISE if image.dtype.kind == "u" else RELATIVE_NOISE * bright
    is_artifact = find_artifacts(image, sky.shape[1] + 2, foreground, noise)
    if is_artifact is not None:
        pixels = repaired(pixels, is_artifact.reshape(sky.shape[0] + 2, -1)[1:-1, 1:-1])
        image, foreground, flux = brightest_band(replace(sky, pixels=pixels), levels)
        bright = bright_level(flux) if flux.size else 0.0
    return Detection(
        image,
        foreground,
        threshold=config.threshold_fraction * bright,
        dilation_threshold=config.dilation_fraction * bright,
        bands=pixels,
        background=levels.astype(np.float64),
        noise=noise,
    )


def brightest_band(sky: Sky, levels: NDArray[Any]) -> Foreground:
    """Return the largest band above its background, as an image with margins, and the pixels above 0.

    Parameters
    ----------
    sky : Sky
        The image.
    levels : (n_bands,) array, counts
        Background, of the type of the pixels.

    Returns
    -------
    Foreground
        `image` has the type of the pixels, and is 0 where they are not above the background or masked. `indices` and
        `flux` have one entry for each pixel above 0.
    """
    n_rows, n_columns = sky.shape
    pixels = np.ascontiguousarray(sky.pixels).reshape(n_rows * n_columns, -1)
    foreground = Foreground(
        image=np.zeros((n_rows + 2) * (n_columns + 2), dtype=pixels.dtype),
        indices=np.empty(len(pixels), dtype=np.int32),
        flux=np.empty(len(pixels), dtype=pixels.dtype),
    )
    n = foreground_pixels(_blocks(pixels, n_columns), _flat_background(levels), foreground)
    for array in (foreground.indices, foreground.flux):
        array.resize(n, refcheck=False)
    return _unmasked(sky, foreground)


def _blocks(pixels: NDArray[Any], n_columns: int) -> ImageBlocks:
    """Return pixels (n, n_bands) with their memory in blocks."""
    n_blocks = len(pixels) // BLOCK_PIXELS
    words = pixels[: n_blocks * BLOCK_PIXELS].reshape(-1).view(np.uint64).reshape(n_blocks, -1)
    return ImageBlocks(pixels, words, n_columns)


def _flat_background(levels: NDArray[Any]) -> FlatBackground:
    """Return background levels, unsigned ones as signed integers: differences would overflow."""
    signed = levels.astype(np.int64) if levels.dtype.kind == "u" else levels
    return FlatBackground(tuple(signed), tuple(np.tile(levels, BLOCK_PIXELS).view(np.uint64)))


def _unmasked(sky: Sky, foreground: Foreground) -> Foreground:
    """Set masked pixels to 0 in the image, and return the others."""
    if sky.mask is None:
        return foreground
    is_masked = np.pad(sky.mask, 1).ravel()
    foreground.image[is_masked] = 0
    is_kept = ~is_masked[foreground.indices]
    return Foreground(foreground.image, foreground.indices[is_kept], foreground.flux[is_kept])


def bright_level(flux: NDArray[Any]) -> float:
    """Return the BRIGHT_PERCENTILE of pixels (m,), counts, left unmoved by saturated pixels and by a bright star.

    Pixels at the maximum are left out where these alone reach the percentile, and those beyond MAX_CONTRAST are.
    """
    if flux.dtype.kind == "u":  # counting is faster than sorting
        counts = _counts(flux.reshape(1, -1, 1))[0]
        values = np.flatnonzero(counts)
        ranks = counts[values].cumsum()
    else:
        values, ranks = np.sort(flux), np.arange(1, flux.size + 1)
    bright = _percentile(values, ranks, BRIGHT_PERCENTILE)
    n = int(np.searchsorted(values, values[-1])) if bright >= values[-1] else values.size
    for _ in range(MAX_CLIPS):
        if n == 0:
            break
        bright = _percentile(values[:n], ranks[:n], BRIGHT_PERCENTILE)
        first = int(np.searchsorted(values[:n], FAINTEST * bright))
        n_fainter = ranks[first - 1] if first else 0
        limit = MAX_CONTRAST * _percentile(values[first:n], ranks[first:n] - n_fainter, ORDINARY_PERCENTILE)
        if bright <= limit:
            break
        n = int(np.searchsorted(values, limit, side="right"))
    return bright


def _percentile(values: NDArray[Any], ranks: NDArray[np.int64], percentile: float) -> float:
    """Return a percentile of numbers, given their values (m,), ascending, and how many are not above each (m,)."""
    rank = (ranks[-1] - 1) * (percentile / 100)
    at = np.array([rank, min(rank + 1, ranks[-1] - 1)], dtype=np.int64)
    below, above = values[np.searchsorted(ranks, at, side="right")].tolist()
    return float(np.interp(rank, at, (below, above)))


def _detect_in_noise(sky: Sky, config: MeasureConfig) -> Detection:
    """Subtract the background from each band, and set a threshold in the smoothed sum of the bands."""
    from scipy.ndimage import gaussian_filter

    n_bands = sky.pixels.shape[2]
    bands = np.empty((*sky.shape, n_bands), dtype=np.float32)
    _check_measured(sky, config.background_box)
    for band in range(n_bands):
        bands[..., band] = subtract_background(sky.pixels[..., band], sky.mask, config.background_box)
    noises = [noise_level(bands[..., band], sky.mask) for band in range(n_bands)]
    is_artifact = np.any([artifacts_in_noise(bands[..., k], noise) for k, noise in enumerate(noises)], axis=0)
    if is_artifact.any():
        bands = repaired(bands, is_artifact)
    smoothed = gaussian_filter(bands.sum(axis=2), DETECTION_SIGMA)
    threshold = config.threshold_sigma * noise_level(smoothed, sky.mask)
    image = np.pad(smoothed, 1).ravel()
    return Detection(
        image,
        foreground=np.flatnonzero(image > np.float64(threshold)).astype(np.int32),  # double precision, as in kernels
        threshold=threshold,
        dilation_threshold=None,
        bands=bands,
        background=np.zeros(n_bands),
        noise=max(noises),
    )


def _check_measured(sky: Sky, box: int) -> None:
    """Raise an error if no box of a noisy image has measurements in at least half of its pixels."""
    if sky.mask is None:
        return
    n_rows, n_columns = (min(box, side) for side in sky.shape)
    starts = np.arange(0, sky.shape[0], n_rows), np.arange(0, sky.shape[1], n_columns)
    n_masked = np.add.reduceat(np.add.reduceat(sky.mask.astype(np.int64), starts[0], axis=0), starts[1], axis=1)
    if n_masked.min() > 0.5 * n_rows * n_columns:
        raise SkyError(
            f"{sky.name}: {sky.mask.mean():.0%} of the pixels are masked, and in every box of {box} px more than half; "
            "check how the image was made"
        )
