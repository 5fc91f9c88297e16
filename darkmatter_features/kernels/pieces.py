"""Connected pieces of the pixels above a threshold."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled


@compiled
def connected_pieces(detection: Any, threshold: Any, n_pixels: Any, labels: Any, pixels: Any, starts: Any) -> Any:
    """Find the 8-connected pieces of at least `n_pixels` pixels above `threshold`; return how many.

    Piece k owns the places (row, column) ``pixels[starts[k]:starts[k + 1]]``, (m, 2). `labels` must come in zero; it
    leaves with k + 1 on piece k, and -1 on pieces too small to keep. Pieces are in the order of their first pixel.
    """
    n_rows, n_columns = detection.shape
    n_pieces = 0
    end = 0
    starts[0] = 0
    for i in range(n_rows):
        for j in range(n_columns):
            if detection[i, j] > threshold and labels[i, j] == 0:
                start = end
                labels[i, j] = n_pieces + 1
                pixels[start, 0], pixels[start, 1] = i, j
                end = _spread(detection, threshold, start, start + 1, True, labels, pixels)
                if end - start >= n_pixels:
                    n_pieces += 1
                    starts[n_pieces] = end
                else:
                    for k in range(start, end):
                        labels[pixels[k, 0], pixels[k, 1]] = -1
                    end = start
    return n_pieces


@compiled
def _spread(detection: Any, threshold: Any, start: Any, end: Any, is_endless: Any, labels: Any, pixels: Any) -> Any:
    """Label the free pixels above `threshold` beside the listed ones ``start:end`` as those are, and list them too.

    Return where the list now ends. If `is_endless`, those beside the new ones follow, until there are no more.
    """
    n_rows, n_columns = detection.shape
    head, last = start, end
    while head < (end if is_endless else last):
        i, j = pixels[head, 0], pixels[head, 1]
        head += 1
        for k in range(max(i - 1, 0), min(i + 2, n_rows)):
            for m in range(max(j - 1, 0), min(j + 2, n_columns)):
                if labels[k, m] == 0 and detection[k, m] > threshold:
                    labels[k, m] = labels[i, j]
                    pixels[end, 0], pixels[end, 1] = k, m
                    end += 1
    return end


@compiled
def grow_pieces(
    detection: Any, threshold: Any, n_rings: Any, labels: Any, pixels: Any, starts: Any, grown: Any, grown_starts: Any
) -> None:
    """Let every piece take in the pixels above a lower `threshold` within `n_rings` steps of it, nearest piece first.

    `labels`, `pixels` and `starts` are those of :func:`connected_pieces`; there must be room for more pixels behind
    them. Piece k then owns ``grown[grown_starts[k]:grown_starts[k + 1]]``, its own pixels first.
    """
    n_pieces = starts.size - 1
    first, end = 0, starts[n_pieces]
    for _ in range(n_rings):
        last = end
        end = _spread(detection, threshold, first, end, False, labels, pixels)
        first = last
    sizes = np.zeros(n_pieces + 1, dtype=np.int64)
    for p in range(end):
        sizes[labels[pixels[p, 0], pixels[p, 1]]] += 1
    grown_starts[:] = np.cumsum(sizes)
    place = grown_starts[:n_pieces].copy()
    for p in range(end):
        own = labels[pixels[p, 0], pixels[p, 1]] - 1
        grown[place[own]] = pixels[p]
        place[own] += 1
