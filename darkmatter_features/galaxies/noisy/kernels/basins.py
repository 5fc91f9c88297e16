"""Basins of peaks: which pixels belong to which peak of the smoothed light."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Floats, Integers, SaddleSettings, SegmentIndices
from darkmatter_features.galaxies.kernels.watershed import pixel_grid, split_saddles
from darkmatter_features.numerics.jit import compiled


@compiled
def label_basins(
    brightness: NDArray[Any],
    width: int,
    segments: SegmentIndices,
    settings: SaddleSettings,
    labels: Integers,
    peaks: Integers,
) -> Any:
    """Split segments at saddles of the brightness, and return the number of basins.

    Parameters
    ----------
    brightness : (n,) array
        Flat image with a margin of one pixel on all sides.
    width : int, pixels
        Pixels in a row, margins included.
    segments : SegmentIndices
        Flat indices of the pixels of each segment.
    settings : SaddleSettings
        Depth of the saddles.
    labels : (n,) int32 array
        Is filled with 1, 2, ... at the pixels of each basin.
    peaks : (m,) int64 array
        Is filled with the flat index of the brightest pixel of each basin.
    """
    n = 0
    for k in range(segments.starts.size - 1):
        own = segments.indices[segments.starts[k] : segments.starts[k + 1]]
        light = np.empty(own.size)
        for p in range(own.size):
            light[p] = brightness[own[p]]
        patch = np.ones(own.size, dtype=np.int64)
        grid = pixel_grid((own // width).astype(np.int32), (own % width).astype(np.int32))
        n_basins = split_saddles(light, grid, settings, patch)
        highest = np.full(n_basins, -1, dtype=np.int64)
        for p in range(own.size):
            basin = patch[p] - 1
            labels[own[p]] = n + patch[p]
            if highest[basin] < 0 or light[p] > light[highest[basin]]:
                highest[basin] = p
        for basin in range(n_basins):
            peaks[n + basin] = own[highest[basin]]
        n += n_basins
    return n


@compiled
def basin_sums(labels: Integers, light: Any, noise: Any, flux: Floats, variance: Floats, n_pixels: Integers) -> None:
    """Fill the flux, its variance with white noise, and the number of pixels of each basin 1, 2, ... of `labels`."""
    for p in range(labels.size):
        k = labels[p] - 1
        if k >= 0:
            flux[k] += light[p]
            variance[k] += noise[p] * noise[p]
            n_pixels[k] += 1
