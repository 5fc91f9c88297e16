"""Pixels that are sharper than the PSF."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, FlatImage, Integers
from darkmatter_features.numerics.jit import compiled


@compiled
def has_narrow_pixels(image: FlatImage, candidates: Integers, fractions: Any, margin: Any) -> Any:
    """Return whether a pixel, or one of a pair, has dark neighbours on both sides: without it none is sharp.

    Comparisons without branches take a twentieth of the time of :func:`sharp_pixels`.
    """
    values, width, n = image.values, np.uint64(image.width), 0
    one, two = np.uint64(1), np.uint64(2)
    for k in range(candidates.size):
        i = np.uint64(candidates[k])  # unsigned: no test for an index from the end
        left, right, above, below = values[i - one], values[i + one], values[i - width], values[i + width]
        single = min(max(left, right), max(above, below))
        along_row = min(max(left, values[i + two]), max(right, values[i - two]))
        along_column = min(max(above, values[i + two * width]), max(below, values[i - two * width]))
        n += (single < fractions[0] * values[i] - margin) | (
            min(along_row, along_column) < fractions[1] * values[i] - margin
        )
    return n > 0


@compiled
def sharp_pixels(image: FlatImage, candidates: Integers, fractions: Any, margin: Any, is_sharp: Booleans) -> Any:
    """Mark pixels that stand out along a row or a column, and return the number of those newly marked.

    A pixel stands out along a direction if its neighbours on both sides are dark, or those of a pair with one of them,
    but for a step at the edge of a body: there the three neighbours on one side across the direction are all bright.
    Bright is a fraction of the pixel less `margin`, counts, or more; `fractions` are those for single pixels and for
    pairs. Marked pixels in `is_sharp` (n,) are dark.
    """
    values, width, n = image.values, image.width, 0
    for i in candidates:
        if is_sharp[i]:
            continue
        for along, across in ((1, width), (width, 1)):
            limit, pair_limit = fractions[0] * values[i] - margin, fractions[1] * values[i] - margin
            narrow = limit > 0.0 and _are_dark(values, is_sharp, i - along, i + along, limit)
            if not narrow and pair_limit > 0.0:
                limit = pair_limit
                narrow = _are_dark(values, is_sharp, i - along, i + 2 * along, limit)
                narrow |= _are_dark(values, is_sharp, i - 2 * along, i + along, limit)
            if narrow and not _is_on_edge(values, is_sharp, i, along, across, limit):
                is_sharp[i] = True
                n += 1
                break
    return n


@compiled
def _are_dark(values: NDArray[Any], is_sharp: Booleans, i: Any, j: Any, limit: Any) -> Any:
    return not (_is_bright(values, is_sharp, i, limit) or _is_bright(values, is_sharp, j, limit))


@compiled
def _is_on_edge(values: NDArray[Any], is_sharp: Booleans, i: Any, along: Any, across: Any, limit: Any) -> Any:
    for middle in (i - across, i + across):
        if (
            _is_bright(values, is_sharp, middle, limit)
            and _is_bright(values, is_sharp, middle - along, limit)
            and _is_bright(values, is_sharp, middle + along, limit)
        ):
            return True
    return False


@compiled
def _is_bright(values: NDArray[Any], is_sharp: Booleans, i: Any, limit: Any) -> Any:
    return 0 <= i < values.size and values[i] >= limit and not is_sharp[i]
