"""Search of the halos of a patch in maps of S/N, each conditional on those found before it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.joint_fit import Halo
from darkmatter_features.surveys.filter_maps import FilterBank
from darkmatter_features.surveys.local_fit import LocalFit, fit_locally
from darkmatter_features.surveys.peaks import SEPARATION, find_peaks
from darkmatter_features.surveys.profiles import MAX_RADIUS

Array = NDArray[np.float64]

MAX_ROUNDS = 12
"""Maximum number of rounds: in each, peaks farther apart than the radius of a profile are added at the same time."""


class Detections(NamedTuple):
    """Halos of a patch.

    Attributes
    ----------
    halos : list of Halo
        Cells of the peaks, arcmin, and indices of their filters, the earliest found first.
    snr : (n_halos,) float64 array
        S/N at which each was found, given those before.
    fit : LocalFit
        Their amplitudes together.
    """

    halos: list[Halo]
    snr: Array
    fit: LocalFit


def search_halos(bank: FilterBank, threshold: float) -> Detections:
    """Return the halos of a patch whose S/N, without the shear of those found before, is at least a threshold.

    Parameters
    ----------
    bank : FilterBank
        Filters over the patch.
    threshold : float
        Minimum S/N.
    """
    halos: list[Halo] = []
    snr: list[float] = []
    fit = fit_locally(bank, halos)
    for _ in range(MAX_ROUNDS):
        more = _next_halos(bank, fit, halos, threshold)
        if not more:
            break
        halos, snr = halos + [halo for halo, _ in more], snr + [height for _, height in more]
        fit = fit_locally(bank, halos)
    return Detections(halos, np.array(snr), fit)


def _next_halos(bank: FilterBank, fit: LocalFit, halos: list[Halo], threshold: float) -> list[tuple[Halo, float]]:
    """Return the highest peaks left, with their S/N: those that do not overlap a higher one."""
    patch = bank.patch
    best, which = bank.best((patch.v * (patch.e - fit.shear())).astype(np.complex64))
    peaks = find_peaks(bank, best, threshold)
    found: list[tuple[Halo, float]] = []
    blocked: list[tuple[float, float, float]] = [(halo.x, halo.y, SEPARATION) for halo in halos]
    for cell, x, y, height in zip(peaks.cell, peaks.x, peaks.y, peaks.snr):
        if all(np.hypot(x - x0, y - y0) >= radius for x0, y0, radius in blocked):
            found.append((Halo(float(x), float(y), int(which.ravel()[cell])), float(height)))
        blocked.append((float(x), float(y), MAX_RADIUS))
    return found
