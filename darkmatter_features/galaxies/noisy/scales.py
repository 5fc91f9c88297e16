"""Peaks of an image smoothed by one Gaussian, and their shapes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes, measure_peaks
from darkmatter_features.galaxies.noisy.peaks import Peaks, find_peaks
from darkmatter_features.galaxies.noisy.smoothing import Smoothed, smooth
from darkmatter_features.galaxies.noisy.tiles import Slices, middle_of, tiles_of, within

Array = NDArray[np.float64]
Stamp = Callable[[float, float], Array]


MAX_SQUARE = 16.0
"""Maximum square of a half-axis, in units of the smoothing Gaussian's: noise makes some peaks flat."""


class PeaksAtScale(NamedTuple):
    """Peaks of an image smoothed by one Gaussian.

    Attributes
    ----------
    peaks : Peaks
        Peaks, highest S/N first.
    shapes : PeakShapes
        Their shapes.
    snr : (n,) float64 array
        Their S/N.
    sigma : float, pixels
        Standard deviation of the Gaussian.
    """

    peaks: Peaks
    shapes: PeakShapes
    snr: Array
    sigma: float


def peaks_at(
    scale: float,
    light: NDArray[np.float32],
    noise: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    psf: Stamp,
    psf_sigma: float,
    correlation: Array | None,
    tile: int,
    min_peak: float,
    *,
    with_shapes: bool,
) -> PeaksAtScale:
    """Return the peaks of an image smoothed by one Gaussian."""
    tiles = [
        (core, outer, smooth(light[outer], psf(*middle_of(core)), correlation, psf_sigma, scale))
        for core, outer in tiles_of(light.shape, tile, scale * psf_sigma)
    ]
    snr = np.zeros(light.shape, dtype=np.float32)
    for core, outer, smoothed in tiles:
        snr[core] = smoothed.light[within(core, outer)] / (np.float32(smoothed.model.noise) * noise[core])
    if mask is not None:
        snr[mask] = 0.0
    peaks = find_peaks(snr, min_peak)
    shapes = PeakShapes(*np.zeros((len(PeakShapes._fields), peaks.rows.size)))
    for core, outer, smoothed in tiles:
        _measure_tile(core, outer, smoothed, peaks, noise, shapes, with_shapes=with_shapes)
    sigma = max(smoothed.model.sigma for _, _, smoothed in tiles)
    return PeaksAtScale(peaks, shapes, snr[peaks.rows, peaks.columns].astype(np.float64), sigma)


def _measure_tile(
    core: Slices,
    outer: Slices,
    smoothed: Smoothed,
    peaks: Peaks,
    noise: NDArray[np.float32],
    shapes: PeakShapes,
    *,
    with_shapes: bool,
) -> None:
    """Measure the peaks in the core of a tile."""
    rows, columns = core
    own = np.flatnonzero(
        (peaks.rows >= rows.start)
        & (peaks.rows < rows.stop)
        & (peaks.columns >= columns.start)
        & (peaks.columns < columns.stop)
    )
    top, left = outer[0].start, outer[1].start
    found = PeakShapes(*np.zeros((len(shapes), own.size)))
    levels = noise[peaks.rows[own], peaks.columns[own]].astype(np.float64)
    measure_peaks(
        smoothed.plane, peaks.rows[own] - top, peaks.columns[own] - left, levels, smoothed.table, smoothed.model,
        smoothed.steps, found, with_shapes,
    )  # fmt: skip
    found.x[:] += left
    found.y[:] += top
    for whole, part in zip(shapes, found, strict=True):
        whole[own] = part


def size_of(shapes: PeakShapes, sigma: float) -> Array:
    """Return the size (n,) of sources: the mean half-axis of a Gaussian with the curvature of the peak, pixels.

    The half-axes are those of ``A^-1 - 1`` with the curvature A, in units of sigma, their squares from 0 to MAX_SQUARE;
    the size is their geometric mean, or half the longer one where the other is less than a quarter of it. It is 0
    for a peak that is no wider than that of a point source.
    """
    curvatures = [np.maximum(shapes.curvature + sign * shapes.stretch, 1e-3) for sign in (-1.0, 1.0)]
    major, minor = (sigma * np.sqrt(np.clip(1.0 / each - 1.0, 0.0, MAX_SQUARE)) for each in curvatures)
    is_point = shapes.curvature <= shapes.curvature**2 - shapes.stretch**2
    return np.where(is_point, 0.0, np.sqrt(major * np.maximum(minor, 0.25 * major)))
