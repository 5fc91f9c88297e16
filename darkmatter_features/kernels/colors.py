"""Which colours a connected piece holds, and how its light is shared between them.

A galaxy drawn in one colour keeps that colour wherever it is seen; where two meet, the blur of the picture mixes their
light. So colours that recur over a compact patch are galaxies, and every other pixel is a mixture that a least-squares
fit takes apart.
"""

from typing import Any

import numpy as np

from darkmatter_features.kernels import compiled

MAX_COLORS = 8
# Three standard deviations of the noise: a pixel this close to a colour has that colour.
REACH = 3.0
# A piece is searched for at most this many recurring colours...
MAX_CANDIDATES = 48
# ...each found from a seed by moving this often to the mean of what is in reach.
N_SHIFTS = 3
# A patch is a galaxy only if some 3 x 3 square holds this many of its pixels: the blurred seam between two
# galaxies, two pixels wide, holds at most six of one mixed colour.
CORE = 7
# How far, in pixels, a galaxy reaches into pixels that it shares.
SHARE_RADIUS = 8


@compiled
def color_residual(values: Any) -> Any:
    """Return the rms deviation, in counts, of `values` (m, n_bands) from one colour times each pixel's total."""
    m, n_bands = values.shape
    total = values.sum()
    squares = 0.0
    for band in range(n_bands):
        fraction = values[:, band].sum() / total
        for p in range(m):
            squares += (values[p, band] - fraction * values[p].sum()) ** 2
    return np.sqrt(squares / (m * n_bands))


@compiled
def pixel_totals(values: Any) -> Any:
    """Return the light (m,) of each pixel, summed over bands."""
    totals = np.zeros(values.shape[0])
    for p in range(values.shape[0]):
        for band in range(values.shape[1]):
            totals[p] += values[p, band]
    return totals


@compiled
def _is_near(values: Any, totals: Any, p: Any, color: Any, reach: Any) -> Any:
    """Tell whether pixel `p` is within `reach`, in counts, of `color` in every band."""
    worst = 0.0
    for band in range(color.size):
        worst = max(worst, abs(values[p, band] - totals[p] * color[band]))
    return worst <= reach


@compiled
def _gather(values: Any, totals: Any, patch: Any, noise: Any, color: Any) -> Any:
    """Replace `color` by the mean colour of the free pixels (patch 0) within reach of it; return how many there are."""
    light = np.zeros(color.size)
    n = 0
    for p in range(totals.size):
        if patch[p] == 0 and _is_near(values, totals, p, color, REACH * noise):
            n += 1
            for band in range(color.size):
                light[band] += values[p, band]
    if n > 0:
        total = light.sum()
        for band in range(color.size):
            color[band] = light[band] / total
    return n


@compiled
def _core_color(values: Any, totals: Any, grid: Any, row: Any, column: Any, noise: Any, color: Any) -> Any:
    """Fill `color` with the mean of those in the 3 x 3 square around a pixel that are within reach of its colour.

    Return how many they are.
    """
    p = grid[row, column] - 1
    n_bands = color.size
    own = np.empty(n_bands)
    for band in range(n_bands):
        own[band] = values[p, band] / totals[p]
        color[band] = 0.0
    n, total = 0, 0.0
    for i in range(row - 1, row + 2):
        for j in range(column - 1, column + 2):
            q = grid[i, j] - 1
            if q >= 0 and _is_near(values, totals, q, own, REACH * noise):
                n += 1
                total += totals[q]
                for band in range(n_bands):
                    color[band] += values[q, band]
    color /= total
    return n


@compiled
def _candidate_colors(
    values: Any,
    totals: Any,
    grid: Any,
    rows: Any,
    columns: Any,
    patch: Any,
    noise: Any,
    separation: Any,
    candidates: Any,
    n_members: Any,
) -> Any:
    """Fill `candidates` with the colours that recur among the pixels, `n_members` with how often; return how many.

    Each pixel bright enough to know its colour, and amid others that share it, is the seed of one, unless it is within
    reach of an earlier one's.
    """
    m = totals.size
    covered = np.zeros(m, dtype=np.bool_)
    n = 0
    for p in range(m):
        if covered[p] or patch[p] < 0 or REACH * noise > separation * totals[p] or n == MAX_CANDIDATES:
            continue
        color = candidates[n]
        if _core_color(values, totals, grid, rows[p], columns[p], noise, color) < CORE:
            continue
        for _ in range(N_SHIFTS):
            n_members[n] = _gather(values, totals, patch, noise, color)
        for q in range(m):
            covered[q] |= patch[q] == 0 and _is_near(values, totals, q, color, REACH * noise)
        covered[p] = True
        if n_members[n] >= CORE:
            n += 1
    return n


@compiled
def _has_core(members: Any, rows: Any, columns: Any) -> Any:
    """Tell whether some 3 x 3 square of the grid `members` holds CORE ones about one of the pixels."""
    for p in range(rows.size):
        i, j = rows[p], columns[p]
        if members[i, j] == 1:
            n = 0
            for k in range(i - 1, i + 2):
                for m in range(j - 1, j + 2):
                    n += members[k, m]
            if n >= CORE:
                return True
    return False


