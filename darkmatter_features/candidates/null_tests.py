"""Null tests of a catalogue: quantities that no lens changes, with what noise gives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from darkmatter_features.candidates.search import SEARCH_CELLS
from darkmatter_features.location.field import MAX_MEAN_SNR, Field
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.significance import NullTest

Array = NDArray[np.float64]

MIN_P = 0.01
"""Probability below which a null test fails: by noise, one in a hundred does."""

N_SKIES = 50
"""Number of randomized skies for the extremes of the map of cross shear."""


class Verdict(NamedTuple):
    """Result of a null test.

    Attributes
    ----------
    test : str
        Its name.
    value : float
        What was measured.
    noise : str
        What noise gives.
    p_value : float
        Probability of at least that value by noise; nan if unknown.
    passes : bool
        Whether noise explains the value.
    """

    test: str
    value: float
    noise: str
    p_value: float
    passes: bool

    @property
    def record(self) -> dict[str, Any]:
        """The test as a mapping of plain values."""
        p = None if np.isnan(self.p_value) else float(f"{self.p_value:.3g}")
        return self._asdict() | {"value": float(f"{self.value:.5g}"), "p_value": p, "passes": bool(self.passes)}


def mean_test(mean_snr: float) -> Verdict:
    """Return the test of the mean ellipticity: its modulus over its error, whose square is exponential for noise."""
    noise = f"1 rms; {MAX_MEAN_SNR:g} or more points to a bias of the shapes"
    p = float(np.exp(-(mean_snr**2)))
    return Verdict("mean ellipticity, in its errors", mean_snr, noise, p, not mean_snr > MAX_MEAN_SNR)


def cross_test(snr_cross: Sequence[float]) -> list[Verdict]:
    """Return the test of the cross shear at the candidates: their rms S/N, 1 for noise; none without candidates."""
    if not len(snr_cross):
        return []
    total = float(np.square(snr_cross).sum())
    p, rms = float(chi2.sf(total, len(snr_cross))), float(np.sqrt(total / len(snr_cross)))
    return [Verdict("rms cross S/N at the candidates", rms, "1", p, p >= MIN_P)]


def cross_map_test(field: Field, profiles: ShearProfiles, name: str, n_skies: int = N_SKIES) -> Verdict:
    """Return the test of the map of cross shear: its highest absolute S/N, against that of randomized skies.

    Parameters
    ----------
    field : Field
        Galaxies of one field.
    profiles : ShearProfiles
        Shear profiles.
    name : str
        Name of the profile of the map.
    n_skies : int
        Number of randomized skies.
    """
    k = profiles.names.index(name)
    profile = ShearProfiles((name,), np.ascontiguousarray(profiles.shear[:, k : k + 1]))
    turn = np.exp(2j * np.pi * np.random.default_rng(0).random((n_skies, field.x.size))).T
    e = np.concatenate(
        [(-1j * (field.e1 + 1j * field.e2))[:, None], (field.e1 + 1j * field.e2)[:, None] * turn], axis=1
    )
    columns, rows = field.grid(SEARCH_CELLS)
    response, norm = filter_sums(field, profile, columns, rows, e.real.copy(), e.imag.copy())
    snr = np.abs(response / np.sqrt(np.maximum(norm, np.finfo(np.float64).tiny))[:, None]).max(axis=(0, 2))
    null = NullTest(float(snr[0]), tuple(snr[1:].tolist()))
    noise = f"{np.mean(snr[1:]):.2f} ± {np.std(snr[1:]):.2f} in {n_skies} randomized skies"
    return Verdict(
        "highest absolute S/N of the cross map", null.observed, noise, null.p_value, null.p_value >= 2 * MIN_P
    )
