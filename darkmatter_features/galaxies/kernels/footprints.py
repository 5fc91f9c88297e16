"""From segments to footprints of galaxies: lists of pixels, each with the flux of the galaxy in it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.kernels.colors import (
    MAX_COLORS,
    MIN_CORE_PIXELS,
    N_BANDS,
    NOISE_RADIUS,
    color_residual,
    find_colors,
)
from darkmatter_features.galaxies.kernels.deblending import deblend_flux
from darkmatter_features.galaxies.kernels.records import (
    ColorSettings,
    Floats,
    Footprints,
    Light,
    PixelGrid,
    SaddleSettings,
    SegmentPixels,
    SplitSettings,
)
from darkmatter_features.galaxies.kernels.symmetry import fill_by_symmetry
from darkmatter_features.galaxies.kernels.watershed import pixel_grid, smooth, split_saddles
from darkmatter_features.numerics.jit import compiled


@compiled
def gather_pixels(bands: NDArray[Any], background: Floats, indices: NDArray[np.int32], pixels: SegmentPixels) -> None:
    """Fill `pixels` with the positions, the bands above the `background` and their sums at the flat `indices`.

    Indices are those of an image with a margin of one pixel on all sides. Negative values are set to 0.
    """
    width = bands.shape[1] + 2
    values, totals, rows, columns = pixels.values, pixels.totals, pixels.rows, pixels.columns
    for p in range(indices.size):
        i, j = divmod(indices[p], width)
        rows[p], columns[p] = i - 1, j - 1
        totals[p] = 0.0
        for band in range(bands.shape[2]):
            values[p, band] = max(float(bands[i - 1, j - 1, band]) - background[band], 0.0)
            totals[p] += values[p, band]


@compiled
def segment_residuals(pixels: SegmentPixels, residuals: Floats) -> None:
    """Fill `residuals` (n_segments,) with each segment's rms deviation from its mean colour, in counts."""
    for k in range(residuals.size):
        own = slice(pixels.starts[k], pixels.starts[k + 1])
        residuals[k] = color_residual(pixels.values[own], pixels.totals[own])


@compiled
def _split_by_color(light: Light, grid: PixelGrid, settings: ColorSettings) -> Any:
    """Return the flux (m, n_galaxies) of each galaxy in a segment, split by colour."""
    m = light.totals.size
    colors = np.empty((MAX_COLORS, N_BANDS))
    patch = np.empty(m, dtype=np.int64)
    for p in range(m):
        is_faint = NOISE_RADIUS * settings.noise > settings.separation * light.totals[p]
        patch[p] = -1 if is_faint else 0  # without a known colour, or free
    n_colors = find_colors(light, grid, settings, colors, patch)
    if n_colors < 2:
        return light.totals.reshape(-1, 1)
    deblended, visible, filled = np.empty((m, n_colors)), np.empty(m), np.empty(m)
    deblend_flux(light, grid, settings.noise, colors[:n_colors], patch, deblended)
    for k in range(n_colors):
        for p in range(m):
            visible[p] = deblended[p, k]
        fill_by_symmetry(grid, settings.noise, visible, filled)
        for p in range(m):
            deblended[p, k] = filled[p]
    return deblended


@compiled
def _split_by_brightness(totals: Floats, grid: PixelGrid, settings: SaddleSettings) -> Any:
    """Return the flux (m, n_galaxies) of each galaxy in a segment, split at saddles of its brightness."""
    smoothed = np.empty(totals.size)
    patch = np.empty(totals.size, dtype=np.int64)
    smooth(totals, grid, smoothed)
    n_patches = split_saddles(smoothed, grid, settings, patch)
    deblended = np.empty((totals.size, n_patches))
    deblended[:] = 0.0
    for p in range(totals.size):
        deblended[p, patch[p] - 1] = totals[p]
    return deblended


@compiled
def split_segments(
    pixels: SegmentPixels, residuals: Floats, n_columns: int, settings: SplitSettings, footprints: Footprints
) -> Any:
    """Split every segment into galaxies, fill their `footprints`, and return the number of galaxies.

    A segment counts as one galaxy without a search where the sum of its squared `residuals` is below that of a core of
    another colour. `pixels.rows` and `pixels.columns` are overwritten.
    """
    rows, columns, noise = pixels.rows, pixels.columns, settings.color.noise
    n_galaxies, end = 0, 0
    footprints.starts[0] = 0
    for k in range(residuals.size):
        own = slice(pixels.starts[k], pixels.starts[k + 1])
        light, indices = Light(pixels.values[own], pixels.totals[own]), rows[own] * n_columns + columns[own]
        is_uniform = residuals[k] * np.sqrt(indices.size) <= NOISE_RADIUS * noise * np.sqrt(MIN_CORE_PIXELS)
        if settings.by_color and is_uniform:
            deblended = light.totals.reshape(-1, 1)
        elif settings.by_color:
            deblended = _split_by_color(light, pixel_grid(rows[own], columns[own]), settings.color)
        else:
            deblended = _split_by_brightness(light.totals, pixel_grid(rows[own], columns[own]), settings.saddle)
        for galaxy in range(deblended.shape[1]):
            start = end
            for p in range(indices.size):
                if deblended[p, galaxy] > noise:
                    footprints.pixels[end] = indices[p]
                    footprints.flux[end] = deblended[p, galaxy]
                    end += 1
            if end - start < settings.saddle.n_pixels:
                end = start
                continue
            footprints.blended[n_galaxies] = deblended.shape[1] > 1
            n_galaxies += 1
            footprints.starts[n_galaxies] = end
    return n_galaxies
