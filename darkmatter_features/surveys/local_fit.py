"""Joint fit of the amplitudes of the halos of a patch, each of which shears the galaxies near it alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from darkmatter_features.candidates.joint_fit import Halo
from darkmatter_features.surveys.filter_maps import FilterBank
from darkmatter_features.surveys.profiles import profile_radius

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class LocalFit(NamedTuple):
    """Amplitudes of the halos of a patch, fitted at the same time.

    Attributes
    ----------
    patterns : (n_halos, n) sparse complex128 array
        Shear of each galaxy by each halo of unit amplitude.
    amplitudes : (n_halos,) float64 array
        Best-fit amplitudes: shear at one arcminute.
    snr : (n_halos,) float64 array
        Amplitudes over their errors, with all others free.
    independence : (n_halos,) float64 array
        Error of each amplitude with all others fixed, over its error with all others free.
    """

    patterns: csr_matrix
    amplitudes: Array
    snr: Array
    independence: Array

    def shear(self, without: int | None = None) -> ComplexArray:
        """Return the shear (n,) of each galaxy by all halos, or by all but the one of index `without`."""
        amplitudes = self.amplitudes.copy()
        if without is not None:
            amplitudes[without] = 0.0
        return np.asarray(self.patterns.T @ amplitudes, dtype=np.complex128)


def fit_locally(bank: FilterBank, halos: Sequence[Halo]) -> LocalFit:
    """Return the best-fit amplitudes of all halos of a patch together.

    Parameters
    ----------
    bank : FilterBank
        Filters over the galaxies, with profiles of :func:`~darkmatter_features.surveys.profiles.survey_profiles`.
    halos : sequence of Halo
        Halos at positions in arcmin, with indices of filters as profiles.

    Returns
    -------
    LocalFit
        The least-squares solution of :func:`~darkmatter_features.candidates.joint_fit.fit_jointly`.
    """
    patch, patterns = bank.patch, _patterns(bank, halos)
    weighted = patterns.conj().multiply(patch.v).tocsr()
    normal = (weighted @ patterns.T).real.toarray()
    inverse = np.linalg.pinv(normal, hermitian=True)
    amplitudes = inverse @ (weighted @ patch.e).real
    variance = np.maximum(np.diag(inverse), np.finfo(np.float64).tiny)
    alone = 1.0 / np.sqrt(np.maximum(np.diag(normal) * variance, 1.0))
    return LocalFit(patterns, np.asarray(amplitudes), amplitudes / np.sqrt(variance), np.asarray(alone))


def _patterns(bank: FilterBank, halos: Sequence[Halo]) -> csr_matrix:
    rows = [_pattern(bank, halo) for halo in halos]
    index = np.concatenate([near for near, _ in rows]) if rows else np.zeros(0, dtype=np.int64)
    values = np.concatenate([shear for _, shear in rows]) if rows else np.zeros(0, dtype=np.complex128)
    ends = np.cumsum([0, *(len(near) for near, _ in rows)])
    return csr_matrix((values, index, ends), shape=(len(rows), len(bank.patch.x)))


def _pattern(bank: FilterBank, halo: Halo) -> tuple[NDArray[np.int64], ComplexArray]:
    """Return the galaxies that a halo shears, and their shear at unit amplitude."""
    patch, profiles = bank.patch, bank.profiles
    near = patch.within(halo.x, halo.y, profile_radius(bank.scale_of(halo.profile)))
    away = (patch.x[near] - halo.x) + 1j * (patch.y[near] - halo.y)
    nodes = np.arange(len(profiles.shear)) * profiles.spacing
    g = np.interp(np.abs(away), nodes, profiles.shear[:, bank.profile_of(halo.profile)])
    g *= bank.efficiency_of(halo.profile, near)
    return near, np.asarray(-g * np.exp(2j * np.angle(away)))
