"""Bright pixels of an image, in the order of their brightness."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.numerics.jit import compiled


@compiled
def bright_pixels(
    image: NDArray[np.float32], bits: NDArray[np.uint32], limit: Any, padded: NDArray[np.float32], keys: Any
) -> Any:
    """Copy an image into a margin, list its bright pixels, and return their number.

    Parameters
    ----------
    image : (n_rows, n_columns) float32 array
        The image.
    bits : (n_rows, n_columns) uint32 array
        The same memory: the bits of a positive real number rise with it.
    limit : float
        Pixels above it are listed; at least 0.
    padded : ((n_rows + 2) * (n_columns + 2),) float32 array
        The flat image with a margin of one pixel, which is not changed.
    keys : (n_rows * n_columns + 1,) uint64 array
        The first are filled with the inverted bits of a pixel and, in the lower half, its index in `padded`: they rise
        with falling brightness, and with the index where it is equal.

    Notes
    -----
    A key is written for each pixel, and overwritten unless the pixel is bright: without branches, it takes a third of
    the time.
    """
    n_rows, n_columns = image.shape
    n, factor = np.uint64(0), np.float32(limit)
    for i in range(n_rows):
        start = np.uint64((i + 1) * (n_columns + 2) + 1)
        for j in range(n_columns):
            padded[start + np.uint64(j)] = image[i, j]
        for j in range(n_columns):
            keys[n] = (np.uint64(~bits[i, j]) << np.uint64(32)) | (start + np.uint64(j))
            n += np.uint64(image[i, j] > factor)
    return n
