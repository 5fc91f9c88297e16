"""From connected pieces to the footprints of galaxies: lists of pixels, each with the flux that is the galaxy's own."""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.colors import CORE, MAX_COLORS, N_BANDS, REACH, color_residual, find_colors
from darkmatter_features.galaxies.kernels.deblending import deblend_flux
from darkmatter_features.galaxies.kernels.symmetry import fill_by_symmetry
from darkmatter_features.galaxies.kernels.watershed import smooth, split_saddles
from darkmatter_features.numerics.jit import compiled


@compiled
def gather_pixels(bands: Any, background: Any, places: Any, rows: Any, columns: Any, values: Any, totals: Any) -> None:
    """Fill in where the pixels at `places` are, their bands (m, n_bands) over the `background`, and the sum of these.

    Places are those in a flat image with a margin of one pixel all around; values are at least zero.
    """
    width = bands.shape[1] + 2
    for p in range(places.size):
        i, j = divmod(places[p], width)
        rows[p], columns[p] = i - 1, j - 1
        totals[p] = 0.0
        for band in range(bands.shape[2]):
            values[p, band] = max(float(bands[i - 1, j - 1, band]) - background[band], 0.0)
            totals[p] += values[p, band]


@compiled
def segment_residuals(values: Any, totals: Any, starts: Any, residuals: Any) -> None:
    """Fill `residuals` with each piece's rms deviation from a single colour, in counts."""
    for k in range(residuals.size):
        own = slice(starts[k], starts[k + 1])
        residuals[k] = color_residual(values[own], totals[own])


@compiled
def _local_grid(rows: Any, columns: Any) -> Any:
    """Turn rows and columns into those of a grid that is one pixel larger all around; return it, 0 or p + 1."""
    rows -= rows.min() - 1
    columns -= columns.min() - 1
    grid = np.zeros((rows.max() + 2, columns.max() + 2), dtype=np.int32)
    for p in range(rows.size):
        grid[rows[p], columns[p]] = p + 1
    return grid


@compiled
def _split_colors(values: Any, totals: Any, rows: Any, columns: Any, noise: Any, separation: Any) -> Any:
    """Return the shares (m, n_galaxies) of a piece's light, split by colour."""
    grid = _local_grid(rows, columns)
    colors = np.empty((MAX_COLORS, N_BANDS))
    patch = np.zeros(totals.size, dtype=np.int64)
    for p in range(totals.size):
        if REACH * noise > separation * totals[p]:
            patch[p] = -1  # too faint to know its colour
    n_colors = find_colors(values, totals, grid, rows, columns, noise, separation, colors, patch)
    if n_colors < 2:
        return totals.reshape(-1, 1)
    deblended = np.zeros((totals.size, n_colors))
    deblend_flux(values, totals, grid.shape, rows, columns, noise, colors[:n_colors], patch, deblended)
    whole = np.empty(totals.size)
    for k in range(n_colors):
        fill_by_symmetry(grid, rows, columns, noise, deblended[:, k].copy(), whole)
        deblended[:, k] = whole
    return deblended


@compiled
def _split_brightness(totals: Any, rows: Any, columns: Any, contrast: Any, depth: Any, n_pixels: Any) -> Any:
    """Return the shares (m, n_galaxies) of a piece's light, split at saddles of its brightness."""
    grid = _local_grid(rows, columns)
    smoothed = np.empty(totals.size)
    patch = np.empty(totals.size, dtype=np.int64)
    smooth(totals, grid, rows, columns, smoothed)
    n_patches = split_saddles(smoothed, grid, rows, columns, contrast, depth, n_pixels, patch)
    deblended = np.zeros((totals.size, n_patches))
    for p in range(totals.size):
        deblended[p, patch[p] - 1] = totals[p]
    return deblended


@compiled
def split_segments(
    values: Any,
    totals: Any,
    rows: Any,
    columns: Any,
    segment_starts: Any,
    residuals: Any,
    n_columns: Any,
    by_color: Any,
    noise: Any,
    separation: Any,
    contrast: Any,
    depth: Any,
    n_pixels: Any,
    pixels: Any,
    flux: Any,
    starts: Any,
    blended: Any,
) -> Any:
    """Split every piece into galaxies of at least `n_pixels` pixels; fill their footprints and return how many.

    With `by_color`, pieces are split by colour alone, else at saddles of the brightness. Galaxy k owns the flat indices
    ``pixels[starts[k]:starts[k + 1]]`` and, in them, ``flux``; `blended` tells whether it shares its piece with others.
    `rows` and `columns` are overwritten.
    """
    n_galaxies, end = 0, 0
    starts[0] = 0
    for k in range(residuals.size):
        own = slice(segment_starts[k], segment_starts[k + 1])
        light, segment_pixels = totals[own], rows[own] * n_columns + columns[own]
        if by_color and residuals[k] * np.sqrt(segment_pixels.size) <= REACH * noise * np.sqrt(CORE):
            deblended = light.reshape(-1, 1)
        elif by_color:
            deblended = _split_colors(values[own], light, rows[own], columns[own], noise, separation)
        else:
            deblended = _split_brightness(light, rows[own], columns[own], contrast, depth, n_pixels)
        for galaxy in range(deblended.shape[1]):
            start = end
            for p in range(segment_pixels.size):
                if deblended[p, galaxy] > noise:
                    pixels[end] = segment_pixels[p]
                    flux[end] = deblended[p, galaxy]
                    end += 1
            if end - start < n_pixels:
                end = start
                continue
            blended[n_galaxies] = deblended.shape[1] > 1
            n_galaxies += 1
            starts[n_galaxies] = end
    return n_galaxies
