"""Basins of peaks: which pixels belong to which peak of the smoothed light."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Floats, Integers, SaddleSettings
from darkmatter_features.numerics.jit import compiled


class Basins(NamedTuple):
    """Basins of peaks; before they are numbered, one for each local maximum, and merged into others.

    Attributes
    ----------
    peaks : (n,) int64 array
        Flat index of the brightest pixel.
    parents, segments : (n,) int64 arrays
        Another basin into which it was merged, and another one of its segment; its own number where there is none.
    sizes, n_pixels : (n,) int64 arrays
        Number of pixels with those merged into it, and without them.
    """

    peaks: Integers
    parents: Integers
    segments: Integers
    sizes: Integers
    n_pixels: Integers


@compiled
def flood_basins(
    brightness: NDArray[Any], width: int, order: Integers, settings: SaddleSettings, labels: Integers, basins: Basins
) -> Any:
    """Flood pixels in the order of falling brightness, merge basins at shallow saddles, and return their number.

    Where basins meet, each but the highest is merged into the highest, unless it has `n_pixels` pixels and its peak is
    above the saddle by `contrast` times the peak's brightness and by `depth` (topological persistence).

    Parameters
    ----------
    brightness : (n,) array
        Flat image with a margin of one pixel on all sides.
    width : int, pixels
        Pixels in a row, margins included.
    order : (m,) integer array
        Flat indices of the pixels to flood, the brightest first.
    settings : SaddleSettings
        Depth of the saddles.
    labels : (n,) int32 array
        Zeros; is filled with 1, 2, ... at the pixels of each local maximum.
    basins : Basins
        Is filled.

    References
    ----------
    Edelsbrunner, Letscher & Zomorodian (2002), doi:10.1007/s00454-002-2885-2
    """
    n_basins = 0
    near = np.empty(8, dtype=np.int64)
    for index in order:
        own, is_alone = _only_label(labels, width, index)
        if own == 0:
            own = n_basins
            basins.peaks[own], basins.parents[own], basins.segments[own] = index, own, own
            basins.sizes[own] = basins.n_pixels[own] = 0
            n_basins += 1
        elif is_alone:
            own -= 1
            if basins.parents[np.uintp(own)] != own:  # most basins were not merged
                own = _root(basins.parents, own)
        else:
            n_near = _list_near(labels, width, index, basins.parents, near)
            own = _merge(brightness, brightness[index], settings, near[:n_near], basins)
        labels[np.uintp(index)] = own + 1
        basins.sizes[np.uintp(own)] += 1
        basins.n_pixels[np.uintp(own)] += 1
    return n_basins


@compiled
def _only_label(labels: Integers, width: Any, index: Any) -> Any:
    """Return the highest label about a pixel, and whether it is the only one besides 0.

    Without branches, it takes a third of the time.
    """
    highest, lowest = np.uint32(0), np.uint32(0xFFFFFFFF)
    for row in range(-1, 2):
        for column in range(-1, 2):
            label = np.uint32(labels[np.uintp(index + row * width + column)])
            highest, lowest = max(highest, label), min(lowest, np.uint32(label - np.uint32(1)))  # 0 - 1: the largest
    return np.int64(highest), highest == np.uint32(lowest + np.uint32(1))


@compiled
def _merge(brightness: NDArray[Any], saddle: Any, settings: SaddleSettings, near: Integers, basins: Basins) -> Any:
    """Merge basins that meet at a pixel of a brightness, those with shallow saddles, and return the highest."""
    own = near[0]
    for other in near[1:]:
        if brightness[basins.peaks[other]] > brightness[basins.peaks[own]]:
            own = other
    for other in near:
        if other == own:
            continue
        basins.segments[_root(basins.segments, other)] = _root(basins.segments, own)
        peak = float(brightness[basins.peaks[other]])
        needed = max(settings.contrast * peak, settings.depth)
        if basins.sizes[other] < settings.n_pixels or peak - saddle < needed:
            basins.parents[other] = own
            basins.sizes[own] += basins.sizes[other]
    return own


@compiled
def _list_near(labels: Integers, width: Any, index: Any, parents: Integers, near: Integers) -> Any:
    """Fill `near` with the basins that touch a pixel, or into which these were merged; return their number."""
    n_near = 0
    for row in range(-1, 2):
        for column in range(-1, 2):
            label = np.int64(labels[np.uintp(index + row * width + column)])
            if label > 0:
                own, is_new = _root(parents, label - 1), True
                for other in near[:n_near]:
                    is_new &= other != own
                if is_new:
                    near[n_near] = own
                    n_near += 1
    return n_near


@compiled
def _root(parents: Integers, k: Any) -> Any:
    """Return the basin into which basin `k` was merged, and shorten the way to it."""
    root = k
    while parents[root] != root:
        root = parents[root]
    while parents[k] != root:
        parents[k], k = root, parents[k]
    return root


@compiled
def number_basins(n: Any, min_pixels: Any, basins: Basins, numbers: Integers, segments: Integers) -> Any:
    """Give numbers to the basins of segments of at least `min_pixels` pixels, and return how many there are.

    Of `n` local maxima, those that were not merged into others have a basin. `numbers` (n,) is filled with 1, 2, ...
    for each local maximum, 0 in smaller segments; `segments` (n,) with a number of the segment of each basin, and the
    first of `basins.peaks` with their peaks.
    """
    totals = np.empty(n, dtype=np.int64)
    totals[:] = 0
    for k in range(n):
        totals[_root(basins.segments, k)] += basins.n_pixels[k]
    n_left = 0
    for k in range(n):
        numbers[k] = 0
        segment = _root(basins.segments, k)
        if basins.parents[k] == k and totals[segment] >= min_pixels:
            basins.peaks[n_left], segments[n_left] = basins.peaks[k], segment
            n_left += 1
            numbers[k] = n_left
    for k in range(n):
        numbers[k] = numbers[_root(basins.parents, k)]
    return n_left


@compiled
def renumber(order: Integers, numbers: Integers, labels: Integers) -> None:
    """Replace each label k + 1 at the pixels of `order` by ``numbers[k]``."""
    for index in order:
        labels[index] = numbers[labels[index] - 1]


@compiled
def basin_sums(labels: Integers, light: Any, noise: Any, flux: Floats, variance: Floats, n_pixels: Integers) -> None:
    """Fill the flux, its variance with white noise, and the number of pixels of each basin 1, 2, ... of `labels`."""
    for p in range(labels.size):
        k = labels[p] - 1
        if k >= 0:
            flux[k] += light[p]
            variance[k] += noise[p] * noise[p]
            n_pixels[k] += 1
