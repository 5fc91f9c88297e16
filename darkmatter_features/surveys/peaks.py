"""Peaks of a map, and those of randomized skies: the null distribution of the search."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.surveys.filter_maps import FilterBank, Map

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SEPARATION = 1.5
"""Minimum distance between two peaks, arcmin: about the position error of a peak of S/N 5."""

NULL_FLOOR = 3.5
"""Minimum S/N of the peaks of randomized skies that are kept, unless the threshold is lower."""

N_PHASES = 256
"""Number of phases of a random rotation: the first 255 moments are those of a uniform phase."""


class Peaks(NamedTuple):
    """Peaks of a map, the highest first.

    Attributes
    ----------
    cell : (n,) int64 array
        Cells.
    x, y : (n,) float64 arrays, arcmin
        Positions.
    snr : (n,) float64 array
        S/N.
    """

    cell: Integers
    x: Array
    y: Array
    snr: Array


def find_peaks(bank: FilterBank, snr: Map, floor: float) -> Peaks:
    """Return the cells above a floor that no neighbour and no peak within :data:`SEPARATION` exceeds."""
    grid = bank.patch.grid
    flat = snr.ravel()
    cells = np.flatnonzero(flat >= floor)
    for step in (1, grid.shape[1] - 1, grid.shape[1], grid.shape[1] + 1):
        cells = cells[(flat[cells] > flat[(cells + step) % flat.size]) & (flat[cells] >= flat[cells - step])]
    cells = cells[np.argsort(-flat[cells], kind="stable")]
    x, y = grid.centres(cells)
    kept = apart(x, y, SEPARATION)
    return Peaks(cells[kept], x[kept], y[kept], flat[cells[kept]].astype(np.float64))


def apart(x: Array, y: Array, distance: float) -> Integers:
    """Return the indices of positions that lie farther than a distance from each one kept before."""
    kept: list[int] = []
    for k in range(len(x)):
        if not np.any(np.square(x[kept] - x[k]) + np.square(y[kept] - y[k]) < distance**2):
            kept.append(k)
    return np.array(kept, dtype=np.int64)


def randomized_peaks(
    bank: FilterBank,
    owned: Callable[[Array, Array], NDArray[np.bool_]],
    seeds: Sequence[np.random.SeedSequence],
    *,
    floor: float = NULL_FLOOR,
) -> list[Array]:
    """Return the S/N of the peaks of randomized skies, two for each seed.

    Parameters
    ----------
    bank : FilterBank
        Filters.
    owned : callable
        Function of x and y, arcmin, that returns which positions belong to the patch.
    seeds : sequence of SeedSequence
        Seeds of the rotations.
    floor : float
        Minimum S/N.

    Returns
    -------
    list of (n_peaks,) float64 arrays
        S/N above the floor, the highest first.

    Notes
    -----
    Each galaxy is turned by a random phase. The tangential and the cross shear of the result are two skies: a filter
    of one spin gives independent noise in both.
    """
    phases = np.exp(2j * np.pi * np.arange(N_PHASES) / N_PHASES).astype(np.complex64)
    weighted = (bank.patch.v * bank.patch.e).astype(np.complex64)
    found = []
    for seed in seeds:
        turn = np.random.default_rng(seed).integers(0, N_PHASES, weighted.size, dtype=np.uint8)
        for snr in bank.highest(weighted * phases[turn]):
            peaks = find_peaks(bank, snr, floor)
            found.append(peaks.snr[owned(peaks.x, peaks.y)])
    return found
