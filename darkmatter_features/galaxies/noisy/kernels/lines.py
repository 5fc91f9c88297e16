"""Sums of an image along straight lines."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Floats
from darkmatter_features.numerics.jit import compiled


@compiled
def block_means(light: NDArray[np.float32], block: Any, limit: Any, means: NDArray[np.float32]) -> None:
    """Fill `means` with the mean of blocks of pixels, each pixel limited to `limit` counts on both sides."""
    high = np.float32(limit)
    scale = np.float32(1.0 / (block * block))
    width = means.shape[1] * block
    total = np.empty(width, dtype=np.float32)
    for i in range(means.shape[0]):
        total[:] = 0.0
        for k in range(i * block, (i + 1) * block):
            row = light[k, :width]
            for j in range(width):
                total[j] += min(max(row[j], -high), high)
        for j in range(means.shape[1]):
            mean = np.float32(0.0)
            for value in total[j * block : (j + 1) * block]:
                mean += value
            means[i, j] = mean * scale


@compiled
def line_sums(columns: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """Replace `columns` by sums along lines that rise by 0 to n - 1 rows over n columns.

    Parameters
    ----------
    columns : (n, n_starts) float32 array
        The image by column, n a power of two; the row of its first index is padded with n zeros before. On return,
        ``columns[s, h]`` is the sum along the line that starts in row h and rises by s rows.
    sums : (n, n_starts) float32 array
        Work space.

    Notes
    -----
    Sums over twice as many columns are those of two halves, of half of the slope each: the fast discrete Radon
    transform of Brady (1998), doi:10.1137/S0097539793256673.
    """
    n, n_starts = columns.shape
    width = 1
    source, target = columns, sums
    n_steps = 0
    while width < n:
        for block in range(0, n, 2 * width):
            for slope in range(2 * width):
                left, right = block + slope // 2, block + width + slope // 2
                shift = slope - slope // 2
                line, near, far = target[block + slope], source[left], source[right, shift:]
                for h in range(far.size):
                    line[h] = near[h] + far[h]
                for h in range(far.size, n_starts):
                    line[h] = near[h]
        source, target = target, source
        width *= 2
        n_steps += 1
    if n_steps % 2 == 1:
        for s in range(n):
            for h in range(n_starts):
                columns[s, h] = sums[s, h]


@compiled
def narrow_line(sums: NDArray[np.float32], shape: Any, beside: Any, n_least: Any, best: Floats) -> None:
    """Fill `best` with significance, start and rise of the line that exceeds its neighbours most.

    Parameters
    ----------
    sums : (n, n_starts) float32 array
        Sums along lines, by rise and start, as by :func:`line_sums`; pixels have a standard deviation of 1.
    shape : (int, int)
        Rows and columns of the image inside the n x n.
    beside : int, pixels
        Distance of the parallel lines on both sides whose mean is subtracted.
    n_least : int
        Minimum number of pixels of a line inside the image.
    best : (3,) float64 array
        Significance, start and rise; the start is counted from n rows before the image.
    """
    n, n_starts = sums.shape
    n_rows, n_columns = shape
    best[:] = 0.0
    for s in range(n):
        slope = s / max(n - 1, 1)
        for h in range(beside, n_starts - beside):
            excess = sums[s, h] - 0.5 * (sums[s, h - beside] + sums[s, h + beside])
            if excess * excess <= best[0] * best[0] * n_least or excess <= 0.0:
                continue
            start = h - n
            first = 0.0 if start >= 0 else -start / max(slope, 1e-9)
            last = n_columns - 1.0 if slope == 0.0 else min(n_columns - 1.0, (n_rows - 1 - start) / slope)
            length = last - first + 1.0
            if start < n_rows and length >= n_least and excess > best[0] * np.sqrt(1.5 * length):
                best[0], best[1], best[2] = excess / np.sqrt(1.5 * length), h, s


@compiled
def shifted_line(light: NDArray[np.float32], ends: Floats, shifts: Floats, limit: Any, best: Floats) -> None:
    """Fill `best` with the shifts of both ends, across a line, that give the largest sum of light along it.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    ends : (2, 2) float64 array
        x of both ends, and y, pixels.
    shifts : (n,) float64 array
        Shifts to try, pixels.
    limit : float, counts
        The light of a pixel is limited to this on both sides.
    best : (2,) float64 array
        Shift of the first and of the second end.
    """
    (x, right), (y, bottom) = ends
    length = np.hypot(right - x, bottom - y)
    rise = right - x, bottom - y, length
    n_shifts, n = shifts.size, int(length) + 1
    first, change, sums = np.empty(n_shifts**2), np.empty(n_shifts**2), np.empty(n_shifts**2)
    for k in range(n_shifts):
        for m in range(n_shifts):
            first[k * n_shifts + m], change[k * n_shifts + m] = shifts[k], shifts[m] - shifts[k]
    sums[:] = 0.0
    for k in range(n):
        t = k / max(n - 1, 1)
        _add_shifted(light, (x + rise[0] * t, y + rise[1] * t), rise, (first, change), t, limit, sums)
    most = 0
    for m in range(sums.size):
        if sums[m] > sums[most]:
            most = m
    best[0], best[1] = first[most], shifts[most % n_shifts]


@compiled
def _add_shifted(
    light: NDArray[np.float32], place: Any, rise: Any, shifts: Any, t: Any, limit: Any, sums: Floats
) -> None:
    """Add to `sums` (n,) the light of the pixels at a place, each moved across a line by first + t change.

    `rise` is (dx, dy, length) of the line. The loop has no branch, so that it is vectorised: it takes half of the time.
    """
    flat, (n_rows, n_columns), (first, change) = light.ravel(), light.shape, shifts
    for m in range(sums.size):
        shift = (first[m] + change[m] * t) / rise[2]
        i, j = np.int64(np.rint(place[1] + rise[0] * shift)), np.int64(np.rint(place[0] - rise[1] * shift))
        inside = (i >= 0) & (i < n_rows) & (j >= 0) & (j < n_columns)
        value = flat[np.uint64(i * n_columns + j if inside else 0)]
        sums[m] += min(max(value, -limit), limit) if inside else 0.0
