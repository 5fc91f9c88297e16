"""Straight lines across an image: tracks of satellites, aeroplanes and meteors."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.lines import block_means, line_sums, narrow_line, shifted_line

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

BLOCK = 4
"""Side of the blocks in which lines are searched, pixels: tracks are a few pixels wide."""

CLIP = 3.0
"""Light of a pixel and of a block is limited to this, standard deviations: bright sources count as faint ones."""

BESIDE = 3
"""Distance of the parallel lines that are subtracted, blocks."""

MIN_SIGNIFICANCE = 7.0
"""Minimum significance of a line in blocks; skies without track have up to 6."""

MIN_LENGTH = (0.4, 128)
"""Minimum length of a track: as a fraction of the shorter side of the image, and in pixels. Edge-on galaxies and arcs
are shorter."""

MAX_TRACKS = 6
"""Maximum number of tracks."""

SEGMENT = 16
"""Length of the segments of which a track consists, pixels."""

SEGMENT_SNR = 1.7
"""Minimum S/N of a segment."""

MIN_FILLED = (0.75, 0.88)
"""Minimum fraction of the segments of a track with this S/N, and with the usual light as well."""

MIN_UNIFORMITY, USUAL_PERCENTILE = 0.4, 40.0
"""Minimum light of a segment in units of the usual one, and the percentile which that is: sources only add light, and
vary more in a row of galaxies."""

MAX_CONTRAST, BRIGHT_PERCENTILE = 4.0, 75.0
"""Maximum light of a bright segment in units of the usual one, and its percentile: the light of an edge-on galaxy falls
from its centre."""

HALF_WIDTH = 12
"""Maximum half width of a track, pixels."""

EDGE = 0.1
"""Light at the edge of a track as a fraction of that in the middle."""


class Track(NamedTuple):
    """Ends of a track, and half its width, pixels."""

    x: tuple[float, float]
    y: tuple[float, float]
    half_width: float


def find_tracks(light: Floats, noise: float, mask: Mask | None) -> list[Track]:
    """Return the straight lines that cross a large part of an image.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    noise : float, counts
        Standard deviation of a pixel.
    mask : (n_rows, n_columns) bool array or None
        Pixels without measurement, or of other defects.
    """
    if min(light.shape) < MIN_LENGTH[1]:
        return []
    if mask is not None and mask.any():
        light = np.where(mask, np.float32(0.0), light)
    blocks = np.empty(tuple(n // BLOCK for n in light.shape), dtype=np.float32)
    block_means(light, BLOCK, CLIP * noise, blocks)
    sample = np.abs(blocks[::2, ::2])
    sigma = 1.4826 * float(np.median(sample))
    if not sigma > 0.0:
        return []
    np.clip(blocks / np.float32(sigma), -CLIP, CLIP, out=blocks)
    tracks: list[Track] = []
    for _ in range(MAX_TRACKS):
        ends = _best_line(blocks)
        track = None if ends is None else _verified(light, noise, ends)
        if track is None:
            break
        tracks.append(track)
        light = np.where(track_mask(track, light.shape), np.float32(0.0), light)
        blocks[track_mask(_in_blocks(track), blocks.shape)] = 0.0
    return tracks


def _in_blocks(track: Track) -> Track:
    """Return a track in units of blocks."""
    x, y = (tuple((end + 0.5) / BLOCK - 0.5 for end in axis) for axis in (track.x, track.y))
    return Track((x[0], x[1]), (y[0], y[1]), track.half_width / BLOCK + 1.5)


def _best_line(blocks: Floats) -> tuple[Array, Array] | None:
    """Return x and y of the ends of the most significant line, in pixels; None if none is significant."""
    n = 1 << int(np.ceil(np.log2(max(blocks.shape))))
    columns, work = np.empty((2, n, 2 * n), dtype=np.float32)
    least = int(max(MIN_LENGTH[0] * min(blocks.shape), MIN_LENGTH[1] / BLOCK))
    best, found = np.empty(3), (MIN_SIGNIFICANCE, np.zeros(3), 0)
    turned = (blocks, blocks[::-1], blocks.T, blocks.T[::-1])
    for k, image in enumerate(turned):
        columns[:] = 0.0
        columns[: image.shape[1], n : n + image.shape[0]] = image.T
        line_sums(columns, work)
        narrow_line(columns, image.shape, BESIDE, least, best)
        if best[0] > found[0]:
            found = (best[0], best.copy(), k)
    if found[0] <= MIN_SIGNIFICANCE:
        return None
    _, (_, start, rise), k = found
    along = np.array([0.0, turned[k].shape[1] - 1.0])
    across = start - n + rise * along / max(n - 1, 1)
    if k % 2 == 1:
        across = turned[k].shape[0] - 1.0 - across
    along, across = (BLOCK * (axis + 0.5) - 0.5 for axis in (along, across))
    return (along, across) if k < 2 else (across, along)


def _verified(light: Floats, noise: float, ends: tuple[Array, Array]) -> Track | None:
    """Return the track at a line found in blocks, or None if it is short or has gaps."""
    x, y = _refined(light, CLIP * noise, ends)
    rows, columns = (np.linspace(axis[0], axis[1], 200).astype(int) for axis in (y, x))
    brightness = float(np.median(light[rows, columns]))
    if brightness > CLIP * noise:
        x, y = _refined(light, brightness, (x, y))
    length = float(np.hypot(x[1] - x[0], y[1] - y[0]))
    t = np.arange(length)
    offsets = np.arange(-HALF_WIDTH - 6, HALF_WIDTH + 7)
    strip = _strip(light, (x, y), t, offsets)
    snr = np.clip(strip / noise, -CLIP, CLIP)
    is_bright = _segment_snr(snr, offsets) > SEGMENT_SNR
    first, end = _longest_run(is_bright, MIN_FILLED[0])
    least = max(MIN_LENGTH[0] * min(light.shape), MIN_LENGTH[1])
    if (end - first) * SEGMENT < least:  # the run of uniform segments is no longer
        return None
    segments = _segment_light(strip, offsets)
    usual, bright = np.percentile(segments[first:end], [USUAL_PERCENTILE, BRIGHT_PERCENTILE])
    if bright > MAX_CONTRAST * usual:
        return None
    first, end = _longest_run(is_bright & (segments > MIN_UNIFORMITY * usual), MIN_FILLED[1])
    if (end - first) * SEGMENT < least:
        return None
    part = slice(max(0, (first - 1) * SEGMENT), min(t.size, (end + 1) * SEGMENT))
    x, y = ((axis[0] + (axis[1] - axis[0]) * np.array([part.start, part.stop]) / length) for axis in (x, y))
    return Track((float(x[0]), float(x[1])), (float(y[0]), float(y[1])), _half_width(strip[:, part], offsets, noise))


def _segment_light(strip: Array, offsets: NDArray[np.int64]) -> Array:
    """Return the median light of the segments of a line, above that beside it."""
    n = strip.shape[1] // SEGMENT
    middle, beside = (
        strip[near, : n * SEGMENT].reshape(-1, n, SEGMENT) for near in (np.abs(offsets) <= 3, np.abs(offsets) >= 6)
    )
    light = np.median(middle, axis=2)
    light = np.maximum(light[:-2] + light[1:-1], light[1:-1] + light[2:]).max(axis=0) / 2.0
    return np.asarray(light - np.median(beside, axis=(0, 2)))


def _segment_snr(snr: Array, offsets: NDArray[np.int64]) -> Array:
    """Return the S/N of the segments of a line, in units of the scatter of those of lines beside it."""
    n = snr.shape[1] // SEGMENT
    segments = snr[:, : n * SEGMENT].reshape(snr.shape[0], n, SEGMENT).mean(axis=2)
    sums = segments[:-2] + segments[1:-1] + segments[2:]  # three pixels wide
    middle, beside = offsets.size // 2 - 1, np.abs(offsets[1:-1]) >= 6
    reference = sums[beside]
    scatter = 1.4826 * np.median(np.abs(reference - np.median(reference)))
    return np.asarray((sums[middle] - np.median(reference, axis=0)) / max(scatter, 1e-9))


def _refined(light: Floats, limit: float, ends: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the ends of the brightest line near another one, cut at the borders of the image.

    The light of a pixel is limited, lest single sources attract the line.
    """
    x, y = ends
    best = np.empty(2)
    shifted_line(light, np.stack(ends), np.arange(-2.0 * BLOCK, 2.0 * BLOCK + 1.0), limit, best)
    length = np.hypot(x[1] - x[0], y[1] - y[0])
    x, y = x - best * (y[1] - y[0]) / length, y + best * (x[1] - x[0]) / length
    t = np.linspace(0.0, 1.0, 2 * max(light.shape))
    columns, rows = (axis[0] + (axis[1] - axis[0]) * t for axis in (x, y))
    inside = (rows >= 0) & (rows <= light.shape[0] - 1) & (columns >= 0) & (columns <= light.shape[1] - 1)
    if not inside.any():
        return x, y
    cut = t[np.flatnonzero(inside)[[0, -1]]]
    return x[0] + (x[1] - x[0]) * cut, y[0] + (y[1] - y[0]) * cut


