"""Passes over all pixels of an image, most of which are background, and over a sample of them."""

from typing import Any

from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import FlatBackground, Foreground, ImageBlocks, Integers
from darkmatter_features.numerics.jit import compiled

BLOCK_PIXELS = 8
"""Pixels that are compared with the background at once. 8 pixels of any type and number of bands fill 64-bit words."""


@compiled
def foreground_pixels(image: ImageBlocks, background: FlatBackground, foreground: Foreground) -> Any:
    """Find the pixels above the background in some band, fill `foreground`, and return the number of these pixels."""
    values, words, levels, dark = image.values, image.words, background.levels, background.words
    flat, indices, flux = foreground
    n, n_columns, row_end, margin = 0, image.n_columns, image.n_columns, image.n_columns + 3
    for k in range(words.shape[0] + 1):
        if k < words.shape[0] and _is_dark(words, k, dark):
            continue
        for p in range(BLOCK_PIXELS * k, min(BLOCK_PIXELS * k + BLOCK_PIXELS, values.shape[0])):
            while p >= row_end:
                row_end, margin = row_end + n_columns, margin + 2
            largest = levels[0] - levels[0]
            for band in range(len(levels)):
                largest = max(largest, values[p, band] - levels[band])
            flat[p + margin] = largest
            indices[n] = p + margin
            flux[n] = largest
            n += largest > 0
    return n


@compiled
def _is_dark(words: NDArray[Any], k: int, dark: tuple[Any, ...]) -> Any:
    """Return whether block `k` equals the background, without a branch for each word."""
    differences = dark[0] ^ dark[0]
    for w in range(len(dark)):
        differences |= words[k, w] ^ dark[w]
    return differences == 0


@compiled
def count_values(values: NDArray[Any], counts: Integers) -> None:
    """Add to `counts` (n_bands, n) the frequency of each integer in each band of `values` (.., .., n_bands)."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            for band in range(values.shape[2]):
                counts[band, values[i, j, band]] += 1


@compiled
def count_equal(values: NDArray[Any], levels: NDArray[Any]) -> Any:
    """Return the number of pixels in `values` (.., .., n_bands) that equal `levels` (n_bands,) in all bands."""
    n = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            equal = True
            for band in range(values.shape[2]):
                equal &= values[i, j, band] == levels[band]
            n += equal
    return n
