"""Where a picture is lit: each pixel's light to search, and the threshold that tells galaxies from the background."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.background import noise_level, off_background
from darkmatter_features.galaxies.kernels.pixels import count_equal, count_values, foreground_pixels
from darkmatter_features.io.sky import Sky

# A background counts as noiseless when this part of a sample of its pixels has one and the same value.
FLAT_FRACTION = 0.4
# Rounding to integers: the standard deviation of a number spread evenly over one count.
QUANTISATION = 12**-0.5
# The bright level of a picture is this percentile of the pixels above its background.
BRIGHT_PERCENTILE = 99.0
# Width (standard deviation, pixels) of the smoothing under which noisy pictures are searched.
DETECTION_SIGMA = 1.2
# Pixels whose bands are compared at once with a dark background: of any type, they are whole numbers of 64 bits.
BLOCK = 8


@dataclass(frozen=True)
class Detection:
    """Where to look for galaxies, and what lies under their light.

    Attributes
    ----------
    image : ((n_rows + 2) * (n_columns + 2),) array, counts
        What is searched, flat, with a margin of one pixel all around, 0 there.
    foreground : (m,) int32 array
        The places in `image` that may be above the thresholds, ascending.
    threshold : float, counts
        What some pixel of a galaxy's piece must exceed.
    dilation_threshold : float or None, counts
        Pixels above it that touch a piece belong to it; None where noise hides them.
    bands : (n_rows, n_columns, n_bands) array, counts
        Light to measure.
    background : (n_bands,) float64 array, counts
        Its background.
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


def detect(sky: Sky, config: MeasureConfig) -> Detection:
    """Find the lit pixels of a sky, over a flat background or over a noisy one."""
    sample = _sample(sky)
    levels = _commonest(sample[::4, ::4])
    fraction = _fraction_at(levels, sample)
    if fraction <= 0.5:  # else nothing is commoner
        levels = _commonest(sample)
        fraction = _fraction_at(levels, sample)
    return _detect_on_flat(sky, levels, config) if fraction >= FLAT_FRACTION else _detect_in_noise(sky, config)


def _sample(sky: Sky) -> NDArray[Any]:
    """Return one measured pixel of 16, in rows and columns, (.., .., n_bands)."""
    return np.asarray(sky.pixels[::4, ::4] if sky.mask is None else sky.pixels[~sky.mask][np.newaxis, ::16])


def _fraction_at(levels: NDArray[Any], sample: NDArray[Any]) -> float:
    """Return the part of a sample's pixels that are at the `levels` in every band."""
    return float(count_equal(sample, levels) / (sample.shape[0] * sample.shape[1]))


def _commonest(sample: NDArray[Any]) -> NDArray[Any]:
    """Return the value that is commonest in each band, (n_bands,); the lowest of several."""
    if sample.dtype.kind == "u":
        return np.asarray(_counts(sample).argmax(axis=1), dtype=sample.dtype)
    bands = (np.unique(band, return_counts=True) for band in np.moveaxis(sample, 2, 0))
    return np.array([values[counts.argmax()] for values, counts in bands])


