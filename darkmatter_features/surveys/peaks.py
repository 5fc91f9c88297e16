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

MAX_GAIN = 0.05
"""Maximum gain of a peak between cells, relative to the S/N of its cell: a parabola fails at the border of a mask."""

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
        S/N, of the parabolas through a cell and its neighbours.
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
    return Peaks(cells[kept], x[kept], y[kept], _heights(flat, cells[kept], grid.shape[1]))


def _heights(flat: Map, cells: Integers, row: int) -> Array:
    """Return the heights of peaks between the cells, by a parabola along each axis."""
    top = flat[cells].astype(np.float64)
    gain = np.zeros(len(cells))
    for step in (1, row):
        before, after = (flat[(cells + sign * step) % flat.size].astype(np.float64) for sign in (-1, 1))
        curvature = np.maximum(2.0 * top - before - after, np.finfo(np.float64).tiny)
        gain += np.square(after - before) / (8.0 * curvature)
    return top + np.minimum(gain, MAX_GAIN * top)


def apart(x: Array, y: Array, distance: float) -> Integers:
    """Return the indices of positions that lie farther than a distance from each one kept before."""
    kept: list[int] = []
    for k in range(len(x)):
        if not np.any(np.square(x[kept] - x[k]) + np.square(y[kept] - y[k]) < distance**2):
            kept.append(k)
    return np.array(kept, dtype=np.int64)


class Randomized(NamedTuple):
    """Randomized skies of a patch.

    Attributes
    ----------
    peaks : (n_peaks,) float64 array
        S/N of the peaks of all skies.
    n_peaks : (n_skies,) int64 array
        Number of peaks of each sky.
    squares : (n_skies, n_filters) float64 array
        Sum of the squared S/N over cells.
    cubes : (n_skies,) float64 array
        Sum of the third powers over cells and filters.
    """

    peaks: Array
    n_peaks: Integers
    squares: Array
    cubes: Array

    def with_patch(self, other: "Randomized") -> "Randomized":
        """Return the same skies with another patch."""
        return Randomized(
            np.concatenate([self.peaks, other.peaks]),
            self.n_peaks + other.n_peaks,
            self.squares + other.squares,
            self.cubes + other.cubes,
        )


def randomize(
    bank: FilterBank,
    owned: Callable[[Array, Array], NDArray[np.bool_]],
    seeds: Sequence[np.random.SeedSequence],
    *,
    floor: float = NULL_FLOOR,
) -> Randomized:
    """Return randomized skies, two for each seed.

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
    Randomized
        Peaks above the floor, of each sky the highest first.

    Notes
    -----
    Each galaxy is turned by a random phase. The tangential and the cross shear of the result are two skies: a filter
    of one spin gives independent noise in both.
    """
    phases = np.exp(2j * np.pi * np.arange(N_PHASES) / N_PHASES).astype(np.complex64)
    weighted = (bank.patch.v * bank.patch.e).astype(np.complex64)
    inside = owned_cells(bank, owned)
    found, squares, cubes = [np.zeros(0)], np.zeros((2 * len(seeds), len(bank))), np.zeros(2 * len(seeds))
    for k, seed in enumerate(seeds):
        turn = np.random.default_rng(seed).integers(0, N_PHASES, weighted.size, dtype=np.uint8)
        best = [np.zeros(bank.patch.grid.shape, dtype=np.float32) for _ in range(2)]
        for j, snr in enumerate(bank.snr_maps(weighted * phases[turn])):
            for component, values in enumerate((snr.real, snr.imag)):
                np.maximum(best[component], values, out=best[component])
                own = values[inside]
                second = own * own
                squares[2 * k + component, j] = float(second.sum(dtype=np.float64))
                cubes[2 * k + component] += float(np.dot(second, own))
        for each in best:
            peaks = find_peaks(bank, each, floor)
            found.append(peaks.snr[owned(peaks.x, peaks.y)])
    n_peaks = np.array([len(each) for each in found[1:]], dtype=np.int64)
    return Randomized(np.concatenate(found), n_peaks, squares, cubes)


def owned_cells(bank: FilterBank, owned: Callable[[Array, Array], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return the map of cells that belong to a patch and have enough galaxies about them."""
    grid = bank.patch.grid
    cells = np.flatnonzero(np.any([root.ravel() > 0.0 for root in bank.inverse_roots], axis=0))
    inside = np.zeros(grid.shape[0] * grid.shape[1], dtype=np.bool_)
    inside[cells] = owned(*grid.centres(cells))
    return inside.reshape(grid.shape)