def _strip(light: Floats, ends: tuple[Array, Array], t: Array, offsets: NDArray[np.int64]) -> Array:
    """Return the light along a line and its parallels, (n_offsets, n_t); nan outside of the image and where it is 0."""
    (x, y), length = ends, np.hypot(ends[0][1] - ends[0][0], ends[1][1] - ends[1][0])
    u = np.array([x[1] - x[0], y[1] - y[0]]) / length
    columns = np.rint(x[0] + u[0] * t - u[1] * offsets[:, None]).astype(int)
    rows = np.rint(y[0] + u[1] * t + u[0] * offsets[:, None]).astype(int)
    inside = (rows >= 0) & (rows < light.shape[0]) & (columns >= 0) & (columns < light.shape[1])
    values = light[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    return np.where(inside, values, 0.0)


def _longest_run(is_bright: Mask, min_filled: float) -> tuple[int, int]:
    """Return first and end of the longest run of segments a fraction of which is bright, as both its ends are."""
    counts = np.concatenate([[0], np.cumsum(is_bright)])
    bright = np.flatnonzero(is_bright)
    best = (0, 0)
    for k, first in enumerate(bright):
        lasts = bright[k:]
        filled = counts[lasts + 1] - counts[first] >= min_filled * (lasts + 1 - first)
        end = int(lasts[filled][-1]) + 1
        if end - first > best[1] - best[0]:
            best = (int(first), end)
    return best


def _half_width(strip: Array, offsets: NDArray[np.int64], noise: float) -> float:
    """Return half the width of a track from the median light along it, pixels."""
    profile = np.median(strip, axis=1)
    profile = profile - np.median(profile[np.abs(offsets) > HALF_WIDTH])
    limit = max(EDGE * float(profile[np.abs(offsets) <= 1].max()), 3.0 * 1.25 * noise / np.sqrt(strip.shape[1]))
    middle = offsets.size // 2
    reach = [1]
    for step in (-1, 1):
        k = 1
        while k < HALF_WIDTH and profile[middle + step * k] > limit:
            k += 1
        reach.append(k)
    return max(reach) + 1.0


def track_mask(track: Track, shape: tuple[int, ...]) -> Mask:
    """Return the pixels of a track in an image of a shape."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    length = np.hypot(track.x[1] - track.x[0], track.y[1] - track.y[0])
    u = (track.x[1] - track.x[0]) / length, (track.y[1] - track.y[0]) / length
    along = (x - track.x[0]) * u[0] + (y - track.y[0]) * u[1]
    across = (y - track.y[0]) * u[0] - (x - track.x[0]) * u[1]
    return np.asarray((np.abs(across) <= track.half_width) & (along >= -2.0) & (along <= length + 2.0))
