"""Connected pieces of the pixels above a threshold."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled


@compiled
def brightest_band(pixels: Any, background: Any, brightest: Any) -> None:
    """Fill `brightest` (n_rows, n_columns) with the largest band of `pixels` over that band's `background`."""
    n_rows, n_columns, n_bands = pixels.shape
    for i in range(n_rows):
        for j in range(n_columns):
            best = pixels[i, j, 0] - background[0]
            for band in range(1, n_bands):
                best = max(best, pixels[i, j, band] - background[band])
            brightest[i, j] = best


@compiled
def connected_pieces(detection: Any, threshold: Any, n_pixels: Any, labels: Any, pixels: Any, starts: Any) -> Any:
    """Find the 8-connected pieces of at least `n_pixels` pixels above `threshold`; return how many.

    Piece k owns the flat indices ``pixels[starts[k]:starts[k + 1]]``. `labels` must come in zero; it leaves with k + 1
    on piece k, and -1 on pieces too small to keep. Pieces are in the order of their first pixel.
    """
    n_rows, n_columns = detection.shape
    n_pieces = 0
    end = 0
    starts[0] = 0
    for i in range(n_rows):
        for j in range(n_columns):
            if detection[i, j] > threshold and labels[i, j] == 0:
                start = end
                end = _flood(detection, threshold, i, j, n_pieces + 1, labels, pixels, start)
                if end - start >= n_pixels:
                    n_pieces += 1
                    starts[n_pieces] = end
                else:
                    _relabel(labels, pixels, start, end, -1)
                    end = start
    return n_pieces


@compiled
def _flood(
    detection: Any, threshold: Any, row: Any, column: Any, label: Any, labels: Any, pixels: Any, start: Any
) -> Any:
    """Label the piece that holds (row, column); its pixels, listed from `start` on, are also the queue."""
    n_rows, n_columns = detection.shape
    labels[row, column] = label
    pixels[start] = row * n_columns + column
    end = start + 1
    head = start
    while head < end:
        i, j = divmod(pixels[head], n_columns)
        head += 1
        for k in range(max(i - 1, 0), min(i + 2, n_rows)):
            for m in range(max(j - 1, 0), min(j + 2, n_columns)):
                if labels[k, m] == 0 and detection[k, m] > threshold:
                    labels[k, m] = label
                    pixels[end] = k * n_columns + m
                    end += 1
    return end


@compiled
def _relabel(labels: Any, pixels: Any, start: Any, end: Any, label: Any) -> None:
    n_columns = labels.shape[1]
    for k in range(start, end):
        i, j = divmod(pixels[k], n_columns)
        labels[i, j] = label


@compiled
def grow_pieces(
    detection: Any, threshold: Any, n_rings: Any, labels: Any, pixels: Any, starts: Any, grown: Any, grown_starts: Any
) -> None:
    """Let every piece take in the pixels above a lower `threshold` within `n_rings` steps of it, nearest piece first.

    `labels`, `pixels` and `starts` are those of :func:`connected_pieces`; the labels are brought up to date. Piece k
    then owns ``grown[grown_starts[k]:grown_starts[k + 1]]``, its own pixels first.
    """
    n_rows, n_columns = detection.shape
    n_pieces = starts.size - 1
    queue, end = np.empty(grown.size, dtype=np.int64), starts[n_pieces]
    queue[:end] = pixels[:end]
    sizes = np.zeros(n_pieces + 1, dtype=np.int64)
    sizes[1:] = starts[1:] - starts[:-1]
    first = 0
    for _ in range(n_rings):
        last = end
        for head in range(first, last):
            i, j = divmod(queue[head], n_columns)
            for k in range(max(i - 1, 0), min(i + 2, n_rows)):
                for m in range(max(j - 1, 0), min(j + 2, n_columns)):
                    if labels[k, m] == 0 and detection[k, m] > threshold:
                        labels[k, m] = labels[i, j]
                        sizes[labels[i, j]] += 1
                        queue[end] = k * n_columns + m
                        end += 1
        first = last
    grown_starts[:] = np.cumsum(sizes)
    place = grown_starts[:n_pieces].copy()
    for head in range(end):
        i, j = divmod(queue[head], n_columns)
        own = labels[i, j] - 1
        grown[place[own]] = queue[head]
        place[own] += 1
