"""Averages of many galaxies in cells: the cost of the joint posterior is bounded for any number of galaxies."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.location.field import Field

Array = NDArray[np.float64]

MAX_GALAXIES = 1000
"""Maximum number of galaxies that are used one by one."""

BINS = 40
"""Cells per side of the field for the averages of more galaxies. A cell is as wide as the smallest core radius."""


def averaged(field: Field) -> Field:
    """Return a field whose galaxies are weighted averages in cells, where there are more than :data:`MAX_GALAXIES`."""
    if field.x.size <= MAX_GALAXIES:
        return field
    n_columns, n_rows = field.n_cells(BINS)
    column, row = (
        np.clip((at / size * n).astype(np.int64), 0, n - 1)
        for at, size, n in ((field.x, field.size[0], n_columns), (field.y, field.size[1], n_rows))
    )
    cell = row * n_columns + column
    weight: Array = np.bincount(cell, field.weight).astype(np.float64)
    used = weight > 0.0
    means = (
        np.bincount(cell, field.weight * each)[used] / weight[used] for each in (field.x, field.y, field.e1, field.e2)
    )
    x, y, e1, e2 = means
    return replace(field, x=x, y=y, e1=e1, e2=e2, weight=weight[used])
