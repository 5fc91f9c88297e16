"""The passes over all pixels of a picture, of which most are dark, and over a sample of them."""

from typing import Any

from darkmatter_features.numerics.jit import compiled


@compiled
def foreground_pixels(
    pixels: Any, words: Any, dark: Any, levels: Any, n_columns: Any, image: Any, foreground: Any, light: Any
) -> Any:
    """Find the pixels (m, n_bands) brighter than the background `levels` in some band; return how many there are.

    Fill `foreground` with their places in the flat `image`, which has a margin of one pixel all around, and `light`, like the
    image there, with the largest band over its level. `words` holds the pixels as whole numbers of 64 bits, those of
    eight pixels a row; `dark` is the row of a background without light. `dark` and `levels` are tuples, so that loops
    over them unroll.
    """
    n, row_end, margin = 0, n_columns, n_columns + 3
    for k in range(words.shape[0] + 1):
        if k < words.shape[0] and _is_dark(words, k, dark):
            continue
        for p in range(8 * k, min(8 * k + 8, pixels.shape[0])):
            while p >= row_end:
                row_end, margin = row_end + n_columns, margin + 2
            largest = levels[0] - levels[0]
            for band in range(len(levels)):
                largest = max(largest, pixels[p, band] - levels[band])
            image[p + margin] = largest
            foreground[n] = p + margin
            light[n] = largest
            n += largest > 0
    return n


@compiled
def _is_dark(words: Any, k: Any, dark: Any) -> Any:
    """Tell whether row `k` of `words` is `dark`, without a branch for each word."""
    differences = dark[0] ^ dark[0]
    for w in range(len(dark)):
        differences |= words[k, w] ^ dark[w]
    return differences == 0


@compiled
def count_values(values: Any, counts: Any) -> None:
    """Add to `counts` (n_bands, n) how often each whole number occurs in each band of `values` (.., .., n_bands)."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            for band in range(values.shape[2]):
                counts[band, values[i, j, band]] += 1


@compiled
def count_equal(values: Any, levels: Any) -> Any:
    """Return how many of the pixels `values` (.., .., n_bands) are at the `levels` in all bands."""
    n = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            equal = True
            for band in range(values.shape[2]):
                equal &= values[i, j, band] == levels[band]
            n += equal
    return n
