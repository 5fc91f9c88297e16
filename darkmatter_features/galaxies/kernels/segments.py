"""Connected pieces of the pixels above a threshold.

Images are flat, and have a margin of one dark pixel all around, so that every pixel has eight neighbours; `width` is
the length of a row with its margins. A pixel that was listed is put to 0 there, which no threshold is below.
"""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled


@compiled
def connected_segments(
    image: Any, width: Any, foreground: Any, threshold: Any, n_pixels: Any, places: Any, starts: Any
) -> Any:
    """Find the 8-connected pieces of at least `n_pixels` pixels above `threshold`; return how many.

    Piece k owns the places ``places[starts[k]:starts[k + 1]]``. `foreground` lists, in ascending order, the places where
    pixels may be above the threshold; pieces are in the order of their first pixel. Those of pieces too small to keep
    are put to 0 as well.
    """
    n_segments, end = 0, 0
    starts[0] = 0
    for first in foreground:
        if image[first] > threshold:
            start, head = end, end
            image[first] = 0
            places[end] = first
            end += 1
            while head < end:
                end = _list_neighbours(image, width, threshold, places[head], places, end)
                head += 1
            if end - start >= n_pixels:
                n_segments += 1
                starts[n_segments] = end
            else:
                end = start
    return n_segments


@compiled
def _list_neighbours(image: Any, width: Any, threshold: Any, place: Any, places: Any, end: Any) -> Any:
    """List the pixels above `threshold` beside `place` from ``places[end]`` on; return where the list then ends."""
    for row in range(-1, 2):
        middle = place + row * width
        for neighbour in range(middle - 1, middle + 2):
            if image[np.uintp(neighbour)] > threshold:
                image[np.uintp(neighbour)] = 0
                places[end] = neighbour
                end += 1
    return end


@compiled
def dilate_segments(
    image: Any, width: Any, threshold: Any, n_rings: Any, places: Any, starts: Any, dilated: Any, dilated_starts: Any
) -> None:
    """Let every piece take in the pixels above a lower `threshold` within `n_rings` steps of it, nearest piece first.

    `image`, `places` and `starts` are as :func:`connected_segments` left them; there must be room for more places behind
    them. Piece k then owns ``dilated[dilated_starts[k]:dilated_starts[k + 1]]``, its own pixels first.
    """
    owners = np.empty(places.size, dtype=np.int32)
    for k in range(starts.size - 1):
        owners[starts[k] : starts[k + 1]] = k
    first, end = 0, starts[-1]
    for _ in range(n_rings):
        last = end
        for p in range(first, last):
            start = end
            end = _list_neighbours(image, width, threshold, places[p], places, end)
            owners[start:end] = owners[p]
        first = last
    dilated_starts[:] = 0
    for p in range(end):
        dilated_starts[owners[p] + 1] += 1
    dilated_starts[:] = np.cumsum(dilated_starts)
    at = dilated_starts[:-1].copy()
    for p in range(end):
        dilated[at[owners[p]]] = places[p]
        at[owners[p]] += 1
