"""Sources of an image: positions, shapes without the PSF, their response to shear, and weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.basins import basin_sums
from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes, measure_peaks
from darkmatter_features.galaxies.noisy.peaks import Peaks, find_peaks
from darkmatter_features.galaxies.noisy.smoothing import Smoothed, smooth

Array = NDArray[np.float64]
Stamp = Callable[[float, float], Array]

TILE = 1024
"""Maximum side of a tile that is smoothed at once, pixels."""

TILE_OF_VARIABLE_PSF = 192
"""The same where the PSF varies: within a tile, it is that of the tile's centre."""

FLAG_RADIUS = 3.0
"""Distance from the border and from masked pixels within which shapes are flagged, units of the smoothing Gaussian."""


class SourceFlag(IntFlag):
    """Reasons why the measurement of a source may be wrong."""

    EDGE = 1
    """Light is missing beyond the border of the image."""
    BLENDED = 2
    """The source shares its segment with others."""
    MASKED = 4
    """Pixels nearby have no measurement."""
    UNRESOLVED = 8
    """The source is too small for its ellipticity to be measured."""


@dataclass(frozen=True)
class Sources:
    """Sources of an image; each array has one element for each, brightest peak first.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Position of the peak.
    e1, e2 : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)``, corrected for the PSF; 0 where the weight is 0.
    noise_bias : (n, 2) float64 array
        What noise adds to e1 and e2 on average, where the PSF is elliptical. Noisy, like the response.
    e_error : (n,) float64 array
        Standard deviation of each component by noise.
    response : (n,) float64 array
        Response of the ellipticity to shear, with that of detection and weight: ``sum(w (e - bias)) / sum(w response)``
        is an estimate of the shear. It is noisy: only means have a meaning.
    weight : (n,) float64 array
        Weight: that of the selection, times the inverse of one plus the noise in units of the shape noise, squared.
    size : (n,) float64 array, pixels
        Geometric mean of the rms half-axes of a Gaussian with the curvature of the peak, corrected for the PSF.
    snr : (n,) float64 array
        S/N of the smoothed light at the peak.
    flux, flux_error : (n,) float64 arrays, counts
        Light above the background in the source's pixels, and its error by white noise.
    n_pixels : (n,) int64 array
        Number of these pixels.
    flags : (n,) uint8 array
        Sum of :class:`SourceFlag` values.
    sigma : float, pixels
        Standard deviation of the smoothing Gaussian.
    """

    x: Array
    y: Array
    e1: Array
    e2: Array
    noise_bias: Array
    e_error: Array
    response: Array
    weight: Array
    size: Array
    snr: Array
    flux: Array
    flux_error: Array
    n_pixels: NDArray[np.int64]
    flags: NDArray[np.uint8]
    sigma: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "sigma":
                getattr(self, field.name).flags.writeable = False

    def __len__(self) -> int:
        return self.x.size


def measure_sources(
    light: NDArray[np.float32],
    noise: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    psf: Stamp,
    psf_sigma: float,
    correlation: Array | None = None,
    *,
    is_variable: bool = False,
    with_shapes: bool = True,
) -> Sources:
    """Find and measure the sources of an image.

    Parameters
    ----------
    light, noise : (n_rows, n_columns) float32 arrays, counts
        Light above the background, and the standard deviation of a pixel.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement.
    psf : callable
        Returns the PSF at a position x, y as an array of odd sides whose sum is 1, centred on the middle pixel.
    psf_sigma : float, pixels
        Standard deviation of the PSF.
    correlation : (m, m) float64 array or None
        Correlation of the noise of pixels by their offset; None if it is white.
    is_variable : bool
        Whether the PSF varies over the image.
    with_shapes : bool
        Whether to measure shapes; weights are 0 otherwise.
    """
    light = light if mask is None else np.where(mask, np.float32(0.0), light)
    tiles = [
        (core, outer, smooth(light[outer], psf(*_middle(core)), correlation, psf_sigma))
        for core, outer in _tiles(light.shape, TILE_OF_VARIABLE_PSF if is_variable else TILE, psf_sigma)
    ]
    snr = np.zeros(light.shape, dtype=np.float32)
    for core, outer, smoothed in tiles:
        snr[core] = smoothed.light[_within(core, outer)] / (np.float32(smoothed.model.noise) * noise[core])
    if mask is not None:
        snr[mask] = 0.0
    peaks = find_peaks(snr)
    shapes = PeakShapes(*np.zeros((len(PeakShapes._fields), peaks.rows.size)))
    for core, outer, smoothed in tiles:
        _measure_tile(core, outer, smoothed, peaks, noise, shapes, with_shapes=with_shapes)
    return _sources(light, noise, mask, snr, peaks, shapes, max(tile[2].model.sigma for tile in tiles))