def _counts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return how often each whole number occurs in each band of `values` (.., .., n_bands), (n_bands, n_values)."""
    counts = np.zeros((values.shape[2], np.iinfo(values.dtype).max + 1), dtype=np.int64)
    count_values(values, counts)
    return counts


def _detect_on_flat(sky: Sky, levels: NDArray[Any], config: MeasureConfig) -> Detection:
    """Threshold at a fraction of the bright level, in the brightest band: dimming the whole picture changes nothing."""
    image, foreground, light = brightest_band(sky, levels)
    bright = bright_level(light) if light.size else 0.0
    return Detection(
        image,
        foreground,
        threshold=config.threshold_fraction * bright,
        dilation_threshold=config.dilation_fraction * bright,
        bands=sky.pixels,
        background=levels.astype(np.float64),
        noise=QUANTISATION if image.dtype.kind == "u" else 1e-3 * bright,
    )


def brightest_band(sky: Sky, levels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[Any]]:
    """Return the largest band over its background, as an image with margins, and its places and values above 0.

    Parameters
    ----------
    sky : Sky
        The picture.
    levels : (n_bands,) array, counts
        Its background, of the type of its pixels.

    Returns
    -------
    image : ((n_rows + 2) * (n_columns + 2),) array, counts
        Of the type of the pixels; 0 where they are not above the background, or masked.
    foreground : (m,) int32 array
        Where it is above 0, ascending.
    light : (m,) array, counts
        Its values there.
    """
    n_rows, n_columns = sky.shape
    pixels = np.ascontiguousarray(sky.pixels).reshape(n_rows * n_columns, -1)
    words = pixels[: len(pixels) // BLOCK * BLOCK].reshape(-1).view(np.uint64).reshape(len(pixels) // BLOCK, -1)
    dark = tuple(np.tile(levels, BLOCK).view(np.uint64))
    image = np.zeros((n_rows + 2) * (n_columns + 2), dtype=pixels.dtype)
    foreground, light = np.empty(len(pixels), dtype=np.int32), np.empty(len(pixels), dtype=pixels.dtype)
    n = foreground_pixels(pixels, words, dark, _signed(levels), n_columns, image, foreground, light)
    for places in (foreground, light):
        places.resize(n, refcheck=False)
    return _unmasked(sky, image, foreground, light)


def _signed(levels: NDArray[Any]) -> tuple[Any, ...]:
    """Return background levels as numbers that others can be taken from without wrapping around."""
    return tuple(levels.astype(np.int64) if levels.dtype.kind == "u" else levels)


def _unmasked(
    sky: Sky, image: NDArray[Any], foreground: NDArray[np.int32], light: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[Any]]:
    """Put 0 where a pixel is masked."""
    if sky.mask is None:
        return image, foreground, light
    is_masked = np.pad(sky.mask, 1).ravel()
    image[is_masked] = 0
    return image, foreground[~is_masked[foreground]], light[~is_masked[foreground]]


def bright_level(light: NDArray[Any]) -> float:
    """Return the BRIGHT_PERCENTILE of lit pixels; whole numbers are counted, which is quicker than sorting them."""
    if light.dtype.kind != "u":
        return float(np.percentile(light, BRIGHT_PERCENTILE))
    place = (light.size - 1) * (BRIGHT_PERCENTILE / 100)
    ranks = np.array([place, min(place + 1, light.size - 1)], dtype=np.int64)
    below, above = np.searchsorted(_counts(light.reshape(1, -1, 1))[0].cumsum(), ranks, side="right").tolist()
    return float(np.interp(place, ranks, (below, above)))


def _detect_in_noise(sky: Sky, config: MeasureConfig) -> Detection:
    """Take the background off each band, and search the smoothed sum over bands."""
    from scipy.ndimage import gaussian_filter

    n_bands = sky.pixels.shape[2]
    bands = np.empty((*sky.shape, n_bands), dtype=np.float32)
    _check_measured(sky, config.background_box)
    for band in range(n_bands):
        bands[..., band] = off_background(sky.pixels[..., band], sky.mask, config.background_box)
    noise = max(noise_level(bands[..., band], sky.mask) for band in range(n_bands))
    smoothed = gaussian_filter(bands.sum(axis=2), DETECTION_SIGMA)
    threshold = config.threshold_sigma * noise_level(smoothed, sky.mask)
    image = np.pad(smoothed, 1).ravel()
    foreground = np.flatnonzero(image > np.float64(threshold)).astype(
        np.int32
    )  # in double precision, as in the kernels
    return Detection(
        image, foreground, threshold, dilation_threshold=None, bands=bands, background=np.zeros(n_bands), noise=noise
    )


def _check_measured(sky: Sky, box: int) -> None:
    """Refuse a noisy picture none of whose boxes is at least half measured: it has no background to be told."""
    if sky.mask is None:
        return
    n_rows, n_columns = (min(box, side) for side in sky.shape)
    starts = np.arange(0, sky.shape[0], n_rows), np.arange(0, sky.shape[1], n_columns)
    n_masked = np.add.reduceat(np.add.reduceat(sky.mask.astype(np.int64), starts[0], axis=0), starts[1], axis=1)
    if n_masked.min() > 0.5 * n_rows * n_columns:
        raise SkyError(
            f"{sky.name}: {sky.mask.mean():.0%} of its pixels are masked, and no box of {box} px is half measured; "
            "look at how it was made"
        )
