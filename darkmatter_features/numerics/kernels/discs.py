"""Fraction of an image's area that lies within discs about positions in it."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled


@compiled
def disc_fractions(n_rows: Any, n_columns: Any, row: Any, columns: Any, radii: Any, fractions: Any) -> None:
    """Fill `fractions` (m, n) with the part of an image's area within `radii` (n,) of positions (row, columns (m,)).

    All lengths are in pixels; pixel centres are at integers.
    """
    for m in range(columns.size):
        for i in range(radii.size):
            area = 0.0
            for height in (row + 0.5, n_rows - 0.5 - row):
                for width in (columns[m] + 0.5, n_columns - 0.5 - columns[m]):
                    area += _quarter_disc(height, width, radii[i])
            fractions[m, i] = area / (n_rows * n_columns)


@compiled
def _quarter_disc(height: Any, width: Any, radius: Any) -> Any:
    """Return the area where ``0 <= x <= width``, ``0 <= y <= height`` and ``x^2 + y^2 <= radius^2``."""
    end = min(width, radius)
    straight = min(np.sqrt(max(radius * radius - height * height, 0.0)), end)
    return height * straight + _under_circle(end, radius) - _under_circle(straight, radius)


@compiled
def _under_circle(x: Any, radius: Any) -> Any:
    """Return the area under the circle about the origin between 0 and x, which is at most the radius."""
    return 0.5 * (x * np.sqrt(radius * radius - x * x) + radius * radius * np.arcsin(x / radius))
