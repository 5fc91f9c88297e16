"""Pixels of wide cosmic rays."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.records import Booleans, Integers
from darkmatter_features.numerics.jit import compiled


class RayLimits(NamedTuple):
    """Limits of what is a cosmic ray.

    Attributes
    ----------
    sharpness : float, counts
        Minimum of the Laplacian.
    fraction : float
        Minimum of the Laplacian in units of the median of 3 x 3 pixels.
    floor : float, counts
        Minimum of that median.
    """

    sharpness: float
    fraction: float
    floor: float


@compiled
def ray_pixels(
    light: NDArray[np.float32], candidates: Integers, limits: RayLimits, is_ray: Booleans, found: Integers
) -> Any:
    """Fill `found` with the flat indices of pixels that are sharper than any PSF, and return their number.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    candidates : (n,) integer array
        Flat indices of the pixels to examine, none at the border.
    limits : RayLimits
        Limits.
    is_ray : (n_rows, n_columns) bool array
        Pixels found before, which count as dark. It is not changed.
    found : (n,) integer array
        Indices of the pixels found now.

    Notes
    -----
    The Laplacian is that of half pixels, negative values of which are cut; the light that it is compared with is the
    median of 3 x 3 pixels: a variant of van Dokkum (2001), doi:10.1086/323894, that leaves cores of galaxies alone.
    Beside a pixel found before, it is the next lower one of the nine.
    """
    n, n_columns = 0, light.shape[1]
    window = np.empty(9, dtype=np.float32)
    for index in candidates:
        i, j = index // n_columns, index % n_columns
        if is_ray[i, j]:
            continue
        twice = np.float32(2.0) * light[i, j]
        above, below = _dark(light, is_ray, i - 1, j), _dark(light, is_ray, i + 1, j)
        left, right = _dark(light, is_ray, i, j - 1), _dark(light, is_ray, i, j + 1)
        zero = np.float32(0.0)
        corners = max(twice - above - left, zero) + max(twice - above - right, zero)
        corners += max(twice - below - left, zero) + max(twice - below - right, zero)
        laplacian = np.float32(0.25) * corners
        if laplacian < limits.sharpness:
            continue
        is_next = False
        for k in range(3):
            for m in range(3):
                window[3 * k + m] = _dark(light, is_ray, i + k - 1, j + m - 1)
                is_next |= is_ray[i + k - 1, j + m - 1]
        _sort(window)
        fine = window[3 if is_next else 4]
        if laplacian >= limits.fraction * max(fine, limits.floor):
            found[n] = index
            n += 1
    return n


@compiled
def _sort(values: NDArray[np.float32]) -> None:
    """Sort a few `values` (n,) in ascending order, by insertion."""
    for end in range(1, values.size):
        value, k = values[end], end
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value


@compiled
def _dark(light: NDArray[np.float32], is_ray: Booleans, i: Any, j: Any) -> Any:
    return np.float32(0.0) if is_ray[i, j] else light[i, j]