Slices = tuple[slice, slice]


def _tiles(shape: tuple[int, ...], side: int, psf_sigma: float) -> Iterator[tuple[Slices, Slices]]:
    """Yield the cores of tiles that cover an image, and the same with a margin."""
    margin = int(np.ceil(16.0 * psf_sigma))
    edges = [np.linspace(0, n, -(-n // side) + 1).astype(int) for n in shape]
    if all(edge.size == 2 for edge in edges):
        margin = 0
    for top, bottom in zip(edges[0], edges[0][1:]):
        for left, right in zip(edges[1], edges[1][1:]):
            core = slice(top, bottom), slice(left, right)
            yield (
                core,
                tuple(  # type: ignore[misc]
                    slice(max(part.start - margin, 0), min(part.stop + margin, n)) for part, n in zip(core, shape)
                ),
            )


def _middle(core: Slices) -> tuple[float, float]:
    """Return x and y of the middle of a tile."""
    return 0.5 * (core[1].start + core[1].stop - 1), 0.5 * (core[0].start + core[0].stop - 1)


def _within(core: Slices, outer: Slices) -> Slices:
    """Return the slices of a core in its tile."""
    rows, columns = (slice(c.start - o.start, c.stop - o.start) for c, o in zip(core, outer))
    return rows, columns


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


def _sources(
    light: NDArray[np.float32],
    noise: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    snr: NDArray[np.float32],
    peaks: Peaks,
    shapes: PeakShapes,
    sigma: float,
) -> Sources:
    """Return the sources of measured peaks."""
    n = peaks.rows.size
    n_labels = int(peaks.labels.max(initial=0))
    flux, variance, n_pixels = np.zeros(n_labels), np.zeros(n_labels), np.zeros(n_labels, dtype=np.int64)
    basin_sums(peaks.labels.ravel(), light.ravel(), noise.ravel(), flux, variance, n_pixels)
    flags = _flags(peaks, mask, sigma)
    good = (shapes.weight > 0.0) & ((flags & (SourceFlag.EDGE | SourceFlag.MASKED)) == 0)
    weight = np.where(good, shapes.weight, 0.0)
    per_weight = np.where(good, 1.0 / np.where(good, shapes.weight, 1.0), 0.0)
    a = np.clip(shapes.curvature, 1e-3, None)
    relative = a / np.maximum(a**2 - shapes.stretch**2, 1e-6) - 1.0
    flags |= np.where(relative <= 0.0, SourceFlag.UNRESOLVED, 0).astype(np.uint8)
    return Sources(
        x=shapes.x,
        y=shapes.y,
        e1=shapes.e1 * per_weight,
        e2=shapes.e2 * per_weight,
        noise_bias=np.stack([shapes.bias1, shapes.bias2], axis=1) * per_weight[:, None],
        e_error=shapes.error,
        response=shapes.response * per_weight,
        weight=weight,
        size=sigma * np.sqrt(np.maximum(relative, 0.0)),
        snr=snr[peaks.rows, peaks.columns].astype(np.float64),
        flux=flux[:n],
        flux_error=np.sqrt(variance[:n]),
        n_pixels=n_pixels[:n],
        flags=flags,
        sigma=sigma,
    )


def _flags(peaks: Peaks, mask: NDArray[np.bool_] | None, sigma: float) -> NDArray[np.uint8]:
    """Return the flags of peaks by their place."""
    n_rows, n_columns = peaks.labels.shape
    reach = FLAG_RADIUS * sigma
    rows, columns = peaks.rows, peaks.columns
    is_near = np.minimum.reduce([rows, columns, n_rows - 1 - rows, n_columns - 1 - columns]) < reach
    flags = np.where(is_near, SourceFlag.EDGE, 0) | np.where(peaks.is_blended, SourceFlag.BLENDED, 0)
    if mask is not None:
        from scipy.ndimage import distance_transform_edt

        flags |= np.where(distance_transform_edt(~mask)[rows, columns] < reach, SourceFlag.MASKED, 0)
    return flags.astype(np.uint8)
