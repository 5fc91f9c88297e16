"""Search of the halos of a patch in maps of S/N, each conditional on all others."""

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
        S/N of each at its cell, with the amplitudes of all free.
    fit : LocalFit
        Their amplitudes together.
    """

    halos: list[Halo]
    snr: Array
    fit: LocalFit


def search_halos(bank: FilterBank, threshold: float) -> Detections:
    """Return the halos of a patch whose S/N, with the amplitudes of all free, is at least a threshold.

    Parameters
    ----------
    bank : FilterBank
        Filters over the patch.
    threshold : float
        Minimum S/N.

    Notes
    -----
    Peaks are added, the highest first, in maps without the shear of the halos found before. Then the halo of the least
    S/N is left out while that is below the threshold: it was a part of others.
    """
    halos: list[Halo] = []
    fit = fit_locally(bank, halos)
    for _ in range(MAX_ROUNDS):
        more = _next_halos(bank, fit, halos, threshold)
        if not more:
            break
        halos = halos + more
        fit = fit_locally(bank, halos)
    while halos and (weakest := int(fit.snr.argmin())) >= 0 and fit.snr[weakest] < threshold:
        halos = halos[:weakest] + halos[weakest + 1 :]
        fit = fit_locally(bank, halos)
    return Detections(halos, fit.snr, fit)


def _next_halos(bank: FilterBank, fit: LocalFit, halos: list[Halo], threshold: float) -> list[Halo]:
    """Return the highest peaks left: those that do not overlap a higher one."""
    patch = bank.patch
    best, which = bank.best((patch.v * (patch.e - fit.shear())).astype(np.complex64))
    peaks = find_peaks(bank, best, threshold)
    found: list[Halo] = []
    blocked: list[tuple[float, float, float]] = [(halo.x, halo.y, SEPARATION) for halo in halos]
    for cell, x, y in zip(peaks.cell, peaks.x, peaks.y):
        if all(np.hypot(x - x0, y - y0) >= radius for x0, y0, radius in blocked):
            found.append(Halo(float(x), float(y), int(which.ravel()[cell])))
        blocked.append((float(x), float(y), MAX_RADIUS))
    return found
