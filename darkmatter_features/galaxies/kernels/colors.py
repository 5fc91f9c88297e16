"""Which colours a connected piece holds.

A galaxy drawn in one colour keeps that colour wherever it is seen; where two meet, the blur of the picture mixes their
light. So colours that recur over a compact patch are galaxies.
"""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled

# Colours are told apart in so many bands: a constant, so that loops over them unroll.
N_BANDS = 3
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


@compiled
def color_residual(values: Any, totals: Any) -> Any:
    """Return the rms deviation, in counts, of `values` (m, n_bands) from one colour times each pixel's total."""
    m, n_bands = values.shape
    fractions = np.zeros(n_bands)
    for p in range(m):
        for band in range(n_bands):
            fractions[band] += values[p, band]
    fractions /= totals.sum()
    squares = 0.0
    for p in range(m):
        for band in range(n_bands):
            squares += (values[p, band] - fractions[band] * totals[p]) ** 2
    return np.sqrt(squares / (m * n_bands))


@compiled
def _mark(values: Any, totals: Any, patch: Any, noise: Any, color: Any, members: Any) -> Any:
    """Mark as `members` the free pixels (patch 0) within reach of `color`; tell whether that changes any mark."""
    changed = False
    for p in range(totals.size):
        is_near = patch[p] == 0
        for band in range(N_BANDS):
            is_near &= abs(values[p, band] - totals[p] * color[band]) <= REACH * noise
        changed |= members[p] != is_near
        members[p] = is_near
    return changed


@compiled
def _mean_color(values: Any, members: Any, color: Any) -> Any:
    """Replace `color` by the mean colour of the `members`, if there are any; return how many there are."""
    n = 0
    light = np.zeros(N_BANDS)
    for p in range(members.size):
        n += members[p]
        for band in range(N_BANDS):
            light[band] += members[p] * values[p, band]
    if n > 0:
        color[:] = light / light.sum()
    return n


@compiled
def _core_color(values: Any, totals: Any, grid: Any, row: Any, column: Any, noise: Any, color: Any) -> Any:
    """Fill `color` with the mean of those in the 3 x 3 square around a pixel that are within reach of its colour.

    Return how many they are.
    """
    p = grid[row, column] - 1
    own = values[p] / totals[p]
    n, total = 0, 0.0
    color[:] = 0.0
    for i in range(row - 1, row + 2):
        for j in range(column - 1, column + 2):
            q = grid[i, j] - 1
            is_near = q >= 0
            for band in range(N_BANDS):
                is_near = is_near and abs(values[q, band] - totals[q] * own[band]) <= REACH * noise
            if is_near:
                n += 1
                total += totals[q]
                for band in range(N_BANDS):
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
    members, covered = np.zeros(m, dtype=np.bool_), np.zeros(m, dtype=np.bool_)
    n = 0
    for p in range(m):
        if covered[p] or patch[p] < 0 or REACH * noise > separation * totals[p] or n == MAX_CANDIDATES:
            continue
        color = candidates[n]
        if _core_color(values, totals, grid, rows[p], columns[p], noise, color) < CORE:
            continue
        _mark(values, totals, patch, noise, color, members)
        for _ in range(N_SHIFTS):
            n_members[n] = _mean_color(values, members, color)
            if not _mark(values, totals, patch, noise, color, members):
                break  # their mean stays what it is
        covered |= members
        covered[p] = True
        if n_members[n] >= CORE:
            n += 1
    return n


@compiled
def _has_core(members: Any, grid: Any, rows: Any, columns: Any) -> Any:
    """Tell whether some 3 x 3 square about one of the `members` holds CORE of them."""
    for p in range(rows.size):
        if members[p]:
            n = 0
            for i in range(rows[p] - 1, rows[p] + 2):
                for j in range(columns[p] - 1, columns[p] + 2):
                    n += grid[i, j] > 0 and members[grid[i, j] - 1]
            if n >= CORE:
                return True
    return False


@compiled
def find_colors(
    values: Any,
    totals: Any,
    grid: Any,
    rows: Any,
    columns: Any,
    noise: Any,
    separation: Any,
    colors: Any,
    patch: Any,
) -> Any:
    """Fill `colors` with those of the galaxies in a piece, `patch` (m,) with k + 1 where colour k is pure; count them.

    The commonest colour is taken first, then the commonest of the rest, if it is apart from those before it and holds a
    compact core. `grid` holds p + 1 at the local (rows, columns) of pixel p, with a margin of one pixel all around.
    """
    candidates = np.empty((MAX_CANDIDATES + 1, N_BANDS))
    n_members = np.zeros(MAX_CANDIDATES + 1, dtype=np.int64)
    n_candidates = _candidate_colors(
        values, totals, grid, rows, columns, patch, noise, separation, candidates, n_members
    )
    members = np.zeros(totals.size, dtype=np.bool_)
    n_colors = 0
    for candidate in np.argsort(-n_members[:n_candidates], kind="mergesort"):
        color = candidates[candidate]
        apart = n_colors < MAX_COLORS
        for k in range(n_colors):
            apart = apart and np.abs(colors[k] - color).max() >= separation
        if not apart:
            continue
        _mark(values, totals, patch, noise, color, members)
        if _mean_color(values, members, color) < CORE:
            continue
        _mark(values, totals, patch, noise, color, members)
        if _has_core(members, grid, rows, columns):
            colors[n_colors] = color
            n_colors += 1
            for p in range(totals.size):
                if members[p]:
                    patch[p] = n_colors
    return n_colors
