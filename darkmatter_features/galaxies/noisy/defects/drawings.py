"""What is drawn on an image: letters, logos, scale bars, arrows, circles and contour lines."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.defects.insets import find_insets
from darkmatter_features.galaxies.noisy.defects.text import Drawings, largest, small_letters, text_blocks
from darkmatter_features.galaxies.noisy.kernels.strokes import StrokeLimits, stroke_pixels

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

BLOCK = 32
"""Side of the blocks in which the background of strokes is estimated, pixels."""

DARK_PERCENTILE = 40.0
"""Percentile of the pixels of a block that is its background: letters cover up to half of it."""

MIN_CONTRAST = 0.08
"""Minimum contrast of a stroke, as a fraction of the range of values."""

MIN_SNR = 8.0
"""The same in standard deviations of the noise."""

ALONG, ACROSS = 0.1, 0.35
"""Largest differences along a stroke, and contrast beside it, as fractions of its contrast."""

COLOR_TOLERANCE = 0.1
"""Difference from a colour up to which pixels have it, as a fraction of its contrast: JPEG changes it by 5 per cent."""

MIN_SEEDS = 12
"""Minimum number of stroke pixels of a colour."""

MAX_COLORS = 8
"""Maximum number of colours that are drawn."""

MIN_PLATEAU, MIN_HARDNESS = 0.35, 0.3
"""Minimum fraction of the bright pixels of a drawing that have its colour, and of all its pixels that are bright.

