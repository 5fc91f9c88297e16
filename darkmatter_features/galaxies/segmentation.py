"""From an image to the footprints of its galaxies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.artifacts import without_narrow_gaps
from darkmatter_features.galaxies.detection import Detection, detect
from darkmatter_features.galaxies.kernels.colors import MAX_COLORS, N_BANDS, NOISE_RADIUS
from darkmatter_features.galaxies.kernels.footprints import gather_pixels, segment_residuals, split_segments
from darkmatter_features.galaxies.kernels.records import (
    ColorSettings,
    FlatImage,
    Footprints,
    SaddleSettings,
    SegmentIndices,
    SegmentPixels,
    SplitSettings,
)
from darkmatter_features.galaxies.kernels.segments import connected_segments, dilate_segments
from darkmatter_features.io.sky import Sky

MIN_IMAGE_SIDE = 32
"""Minimum number of rows and of columns of an image, pixels: smaller ones have too few galaxies for a shear map."""

NOISE_DEPTH = 3.0
"""Minimum height of a peak above a saddle, standard deviations of the noise: saddles of noise alone are shallower."""

DILATION_RADIUS = 3
"""Number of steps by which segments are dilated, pixels: the PSF spreads light so far beyond the threshold."""


@dataclass(frozen=True)
class Segments:
    """Galaxies of a sky as footprints: their pixels, and their flux in each.

    Attributes
    ----------
    sky : Sky
        The image.
    starts : (n + 1,) int64 array
        Galaxy k has entries ``starts[k]:starts[k + 1]`` of `pixels` and `flux`.
    pixels : (m,) int64 array
        Flat indices into the image. A pixel with light of several galaxies is listed for each of them.
    flux : (m,) float64 array, counts
        Flux of the galaxy alone in that pixel, summed over bands, background subtracted. Where another galaxy covers
        it, the flux of the opposite pixel.
    blended : (n,) bool array
        True where a galaxy shares its segment with others.
    threshold : float, counts
        Threshold that some pixel of each segment exceeds. On a noiseless background, dilated segments also have
        fainter pixels.
    noise : float, counts
        Standard deviation of the noise of a pixel's flux summed over bands.
    is_noiseless : bool
        Whether the background is flat, without noise.
    """

    sky: Sky
    starts: NDArray[np.int64]
    pixels: NDArray[np.int64]
    flux: NDArray[np.float64]
    blended: NDArray[np.bool_]
    threshold: float
    noise: float
    is_noiseless: bool = False

    def __post_init__(self) -> None:
        for array in (self.starts, self.pixels, self.flux, self.blended):
            array.flags.writeable = False

    def __len__(self) -> int:
        return self.starts.size - 1

    @property
    def labels(self) -> NDArray[np.int32]:
        """Label image (n_rows, n_columns): k + 1 where galaxy k has the largest flux, 0 on the background."""
        owner = np.repeat(np.arange(1, len(self) + 1, dtype=np.int32), np.diff(self.starts))
        labels = np.zeros(self.sky.shape, dtype=np.int32)
        order = np.argsort(self.flux, kind="stable")
        labels.flat[self.pixels[order]] = owner[order]
        return labels


def segment(sky: Sky, config: MeasureConfig | None = None, *, levels: NDArray[Any] | None = None) -> Segments:
    """Find the galaxies of a sky.

    Pixels above a threshold adapted to the image form connected segments. A segment of several galaxies is split by
    their colours or, where the noise is too high for colours, at saddles of the brightness.

    Parameters
    ----------
    sky : Sky
        The image. Masked pixels in groups narrower than 3 px are interpolated.
    config : MeasureConfig, optional
        Settings. Default: all defaults.
    levels : (n_bands,) array, optional
        Background of an image without noise, from :func:`~darkmatter_features.galaxies.detection.background_levels`;
        by default it is found here.

    Returns
    -------
    Segments
        Footprints of the galaxies, in the order of the first pixels of their segments; possibly none.

    Raises
    ------
    SkyError
        If the image has fewer than 32 rows or columns.
    """
    config = config or MeasureConfig()
    check_sides(sky)
    sky = without_narrow_gaps(sky)
    detection = detect(sky, config, levels)
    return split(sky, detection, find_segments(detection, sky.shape[1], config), config)


def check_sides(sky: Sky) -> None:
    """Raise an error if an image has too few rows or columns."""
    if min(sky.shape) < MIN_IMAGE_SIDE:
        rows, columns = sky.shape
        raise SkyError(
            f"{sky.name}: {columns} x {rows} pixels are too few; "
            f"give an image of at least {MIN_IMAGE_SIDE} x {MIN_IMAGE_SIDE}"
        )


def too_few_galaxies(segments: Segments, config: MeasureConfig) -> SkyError:
    """Return the error of a sky with too few galaxies, and the remedy."""
    found = (
        f"found {len(segments)} galaxies of at least n_pixels={config.n_pixels} pixels above "
        f"{segments.threshold:.3g} counts"
    )
    return few_galaxies(segments.sky, found, config)


def few_galaxies(sky: Sky, found: str, config: MeasureConfig) -> SkyError:
    """Return the error of a sky with too few galaxies, and the remedy by the distribution of its pixels."""
    remedy = "check that this is a sky, or lower the threshold, n_pixels or min_galaxies"
    light = sky.pixels.sum(axis=2, dtype=np.float64)
    low, middle, high = np.percentile(light if sky.mask is None else light[~sky.mask], (0.5, 50.0, 99.5))
    if low == high:
        remedy = "nearly all pixels have the same value: give an image of the sky"
    elif middle - low > 2.0 * (high - middle):
        remedy = "it is dark on bright: a weight map or a negative is no image of the sky"
    return SkyError(
        f"{sky.name}: {found}, min_galaxies={config.min_galaxies} needed; {remedy}"
        + "".join(f"; {note}" for note in sky.notes)
    )


def find_segments(detection: Detection, n_columns: int, config: MeasureConfig) -> SegmentIndices:
    """Return the flat indices of each segment's pixels in the image with margins."""
    image, capacity = FlatImage(detection.image, n_columns + 2), detection.foreground.size
    number: Any = np.int64 if image.values.dtype.kind == "u" else np.float64  # integers are compared faster as such
    segments = _empty_segments(capacity, capacity // config.n_pixels + 1)
    threshold = number(detection.threshold)
    n_segments = connected_segments(image, detection.foreground, threshold, config.n_pixels, segments)
    segments = segments._replace(starts=segments.starts[: n_segments + 1])
    if detection.dilation_threshold is not None:
        dilated = _empty_segments(capacity, n_segments)
        dilate_segments(image, number(detection.dilation_threshold), DILATION_RADIUS, segments, dilated)
        segments = dilated
    return segments._replace(indices=segments.indices[: segments.starts[-1]])


def _empty_segments(capacity: int, n_segments: int) -> SegmentIndices:
    return SegmentIndices(np.empty(capacity, dtype=np.int32), np.empty(n_segments + 1, dtype=np.int64))


def split(sky: Sky, detection: Detection, segments: SegmentIndices, config: MeasureConfig) -> Segments:
    """Split segments into galaxies, and return their footprints."""
    pixels = _gather(detection, segments)
    residuals = np.empty(segments.starts.size - 1)
    segment_residuals(pixels, residuals)
    settings = _split_settings(detection, pixels, residuals, config)
    footprints = _empty_footprints(pixels.totals.size, config)
    n_galaxies = split_segments(pixels, residuals, sky.shape[1], settings, footprints)
    end = footprints.starts[n_galaxies]
    return Segments(
        sky=sky,
        starts=footprints.starts[: n_galaxies + 1].copy(),
        pixels=footprints.pixels[:end].copy(),
        flux=footprints.flux[:end].copy(),
        blended=footprints.blended[:n_galaxies].copy(),
        threshold=detection.threshold,
        noise=detection.noise * pixels.values.shape[1] ** 0.5,
        is_noiseless=detection.dilation_threshold is not None,
    )


def _gather(detection: Detection, segments: SegmentIndices) -> SegmentPixels:
    """Return the positions and the light of the segments' pixels."""
    n = segments.indices.size
    rows, columns = np.empty((2, n), dtype=np.int32)
    pixels = SegmentPixels(np.empty((n, detection.bands.shape[2])), np.empty(n), rows, columns, segments.starts)
    gather_pixels(detection.bands, detection.background, segments.indices, pixels)
    return pixels


def _split_settings(
    detection: Detection, pixels: SegmentPixels, residuals: NDArray[np.float64], config: MeasureConfig
) -> SplitSettings:
    """Return settings for the noise of the image, which is at least the median deviation of segments from a colour."""
    noise = max(float(np.median(residuals)), detection.noise) if residuals.size else detection.noise
    color = ColorSettings(noise, config.color_separation)
    saddle = SaddleSettings(config.split_contrast, NOISE_DEPTH * detection.noise, config.n_pixels)
    return SplitSettings(config.split_colors and _are_colors_known(pixels, color), color, saddle)


def _are_colors_known(pixels: SegmentPixels, settings: ColorSettings) -> bool:
    """Return whether the colour of a typical pixel is known to within the separation of two galaxies' colours."""
    if pixels.values.shape[1] != N_BANDS or not pixels.totals.size:
        return False
    return bool(NOISE_RADIUS * settings.noise <= settings.separation * np.median(pixels.totals[::8]))


def _empty_footprints(n_pixels: int, config: MeasureConfig) -> Footprints:
    """Return room for the footprints of all galaxies: each of a segment may cover, behind others, all its pixels.

    Pixels and flux share one block, half of the memory that a sky takes. glibc returns memory to the system beyond
    twice the largest block that was freed, and each page is then allocated anew for the next sky: 480 page faults of
    3 us for a sky of 512 px, instead of none.
    """
    capacity = MAX_COLORS * n_pixels
    room = np.empty((2, capacity), dtype=np.int64)
    n_starts = capacity // config.n_pixels + 2
    return Footprints(
        pixels=room[0],
        flux=room[1].view(np.float64),
        starts=np.empty(n_starts, dtype=np.int64),
        blended=np.empty(n_starts, dtype=np.bool_),
    )
