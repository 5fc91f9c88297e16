"""What one galaxy hides of another: filled in from the opposite side, since galaxies look the same turned about."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled

# What light opposite a hidden pixel costs in the search for a centre, over what it costs opposite a dark one: so little
# that any asymmetry outweighs it, but enough to choose the least hidden of the symmetric ones. Errors of blended
# ellipticities on simulated training skies: 0.097 with anything from 0.05 to 0.3, 0.101 with 1.
OCCLUSION_COST = 0.1


@compiled
def _opposite(image: Any, row: Any, column: Any) -> Any:
    """Return the visible flux at a place, which may lie outside the grid; -1 where there is no light at all."""
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return image[row, column] if inside else -1.0


@compiled
def _asymmetry(
    image: Any, rows: Any, columns: Any, flux: Any, noise: Any, twice_row: Any, twice_column: Any, most: Any
) -> Any:
    """Return how much the light of a galaxy differs from what lies opposite; opposite a hidden pixel it counts less.

    The centre is given doubled, in whole numbers. The sum ends once it exceeds `most`.
    """
    cost = 0.0
    for k in range(flux.size):
        value = _opposite(image, twice_row - rows[k], twice_column - columns[k])
        if 0.0 <= value <= noise:
            cost += OCCLUSION_COST * flux[k]
        else:
            cost += abs(flux[k] - max(value, 0.0))
        if cost > most:
            break
    return cost


@compiled
def _centre(image: Any, rows: Any, columns: Any, flux: Any, noise: Any) -> Any:
    """Return twice the row and column about which the light is most symmetric: downhill from the centroid."""
    total = flux.sum()
    row, column = int(np.rint(2.0 * (flux * rows).sum() / total)), int(np.rint(2.0 * (flux * columns).sum() / total))
    least = _asymmetry(image, rows, columns, flux, noise, row, column, np.inf)
    moved, last_row, last_column = True, row + 3, column + 3  # tried around there: nothing as yet
    while moved:
        moved, from_row, from_column = False, row, column
        for i in range(from_row - 1, from_row + 2):
            for j in range(from_column - 1, from_column + 2):
                if abs(i - last_row) <= 1 and abs(j - last_column) <= 1:
                    continue
                cost = _asymmetry(image, rows, columns, flux, noise, i, j, least)
                if cost < least:
                    least, row, column, moved = cost, i, j, True
        last_row, last_column = from_row, from_column
    return row, column


@compiled
def fill_by_symmetry(grid: Any, rows: Any, columns: Any, noise: Any, visible: Any, whole: Any) -> None:
    """Fill `whole` (m,) with a galaxy's flux `visible` (m,), and in pixels that hide it with what lies opposite.

    Galaxies look the same turned by half a circle. The centre is searched, downhill from the centroid by half pixels,
    where what is visible is most nearly symmetric with as little hidden as possible.
    """
    image = np.full(grid.shape, -1.0)
    for p in range(rows.size):
        image[rows[p], columns[p]] = visible[p]
    own = np.flatnonzero(visible > noise)
    own_rows, own_columns, flux = rows[own], columns[own], visible[own]
    row, column = _centre(image, own_rows, own_columns, flux, noise)
    whole[:] = visible
    for k in range(own.size):
        i, j = row - own_rows[k], column - own_columns[k]
        if 0.0 <= _opposite(image, i, j) <= noise:
            whole[grid[i, j] - 1] = flux[k]
