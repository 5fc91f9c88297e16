"""Cosmic rays that are wider than a pixel or two, in the sense of :mod:`darkmatter_features.galaxies.artifacts`."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.rays import RayLimits, ray_pixels

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_SNR = 10.0
"""Minimum S/N of a pixel of a cosmic ray, and of its Laplacian."""

MIN_FRACTION = 10.0
"""Minimum ratio of the Laplacian of a pixel to the median of 3 x 3 pixels: a point source has up to 8 with
a Gaussian PSF of 0.7 px, and up to 2.7 with one of 1 px, where it is centred on the corner of four pixels."""

FLOOR = 1.0
"""Minimum of that median, standard deviations of the noise."""

MAX_PASSES = 60
"""Maximum number of passes: each removes the ends and corners of what is left of a track."""


def find_rays(light: Floats, noise: float, mask: Mask) -> Mask | None:
    """Return which pixels belong to cosmic rays, tracks of any width whose ends are sharp; None if there is none.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    noise : float, counts
        Standard deviation of a pixel.
    mask : (n_rows, n_columns) bool array
        Pixels that are not examined, and count as dark.

    Notes
    -----
    Corners and ends of a track are brighter than most pixels about them, which no point source is, whatever its PSF
    above 0.7 px. They count as dark afterwards, so that a track is consumed from its ends. Images whose cosmic rays
    were removed, such as coadded ones, have none.
    """
    bright = np.flatnonzero(light > np.float32(MIN_SNR * noise))
    n_rows, n_columns = light.shape
    rows, columns = np.divmod(bright, n_columns)
    inside = (rows > 0) & (rows < n_rows - 1) & (columns > 0) & (columns < n_columns - 1)
    candidates = bright[inside & ~mask[rows, columns]]
    limits, found = RayLimits(MIN_SNR * noise, MIN_FRACTION, FLOOR * noise), np.empty(candidates.size, dtype=np.int64)
    n_found = ray_pixels(light, candidates, limits, mask, found)
    if n_found == 0:
        return None
    is_ray = mask.copy()
    for _ in range(MAX_PASSES):
        is_ray.flat[found[:n_found]] = True
        n_found = ray_pixels(light, candidates, limits, is_ray, found)
        if n_found == 0:
            break
    return is_ray & ~mask
