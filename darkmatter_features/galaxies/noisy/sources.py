"""Sources of an image: positions, shapes without the PSF, their response to shear, and weights."""

from dataclasses import dataclass, fields
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.combination import Combined, combined
from darkmatter_features.galaxies.noisy.kernels.basins import basin_sums
from darkmatter_features.galaxies.noisy.peaks import MIN_PEAK
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, Stamp, peaks_at, tiles_with_modes
from darkmatter_features.galaxies.noisy.smoothing import SCALES, Transforms
from darkmatter_features.galaxies.noisy.surroundings import Surroundings
from darkmatter_features.galaxies.noisy.tiles import TILE, TILE_OF_VARIABLE_PSF

Array = NDArray[np.float64]


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


DEFECTS = SourceFlag.EDGE | SourceFlag.MASKED
"""Flags of sources whose shape has no weight."""


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
    min_peak: float = MIN_PEAK,
    is_variable: bool = False,
    with_shapes: bool = True,
    transforms: Transforms | None = None,
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
    min_peak : float
        Minimum S/N of the smoothed light at a peak.
    is_variable : bool
        Whether the PSF varies over the image.
    with_shapes : bool
        Whether to measure shapes; weights are 0 otherwise.
    transforms : Transforms, optional
        Transforms of `light`, 0 where it is masked, that are kept for another PSF.
    """
    if transforms is None:
        transforms = Transforms(light if mask is None else np.where(mask, np.float32(0.0), light))
    light = transforms.light
    tiles = tiles_with_modes(transforms, psf, psf_sigma, correlation, TILE_OF_VARIABLE_PSF if is_variable else TILE)
    surroundings = Surroundings.of(light.shape, mask)
    found = [
        peaks_at(scale, tiles, noise, mask, surroundings, min_peak, with_shapes=with_shapes)
        for scale in (SCALES if with_shapes else SCALES[:1])
    ]
    return _sources(light, noise, found[0], combined(found), _flags(found[0], surroundings))


def _sources(
    light: NDArray[np.float32],
    noise: NDArray[np.float32],
    found: PeaksAtScale,
    measured: Combined,
    flags: NDArray[np.uint8],
) -> Sources:
    """Return the sources of measured peaks."""
    peaks, shapes = found.peaks, measured.shapes
    n = peaks.rows.size
    n_labels = int(peaks.labels.max(initial=0))
    flux, variance, n_pixels = np.zeros(n_labels), np.zeros(n_labels), np.zeros(n_labels, dtype=np.int64)
    basin_sums(peaks.labels.ravel(), light.ravel(), noise.ravel(), flux, variance, n_pixels)
    good = (shapes.weight > 0.0) & ((flags & DEFECTS) == 0)
    weight = np.where(good, shapes.weight, 0.0)
    per_weight = np.where(good, 1.0 / np.where(good, shapes.weight, 1.0), 0.0)
    return Sources(
        x=shapes.x,
        y=shapes.y,
        e1=shapes.e1 * per_weight,
        e2=shapes.e2 * per_weight,
        noise_bias=np.stack([shapes.bias1, shapes.bias2], axis=1) * per_weight[:, None],
        e_error=shapes.error,
        response=shapes.response * per_weight,
        weight=weight,
        size=measured.size,
        snr=found.snr,
        flux=flux[:n],
        flux_error=np.sqrt(variance[:n]),
        n_pixels=n_pixels[:n],
        flags=flags | np.where(measured.size == 0.0, SourceFlag.UNRESOLVED, 0).astype(np.uint8),
        sigma=found.sigma,
    )


def _flags(found: PeaksAtScale, surroundings: Surroundings) -> NDArray[np.uint8]:
    """Return the flags of peaks by their place."""
    place = found.peaks.rows, found.peaks.columns, found.sigma
    flags = np.where(surroundings.near_border(*place), SourceFlag.EDGE, 0)
    flags |= np.where(found.peaks.is_blended, SourceFlag.BLENDED, 0)
    flags |= np.where(surroundings.near_mask(*place), SourceFlag.MASKED, 0)
    return flags.astype(np.uint8)
