"""A shape catalogue in units of its field, whatever its own are: what a lens is looked for in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.catalogs import ShapeCatalog

Array = NDArray[np.float64]

MIN_SCATTER = 1e-6
"""Of a component: shapes that scatter less are no galaxies', and their inverse variances would have no finite sums."""


@dataclass(frozen=True)
class Field:
    """A catalogue in sides of its field: x, y in units of `side` from `corner`."""

    x: Array
    y: Array
    e1: Array
    e2: Array
    weight: Array  # weights, such that their own weighted mean is 1
    variance: float  # of one component, of a galaxy whose share is 1
    corner: tuple[float, float]
    side: float
    size: tuple[float, float]  # across and up, sides

    def grid(self, n_a_side: int) -> tuple[Array, Array]:
        """Return x and y of the centres of cells."""
        across, up = ((np.arange(n) + 0.5) / n * size for n, size in zip(self.n_cells(n_a_side), self.size))
        return across, up

    def n_cells(self, n_a_side: int) -> tuple[int, int]:
        """Return how many cells there are across and up."""
        across, up = (max(round(n_a_side * size), 1) for size in self.size)
        return across, up

    def with_cross(self) -> tuple[Array, Array]:
        """Return e1, e2 (n, 2) of two skies: as it is, and such that its tangential shear is the first one's cross."""
        return np.stack([self.e1, self.e2], axis=1), np.stack([self.e2, -self.e1], axis=1)


def field_of(catalog: ShapeCatalog, *, subtract_mean: bool) -> Field:
    """Return the catalogue in sides of its field, its mean ellipticity taken off if wanted."""
    left, right, low, high = catalog.bounds
    side = float(np.sqrt((right - left) * (high - low)))
    weight = np.ones(len(catalog)) if catalog.weight is None else catalog.weight / catalog.weight.max()
    share = weight * (weight.sum() / (weight**2).sum())
    e1, e2 = (e - subtract_mean * np.average(e, weights=share) for e in (catalog.e1, catalog.e2))
    # Such that the S/N has unit scatter whatever the weights are: galaxies of none then neither help nor harm.
    variance = max(float(np.average(e1**2 + e2**2, weights=share**2)) / 2.0, MIN_SCATTER**2)
    x, y, size = (catalog.x - left) / side, (catalog.y - low) / side, ((right - left) / side, (high - low) / side)
    return Field(x, y, e1, e2, share, variance, (left, low), side, size)


def mean_snr(catalog: ShapeCatalog) -> float:
    """Return the mean ellipticity over its root mean square error; nan where nothing scatters."""
    field = field_of(catalog, subtract_mean=True)
    mean = abs(np.average(catalog.e1 + 1j * catalog.e2, weights=field.weight))
    error = np.sqrt((field.weight**2 * (field.e1**2 + field.e2**2)).sum()) / field.weight.sum()
    return float(mean / error) if error > 0.0 else np.nan
