"""Peaks of an image smoothed by one Gaussian, and their shapes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes, ShapeNoise
from darkmatter_features.galaxies.noisy.kernels.peak_shapes import measure_peaks
from darkmatter_features.galaxies.noisy.kernels.planes import climb, divide_by_noise, take_light
from darkmatter_features.galaxies.noisy.peaks import Peaks, find_peaks
from darkmatter_features.galaxies.noisy.smoothing import SCALES, Smoothed, TileModes, Transforms, without_fall
from darkmatter_features.galaxies.noisy.surroundings import Surroundings
from darkmatter_features.galaxies.noisy.tiles import Slices, middle_of, tiles_of

Array = NDArray[np.float64]
Stamp = Callable[[float, float], Array]


LARGE_MARGIN = 0.15
"""Resolution below the fall of the weight from which peaks are measured without it, too: that of pixels differs."""

SAMPLED = 0.9
"""Minimum light of the brightest sample of a peak, in units of the peak's."""

MAX_SQUARE = 16.0
"""Maximum square of a half-axis, in units of the smoothing Gaussian's: noise makes some peaks flat."""


class PeaksAtScale(NamedTuple):
    """Peaks of an image smoothed by one Gaussian.

    Attributes
    ----------
    peaks : Peaks
        Peaks, highest S/N first.
    shapes : PeakShapes
        Their shapes, with a weight that falls where a galaxy is large for the Gaussian.
    alone : PeakShapes
        The same with a weight that does not fall: of sources that no wider Gaussian measures.
    lacks_light : (n,) bool array
        Whether pixels within the reach of the Gaussian are masked, or beyond the border.
    snr : (n,) float64 array
        Their S/N.
    sigma : float, pixels
        Standard deviation of the Gaussian.
    """

    peaks: Peaks
    shapes: PeakShapes
    alone: PeakShapes
    lacks_light: NDArray[np.bool_]
    snr: Array
    sigma: float


@dataclass(frozen=True)
class Tile:
    """A tile of an image.

    Attributes
    ----------
    core : (slice, slice)
        Rows and columns of the pixels that are no part of another tile.
    outer : (slice, slice)
        The same with a margin.
    modes : TileModes
        Its modes.
    """

    core: Slices
    outer: Slices
    modes: TileModes

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns with the margin."""
        return self.outer[0].stop - self.outer[0].start, self.outer[1].stop - self.outer[1].start


def tiles_with_modes(
    transforms: Transforms, psf: Stamp, psf_sigma: float, correlation: Array | None, side: int
) -> list[Tile]:
    """Return tiles that cover an image, of at most a number of pixels on a side, each with the PSF of its middle."""
    return [
        Tile(core, outer, TileModes(transforms, outer, psf(*middle_of(core)), correlation, psf_sigma))
        for core, outer in tiles_of(transforms.light.shape, side, SCALES[-1] * psf_sigma)
    ]


def peaks_at(
    scale: float,
    tiles: list[Tile],
    noise: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    surroundings: Surroundings,
    min_peak: float,
    *,
    with_shapes: bool,
) -> PeaksAtScale:
    """Return the peaks of an image smoothed by one Gaussian.

    Peaks of wider Gaussians are found among the samples of their planes, and then the brightest pixel near each. All
    maxima count there, because a threshold of their depth is crossed by shear and by the place of the samples, but for
    those too faint for a weight.
    """
    step = int(scale)
    smoothed = [tile.modes.smoothed(scale) for tile in tiles]
    snr = np.empty(tuple(-(-side // step) for side in noise.shape), dtype=np.float32)
    for tile, own in zip(tiles, smoothed, strict=True):
        part = _samples(tile.core, step)
        row, column = (step * s.start - outer.start for s, outer in zip(part, tile.outer, strict=True))
        take_light(own.plane, row, column, step, snr[part])
        divide_by_noise(snr[part], noise, own.model.noise, tuple(step * s.start for s in part), step)
    if mask is not None:
        snr[mask[::step, ::step]] = 0.0
    if step == 1:
        peaks = find_peaks(snr, min_peak)
    else:
        peaks = find_peaks(snr, SAMPLED * smoothed[0].model.snr_range[0], 1, all_maxima=True)
        peaks = replace(peaks, rows=step * peaks.rows, columns=step * peaks.columns)
    height = snr[peaks.rows // step, peaks.columns // step].astype(np.float64)
    shapes, alone = no_shapes(peaks.rows.size), no_shapes(peaks.rows.size)
    for tile, own in zip(tiles, smoothed, strict=True):
        _measure_tile(tile, own, peaks, noise, shapes, alone, with_shapes=with_shapes)
    sigma = max(own.model.sigma for own in smoothed)
    lacks_light = surroundings.lack_light(peaks.rows, peaks.columns, sigma)
    return PeaksAtScale(peaks, shapes, alone, lacks_light, height, sigma)


def _samples(core: Slices, step: int) -> Slices:
    """Return the samples of an image, every `step` pixels, that are in the core of a tile."""
    rows, columns = (slice(-(-own.start // step), -(-own.stop // step)) for own in core)
    return rows, columns


def no_shapes(n: int) -> PeakShapes:
    """Return records of `n` shapes, all 0."""
    return PeakShapes(*np.zeros((len(PeakShapes._fields), n)))


def _measure_tile(
    tile: Tile,
    smoothed: Smoothed,
    peaks: Peaks,
    noise: NDArray[np.float32],
    shapes: PeakShapes,
    alone: PeakShapes,
    *,
    with_shapes: bool,
) -> None:
    """Measure the peaks in the core of a tile."""
    rows, columns = tile.core
    own = np.flatnonzero(
        (peaks.rows >= rows.start)
        & (peaks.rows < rows.stop)
        & (peaks.columns >= columns.start)
        & (peaks.columns < columns.stop)
    )
    top, left = tile.outer[0].start, tile.outer[1].start
    if smoothed.plane.step > 1:
        own_rows, own_columns, light = peaks.rows[own] - top, peaks.columns[own] - left, np.empty(own.size)
        climb(smoothed.plane, own_rows, own_columns, tile.shape, light)
        peaks.rows[own], peaks.columns[own] = own_rows + top, own_columns + left
    levels = noise[peaks.rows[own], peaks.columns[own]].astype(np.float64)

    def measured(which: NDArray[np.int64], model: ShapeNoise) -> PeakShapes:
        found = no_shapes(which.size)
        measure_peaks(
            smoothed.plane, peaks.rows[own[which]] - top, peaks.columns[own[which]] - left, levels[which],
            model, smoothed.steps, found, with_shapes,
        )  # fmt: skip
        found.x[:] += left
        found.y[:] += top
        return found

    falling = measured(np.arange(own.size), smoothed.model)
    _fill(shapes, own, falling)
    _fill(alone, own, falling)
    if with_shapes:
        is_large = 1.0 - falling.curvature > smoothed.model.window[2] - LARGE_MARGIN
        large = np.flatnonzero(is_large)
        _fill(alone, own[large], measured(large, without_fall(smoothed.model)))


def _fill(shapes: PeakShapes, which: NDArray[np.int64], values: PeakShapes) -> None:
    for whole, part in zip(shapes, values, strict=True):
        whole[which] = part


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
