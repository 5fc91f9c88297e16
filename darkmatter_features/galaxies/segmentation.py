"""From a picture to the footprints of its galaxies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.detection import Detection, detect
from darkmatter_features.galaxies.kernels.colors import MAX_COLORS, N_BANDS, REACH
from darkmatter_features.galaxies.kernels.footprints import gather_pixels, segment_residuals, split_segments
from darkmatter_features.galaxies.kernels.segments import connected_segments, dilate_segments
from darkmatter_features.io.sky import Sky

# Smaller pictures hold no field to map.
MIN_SIDE = 32
# A saddle of noise alone is shallower than this many standard deviations of a band's noise.
NOISE_DEPTH = 3.0
# How far, in pixels, the rim of a galaxy reaches beyond its threshold: light that a blur has spread.
DILATION_RADIUS = 3


@dataclass(frozen=True)
class Segments:
    """The galaxies of a sky as footprints: which pixels each has, and how much of their light.

    Attributes
    ----------
    sky : Sky
        The picture.
    starts : (n + 1,) int64 array
        Galaxy k owns entries ``starts[k]:starts[k + 1]`` of `pixels` and `flux`.
    pixels : (m,) int64 array
        Flat indices into the picture; a pixel that galaxies share is listed for each of them.
    flux : (m,) float64 array, counts
        The galaxy's own light in that pixel, summed over bands, background taken off; where another hides it, the light
        of its opposite side.
    blended : (n,) bool array
        True where a galaxy shares its connected piece with others.
    threshold : float, counts
        What a pixel must exceed, or touch one that does and exceed the fainter limit of rims (noiseless backgrounds).
    noise : float, counts
        Standard deviation of a pixel's light summed over bands.
    """

    sky: Sky
    starts: NDArray[np.int64]
    pixels: NDArray[np.int64]
    flux: NDArray[np.float64]
    blended: NDArray[np.bool_]
    threshold: float
    noise: float

    def __post_init__(self) -> None:
        for array in (self.starts, self.pixels, self.flux, self.blended):
            array.flags.writeable = False

    def __len__(self) -> int:
        return self.starts.size - 1

    @property
    def labels(self) -> NDArray[np.int32]:
        """Label image (n_rows, n_columns): k + 1 where galaxy k gives most of the light, 0 on the background."""
        owner = np.repeat(np.arange(1, len(self) + 1, dtype=np.int32), np.diff(self.starts))
        labels = np.zeros(self.sky.shape, dtype=np.int32)
        order = np.argsort(self.flux, kind="stable")
        labels.flat[self.pixels[order]] = owner[order]
        return labels


def segment(sky: Sky, config: MeasureConfig | None = None) -> Segments:
    """Find the galaxies of a sky.

    Pixels above a threshold that fits the picture are gathered into connected pieces; a piece that holds several
    galaxies is split by their colours or, where colours cannot tell, at saddles of the brightness.

    Parameters
    ----------
    sky : Sky
        The picture.
    config : MeasureConfig, optional
        Settings; the defaults when not given.

    Returns
    -------
    Segments
        Footprints of the galaxies, in the order of their pieces' first pixels; possibly none.

    Raises
    ------
    SkyError
        If the picture has fewer than 32 rows or columns.
    """
    config = config or MeasureConfig()
    if min(sky.shape) < MIN_SIDE:
        rows, columns = sky.shape
        raise SkyError(
            f"{sky.name}: {columns} x {rows} pixels are too few; give a picture of at least {MIN_SIDE} x {MIN_SIDE}"
        )
    detection = detect(sky, config)
    places, starts = _segments(detection, sky.shape[1], config)
    return _split(sky, detection, places, starts, config)


def _segments(
    detection: Detection, n_columns: int, config: MeasureConfig
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the places of the pieces' pixels in the image, those of one beside each other, and where each starts."""
    image, foreground, width = detection.image, detection.foreground, n_columns + 2
    number: Any = np.int64 if image.dtype.kind == "u" else np.float64  # whole numbers are compared quicker as such
    places = np.empty_like(foreground)
    starts = np.empty(foreground.size // config.n_pixels + 2, dtype=np.int64)
    n_segments = connected_segments(
        image, width, foreground, number(detection.threshold), config.n_pixels, places, starts
    )
    starts = starts[: n_segments + 1]
    if detection.dilation_threshold is not None:
        dilated, dilated_starts = np.empty_like(places), np.empty_like(starts)
        dilate_segments(
            image, width, number(detection.dilation_threshold), DILATION_RADIUS, places, starts, dilated, dilated_starts
        )
        places, starts = dilated, dilated_starts
    return places[: starts[-1]], starts


def _split(
    sky: Sky, detection: Detection, places: NDArray[np.int32], segment_starts: NDArray[np.int64], config: MeasureConfig
) -> Segments:
    rows, columns = np.empty((2, places.size), dtype=np.int32)
    values, totals = np.empty((places.size, detection.bands.shape[2])), np.empty(places.size)
    gather_pixels(detection.bands, detection.background, places, rows, columns, values, totals)
    residuals = np.empty(segment_starts.size - 1)
    segment_residuals(values, totals, segment_starts, residuals)
    noise = max(float(np.median(residuals)), detection.noise) if residuals.size else detection.noise
    by_color = config.split_colors and _colors_tell(values, totals, noise, config)
    capacity = MAX_COLORS * places.size  # each galaxy of a piece may reach, behind others, into all of it
    # In one block, half of what a sky takes: glibc gives memory back beyond twice the largest block that was freed, and
    # fetches every page of it anew for the next sky. No page fault a sky of 512 px then, of 3 us, instead of 480.
    room = np.empty((2, capacity), dtype=np.int64)
    pixels, flux = room[0], room[1].view(np.float64)
    starts = np.empty(capacity // config.n_pixels + 2, dtype=np.int64)
    blended = np.empty(starts.size, dtype=np.bool_)
    n_galaxies = split_segments(
        values, totals, rows, columns, segment_starts, residuals, sky.shape[1], by_color, noise, config.color_separation,
        config.split_contrast, NOISE_DEPTH * detection.noise, config.n_pixels, pixels, flux, starts, blended,
    )  # fmt: skip
    end = starts[n_galaxies]
    return Segments(
        sky=sky,
        starts=starts[: n_galaxies + 1].copy(),
        pixels=pixels[:end].copy(),
        flux=flux[:end].copy(),
        blended=blended[:n_galaxies].copy(),
        threshold=detection.threshold,
        noise=detection.noise * values.shape[1] ** 0.5,
    )


def _colors_tell(values: NDArray[np.float64], totals: NDArray[np.float64], noise: float, config: MeasureConfig) -> bool:
    """Tell whether a typical lit pixel knows its colour well enough for colours to be told apart."""
    if values.shape[1] != N_BANDS or not totals.size:
        return False
    return bool(REACH * noise <= config.color_separation * np.median(totals[::8]))
