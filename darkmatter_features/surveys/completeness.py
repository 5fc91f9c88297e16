"""Completeness of a search: halos of known amplitude planted in the galaxies of a survey, and the fraction found."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.joint_fit import Halo
from darkmatter_features.surveys.filter_maps import FilterBank
from darkmatter_features.surveys.local_fit import LocalFit, fit_locally
from darkmatter_features.surveys.peaks import find_peaks

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

SPACING = 30.0
"""Mean distance of planted halos, arcmin: twice the radius of the largest profile."""

JITTER = 7.0
"""Largest shift of a planted halo from its place in the lattice, along each axis, arcmin."""

N_PLANTED = 600
"""Minimum number of halos that are planted in a patch."""

MAX_PASSES = 60
"""Maximum number of maps for them."""

SNR_RANGE = (2.0, 10.0)
"""Expected S/N of planted halos in the middle of the patch."""

FOUND_WITHIN = 2.0
"""Distance within which a peak is a planted halo, arcmin."""

N_BINS = 16
"""Number of bins of expected S/N in which fractions are averaged."""


class Planted(NamedTuple):
    """Halos planted in a patch.

    Attributes
    ----------
    x, y : (n,) float64 arrays, arcmin
        Positions.
    profile : (n,) int64 array
        Indices of their filters.
    amplitude : (n,) float64 array
        Shear at one arcminute, for an efficiency of 1.
    expected : (n,) float64 array
        Expected S/N at the position, by the galaxies about it; 0 where the galaxies are too few.
    snr : (n,) float64 array
        S/N of the highest peak within :data:`FOUND_WITHIN`; 0 without one.
    """

    x: Array
    y: Array
    profile: NDArray[np.int64]
    amplitude: Array
    expected: Array
    snr: Array


@dataclass(frozen=True)
class Completeness:
    """Fraction of planted halos that are found, by their expected S/N.

    Attributes
    ----------
    expected : (n_bins,) float64 array
        Mean expected S/N of a bin.
    fraction : (n_bins,) float64 array
        Fraction found, which does not decrease.
    """

    expected: Array
    fraction: Array

    def at(self, snr: Array) -> Array:
        """Return the completeness for halos of an expected S/N, linear between bins."""
        return np.interp(snr, self.expected, self.fraction) if len(self.expected) else np.full(np.shape(snr), np.nan)


def plant(bank: FilterBank, fit: LocalFit, floor: float, rng: np.random.Generator) -> Planted:
    """Return halos planted in the galaxies of a patch, and the peaks at their positions.

    Parameters
    ----------
    bank : FilterBank
        Filters over the patch.
    fit : LocalFit
        Halos that were found: their shear is subtracted first.
    floor : float
        Minimum S/N of a peak.
    rng : numpy.random.Generator
        Source of positions, profiles and amplitudes.

    Notes
    -----
    Halos far apart are planted together, by ``e -> (e + g) / (1 + g* e)`` (Seitz & Schneider 1997,
    arXiv:astro-ph/9601079), and the map of S/N and its peaks are computed anew.
    """
    rest = rest_of(bank, fit)
    passes: list[Planted] = []
    while len(passes) < MAX_PASSES and sum(len(each.x) for each in passes) < N_PLANTED:
        passes.append(_one_pass(bank, rest, floor, rng))
    return Planted(*(np.concatenate(each) for each in zip(*passes)))


def _one_pass(bank: FilterBank, e: ComplexArray, floor: float, rng: np.random.Generator) -> Planted:
    patch = bank.patch
    x, y = planted_positions(bank, rng)
    profile = rng.integers(0, len(bank), len(x))
    cells = patch.grid.cells(x, y)
    roots = np.array([root.ravel() for root in bank.inverse_roots])
    typical = np.array([np.median(root[patch.occupied]) for root in roots])
    amplitude = rng.uniform(*SNR_RANGE, len(x)) * typical[profile]
    root = roots[profile, cells].astype(np.float64)
    expected = np.divide(amplitude, root, out=np.zeros(len(x)), where=root > 0.0)
    patterns = fit_locally(bank, [Halo(*each) for each in zip(x, y, profile.tolist())]).patterns
    g = np.asarray(patterns.T @ amplitude)
    sheared = (e + g) / (1.0 + np.conj(g) * e)
    return Planted(x, y, profile, amplitude, expected, highest_peaks(bank, sheared, x, y, floor))


def rest_of(bank: FilterBank, fit: LocalFit) -> ComplexArray:
    """Return the ellipticities without the shear of the halos that were found."""
    return np.asarray(bank.patch.e - fit.shear())


def highest_peaks(bank: FilterBank, e: ComplexArray, x: Array, y: Array, floor: float) -> Array:
    """Return the S/N of the highest peak within :data:`FOUND_WITHIN` of each position; 0 without one."""
    best, _ = bank.best((bank.patch.v * e).astype(np.complex64))
    peaks = find_peaks(bank, best, floor)
    near = np.hypot(x[:, None] - peaks.x, y[:, None] - peaks.y) <= FOUND_WITHIN
    return np.asarray(np.where(near, peaks.snr, 0.0).max(axis=1, initial=0.0))


def planted_positions(bank: FilterBank, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return positions on a lattice with a random origin, each shifted at random, where there are galaxies."""
    patch = bank.patch
    axes = [
        np.arange(float(each.min()) + SPACING * rng.random(), float(each.max()), SPACING) for each in (patch.x, patch.y)
    ]
    x, y = (axis.ravel() + rng.uniform(-JITTER, JITTER, axis.size) for axis in np.meshgrid(*axes))
    inside = (x >= patch.x.min()) & (x <= patch.x.max()) & (y >= patch.y.min()) & (y <= patch.y.max())
    return x[inside], y[inside]


def completeness_of(expected: Array, snr: Array, threshold: float) -> Completeness:
    """Return the fraction of planted halos whose peak has at least the S/N of the threshold.

    Parameters
    ----------
    expected : (n,) float64 array
        Expected S/N of the planted halos; those of 0 lie beyond the galaxies and do not count.
    snr : (n,) float64 array
        S/N of their peaks.
    threshold : float
        Minimum S/N of a candidate.
    """
    from scipy.optimize import isotonic_regression

    known = expected > 0.0
    order = np.argsort(expected[known], kind="stable")
    bins = [each for each in np.array_split(order, N_BINS) if len(each)]
    means = np.array([expected[known][each].mean() for each in bins])
    found = np.array([(snr[known][each] >= threshold).mean() for each in bins])
    counts = np.array([len(each) for each in bins], dtype=np.float64)
    return Completeness(means, isotonic_regression(found, weights=counts).x if bins else found)