A Gaussian source has 0.15 and 0.18 of them, and letters of 12 px or more 0.4 to 0.9.
"""

MIN_STROKE_RATIO = 4.0
"""Minimum area of a drawing in units of that of the largest disc inside it: clipped galaxies and their
blends have 1 to 3."""

MIN_SEED_FRACTION = 0.15
"""Minimum fraction of stroke pixels among the bright pixels of a drawing; blended galaxies have 0.1 or less."""

SURE_SEEDS = 8
"""Minimum number of stroke pixels of a drawing that stands alone."""

LETTER_CONTRAST = 2.0
"""Minimum contrast of small letters, in units of that of strokes."""


def find_drawings(bands: Values, is_left_out: Mask) -> Drawings:
    """Return what is drawn on a picture.

    Parameters
    ----------
    bands : (n_rows, n_columns, n_bands) float32 array, counts
        Picture. Each band is searched: a drawn colour is bright or dark in one of them.
    is_left_out : (n_rows, n_columns) bool array
        Pixels that are not searched, such as those of a frame.

    Notes
    -----
    Drawings have few colours, edges sharper than a PSF, and pixels that are equal along a line. Sources of the same
    contrast are compact, or their edges are soft, or their light varies along them.
    """
    ink = np.zeros(is_left_out.shape, dtype=np.bool_)
    planes = [bands[..., k] for k in range(bands.shape[2])]
    if len(planes) > 1:
        planes.append(bands.mean(axis=2, dtype=np.float32))
    for plane in planes:
        ink |= _ink(np.ascontiguousarray(plane, dtype=np.float32), is_left_out)
    blocks = text_blocks(ink)
    if blocks.n_objects == 0:
        return blocks
    return Drawings(blocks.mask | find_insets(planes[-1], ink, is_left_out), blocks.n_objects)


def _ink(band: Values, is_left_out: Mask) -> Mask:
    """Return the pixels of strokes of a band."""
    ink = np.zeros(band.shape, dtype=np.bool_)
    if min(band.shape) < 2 * BLOCK or is_left_out.all():
        return ink
    background = _background(band, is_left_out)
    contrast = np.where(is_left_out, np.float32(0.0), band - background)
    noise = 1.4826 * float(np.median(np.abs(contrast[~is_left_out])))
    limit = max(MIN_CONTRAST * float(np.ptp(band)), MIN_SNR * noise)
    is_seed = np.zeros(band.shape, dtype=np.bool_)
    if stroke_pixels(contrast, StrokeLimits(limit, ALONG, ACROSS), is_seed) < MIN_SEEDS:
        return ink
    for color, level in _colors(band, contrast, is_seed):
        ink |= _of_color(band, contrast, is_seed, color, level)
    letters = [small_letters(np.float32(sign) * contrast, LETTER_CONTRAST * limit, ink) for sign in (1.0, -1.0)]
    return np.asarray(ink | letters[0] | letters[1])


def _background(band: Values, is_left_out: Mask) -> Values:
    """Return a background from percentiles in blocks."""
    from scipy.ndimage import median_filter, zoom

    n_rows, n_columns = (max(1, n // BLOCK) for n in band.shape)
    rows, columns = (np.linspace(0, n, k + 1).astype(int) for n, k in zip(band.shape, (n_rows, n_columns), strict=True))
    fill = float(np.median(band[~is_left_out]))
    mesh = np.full((n_rows, n_columns), fill)
    for i, j in np.ndindex(mesh.shape):
        part = np.s_[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        pixels = band[part][~is_left_out[part]]
        if pixels.size > BLOCK:
            mesh[i, j] = np.percentile(pixels, DARK_PERCENTILE)
    mesh = median_filter(mesh, 3, mode="nearest")
    scale = [n / k for n, k in zip(band.shape, mesh.shape, strict=True)]
    return np.asarray(zoom(mesh, scale, order=1, mode="nearest", grid_mode=True), dtype=np.float32)


def _colors(band: Values, contrast: Values, is_seed: Mask) -> list[tuple[float, float]]:
    """Return values that many stroke pixels have, and their contrast, the most frequent first."""
    values, contrasts = band[is_seed], contrast[is_seed]
    colors: list[tuple[float, float]] = []
    while len(colors) < MAX_COLORS and values.size >= MIN_SEEDS:
        width = 0.5 * COLOR_TOLERANCE * float(np.median(np.abs(contrasts)))
        ascending = np.sort(values)
        n_near = np.searchsorted(ascending, ascending + 2.0 * width, side="right") - np.arange(values.size)
        best = int(np.argmax(n_near))
        if n_near[best] < MIN_SEEDS:
            break
        color = float(np.median(ascending[best : best + n_near[best]]))
        is_near = np.abs(values - color) <= 2.0 * width
        colors.append((color, float(np.median(contrasts[is_near]))))
        values, contrasts = values[~is_near], contrasts[~is_near]
    return colors


def _of_color(band: Values, contrast: Values, is_seed: Mask, color: float, level: float) -> Mask:
    """Return the pixels of the drawings of a colour, those of half its contrast or more."""
    from scipy.ndimage import distance_transform_cdt, label

    ratio = contrast / np.float32(level)
    is_near = np.abs(band - color) <= COLOR_TOLERANCE * abs(level)
    is_bright = (ratio > 0.5) & (ratio < 1.0 + 4.0 * COLOR_TOLERANCE)
    labels, n = label(is_bright, np.ones((3, 3)))
    if n == 0:
        return is_bright
    n_bright = np.bincount(labels.ravel(), minlength=n + 1)
    n_color = np.bincount(labels.ravel(), is_near.ravel(), minlength=n + 1)
    n_seeds = np.bincount(labels.ravel(), (is_seed & is_near).ravel(), minlength=n + 1)
    n_wing = _wing_pixels(labels, ratio, n)
    thickness = largest(distance_transform_cdt(labels > 0), labels, n)
    is_drawn = (
        (n_color >= MIN_PLATEAU * n_bright)
        & (n_bright >= MIN_HARDNESS * (n_bright + n_wing))
        & (n_bright >= MIN_STROKE_RATIO * np.pi * (thickness - 0.5) ** 2)
        & (n_seeds >= np.maximum(SURE_SEEDS, MIN_SEED_FRACTION * n_bright))
    )
    is_drawn[0] = False
    return np.asarray(is_drawn[labels])


def _wing_pixels(labels: NDArray[np.int32], ratio: Values, n: int) -> NDArray[np.int64]:
    """Return the number of pixels of 0.15 to 0.5 of the contrast within 4 px of each of `n` objects."""
    from scipy.ndimage import maximum_filter

    near = maximum_filter(labels, 9)
    near[(labels > 0) | (ratio <= 0.15)] = 0
    return np.bincount(near.ravel(), minlength=n + 1)
