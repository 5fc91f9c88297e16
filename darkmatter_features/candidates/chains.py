"""Chains of a Gibbs sampler over several halos of a field, all of which share the sums over galaxies."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.joint_fit import Halo, shear_pattern
from darkmatter_features.candidates.search import MIN_SEPARATION
from darkmatter_features.location.bayes_factor import MAX_SNR, log_bayes_factor_map, trial_amplitudes
from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

COARSE_CELLS = 30
"""Coarse cells per side of the field: they propose, and need no high resolution."""

FINE_PER_COARSE = 5
"""Fine cells per side of a coarse cell: 150 per side of the field, a scatter within a cell of 0.0027 of a side."""

WINDOW_CELLS = 7
"""Fine cells per side of a square in which a halo is drawn once more."""

MIN_JOINT_SNR = 2.0
"""Expected S/N at the smallest amplitude, half that of a single lens: a weak halo beside a strong one has to be placed,
not detected."""

PROPOSING = slice(None, None, 2)
"""Profiles that propose coarse cells: every second one, since neighbours in scale are much alike."""


class Tile(NamedTuple):
    """Fine cells of a coarse one.

    Attributes
    ----------
    x, y : (n_cells,) float64 arrays, sides of the field
        Centres.
    log_ratio : (n_cells, n_profiles, n_amplitudes) float64 array
        Log likelihood ratio; ``-inf`` in cells too near to another halo.
    """

    x: Array
    y: Array
    log_ratio: Array

    @property
    def log_mean(self) -> float:
        """Log of the mean likelihood ratio."""
        return log_mean_exp(self.log_ratio.ravel())


class Chains:
    """Positions, profiles and amplitudes of several halos in several chains.

    Parameters
    ----------
    field : Field
        Field of n galaxies, whose variance is that without the lenses.
    profiles : ShearProfiles
        Trial shear profiles.
    halos : list of Halo
        Positions and profiles from which all chains start; their amplitudes start at 0.
    n_chains : int
        Number of chains.
    rng : numpy.random.Generator
        Source of the draws.

    Attributes
    ----------
    x, y, profile, amplitude : (n_chains, n_halos) arrays
        State; positions in sides of the field.
    log_bayes_factor : (n_chains, n_halos) float64 array
        Log of the evidence for a halo when it was last drawn.
    """

    def __init__(
        self, field: Field, profiles: ShearProfiles, halos: list[Halo], n_chains: int, rng: np.random.Generator
    ) -> None:
        self._field, self._profiles, self._rng = field, profiles, rng
        self._columns, self._rows = field.grid(COARSE_CELLS)
        self._cells = tuple(axis.ravel() for axis in np.meshgrid(self._columns, self._rows))
        self._steps = field.size[0] / self._columns.size, field.size[1] / self._rows.size
        self._n_fine = FINE_PER_COARSE * self._columns.size, FINE_PER_COARSE * self._rows.size
        no_shape = np.zeros((field.x.size, 1))
        norm = filter_sums(field, profiles, self._columns, self._rows, no_shape, no_shape)[1]
        self._proposing = ShearProfiles(
            profiles.names[PROPOSING], profiles.shear[:, PROPOSING].copy(), profiles.spacing
        )
        self._amplitudes = trial_amplitudes(norm, min_snr=MIN_JOINT_SNR, max_snr=MAX_SNR)
        self.x, self.y, self.profile = (np.tile([halo[k] for halo in halos], (n_chains, 1)) for k in range(3))
        self.amplitude, self.log_bayes_factor = np.zeros(self.x.shape), np.zeros(self.x.shape)
        self._left = np.repeat((field.e1 + 1j * field.e2)[:, None], n_chains, axis=1)

    def update(self, k: int, power: float) -> None:
        """Draw halo k of each chain, given the others, from the posterior with a power of the likelihood."""
        for j in range(len(self.x)):
            self._add_shear(j, k, 1.0)
        left = self._left.real.copy(), self._left.imag.copy()
        response, norm = filter_sums(self._field, self._proposing, self._columns, self._rows, *left)
        log_ratios = log_bayes_factor_map(power * response, power * norm, self._amplitudes[PROPOSING])
        for j in range(len(self.x)):
            self._draw(j, k, power, log_ratios[:, j])
            self._add_shear(j, k, -1.0)

    def _draw(self, j: int, k: int, power: float, log_ratio: Array) -> None:
        """Draw a halo from its conditional posterior, whose logarithm in coarse cells is `log_ratio`."""
        proposal = np.where(self._is_open(j, k), log_ratio, -np.inf)
        here, there = self._cell(j, k), drawn(proposal, self._rng)
        tiles = {cell: self._tile(j, k, power, cell) for cell in {here, there}}
        gain = (tiles[there].log_mean - proposal[there]) - (tiles[here].log_mean - proposal[here])
        tile = tiles[there if -self._rng.standard_exponential() < gain else here]
        self.log_bayes_factor[j, k] = evidence(log_ratio, tiles)
        self._set(j, k, tile)
        self._set(j, k, self._window(j, k, power))

    def _set(self, j: int, k: int, tile: Tile) -> None:
        """Draw a halo from its posterior on fine cells."""
        chosen = drawn(tile.log_ratio.ravel(), self._rng)
        cell, profile, amplitude = np.unravel_index(chosen, tile.log_ratio.shape)
        self.x[j, k], self.y[j, k], self.profile[j, k] = tile.x[cell], tile.y[cell], profile
        self.amplitude[j, k] = self._amplitudes[profile, amplitude]

    def _tile(self, j: int, k: int, power: float, cell: int) -> Tile:
        """Return the fine cells of a coarse one, for halo k of a chain."""
        column, row = cell % self._columns.size, cell // self._columns.size
        ranges = (FINE_PER_COARSE * at + np.arange(FINE_PER_COARSE) for at in (column, row))
        return self._fine_cells(j, k, power, *ranges)

    def _window(self, j: int, k: int, power: float) -> Tile:
        """Return the fine cells of a square about the present one, at random: the borders of coarse cells are none."""
        ranges = []
        for at, step, size in zip((self.x[j, k], self.y[j, k]), self._steps, self._n_fine, strict=True):
            shift = int(self._rng.integers(WINDOW_CELLS))
            first = (int(at / step * FINE_PER_COARSE) + shift) // WINDOW_CELLS * WINDOW_CELLS - shift
            ranges.append(np.arange(max(first, 0), min(first + WINDOW_CELLS, size)))
        return self._fine_cells(j, k, power, *ranges)

    def _fine_cells(self, j: int, k: int, power: float, across: Indices, up: Indices) -> Tile:
        """Return some columns and rows of fine cells, for halo k of a chain."""
        columns, rows = (
            (at + 0.5) * step / FINE_PER_COARSE for at, step in zip((across, up), self._steps, strict=True)
        )
        left = self._left[:, j : j + 1]
        sums = filter_sums(self._field, self._profiles, columns, rows, left.real.copy(), left.imag.copy())
        response, norm = (each.reshape(columns.size * rows.size, -1, 1) for each in sums)
        log_ratio = power * self._amplitudes * (response - 0.5 * self._amplitudes * norm)
        x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
        for other_x, other_y in self._others(j, k):
            log_ratio[np.hypot(x - other_x, y - other_y) < MIN_SEPARATION] = -np.inf
        return Tile(x, y, log_ratio)

    def _is_open(self, j: int, k: int) -> NDArray[np.bool_]:
        """Return whether the fine cells of a coarse one may be far enough from all other halos."""
        least = MIN_SEPARATION - 0.5 * float(np.hypot(*self._steps))
        open_ = np.ones(self._cells[0].size, dtype=bool)
        for x, y in self._others(j, k):
            open_ &= np.hypot(self._cells[0] - x, self._cells[1] - y) >= least
        return open_

    def _others(self, j: int, k: int) -> Iterator[tuple[float, float]]:
        """Yield the positions of the other halos of a chain."""
        for other in range(self.x.shape[1]):
            if other != k:
                yield float(self.x[j, other]), float(self.y[j, other])

    def _cell(self, j: int, k: int) -> int:
        """Return the coarse cell of a halo."""
        column = min(int(self.x[j, k] / self._steps[0]), self._columns.size - 1)
        row = min(int(self.y[j, k] / self._steps[1]), self._rows.size - 1)
        return row * self._columns.size + column

    def _add_shear(self, j: int, k: int, factor: float) -> None:
        """Add the shear of a halo, times a factor, to the ellipticities that are left."""
        if self.amplitude[j, k]:
            halo = Halo(float(self.x[j, k]), float(self.y[j, k]), int(self.profile[j, k]))
            pattern = shear_pattern(self._field, self._profiles, halo)
            self._left[:, j] += factor * self.amplitude[j, k] * pattern


def evidence(log_ratio: Array, tiles: dict[int, Tile]) -> float:
    """Return the log of the mean of the likelihood ratio, given by coarse cells and by the fine cells of some."""
    values = log_ratio.copy()
    for cell, tile in tiles.items():
        values[cell] = tile.log_mean
    return log_mean_exp(values)


def log_mean_exp(values: Array) -> float:
    """Return ``ln <exp(values)>``; ``-inf`` where all values are."""
    largest = float(values.max())
    if largest == -np.inf:
        return -np.inf
    return largest + float(np.log(np.exp(values - largest).mean()))


def drawn(log_weight: Array, rng: np.random.Generator) -> int:
    """Return an index drawn with probabilities in proportion to the exponentials of logarithms."""
    total = np.cumsum(np.exp(log_weight - log_weight.max()))
    return int(min(np.searchsorted(total, rng.random() * total[-1], side="right"), total.size - 1))
