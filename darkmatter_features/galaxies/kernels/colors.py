"""Colours of the galaxies in a segment. A colour is the flux of each band as a fraction of their sum.

A galaxy of one colour has it in every pixel that no other galaxy reaches. Where two meet, the PSF mixes their light.
A colour that recurs in a compact patch of pixels is therefore that of a galaxy.
"""

from typing import Any

import numpy as np

from darkmatter_features.galaxies.kernels.records import Booleans, ColorSettings, Floats, Integers, Light, PixelGrid
from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.order import copy_into, falling_order

N_BANDS = 3
"""Bands of an image whose galaxies are split by colour. A constant lets the compiler unroll loops over bands."""

MAX_COLORS = 8
"""Maximum number of galaxies into which a segment is split by colour."""

NOISE_RADIUS = 3.0
"""Maximum difference, in each band, between a pixel and a colour that it has, standard deviations of the noise."""

MAX_CANDIDATES = 48
"""Maximum number of recurring colours that are considered in a segment."""

N_SHIFTS = 3
"""Maximum number of steps of a candidate colour to the mean colour of the pixels that have it (mean shift)."""

MIN_CORE_PIXELS = 7
"""Minimum number of pixels of a galaxy's colour in some 3 x 3 square.

The seam between two galaxies, two pixels wide for the PSF of the default settings, has at most six of one mixed colour.
"""


@compiled
def color_residual(values: Floats, totals: Floats) -> Any:
    """Return the rms deviation, in counts, of `values` (m, n_bands) from the mean colour times each pixel's total."""
    m, n_bands = values.shape
    fractions, total = np.empty(n_bands), 0.0
    fractions[:] = 0.0
    for p in range(m):
        total += totals[p]
        for band in range(n_bands):
            fractions[band] += values[p, band]
    for band in range(n_bands):
        fractions[band] /= total
    squares = 0.0
    for p in range(m):
        for band in range(n_bands):
            squares += (values[p, band] - fractions[band] * totals[p]) ** 2
    return np.sqrt(squares / (m * n_bands))


@compiled
def _mark(light: Light, patch: Integers, noise: float, color: Floats, members: Booleans) -> Any:
    """Set `members` to the free pixels (patch 0) that have `color`; return whether any flag changes."""
    changed = False
    for p in range(light.totals.size):
        is_near = patch[p] == 0
        for band in range(N_BANDS):
            is_near &= abs(light.values[p, band] - light.totals[p] * color[band]) <= NOISE_RADIUS * noise
        changed |= members[p] != is_near
        members[p] = is_near
    return changed


@compiled
def _mean_color(values: Floats, members: Booleans, color: Floats) -> Any:
    """Set `color` to the mean colour of the `members`, if there are any; return their number."""
    n, total, flux = 0, 0.0, np.empty(N_BANDS)
    flux[:] = 0.0
    for p in range(members.size):
        n += members[p]
        for band in range(N_BANDS):
            flux[band] += members[p] * values[p, band]
    if n > 0:
        for band in range(N_BANDS):
            total += flux[band]
        for band in range(N_BANDS):
            color[band] = flux[band] / total
    return n


@compiled
def _core_color(light: Light, grid: PixelGrid, p: Any, noise: float, color: Floats) -> Any:
    """Set `color` to the mean of the pixels in the 3 x 3 square around pixel `p` that have its colour.

    Return the number of these pixels.
    """
    own = light.values[p] / light.totals[p]
    n, total = 0, 0.0
    color[:] = 0.0
    for i in range(grid.rows[p] - 1, grid.rows[p] + 2):
        for j in range(grid.columns[p] - 1, grid.columns[p] + 2):
            q = grid.cells[i, j] - 1
            is_near = q >= 0
            for band in range(N_BANDS):
                is_near = is_near and abs(light.values[q, band] - light.totals[q] * own[band]) <= NOISE_RADIUS * noise
            if is_near:
                n += 1
                total += light.totals[q]
                for band in range(N_BANDS):
                    color[band] += light.values[q, band]
    for band in range(N_BANDS):
        color[band] /= total
    return n


@compiled
def _candidate_colors(
    light: Light, grid: PixelGrid, settings: ColorSettings, patch: Integers, candidates: Floats, n_members: Floats
) -> Any:
    """Fill `candidates` with colours that recur, and `n_members` with their pixel counts; return their number.

    A pixel starts a candidate if its colour is known to within the separation, enough of its neighbours have the same
    colour, and no earlier candidate covers it.
    """
    m, noise = light.totals.size, settings.noise
    members, covered = np.empty(m, dtype=np.bool_), np.empty(m, dtype=np.bool_)
    members[:], covered[:] = False, False
    n = 0
    for p in range(m):
        is_faint = NOISE_RADIUS * noise > settings.separation * light.totals[p]
        if covered[p] or patch[p] < 0 or is_faint or n == MAX_CANDIDATES:
            continue
        color = candidates[n]
        if _core_color(light, grid, p, noise, color) < MIN_CORE_PIXELS:
            continue
        _mark(light, patch, noise, color, members)
        for _ in range(N_SHIFTS):
            n_members[n] = _mean_color(light.values, members, color)
            if not _mark(light, patch, noise, color, members):
                break  # the mean has converged
        for q in range(m):
            covered[q] |= members[q]
        if n_members[n] >= MIN_CORE_PIXELS:
            n += 1
    return n


@compiled
def _has_core(members: Booleans, grid: PixelGrid) -> Any:
    """Return whether some 3 x 3 square around one of the `members` contains MIN_CORE_PIXELS of them."""
    for p in range(members.size):
        if members[p]:
            n = 0
            for i in range(grid.rows[p] - 1, grid.rows[p] + 2):
                for j in range(grid.columns[p] - 1, grid.columns[p] + 2):
                    n += grid.cells[i, j] > 0 and members[grid.cells[i, j] - 1]
            if n >= MIN_CORE_PIXELS:
                return True
    return False


@compiled
def find_colors(light: Light, grid: PixelGrid, settings: ColorSettings, colors: Floats, patch: Integers) -> Any:
    """Fill `colors` (MAX_COLORS, N_BANDS) with those of the galaxies in a segment; return their number.

    Fill `patch` (m,) with k + 1 where a pixel has colour k alone. Candidates are taken in the order of their pixel
    counts, largest first; each is kept if its difference from those before it is at least the separation and its patch
    has a compact core. `patch` comes with 0 at free pixels and -1 at pixels too faint to have a known colour.
    """
    candidates, n_members = np.empty((MAX_CANDIDATES, N_BANDS)), np.empty(MAX_CANDIDATES)
    n_candidates = _candidate_colors(light, grid, settings, patch, candidates, n_members)
    members = np.empty(light.totals.size, dtype=np.bool_)
    members[:] = False
    n_colors = 0
    for candidate in falling_order(n_members[:n_candidates]):
        color = candidates[candidate]
        apart = n_colors < MAX_COLORS
        for k in range(n_colors):
            difference = 0.0
            for band in range(N_BANDS):
                difference = max(difference, abs(colors[k, band] - color[band]))
            apart = apart and difference >= settings.separation
        if not apart:
            continue
        _mark(light, patch, settings.noise, color, members)
        if _mean_color(light.values, members, color) < MIN_CORE_PIXELS:
            continue
        _mark(light, patch, settings.noise, color, members)
        if _has_core(members, grid):
            copy_into(colors[n_colors], color)
            n_colors += 1
            for p in range(members.size):
                if members[p]:
                    patch[p] = n_colors
    return n_colors
