"""Peaks of the smoothed light, and the pixels that belong to each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.kernels.records import FlatImage, SaddleSettings, SegmentIndices
from darkmatter_features.galaxies.kernels.segments import connected_segments
from darkmatter_features.galaxies.noisy.kernels.basins import label_basins

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


def find_peaks(snr: NDArray[np.float32], min_peak: float = MIN_PEAK) -> Peaks:
    """Find the peaks of the smoothed light of an image.

    Parameters
    ----------
    snr : (n_rows, n_columns) float32 array
        Smoothed light in units of its noise, 0 where pixels are masked.
    min_peak : float
        Minimum S/N of a peak.
    """
    width = snr.shape[1] + 2
    padded = np.pad(snr, 1)
    brightness = padded.ravel().copy()
    foreground = np.flatnonzero(brightness > MIN_SNR).astype(np.int32)
    capacity = foreground.size
    segments = SegmentIndices(np.empty(capacity, dtype=np.int32), np.empty(capacity // MIN_PIXELS + 2, dtype=np.int64))
    n = connected_segments(FlatImage(padded.ravel(), width), foreground, MIN_SNR, MIN_PIXELS, segments)
    segments = SegmentIndices(segments.indices[: segments.starts[n]], segments.starts[: n + 1])
    labels, peaks = np.zeros(brightness.size, dtype=np.int32), np.empty(capacity, dtype=np.int64)
    settings = SaddleSettings(MIN_CONTRAST, MIN_DEPTH, MIN_PIXELS)
    n_basins = label_basins(brightness, width, segments, settings, labels, peaks)
    return _brightest_first(snr, labels.reshape(padded.shape)[1:-1, 1:-1], peaks[:n_basins], segments, min_peak)


def _brightest_first(
    snr: NDArray[np.float32],
    labels: NDArray[np.int32],
    peaks: NDArray[np.int64],
    segments: SegmentIndices,
    min_peak: float,
) -> Peaks:
    """Return the peaks in the order of their S/N, those that are too faint left out."""
    width = snr.shape[1] + 2
    rows, columns = peaks // width - 1, peaks % width - 1
    height = snr[rows, columns]
    order = np.argsort(-height, kind="stable")
    number = np.empty(peaks.size + 1, dtype=np.int32)
    number[0], number[order + 1] = 0, np.arange(1, peaks.size + 1)
    kept = order[: np.count_nonzero(height >= min_peak)]
    owner = np.repeat(np.arange(segments.starts.size - 1), np.diff(segments.starts))
    flat = np.zeros((snr.shape[0] + 2) * width, dtype=np.int32)
    flat[segments.indices] = owner + 1
    own = flat[peaks]
    n_bright = np.bincount(own[kept], minlength=segments.starts.size)
    return Peaks(rows[kept], columns[kept], number[labels], n_bright[own[kept]] > 1)
