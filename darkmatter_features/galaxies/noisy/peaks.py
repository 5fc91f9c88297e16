"""Peaks of the smoothed light, and the pixels that belong to each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.kernels.records import SaddleSettings
from darkmatter_features.galaxies.noisy.kernels.basins import Basins, flood_basins, number_basins, renumber
from darkmatter_features.galaxies.noisy.kernels.bright import bright_pixels

MIN_PEAK = MeasureConfig().threshold_sigma
"""Default minimum S/N of the smoothed light at a peak."""

MIN_SNR = 2.0
"""S/N of the smoothed light above which pixels belong to a segment."""

MIN_PIXELS = 5
"""Minimum area of a segment, and of a basin beside a higher one, pixels."""

MIN_DEPTH = 3.0
"""Minimum height of a peak above the saddle to a higher one, standard deviations of the smoothed noise."""

MIN_CONTRAST = 0.1
"""Minimum height of a peak above the saddle, fraction of the peak: arms and knots of one galaxy are shallower."""


@dataclass(frozen=True)
class Peaks:
    """Peaks of an image.

    Attributes
    ----------
    rows, columns : (n,) int64 arrays, pixels
        Brightest pixel of each.
    labels : (n_rows, n_columns) int32 array
        k + 1 at the pixels of peak k, 0 elsewhere; also labels above n, of peaks that are too faint.
    is_blended : (n,) bool array
        True where a segment has several peaks.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    labels: NDArray[np.int32]
    is_blended: NDArray[np.bool_]


def find_peaks(
    snr: NDArray[np.float32], min_peak: float = MIN_PEAK, min_pixels: int = MIN_PIXELS, *, all_maxima: bool = False
) -> Peaks:
    """Find the peaks of the smoothed light of an image.

    Parameters
    ----------
    snr : (n_rows, n_columns) float32 array
        Smoothed light in units of its noise, 0 where pixels are masked.
    min_peak : float
        Minimum S/N of a peak.
    min_pixels : int
        Minimum area of a segment, and of a basin beside a higher one, pixels.
    all_maxima : bool
        Whether each local maximum is a peak, be its basin small or shallow. `labels` are then those of pixels above
        `min_peak` alone.
    """
    width = snr.shape[1] + 2
    saddle = SaddleSettings(0.0, 0.0, 1) if all_maxima else SaddleSettings(MIN_CONTRAST, MIN_DEPTH, min_pixels)
    brightness, order = falling(snr, min_peak if all_maxima else MIN_SNR)
    labels = np.zeros(brightness.size, dtype=np.int32)
    capacity = order.size + 1
    basins = Basins(*np.empty((len(Basins._fields), capacity), dtype=np.int64))
    n = flood_basins(brightness, width, order, saddle, labels, basins)
    numbers, segments = np.empty((2, n), dtype=np.int64)
    n = number_basins(n, min_pixels, basins, numbers, segments)
    rows, columns = basins.peaks[:n] // width - 1, basins.peaks[:n] % width - 1
    height = snr[rows, columns]
    by_height = np.argsort(-height, kind="stable")
    rank = np.empty(n + 1, dtype=np.int64)
    rank[0], rank[by_height + 1] = 0, np.arange(1, n + 1)
    renumber(order, rank[numbers], labels)
    kept = by_height[: np.count_nonzero(height >= min_peak)]
    n_bright = np.bincount(segments[kept], minlength=1)
    labels = labels.reshape(-1, width)[1:-1, 1:-1]
    return Peaks(rows[kept], columns[kept], labels, n_bright[segments[kept]] > 1)


def falling(snr: NDArray[np.float32], limit: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return an image in a margin of one pixel, flat, and the indices of pixels above a positive limit.

    They are in the order of falling brightness, and of rising index where it is equal. Integers of the bits and the
    index are sorted in a fifth of the time of a stable sort of indices.
    """
    snr = np.ascontiguousarray(snr)
    padded = np.zeros((snr.shape[0] + 2) * (snr.shape[1] + 2), dtype=np.float32)
    keys = np.empty(snr.size + 1, dtype=np.uint64)
    keys = keys[: bright_pixels(snr, snr.view(np.uint32), limit, padded, keys)]
    keys.sort()
    keys &= np.uint64(0xFFFFFFFF)
    return padded, keys.view(np.int64)
