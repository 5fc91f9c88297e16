"""Shear about the labelled lenses of a data set, stacked over its skies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.explore.look import Looks
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.labels import LENS_FRAME

Array = NDArray[np.float64]

EDGES = np.array([0, 15, 30, 45, 60, 80, 100, 125, 150, 180, 215, 256], dtype=np.float64)
"""Borders of the bins of distance, pixels of a frame of 512 px."""

MIN_RADIUS, MAX_RADIUS = 15.0, 150.0
"""Range of the distances of the mean shear, pixels of the frame: lenses hide nearer galaxies."""


MIN_GALAXIES = 5
"""Minimum number of galaxies of a bin: the scatter of fewer is not known."""


@dataclass(frozen=True)
class Profile:
    """Mean shear about lenses.

    Attributes
    ----------
    n_lenses, n_galaxies : int
        Number of lenses, and of galaxies in all bins.
    n : (n_bins,) int64 array
        Number of galaxies in each bin.
    radius : (n_bins,) float64 array, pixels of a frame of 512 px
        Mean distance of the galaxies in each bin.
    gamma_t, gamma_x : (n_bins,) float64 arrays
        Mean tangential and cross components of the ellipticities; nan in bins with fewer
        than 5 galaxies.
    error_t, error_x : (n_bins,) float64 arrays
        Standard errors, by the scatter from lens to lens, at least those by the scatter of shapes.
    snr_t, snr_x : float
        Mean shear within 15 to 150 px over its error; nan without galaxies there.
    """

    n_lenses: int
    n_galaxies: int
    n: NDArray[np.int64]
    radius: Array
    gamma_t: Array
    gamma_x: Array
    error_t: Array
    error_x: Array
    snr_t: float
    snr_x: float


def lens_profile(looks: Looks, mean_e: complex = 0j, *, exchanged: bool = False) -> Profile | None:
    """Return the mean shear about all lenses of known position.

    Parameters
    ----------
    looks : Looks
        Skies of a data set.
    mean_e : complex
        Ellipticity that all galaxies share: it is subtracted.
    exchanged : bool
        Exchange the rows and columns of the lenses.

    Returns
    -------
    Profile or None
        None if no position is known in a sky that was measured.
    """
    names = ["lens_column", "lens_row"] if exchanged else ["lens_row", "lens_column"]
    positions = looks.skies[names].to_numpy(dtype=np.float64)
    sums = [
        _sums(catalog, row, column, mean_e)
        for catalog, (row, column) in zip(looks.catalogs, positions, strict=True)
        if catalog is not None and len(catalog) and np.isfinite(row) and np.isfinite(column)
    ]
    return _stacked(sums) if sums else None


def _sums(catalog: GalaxyCatalog, row: float, column: float, mean_e: complex) -> Array:
    """Return sums (6, n_bins + 1) of numbers, distances, both components and their squares.

    The last bin is that of the mean shear.
    """
    dx, dy = catalog.x - column, catalog.y - row
    radius = np.hypot(dx, dy) * LENS_FRAME / max(catalog.shape)
    e = -(catalog.e1 + 1j * catalog.e2 - mean_e) * np.exp(-2j * np.arctan2(dy, dx))
    values = np.stack([np.ones_like(radius), radius, e.real, e.imag, e.real**2, e.imag**2])
    index = np.searchsorted(EDGES, radius, side="right") - 1
    inside = index < EDGES.size - 1
    sums = np.stack([np.bincount(index[inside], each[inside], EDGES.size - 1) for each in values])
    within = (radius >= MIN_RADIUS) & (radius < MAX_RADIUS)
    return np.column_stack([sums, values[:, within].sum(axis=1)])


def _stacked(sums: Sequence[Array]) -> Profile:
    each = np.stack(sums)
    n, total = each[:, 0].sum(axis=0), each.sum(axis=0)
    known = np.where(n >= MIN_GALAXIES, n, np.nan)
    radius, gamma = total[1] / known, total[2:4] / known
    residual = each[:, 2:4] - gamma * each[:, :1]
    from_lens_to_lens = np.sqrt((residual**2).sum(axis=0) * len(sums) / max(len(sums) - 1, 1)) / known
    shape_noise = np.sqrt((total[4:] / known - gamma**2) / known)
    error = np.maximum(from_lens_to_lens, shape_noise)
    snr = gamma[:, -1] / error[:, -1]
    inner = slice(0, -1)
    (gamma_t, gamma_x), (error_t, error_x) = gamma[:, inner], error[:, inner]
    counts = n[inner].astype(np.int64)
    means = (radius[inner], gamma_t, gamma_x, error_t, error_x)
    return Profile(len(sums), int(counts.sum()), counts, *means, float(snr[0]), float(snr[1]))
