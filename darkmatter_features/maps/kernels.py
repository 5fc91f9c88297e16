"""Compiled sums over galaxies about every candidate centre."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled


@compiled
def shear_sums(
    x: Any,
    y: Any,
    e1: Any,
    e2: Any,
    weight: Any,
    columns: Any,
    rows: Any,
    row_weight: Any,
    column_weight: Any,
    sums: Any,
) -> None:
    """Fill `sums` with tangential and cross shear about the centres (rows, columns), in Gaussian windows of all scales.

    `sums` (4, n_scales, n_rows, n_columns), zeros before, gets sum(w v gamma_t), sum(w v gamma_x), sum(w v) and
    sum(w^2 v), with v the inverse variance `weight` of a galaxy and w its window. The window of the largest scale is
    the product of `row_weight` (n, n_rows) and `column_weight` (n, n_columns). Each scale is sqrt(2) times smaller than
    the one after it, so its window is the square of that one's: no exponential is left inside, and the sum(w^2 v) of a
    scale is the sum(w v) of the one before it. The innermost loop runs over columns, which share no sums, so that it
    vectorises without reordering any sum; the sums of a row, largest scale first, are contiguous until complete.
    """
    n_scales, n_columns = sums.shape[1], columns.size
    w, v_t, v_x = np.empty(n_columns), np.empty(n_columns), np.empty(n_columns)
    tangential, cross = np.empty((n_scales, n_columns)), np.empty((n_scales, n_columns))
    weights = np.empty((n_scales + 1, n_columns))
    for i in range(rows.size):
        tangential[:], cross[:], weights[:] = 0.0, 0.0, 0.0
        for k in range(x.size):
            dy, v = y[k] - rows[i], weight[k]
            for j in range(n_columns):
                dx = x[k] - columns[j]
                # A galaxy at the centre itself has no tangential direction: its 0/0 becomes 0.
                scale = v / max(dx * dx + dy * dy, 1e-12)
                cos2 = (dx * dx - dy * dy) * scale
                sin2 = 2.0 * dx * dy * scale
                v_t[j] = -(e1[k] * cos2 + e2[k] * sin2)
                v_x[j] = e1[k] * sin2 - e2[k] * cos2
                w[j] = row_weight[k, i] * column_weight[k, j]
            for s in range(n_scales):
                for j in range(n_columns):
                    tangential[s, j] += w[j] * v_t[j]
                    cross[s, j] += w[j] * v_x[j]
                    weights[s, j] += w[j] * v
                    w[j] *= w[j]
            for j in range(n_columns):
                weights[n_scales, j] += w[j] * v
        for s in range(n_scales):
            for j in range(n_columns):
                sums[0, n_scales - 1 - s, i, j], sums[1, n_scales - 1 - s, i, j] = tangential[s, j], cross[s, j]
                sums[2, n_scales - 1 - s, i, j], sums[3, n_scales - 1 - s, i, j] = weights[s, j], weights[s + 1, j]
