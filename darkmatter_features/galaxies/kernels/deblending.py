"""How the light of a piece is shared between the galaxies whose colours it holds.

Where two galaxies meet, the blur of the picture mixes their light: a least-squares fit takes it apart.
"""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.colors import N_BANDS, REACH
from darkmatter_features.numerics.jit import compiled

# How far, in pixels, a galaxy reaches into pixels that it shares.
DEBLENDING_RADIUS = 8
# The square of a distance beyond that.
FAR = 2**30


@compiled
def _product(a: Any, b: Any) -> Any:
    """Return the sum of a times b over bands."""
    total = 0.0
    for band in range(N_BANDS):
        total += a[band] * b[band]
    return total


@compiled
def _products(colors: Any) -> Any:
    """Return the product of each colour with each, (n_colors, n_colors)."""
    products = np.empty((colors.shape[0], colors.shape[0]))
    for a in range(colors.shape[0]):
        for b in range(colors.shape[0]):
            products[a, b] = _product(colors[a], colors[b])
    return products


@compiled
def _two_fluxes(value: Any, colors: Any, products: Any, a: Any, b: Any) -> Any:
    """Return the shares of colours `a` and `b` in `value`, least squares, and the squared residual."""
    av, bv = _product(colors[a], value), _product(colors[b], value)
    determinant = products[a, a] * products[b, b] - products[a, b] * products[a, b]
    share_a = (av * products[b, b] - bv * products[a, b]) / determinant
    share_b = (bv * products[a, a] - av * products[a, b]) / determinant
    return share_a, share_b, _residual(value, colors[a], share_a, colors[b], share_b)


@compiled
def _residual(value: Any, a: Any, share_a: Any, b: Any, share_b: Any) -> Any:
    squares = 0.0
    for band in range(N_BANDS):
        squares += (value[band] - share_a * a[band] - share_b * b[band]) ** 2
    return squares


@compiled
def _squares_along_rows(shape: Any, rows: Any, columns: Any, patch: Any, n_colors: Any) -> Any:
    """Return the square of how far along its own row each cell's nearest pure pixel of a colour is; FAR if too far.

    The result is (n_colors, n_columns, n_rows): cells of a column, which are searched next, lie beside each other.
    """
    n_rows, n_columns = shape
    along = np.full((n_colors, n_columns, n_rows), n_columns, dtype=np.int32)
    for p in range(rows.size):
        if patch[p] > 0:
            along[patch[p] - 1, columns[p], rows[p]] = 0
    for k in range(n_colors):
        for j in range(1, n_columns):
            for i in range(n_rows):
                along[k, j, i] = min(along[k, j, i], along[k, j - 1, i] + 1)
        for j in range(n_columns - 2, -1, -1):
            for i in range(n_rows):
                along[k, j, i] = min(along[k, j, i], along[k, j + 1, i] + 1)
        for j in range(n_columns):
            for i in range(n_rows):
                along[k, j, i] = along[k, j, i] ** 2 if along[k, j, i] <= DEBLENDING_RADIUS else FAR
    return along


@compiled
def _nearest(along: Any, row: Any, column: Any, distance: Any) -> None:
    """Fill `distance` with how far each patch's nearest pure pixel is from (row, column); inf beyond DEBLENDING_RADIUS."""
    for k in range(distance.size):
        least = FAR
        for i in range(max(row - DEBLENDING_RADIUS, 0), min(row + DEBLENDING_RADIUS + 1, along.shape[2])):
            least = min(least, (i - row) ** 2 + along[k, column, i])
        distance[k] = np.sqrt(least) if least < FAR else np.inf


@compiled
def deblend_flux(
    values: Any,
    totals: Any,
    shape: Any,
    rows: Any,
    columns: Any,
    noise: Any,
    colors: Any,
    patch: Any,
    deblended: Any,
) -> None:
    """Fill `deblended` (m, n_colors) with each galaxy's flux in every pixel, summed over bands.

    A pure pixel goes whole to its colour. A mixed one goes to the galaxy, or the pair, that is nearest and explains its
    colour best: least distance in pixels plus least squares in units of the noise's reach. `rows` and `columns` are
    those in a grid of this `shape`.
    """
    n_colors = colors.shape[0]
    distance, products = np.empty(n_colors), _products(colors)
    along = _squares_along_rows(shape, rows, columns, patch, n_colors)
    scale = (REACH * noise) ** 2
    deblended[:] = 0.0
    for p in range(rows.size):
        if patch[p] > 0:
            deblended[p, patch[p] - 1] = totals[p]
            continue
        _nearest(along, rows[p], columns[p], distance)
        best = np.inf
        best_a, best_b, share_a, share_b = -1, -1, 0.0, 0.0
        for a in range(n_colors):
            if distance[a] == np.inf:
                continue
            flux = _product(values[p], colors[a]) / products[a, a]
            cost = 2.0 * distance[a] + _residual(values[p], colors[a], flux, colors[a], 0.0) / scale
            if cost < best:
                best, best_a, best_b, share_a, share_b = cost, a, -1, totals[p], 0.0
            for b in range(a + 1, n_colors):
                if distance[a] + distance[b] >= best:
                    continue
                flux_a, flux_b, squares = _two_fluxes(values[p], colors, products, a, b)
                cost = distance[a] + distance[b] + squares / scale
                if flux_a > 0 and flux_b > 0 and cost < best:
                    best, best_a, best_b, share_a, share_b = cost, a, b, flux_a, flux_b
        if best_a >= 0:
            deblended[p, best_a] = share_a
        if best_b >= 0:
            deblended[p, best_b] = share_b