@compiled
def find_colors(
    values: Any, grid: Any, rows: Any, columns: Any, noise: Any, separation: Any, colors: Any, patch: Any
) -> Any:
    """Fill `colors` with those of the galaxies in a piece, `patch` (m,) with k + 1 where colour k is pure; count them.

    The commonest colour is taken first, then the commonest of the rest, if it is apart from those before it and holds a
    compact core. `grid` holds p + 1 at the local (rows, columns) of pixel p, with a margin of one pixel all around.
    """
    totals = pixel_totals(values)
    candidates = np.empty((MAX_CANDIDATES + 1, values.shape[1]))
    n_members = np.zeros(MAX_CANDIDATES + 1, dtype=np.int64)
    n_candidates = _candidate_colors(
        values, totals, grid, rows, columns, patch, noise, separation, candidates, n_members
    )
    members = np.zeros(grid.shape, dtype=np.uint8)
    n_colors = 0
    for candidate in np.argsort(-n_members[:n_candidates], kind="mergesort"):
        color = candidates[candidate]
        apart = n_colors < MAX_COLORS
        for k in range(n_colors):
            apart = apart and np.abs(colors[k] - color).max() >= separation
        if not apart or _gather(values, totals, patch, noise, color) < CORE:
            continue
        for p in range(rows.size):
            is_member = patch[p] == 0 and _is_near(values, totals, p, color, REACH * noise)
            members[rows[p], columns[p]] = is_member
        if _has_core(members, rows, columns):
            colors[n_colors] = color
            n_colors += 1
            for p in range(rows.size):
                if members[rows[p], columns[p]] == 1:
                    patch[p] = n_colors
    return n_colors


@compiled
def _products(value: Any, color: Any) -> Any:
    """Return the sum of `value` times `color` over bands."""
    total = 0.0
    for band in range(color.size):
        total += value[band] * color[band]
    return total


@compiled
def _two_shares(value: Any, a: Any, b: Any) -> Any:
    """Return the shares of colours `a` and `b` in `value`, least squares, and the squared residual."""
    aa, bb, ab = _products(a, a), _products(b, b), _products(a, b)
    av, bv = _products(a, value), _products(b, value)
    determinant = aa * bb - ab * ab
    share_a = (av * bb - bv * ab) / determinant
    share_b = (bv * aa - av * ab) / determinant
    return share_a, share_b, _residual(value, a, share_a, b, share_b)


@compiled
def _residual(value: Any, a: Any, share_a: Any, b: Any, share_b: Any) -> Any:
    squares = 0.0
    for band in range(a.size):
        squares += (value[band] - share_a * a[band] - share_b * b[band]) ** 2
    return squares


@compiled
def _along_rows(grid: Any, patch: Any, n_colors: Any) -> Any:
    """Return how far (n_colors, n_rows, n_columns) along its own row each cell's nearest pure pixel of a colour is."""
    n_rows, n_columns = grid.shape
    far = n_rows + n_columns
    along = np.full((n_colors, n_rows, n_columns), far, dtype=np.int32)
    for i in range(n_rows):
        for j in range(n_columns):
            if grid[i, j] > 0 and patch[grid[i, j] - 1] > 0:
                along[patch[grid[i, j] - 1] - 1, i, j] = 0
    for k in range(n_colors):
        for i in range(n_rows):
            for j in range(1, n_columns):
                along[k, i, j] = min(along[k, i, j], along[k, i, j - 1] + 1)
            for j in range(n_columns - 2, -1, -1):
                along[k, i, j] = min(along[k, i, j], along[k, i, j + 1] + 1)
    return along


@compiled
def _nearest(along: Any, row: Any, column: Any, distance: Any) -> None:
    """Fill `distance` with how far each patch's nearest pure pixel is from (row, column); inf beyond SHARE_RADIUS."""
    for k in range(distance.size):
        least = np.inf
        for i in range(max(row - SHARE_RADIUS, 0), min(row + SHARE_RADIUS + 1, along.shape[1])):
            if along[k, i, column] <= SHARE_RADIUS:
                least = min(least, float((i - row) ** 2 + along[k, i, column] ** 2))
        distance[k] = np.sqrt(least)


@compiled
def share_light(
    values: Any, grid: Any, rows: Any, columns: Any, noise: Any, colors: Any, patch: Any, shares: Any
) -> None:
    """Fill `shares` (m, n_colors) with each galaxy's flux in every pixel, summed over bands.

    A pure pixel goes whole to its colour. A mixed one goes to the galaxy, or the pair, that is nearest and explains its
    colour best: least distance in pixels plus least squares in units of the noise's reach.
    """
    n_colors = colors.shape[0]
    distance = np.empty(n_colors)
    totals = pixel_totals(values)
    along = _along_rows(grid, patch, n_colors)
    scale = (REACH * noise) ** 2
    shares[:] = 0.0
    for p in range(rows.size):
        if patch[p] > 0:
            shares[p, patch[p] - 1] = totals[p]
            continue
        _nearest(along, rows[p], columns[p], distance)
        best = np.inf
        best_a, best_b, share_a, share_b = -1, -1, 0.0, 0.0
        for a in range(n_colors):
            if distance[a] == np.inf:
                continue
            flux = _products(values[p], colors[a]) / _products(colors[a], colors[a])
            cost = 2.0 * distance[a] + _residual(values[p], colors[a], flux, colors[a], 0.0) / scale
            if cost < best:
                best, best_a, best_b, share_a, share_b = cost, a, -1, totals[p], 0.0
            for b in range(a + 1, n_colors):
                if distance[a] + distance[b] >= best:
                    continue
                flux_a, flux_b, squares = _two_shares(values[p], colors[a], colors[b])
                cost = distance[a] + distance[b] + squares / scale
                if flux_a > 0 and flux_b > 0 and cost < best:
                    best, best_a, best_b, share_a, share_b = cost, a, b, flux_a, flux_b
        if best_a >= 0:
            shares[p, best_a] = share_a
        if best_b >= 0:
            shares[p, best_b] = share_b
