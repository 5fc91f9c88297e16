"""Hot pixels, dead pixels and tracks of cosmic rays: what is sharper than the PSF is no galaxy."""

from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.artifacts import has_narrow_pixels, sharp_pixels
from darkmatter_features.galaxies.kernels.records import FlatImage
from darkmatter_features.io.sky import Sky

MAX_STEP_FRACTION = 0.15
"""Maximum flux of the neighbours of a sharp pixel along its row or column, as a fraction of its flux.

The pixels next to that on which a point source is centred have 0.59 of its flux with a Gaussian PSF of 0.92 px, 0.27
with 0.55 px, and 0.15 with 0.45 px. In simulated skies with a PSF of 0.55 px or more, at most one pixel in four skies
is taken for an artefact.
"""

MAX_PAIR_STEP_FRACTION = 0.04
"""The same for the neighbours of a pair of pixels: the two on whose border a point source is centred have neighbours of
0.34 of their flux with a PSF of 0.92 px, and 0.07 with 0.55 px."""

MIN_SIGNIFICANCE = 1.5
"""Distance of the neighbours below that fraction, in units of the noise; an artefact has 10 times the noise or more."""

SINGLE = (MAX_STEP_FRACTION, 0.0)
"""Fractions for images without noise: single pixels only. There, rounding and JPEG leave galaxies of two pixels without
wings."""

PAIRS = (MAX_STEP_FRACTION, MAX_PAIR_STEP_FRACTION)
"""Fractions for images with noise: single pixels and pairs."""

MAX_PASSES = 4
"""Maximum number of passes: in each, the pixels found so far count as dark, so that corners of tracks are found."""


MAX_FILLED = 0.05
"""Maximum fraction of masked pixels to interpolate: beyond it, an image is poorly measured rather than interrupted."""


def find_artifacts(
    image: NDArray[Any],
    width: int,
    candidates: NDArray[np.int32],
    noise: float,
    fractions: tuple[float, float] = SINGLE,
) -> NDArray[np.bool_] | None:
    """Return which pixels of an image are sharper than the PSF of any image.

    Parameters
    ----------
    image : (n,) array, counts
        Light above the background, flat, with a margin of one pixel on all sides.
    width : int
        Pixels in a row, margins included.
    candidates : (m,) int32 array
        Flat indices of the pixels to examine, none in the margin.
    noise : float, counts
        Standard deviation of the background.
    fractions : (float, float)
        Maximum flux of the neighbours of a sharp pixel, and of a pair of them, as a fraction of its flux.

    Returns
    -------
    (n,) bool array or None
        True where a pixel is an artefact; None if there is none.

    Notes
    -----
    The criterion is that of van Dokkum (2001), doi:10.1086/323894, that cosmic rays have edges sharper than the PSF,
    here along rows and columns: the tracks of cosmic rays are narrow across their direction.
    """
    flat, margin = FlatImage(image, width), MIN_SIGNIFICANCE * noise
    inner = candidates[(candidates >= 2 * width) & (candidates < image.size - 2 * width)]
    if not has_narrow_pixels(flat, inner, fractions, margin):
        return None
    is_sharp = np.zeros(image.size, dtype=np.bool_)
    passes = (sharp_pixels(flat, candidates, fractions, margin, is_sharp) for _ in range(MAX_PASSES))
    n_found = sum(takewhile(bool, passes))
    return is_sharp if n_found else None


def artifacts_in_noise(band: NDArray[np.float32], noise: float) -> NDArray[np.bool_]:
    """Return which pixels of a band (n_rows, n_columns), without background, are sharper than the PSF, or dead."""
    n_rows, n_columns = band.shape
    found = np.zeros((n_rows + 2, n_columns + 2), dtype=np.bool_)
    faintest = np.float32(MIN_SIGNIFICANCE * noise / max(PAIRS))  # no fainter pixel is sharp
    for sign, is_bright in ((1, band > faintest), (-1, band < -faintest)):
        rows, columns = np.divmod(np.flatnonzero(is_bright), n_columns)
        if rows.size == 0:
            continue
        padded = np.zeros(found.shape, dtype=band.dtype)
        padded[1:-1, 1:-1] = band if sign > 0 else -band
        candidates = ((rows + 1) * (n_columns + 2) + columns + 1).astype(np.int32)
        is_artifact = find_artifacts(padded.ravel(), n_columns + 2, candidates, noise, PAIRS)
        if is_artifact is not None:
            found |= is_artifact.reshape(found.shape)
    return found[1:-1, 1:-1]


def without_narrow_gaps(sky: Sky) -> Sky:
    """Return a sky whose masked pixels in groups narrower than 3 px are interpolated, and no longer masked.

    A single hot pixel that a mask marks would leave a hole in a galaxy.
    """
    if sky.mask is None:
        return sky
    from scipy.ndimage import binary_opening

    wide = binary_opening(np.pad(sky.mask, 3, mode="edge"), np.ones((3, 3)))[3:-3, 3:-3]
    narrow = sky.mask & ~wide
    if not 0.0 < narrow.mean() <= MAX_FILLED:
        return sky
    return replace(sky, pixels=repaired(sky.pixels, narrow, sky.mask), mask=wide if wide.any() else None)


def repaired(
    pixels: NDArray[Any], is_artifact: NDArray[np.bool_], is_bad: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """Return an image with the mean of the good pixels about each artefact in its place.

    Parameters
    ----------
    pixels : (n_rows, n_columns, n_bands) array, counts
        Image of any type.
    is_artifact : (n_rows, n_columns) bool array
        True for the pixels to replace.
    is_bad : (n_rows, n_columns) bool array, optional
        True for the pixels that do not count in the mean; the artefacts by default.

    Returns
    -------
    (n_rows, n_columns, n_bands) array, counts
        Of the same type. The mean is over the square of 3 px, or where it has no good pixel, of 7 px.
    """
    good = ~(is_artifact if is_bad is None else is_bad)
    rows, columns = np.nonzero(is_artifact)
    result = pixels.copy()
    mean = np.zeros((rows.size, pixels.shape[2]))
    for radius in (3, 1):
        total, weight = np.zeros_like(mean), np.zeros(rows.size)
        for i, j in np.ndindex(2 * radius + 1, 2 * radius + 1):
            r, c = rows + i - radius, columns + j - radius
            inside = (r >= 0) & (r < good.shape[0]) & (c >= 0) & (c < good.shape[1])
            r, c = np.where(inside, r, 0), np.where(inside, c, 0)
            use = inside & good[r, c]
            total += np.where(use[:, None], pixels[r, c], 0)
            weight += use
        known = weight > 0
        mean[known] = total[known] / weight[known, None]
    result[rows, columns] = (np.rint(mean) if result.dtype.kind == "u" else mean).astype(result.dtype)
    return result
