"""From connected pieces to the footprints of galaxies: lists of pixels, each with the flux that is the galaxy's own."""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled
from darkmatter_features.kernels.colors import (
    CORE,
    MAX_COLORS,
    REACH,
    color_residual,
    find_colors,
    pixel_totals,
    share_light,
)
from darkmatter_features.kernels.hidden import complete_hidden
from darkmatter_features.kernels.watershed import smooth, split_saddles


@compiled
def gather_values(bands: Any, background: Any, pixels: Any, values: Any) -> None:
    """Fill `values` (m, n_bands) with the bands of the flat indices `pixels` over their `background`, at least zero."""
    n_columns, n_bands = bands.shape[1], bands.shape[2]
    for p in range(pixels.size):
        i, j = divmod(pixels[p], n_columns)
        for band in range(n_bands):
            values[p, band] = max(float(bands[i, j, band]) - background[band], 0.0)


@compiled
def piece_residuals(values: Any, starts: Any, residuals: Any) -> None:
    """Fill `residuals` with each piece's rms deviation from a single colour, in counts."""
    for k in range(residuals.size):
        residuals[k] = color_residual(values[starts[k] : starts[k + 1]])


@compiled
def _local_grid(pixels: Any, n_columns: Any, rows: Any, columns: Any) -> Any:
    """Return a grid with p + 1 where pixel p lies, else 0, one pixel larger all around; fill rows and columns."""
    for p in range(pixels.size):
        rows[p], columns[p] = divmod(pixels[p], n_columns)
    rows -= rows.min() - 1
    columns -= columns.min() - 1
    grid = np.zeros((rows.max() + 2, columns.max() + 2), dtype=np.int32)
    for p in range(pixels.size):
        grid[rows[p], columns[p]] = p + 1
    return grid


@compiled
def _whole(values: Any) -> Any:
    """Return the shares (m, 1) of a piece that is one galaxy."""
    return pixel_totals(values).reshape(-1, 1)


@compiled
def _split_colors(pixels: Any, values: Any, n_columns: Any, noise: Any, separation: Any) -> Any:
    """Return the shares (m, n_galaxies) of a piece's light, split by colour."""
    rows, columns = np.empty_like(pixels), np.empty_like(pixels)
    grid = _local_grid(pixels, n_columns, rows, columns)
    colors = np.empty((MAX_COLORS, values.shape[1]))
    patch = np.zeros(pixels.size, dtype=np.int64)
    totals = pixel_totals(values)
    for p in range(pixels.size):
        if REACH * noise > separation * totals[p]:
            patch[p] = -1  # too faint to know its colour
    n_colors = find_colors(values, grid, rows, columns, noise, separation, colors, patch)
    if n_colors < 2:
        return _whole(values)
    shares = np.zeros((pixels.size, n_colors))
    share_light(values, grid, rows, columns, noise, colors[:n_colors], patch, shares)
    whole = np.empty(pixels.size)
    for k in range(n_colors):
        complete_hidden(grid, rows, columns, noise, shares[:, k].copy(), whole)
        shares[:, k] = whole
    return shares


@compiled
def _split_brightness(pixels: Any, values: Any, n_columns: Any, contrast: Any, depth: Any, n_pixels: Any) -> Any:
    """Return the shares (m, n_galaxies) of a piece's light, split at saddles of its brightness."""
    rows, columns = np.empty_like(pixels), np.empty_like(pixels)
    grid = _local_grid(pixels, n_columns, rows, columns)
    flux = _whole(values)[:, 0].copy()
    smoothed = np.empty(pixels.size)
    patch = np.empty(pixels.size, dtype=np.int64)
    smooth(flux, grid, rows, columns, smoothed)
    n_patches = split_saddles(smoothed, grid, rows, columns, contrast, depth, n_pixels, patch)
    shares = np.zeros((pixels.size, n_patches))
    for p in range(pixels.size):
        shares[p, patch[p] - 1] = flux[p]
    return shares


@compiled
def split_pieces(
    values: Any,
    piece_pixels: Any,
    piece_starts: Any,
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
    """
    n_galaxies, end = 0, 0
    starts[0] = 0
    for k in range(residuals.size):
        first, last = piece_starts[k], piece_starts[k + 1]
        piece, light = piece_pixels[first:last], values[first:last]
        if by_color and residuals[k] * np.sqrt(piece.size) <= REACH * noise * np.sqrt(CORE):
            shares = _whole(light)
        elif by_color:
            shares = _split_colors(piece, light, n_columns, noise, separation)
        else:
            shares = _split_brightness(piece, light, n_columns, contrast, depth, n_pixels)
        for galaxy in range(shares.shape[1]):
            start = end
            for p in range(piece.size):
                if shares[p, galaxy] > noise:
                    pixels[end] = piece[p]
                    flux[end] = shares[p, galaxy]
                    end += 1
            if end - start < n_pixels:
                end = start
                continue
            blended[n_galaxies] = shares.shape[1] > 1
            n_galaxies += 1
            starts[n_galaxies] = end
    return n_galaxies
