"""Saturated stars: flat tops, the columns along which they bleed, and their halos."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.plateaus import PlateauLimits, flat_tops, flood

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_SNR = 80.0
"""Minimum S/N of a pixel of a flat top."""

MIN_RATIO = 0.8
"""Minimum ratio of neighbours on a rough flat top: 0.8 on a star of a PSF of 2.1 px, and 0.6 for one of 1.4 px."""

N_EQUAL = 4
"""Minimum number of equal neighbours of a clipped pixel."""

TOP, BASE = 0.75, 0.4
"""Light of the pixels of a flat top, and of those that it is compared with, in units of its own."""

MIN_TOP_FRACTION = 0.55
"""Minimum number of pixels of the top over those of the base: 0.31 for a Gaussian, less for galaxies, 0.54 for a Moffat
profile that is clipped at half of its peak."""

MAX_ABOVE = 1.35
"""Maximum light of a region in units of that of its flat top: more where a galaxy has a nucleus."""

MIN_TOP = 6
"""Minimum number of pixels of a flat top."""

STAR_RADII, STAR_LIGHT = (3.0, 4.0), 0.06
"""Radius at which a star is faint, in units of that of its flat top, plus a number of standard deviations of the PSF,
and its maximum light there in units of the top: galaxies with a clipped core are brighter."""

USUAL_PSF = 1.5
"""Standard deviation of the PSF where it is unknown, pixels."""

SAME_LEVEL = 0.97
"""Light from which other pixels are saturated, in units of the lowest clipped level of an image."""

HEADER_LEVEL = 0.95
"""Value from which pixels are saturated, in units of that of the header."""

MARGIN = 2
"""Distance from saturated pixels within which pixels are left out, pixels."""

RING = 2.0
"""Width of the annuli of a profile, pixels."""

MAX_HALO = 0.25
"""Maximum radius of a halo, as a fraction of the shorter side of the image."""

HALO_SNR = 1.0
"""Median light of an annulus at which the halo ends, standard deviations of a pixel."""

BLEED_WINDOW = 12
"""Width of the strips on both sides of bleeding columns whose median is subtracted, pixels."""

BLEED_LENGTH = 7
"""Number of pixels over which a bleeding column is averaged."""

BLEED_SNR = 6.0
"""Minimum S/N of that average."""


@dataclass(frozen=True)
class SaturatedStar:
    """A star whose light is clipped.

    Attributes
    ----------
    row, column : float, pixels
        Centre of its flat top, without bleeding columns.
    radius : float, pixels
        Radius of the flat top.
    top : (n,) int64 array
        Flat indices of its pixels.
    """

    row: float
    column: float
    radius: float
    top: NDArray[np.int64]


def find_saturated(light: Floats, bright: NDArray[np.int64], header_light: float, mask: Mask) -> list[SaturatedStar]:
    """Return the stars whose light is clipped.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    bright : (n,) int64 array
        Flat indices of the pixels of an S/N of MIN_SNR or more.
    header_light : float, counts
        Light from which pixels are saturated by the header; nan if unknown.
    mask : (n_rows, n_columns) bool array
        Pixels without measurement.

    Notes
    -----
    A star is clipped if its top is flat and its sides are steep: that distinguishes it from the flat cores of cD
    galaxies, whose light falls to a half far outside the core. Tops of coadded images may be rough. Where some stars
    are clipped, other pixels of that light are so as well.
    """
    kinds = np.empty(bright.size, dtype=np.uint8)
    stated = HEADER_LEVEL * header_light if header_light > 0.0 else np.inf
    if flat_tops(light, bright, PlateauLimits(MIN_RATIO, N_EQUAL, stated), kinds) == 0:
        return []
    stack, is_seen = np.empty(light.size // 8 + 1, dtype=np.int64), mask.copy()
    clipped = bright[kinds == 2]
    stars: list[SaturatedStar] = []
    levels = [stated]
    for start in _brightest_first(light, bright[(kinds == 1) | (kinds == 2)]):
        if is_seen.flat[start]:
            continue
        level = float(light.flat[start])
        region = stack[: flood(light, start, BASE * level, is_seen, stack)].copy()
        top = region[light.flat[region] >= TOP * level]
        if float(np.max(light.flat[region])) > MAX_ABOVE * level:
            continue
        is_clipped = np.isin(clipped, region, assume_unique=True).sum() >= MIN_TOP
        if top.size >= MIN_TOP and (is_clipped or top.size >= MIN_TOP_FRACTION * region.size):
            stars.append(_star(top, light.shape))
            levels.append(float(np.max(light.flat[top])))
    return stars + _others(light, min(levels), stated, stars, stack)


def _brightest_first(light: Floats, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the flat indices of pixels, the brightest first."""
    return seeds[np.argsort(light.ravel()[seeds])[::-1]]


def _others(
    light: Floats, level: float, stated: float, stars: list[SaturatedStar], stack: NDArray[np.int64]
) -> list[SaturatedStar]:
    """Return further stars with pixels above a saturated level; single pixels only where the header states it."""
    if not np.isfinite(level):
        return []
    is_above = light >= SAME_LEVEL * level
    for star in stars:
        is_above.flat[star.top] = False
    is_done = ~is_above
    others = [
        _star(stack[: flood(light, start, SAME_LEVEL * level, is_done, stack)].copy(), light.shape)
        for start in np.flatnonzero(is_above)
        if not is_done.flat[start]
    ]
    return [star for star in others if star.top.size > 1 or float(light.flat[star.top[0]]) >= stated]


