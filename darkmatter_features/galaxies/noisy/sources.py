"""Sources of an image: positions, shapes without the PSF, their response to shear, and weights."""

from dataclasses import dataclass, fields, replace
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.basins import basin_sums
from darkmatter_features.galaxies.noisy.peaks import MIN_PEAK, Peaks
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, Stamp, peaks_at, size_of
from darkmatter_features.galaxies.noisy.smoothing import SCALES
from darkmatter_features.galaxies.noisy.tiles import TILE, TILE_OF_VARIABLE_PSF

Array = NDArray[np.float64]

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


DEFECTS = SourceFlag.EDGE | SourceFlag.MASKED
"""Flags of sources whose shape has no weight."""

COMPARABLE_RADIUS = 1.5
"""Distance within which sources share the light of a peak of a wider Gaussian, its standard deviations."""

COMPARABLE_LIGHT = 0.3
"""Smoothed light of a second source, in units of the first, above which a peak of a wider Gaussian is that of both."""

MAX_OFFSET = 1.0
"""Maximum distance of a peak of a wider Gaussian from its source, standard deviations of the narrowest one."""


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
    """
    light = light if mask is None else np.where(mask, np.float32(0.0), light)
    tile = TILE_OF_VARIABLE_PSF if is_variable else TILE
    found = [
        peaks_at(scale, light, noise, mask, psf, psf_sigma, correlation, tile, min_peak, with_shapes=with_shapes)
        for scale in (SCALES if with_shapes else SCALES[:1])
    ]
    base, distance = found[0], _distance(light.shape, mask)
    sources = _sources(light, noise, distance, base)
    for wider in found[1:]:
        sources = with_large(sources, base, wider, _flags(wider.peaks, distance, wider.sigma))
    return sources


def _distance(shape: tuple[int, ...], mask: NDArray[np.bool_] | None) -> Array | None:
    """Return the distance of each pixel from the next masked one, pixels; None if none is masked."""
    if mask is None or not mask.any():
        return None
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask))


def _sources(
    light: NDArray[np.float32], noise: NDArray[np.float32], distance: Array | None, found: PeaksAtScale
) -> Sources:
    """Return the sources of measured peaks."""
    peaks, shapes, sigma = found.peaks, found.shapes, found.sigma
    n = peaks.rows.size
    n_labels = int(peaks.labels.max(initial=0))
    flux, variance, n_pixels = np.zeros(n_labels), np.zeros(n_labels), np.zeros(n_labels, dtype=np.int64)
    basin_sums(peaks.labels.ravel(), light.ravel(), noise.ravel(), flux, variance, n_pixels)
    flags = _flags(peaks, distance, sigma)
    good = (shapes.weight > 0.0) & ((flags & DEFECTS) == 0)
    weight = np.where(good, shapes.weight, 0.0)
    per_weight = np.where(good, 1.0 / np.where(good, shapes.weight, 1.0), 0.0)
    size = size_of(shapes, sigma)
    flags |= np.where(size == 0.0, SourceFlag.UNRESOLVED, 0).astype(np.uint8)
    return Sources(
        x=shapes.x,
        y=shapes.y,
        e1=shapes.e1 * per_weight,
        e2=shapes.e2 * per_weight,
        noise_bias=np.stack([shapes.bias1, shapes.bias2], axis=1) * per_weight[:, None],
        e_error=shapes.error,
        response=shapes.response * per_weight,
        weight=weight,
        size=size,
        snr=found.snr,
        flux=flux[:n],
        flux_error=np.sqrt(variance[:n]),
        n_pixels=n_pixels[:n],
        flags=flags,
        sigma=sigma,
    )


def _flags(peaks: Peaks, distance: Array | None, sigma: float) -> NDArray[np.uint8]:
    """Return the flags of peaks by their place; `distance` is that of each pixel from masked ones."""
    n_rows, n_columns = peaks.labels.shape
    reach = FLAG_RADIUS * sigma
    rows, columns = peaks.rows, peaks.columns
    is_near = np.minimum.reduce([rows, columns, n_rows - 1 - rows, n_columns - 1 - columns]) < reach
    flags = np.where(is_near, SourceFlag.EDGE, 0) | np.where(peaks.is_blended, SourceFlag.BLENDED, 0)
    if distance is not None:
        flags |= np.where(distance[rows, columns] < reach, SourceFlag.MASKED, 0)
    return flags.astype(np.uint8)


def with_large(sources: Sources, base: PeaksAtScale, wider: PeaksAtScale, defects: NDArray[np.uint8]) -> Sources:
    """Return sources with the shapes of large galaxies, as measured with a wider Gaussian, added.

    A peak of the wider Gaussian belongs to the source at its position, and to none where another source nearby is
    comparable: then it is the light of both. A shape with `defects` is not added: light is missing within the reach of
    the wider Gaussian. The source has its flag if it has no other shape.
    """
    from scipy.spatial import cKDTree

    own = np.flatnonzero(wider.shapes.weight > 0.0)
    if own.size == 0 or len(sources) == 0:
        return sources
    tree = cKDTree(np.column_stack([sources.x, sources.y]))
    sums = {name: sources.weight * getattr(sources, name) for name in ("e1", "e2", "response", "e_error")}
    bias = sources.weight[:, None] * sources.noise_bias
    weight, size, light = sources.weight.copy(), sources.size.copy(), base.shapes.light
    flags = sources.flags.copy()
    for k in own:
        place = wider.shapes.x[k], wider.shapes.y[k]
        near = np.array(tree.query_ball_point(place, COMPARABLE_RADIUS * wider.sigma), dtype=np.int64)
        if near.size == 0:
            continue
        near = near[np.argsort(-light[near], kind="stable")]
        first = near[0]
        offset = np.hypot(sources.x[first] - place[0], sources.y[first] - place[1])
        is_alone = near.size == 1 or light[near[1]] < COMPARABLE_LIGHT * light[first]
        if offset > MAX_OFFSET * base.sigma or not is_alone or sources.flags[first] & DEFECTS:
            continue
        if defects[k] & DEFECTS:
            flags[first] |= 0 if weight[first] > 0.0 else defects[k] & np.uint8(DEFECTS)
            continue
        added = float(wider.shapes.weight[k])
        if added > weight[first]:
            size[first] = size_of(wider.shapes, wider.sigma)[k]
        weight[first] += added
        for name, values in (("e1", wider.shapes.e1), ("e2", wider.shapes.e2), ("response", wider.shapes.response)):
            sums[name][first] += values[k]
        sums["e_error"][first] += added * wider.shapes.error[k]
        bias[first] += (wider.shapes.bias1[k], wider.shapes.bias2[k])
    per_weight = np.where(weight > 0.0, 1.0 / np.where(weight > 0.0, weight, 1.0), 0.0)
    means = {name: np.where(weight > 0.0, values * per_weight, getattr(sources, name)) for name, values in sums.items()}
    return replace(sources, weight=weight, size=size, flags=flags, noise_bias=bias * per_weight[:, None], **means)
