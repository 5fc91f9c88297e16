"""From a picture to the footprints of its galaxies."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.background import noise_level, off_background
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.kernels.colors import MAX_COLORS, REACH
from darkmatter_features.kernels.footprints import gather_values, piece_residuals, split_pieces
from darkmatter_features.kernels.pieces import connected_pieces, grow_pieces
from darkmatter_features.sky import Sky

# Smaller pictures hold no field to map.
MIN_SIDE = 32
# A background counts as noiseless when this part of a sample of its pixels has one and the same value.
FLAT_FRACTION = 0.4
# Rounding to integers: the standard deviation of a number spread evenly over one count.
QUANTISATION = 12**-0.5
# The bright level of a picture is this percentile of the pixels above its background.
BRIGHT_PERCENTILE = 99.0
# A saddle of noise alone is shallower than this many standard deviations of a band's noise.
NOISE_DEPTH = 3.0
# How far, in pixels, the rim of a galaxy reaches beyond its threshold: light that a blur has spread.
RIM_WIDTH = 3
# Width (standard deviation, pixels) of the smoothing under which noisy pictures are searched.
DETECTION_SIGMA = 1.2


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


@dataclass(frozen=True)
class _Detection:
    """Where to look (`image` against `threshold`), and what lies under the light (`background`, `noise` a band)."""

    image: NDArray[Any]
    threshold: float
    bands: NDArray[Any]
    background: NDArray[Any]
    noise: float
    rim: float | None  # pixels above it that touch a piece belong to it; None where noise hides them


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
    detection = _detect(sky, config)
    pixels, starts = _pieces(detection, config)
    return _split(sky, detection, pixels, starts, config)


def _detect(sky: Sky, config: MeasureConfig) -> _Detection:
    sample = _sample(sky)
    background = np.array([_commonest(band) for band in sample.T], dtype=np.float64)
    levels = background.astype(sample.dtype)
    is_dark = reduce(np.logical_and, (band == level for band, level in zip(sample.T, levels, strict=True)))
    is_flat = is_dark.mean() >= FLAT_FRACTION
    return _detect_on_flat(sky, background, config) if is_flat else _detect_in_noise(sky, config)


def _sample(sky: Sky) -> NDArray[Any]:
    """Return one measured pixel of 16, (n, n_bands)."""
    if sky.mask is None:
        return sky.pixels[::4, ::4].reshape(-1, sky.pixels.shape[2])
    return np.asarray(sky.pixels[~sky.mask][::16])


def _commonest(values: NDArray[Any]) -> float:
    if values.dtype == np.uint8:
        return float(np.bincount(values, minlength=1).argmax())
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def _detect_on_flat(sky: Sky, background: NDArray[np.float64], config: MeasureConfig) -> _Detection:
    """Threshold at a fraction of the bright level, in the brightest band: dimming the whole picture changes nothing."""
    image = brightest_band(sky.pixels, background)
    if sky.mask is not None:
        image = np.where(sky.mask, image.dtype.type(0), image)
    lit = image[image > 0]
    bright = float(np.percentile(lit, BRIGHT_PERCENTILE)) if lit.size else 0.0
    is_integer = np.issubdtype(image.dtype, np.integer)
    noise = QUANTISATION if is_integer else 1e-3 * bright
    return _Detection(
        image, config.threshold_fraction * bright, sky.pixels, background, noise, rim=config.rim_fraction * bright
    )


def brightest_band(pixels: NDArray[Any], background: NDArray[np.float64]) -> NDArray[Any]:
    """Return the largest band (n_rows, n_columns) of `pixels` over its `background`, or 0, in their own type."""
    levels = background.astype(pixels.dtype)
    bands = (pixels[..., band] for band in range(levels.size))
    is_over = pixels.dtype.kind == "u" and not levels.any()
    over = bands if is_over else (np.maximum(band, level) - level for band, level in zip(bands, levels, strict=True))
    return np.asarray(reduce(np.maximum, over))


def _detect_in_noise(sky: Sky, config: MeasureConfig) -> _Detection:
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
    return _Detection(smoothed, threshold, bands, np.zeros(n_bands), noise, rim=None)


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


def _pieces(detection: _Detection, config: MeasureConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the flat indices of the pieces' pixels, those of one beside each other, and where each starts."""
    image, rim = detection.image, detection.rim
    # Whole numbers are compared as such, which is quicker; others in double precision, here as in the kernels: one
    # pixel fewer here, and they would write beyond these arrays.
    number: Any = np.int64 if np.issubdtype(image.dtype, np.integer) else np.float64
    threshold, lowest = number(detection.threshold), number(detection.threshold if rim is None else rim)
    n_lit = int(np.count_nonzero(image > min(lowest, threshold)))
    places = np.empty((n_lit, 2), dtype=np.int32)
    starts = np.empty(n_lit // config.n_pixels + 2, dtype=np.int64)
    labels = np.zeros(image.shape, dtype=np.int32)
    n_pieces = connected_pieces(image, threshold, config.n_pixels, labels, places, starts)
    starts = starts[: n_pieces + 1]
    if rim is not None:
        grown, grown_starts = np.empty_like(places), np.empty_like(starts)
        grow_pieces(image, lowest, RIM_WIDTH, labels, places, starts, grown, grown_starts)
        places, starts = grown, grown_starts
    rows, columns = places[: starts[-1]].T.astype(np.int64)
    return rows * image.shape[1] + columns, starts


def _split(
    sky: Sky,
    detection: _Detection,
    piece_pixels: NDArray[np.int64],
    piece_starts: NDArray[np.int64],
    config: MeasureConfig,
) -> Segments:
    values = np.empty((piece_pixels.size, detection.bands.shape[2]))
    gather_values(detection.bands, detection.background, piece_pixels, values)
    residuals = np.empty(piece_starts.size - 1)
    piece_residuals(values, piece_starts, residuals)
    noise = max(float(np.median(residuals)), detection.noise) if residuals.size else detection.noise
    by_color = config.split_colors and _colors_tell(values, noise, config)
    capacity = MAX_COLORS * piece_pixels.size  # each galaxy of a piece may reach, behind others, into all of it
    pixels = np.empty(capacity, dtype=np.int64)
    flux = np.empty(capacity)
    starts = np.empty(capacity // config.n_pixels + 2, dtype=np.int64)
    blended = np.empty(starts.size, dtype=np.bool_)
    n_galaxies = split_pieces(
        values, piece_pixels, piece_starts, residuals, sky.shape[1], by_color, noise, config.color_separation,
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


def _colors_tell(values: NDArray[np.float64], noise: float, config: MeasureConfig) -> bool:
    """Tell whether a typical lit pixel knows its colour well enough for colours to be told apart."""
    if values.shape[1] < 3 or not values.size:
        return False
    return bool(REACH * noise <= config.color_separation * np.median(values[::8].sum(axis=1)))