def _star(top: NDArray[np.int64], shape: tuple[int, ...]) -> SaturatedStar:
    """Return the star of a flat top: its centre is where the top is widest across its longer side."""
    rows, columns = np.divmod(top, shape[1])
    is_tall = np.ptp(rows) >= np.ptp(columns)
    along = rows if is_tall else columns
    widths = np.bincount(along - along.min())
    is_core = (widths >= 0.6 * widths.max())[along - along.min()]
    radius = 0.5 * max(float(widths.max()), float(np.sqrt(is_core.sum() / np.pi)))
    return SaturatedStar(float(np.median(rows[is_core])), float(np.median(columns[is_core])), radius, top)


def is_star(star: SaturatedStar, light: Floats, psf_sigma: float) -> bool:
    """Return whether the light about a flat top is that of a star, not of a galaxy."""
    radius = STAR_RADII[0] * star.radius + STAR_RADII[1] * (psf_sigma if psf_sigma > 0.0 else USUAL_PSF)
    angles = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    rows = np.rint(star.row + radius * np.sin(angles)).astype(int).clip(0, light.shape[0] - 1)
    columns = np.rint(star.column + radius * np.cos(angles)).astype(int).clip(0, light.shape[1] - 1)
    return bool(np.median(light[rows, columns]) < STAR_LIGHT * np.median(light.flat[star.top]))


def radial_profile(star: SaturatedStar, light: Floats, mask: Mask) -> NDArray[np.float64]:
    """Return the median light in annuli of RING pixels about a star, nan where all is masked."""
    largest = max(MAX_HALO * min(light.shape), 2.0 * star.radius + 3.0 * RING)
    rows, columns = (
        slice(max(0, int(centre - largest)), int(centre + largest) + 2) for centre in (star.row, star.column)
    )
    part, is_bad = light[rows, columns], mask[rows, columns]
    y, x = np.ogrid[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]]
    ring = (np.hypot(y - star.row, x - star.column) / RING).astype(np.int64)
    ring[is_bad] = int(largest / RING)
    order = np.argsort(ring, axis=None, kind="stable")
    ends = np.searchsorted(ring.ravel()[order], np.arange(int(largest / RING) + 1))
    pixels = part.ravel()[order]
    return np.array([np.median(pixels[a:b]) if b > a else np.nan for a, b in pairwise(ends)])


def halo_radius(star: SaturatedStar, profile: NDArray[np.float64], noise: float) -> float:
    """Return the radius at which the median light about a star falls to the noise, pixels."""
    first = int(star.radius / RING)
    faint = np.flatnonzero(profile[first:] < HALO_SNR * noise)
    n = first + int(faint[0]) if faint.size else profile.size
    return max(n * RING, star.radius + MARGIN)


def bleeding(
    star: SaturatedStar, light: Floats, profile: NDArray[np.float64], noise: float
) -> list[tuple[slice, slice]]:
    """Return the parts of the columns and rows along which a star bleeds, beyond its flat top.

    There, light exceeds both the profile of the star and the columns further to the sides.
    """
    from scipy.ndimage import uniform_filter1d

    parts: list[tuple[slice, slice]] = []
    smooth = np.append(np.nan_to_num(profile), 0.0)
    for is_row in (False, True):
        image = light.T if is_row else light
        centre, along = (star.row, star.column) if is_row else (star.column, star.row)
        reach = int(star.radius) + 2
        first, end = max(0, int(centre) - reach), min(image.shape[1], int(centre) + reach + 1)
        low, high = max(0, first - BLEED_WINDOW), min(image.shape[1], end + BLEED_WINDOW)
        distance = np.hypot(*np.ogrid[-along : image.shape[0] - along, low - centre : high - centre])
        halo = np.interp(distance, RING * (np.arange(smooth.size) + 0.5), smooth)[: image.shape[0], : high - low]
        strip = image[:, low:high] - halo
        beside = np.concatenate([strip[:, : first - low], strip[:, end - low :]], axis=1)
        excess = strip[:, first - low : end - low] - np.median(beside, axis=1, keepdims=True)
        mean = uniform_filter1d(excess, BLEED_LENGTH, axis=0)
        is_hot = (mean > BLEED_SNR * noise / np.sqrt(BLEED_LENGTH)) & (mean > halo[:, first - low : end - low])
        for top, bottom, column in _runs(is_hot, int(along), int(star.radius) + 2):
            columns, rows = slice(max(0, first + column - 1), first + column + 2), slice(top, bottom)
            parts.append((columns, rows) if is_row else (rows, columns))
    return parts


def _runs(is_hot: Mask, centre: int, radius: int) -> list[tuple[int, int, int]]:
    """Return first row, last row and column of hot runs that start at a star and leave it by twice its radius."""
    runs = []
    for column in range(is_hot.shape[1]):
        for step in (-1, 1):
            row, n_cold = centre + step * radius, 0
            while 0 <= row < is_hot.shape[0] and n_cold <= BLEED_LENGTH:
                n_cold = 0 if is_hot[row, column] else n_cold + 1
                row += step
            last = row - step * (n_cold + 1)
            if abs(last - centre) > 3 * radius:
                runs.append((min(last, centre), max(last, centre) + 1, column))
    return runs
