"""Deblended flux: the light of a segment, divided between the galaxies whose colours it has.

Where two galaxies meet, the PSF mixes their light; a least-squares fit of their colours separates it.
"""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.colors import N_BANDS, NOISE_RADIUS
from darkmatter_features.galaxies.kernels.records import Floats, Integers, Light, PixelGrid
from darkmatter_features.numerics.jit import compiled

DEBLENDING_RADIUS = 8
"""Maximum distance of a mixed pixel from the patch of a galaxy whose light it may have, pixels."""

FAR = 2**30
"""Squared distance of any position beyond `DEBLENDING_RADIUS`, pixels squared."""


@compiled
def _product(a: Floats, b: Floats) -> Any:
    """Return the sum of a times b over bands."""
    total = 0.0
    for band in range(N_BANDS):
        total += a[band] * b[band]
    return total


@compiled
def _products(colors: Floats) -> Any:
    """Return the products of all pairs of colours, (n_colors, n_colors)."""
    products = np.empty((colors.shape[0], colors.shape[0]))
    for a in range(colors.shape[0]):
        for b in range(colors.shape[0]):
            products[a, b] = _product(colors[a], colors[b])
    return products


@compiled
def _two_fluxes(value: Floats, colors: Floats, products: Floats, a: Any, b: Any) -> Any:
    """Return the fluxes of colours `a` and `b` that fit `value` (n_bands,) best, and the sum of squared residuals."""
    av, bv = _product(colors[a], value), _product(colors[b], value)
    determinant = products[a, a] * products[b, b] - products[a, b] * products[a, b]
    flux_a = (av * products[b, b] - bv * products[a, b]) / determinant
    flux_b = (bv * products[a, a] - av * products[a, b]) / determinant
    return flux_a, flux_b, _squared_residual(value, colors[a], flux_a, colors[b], flux_b)


@compiled
def _squared_residual(value: Floats, a: Floats, flux_a: float, b: Floats, flux_b: float) -> Any:
    """Return the sum over bands of the squared difference between `value` and two fluxes times their colours."""
    squares = 0.0
    for band in range(N_BANDS):
        squares += (value[band] - flux_a * a[band] - flux_b * b[band]) ** 2
    return squares


@compiled
def _squared_distance_in_row(grid: PixelGrid, patch: Integers, n_colors: Any) -> Any:
    """Return the squared distance from each cell to the nearest pixel of each patch in its own row; FAR if too far.

    The result has shape (n_colors, n_columns, n_rows): cells of a column, which are searched next, are contiguous.
    """
    n_rows, n_columns = grid.cells.shape
    distance = np.empty((n_colors, n_columns, n_rows), dtype=np.int32)
    distance[:] = DEBLENDING_RADIUS + 1
    for p in range(patch.size):
        if patch[p] > 0:
            distance[patch[p] - 1, grid.columns[p], grid.rows[p]] = 0
    for k in range(n_colors):
        for j in range(1, n_columns):
            for i in range(n_rows):
                distance[k, j, i] = min(distance[k, j, i], distance[k, j - 1, i] + 1)
        for j in range(n_columns - 2, -1, -1):
            for i in range(n_rows):
                distance[k, j, i] = min(distance[k, j, i], distance[k, j + 1, i] + 1)
        for j in range(n_columns):
            for i in range(n_rows):
                distance[k, j, i] = distance[k, j, i] ** 2 if distance[k, j, i] <= DEBLENDING_RADIUS else FAR
    return distance


@compiled
def _distance_to_patches(in_row: Any, row: Any, column: Any, distance: Floats) -> None:
    """Fill `distance` (n_colors,) with that from a position to each patch, pixels; inf beyond DEBLENDING_RADIUS."""
    for k in range(distance.size):
        least = FAR
        for i in range(max(row - DEBLENDING_RADIUS, 0), min(row + DEBLENDING_RADIUS + 1, in_row.shape[2])):
            least = min(least, (i - row) ** 2 + in_row[k, column, i])
        distance[k] = np.sqrt(least) if least < FAR else np.inf


@compiled
def deblend_flux(
    light: Light, grid: PixelGrid, noise: float, colors: Floats, patch: Integers, deblended: Floats
) -> None:
    """Fill `deblended` (m, n_colors) with the flux of each galaxy in every pixel, summed over bands.

    A pixel of a patch has the light of that galaxy alone. A mixed pixel has the light of the galaxy or the pair of
    galaxies a, b of least cost: d_a + d_b + S / (NOISE_RADIUS noise)^2, where d is the distance to a galaxy's patch in
    pixels, b = a for a single galaxy, and S is the sum of squared residuals of a least-squares fit of the fluxes.
    """
    values, totals = light
    rows, columns = grid.rows, grid.columns
    n_colors = colors.shape[0]
    distance, products = np.empty(n_colors), _products(colors)
    in_row = _squared_distance_in_row(grid, patch, n_colors)
    scale = (NOISE_RADIUS * noise) ** 2
    deblended[:] = 0.0
    for p in range(patch.size):
        if patch[p] > 0:
            deblended[p, patch[p] - 1] = totals[p]
            continue
        _distance_to_patches(in_row, rows[p], columns[p], distance)
        best = np.inf
        best_a, best_b, best_flux_a, best_flux_b = -1, -1, 0.0, 0.0
        for a in range(n_colors):
            if distance[a] == np.inf:
                continue
            flux = _product(values[p], colors[a]) / products[a, a]
            cost = 2.0 * distance[a] + _squared_residual(values[p], colors[a], flux, colors[a], 0.0) / scale
            if cost < best:
                best, best_a, best_b, best_flux_a, best_flux_b = cost, a, -1, totals[p], 0.0
            for b in range(a + 1, n_colors):
                if distance[a] + distance[b] >= best:
                    continue
                flux_a, flux_b, squares = _two_fluxes(values[p], colors, products, a, b)
                cost = distance[a] + distance[b] + squares / scale
                if flux_a > 0 and flux_b > 0 and cost < best:
                    best, best_a, best_b, best_flux_a, best_flux_b = cost, a, b, flux_a, flux_b
        if best_a >= 0:
            deblended[p, best_a] = best_flux_a
        if best_b >= 0:
            deblended[p, best_b] = best_flux_b
