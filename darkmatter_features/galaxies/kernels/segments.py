"""Segments: connected sets of pixels above a threshold.

Pixels are given by their flat indices into a :class:`FlatImage`. A pixel that has been listed is set to 0 there, which
no threshold is below.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import FlatImage, SegmentIndices
from darkmatter_features.numerics.jit import compiled


@compiled
def connected_segments(
    image: FlatImage, foreground: NDArray[np.int32], threshold: Any, n_pixels: int, segments: SegmentIndices
) -> Any:
    """Find the 8-connected segments of at least `n_pixels` pixels above `threshold`; return their number.

    Fill `segments` in the order of each segment's first pixel. `foreground` lists, in ascending order, all indices at
    which a pixel may exceed the threshold. Pixels of segments that are too small are set to 0 as well.
    """
    indices, starts = segments
    n_segments, end = 0, 0
    starts[0] = 0
    for first in foreground:
        if image.values[first] > threshold:
            start, head = end, end
            image.values[first] = 0
            indices[end] = first
            end += 1
            while head < end:
                end = _list_neighbours(image, threshold, indices[head], indices, end)
                head += 1
            if end - start >= n_pixels:
                n_segments += 1
                starts[n_segments] = end
            else:
                end = start
    return n_segments


@compiled
def _list_neighbours(image: FlatImage, threshold: Any, index: Any, indices: NDArray[np.int32], end: int) -> Any:
    """List the neighbours of `index` above `threshold`, row by row, from ``indices[end]`` on; return the new end."""
    for row in range(-1, 2):
        middle = index + row * image.width
        for neighbour in range(middle - 1, middle + 2):
            if image.values[np.uintp(neighbour)] > threshold:
                image.values[np.uintp(neighbour)] = 0
                indices[end] = neighbour
                end += 1
    return end


@compiled
def dilate_segments(
    image: FlatImage, threshold: Any, n_rings: int, segments: SegmentIndices, dilated: SegmentIndices
) -> None:
    """Add to every segment the pixels above a lower `threshold` that it reaches in `n_rings` steps; fill `dilated`.

    The search is breadth first: a pixel goes to a segment from which it is the fewest steps away. Among several such
    segments, that whose neighbouring pixel was listed first has it. The list starts with the pixels of all segments
    in their order, and continues with each listed pixel's neighbours row by row.

    `image` and `segments` are as :func:`connected_segments` left them, with room for the added pixels behind the last
    index. Each segment's own pixels come first in `dilated`.
    """
    indices, starts = segments
    owners = np.empty(indices.size, dtype=np.int32)
    for k in range(starts.size - 1):
        owners[starts[k] : starts[k + 1]] = k
    first, end = 0, starts[-1]
    for _ in range(n_rings):
        last = end
        for p in range(first, last):
            start = end
            end = _list_neighbours(image, threshold, indices[p], indices, end)
            owners[start:end] = owners[p]
        first = last
    _sort_by_owner(indices[:end], owners[:end], dilated)


@compiled
def _sort_by_owner(indices: NDArray[np.int32], owners: NDArray[np.int32], dilated: SegmentIndices) -> None:
    """Fill `dilated` with the indices of each owner in turn, in the order in which they are listed."""
    dilated.starts[:] = 0
    for p in range(indices.size):
        dilated.starts[owners[p] + 1] += 1
    ends = np.empty(dilated.starts.size - 1, dtype=np.int64)
    for owner in range(ends.size):
        ends[owner] = dilated.starts[owner]
        dilated.starts[owner + 1] += dilated.starts[owner]
    for p in range(indices.size):
        dilated.indices[ends[owners[p]]] = indices[p]
        ends[owners[p]] += 1
