"""Joint fit of the amplitudes of several halos, and the S/N of one more halo at each position of a grid.

The ellipticities are modelled as ``e = sum_k A_k p_k + noise``, with the shear pattern ``p_k = -g(r) exp(2i phi)`` of a
halo of profile g at distance r and polar angle phi: the shears of several weak lenses add.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.location.field import Field
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

MIN_INDEPENDENT = 0.2
"""Minimum fraction of the norm of a pattern that is orthogonal to the halos before: below, the norm is kept at this
fraction, so that two halos at one place are no deep pair of opposite amplitudes."""


class Halo(NamedTuple):
    """Halo of the fit.

    Attributes
    ----------
    x, y : float, sides of the field
        Position.
    profile : int
        Index of its shear profile.
    """

    x: float
    y: float
    profile: int


class JointFit(NamedTuple):
    """Amplitudes of several halos, fitted at the same time.

    Attributes
    ----------
    patterns : (n_halos, n) complex128 array
        Shear of each galaxy by each halo of unit amplitude.
    amplitudes : (n_halos,) float64 array
        Best-fit amplitudes.
    independence : (n_halos,) float64 array
        Error of each amplitude with all others fixed, over its error with all others free: 1 for a single halo.
    """

    patterns: ComplexArray
    amplitudes: Array
    independence: Array

    def shear_of_others(self, k: int) -> ComplexArray:
        """Return the shear (n,) of each galaxy by all halos but the one of index k."""
        others = self.amplitudes.copy()
        others[k] = 0.0
        return np.asarray(others @ self.patterns)


def shear_pattern(field: Field, profiles: ShearProfiles, halo: Halo) -> ComplexArray:
    """Return the shear e1 + i e2 (n,) of the galaxies of a field by a halo of unit amplitude."""
    away = (field.x - halo.x) + 1j * (field.y - halo.y)
    nodes = np.arange(len(profiles.shear)) * profiles.spacing
    g = np.interp(np.abs(away), nodes, profiles.shear[:, halo.profile])
    return np.asarray(-g * np.exp(2j * np.angle(away)))


def fit_jointly(field: Field, profiles: ShearProfiles, halos: list[Halo]) -> JointFit:
    """Return the best-fit amplitudes of all halos together.

    Parameters
    ----------
    field : Field
        Field of n galaxies.
    profiles : ShearProfiles
        Shear profiles.
    halos : list of Halo
        Halos at different positions; none gives empty arrays.

    Returns
    -------
    JointFit

    Notes
    -----
    The amplitudes solve ``G A = b`` with ``G_jk = sum(v Re(p_j* p_k))`` and ``b_k = sum(v Re(p_k* e))``, v the inverse
    variances: weighted least squares. The S/N of an amplitude is ``A_k / sqrt((G^-1)_kk)``.
    """
    patterns = np.array([shear_pattern(field, profiles, halo) for halo in halos]).reshape(len(halos), field.x.size)
    weighted = patterns.conj() * (field.weight / field.variance)
    normal = (weighted @ patterns.T).real
    inverse = np.linalg.pinv(normal, hermitian=True)
    amplitudes = inverse @ (weighted @ (field.e1 + 1j * field.e2)).real
    alone = 1.0 / np.sqrt(np.maximum(np.diag(normal) * np.diag(inverse), 1.0))
    return JointFit(patterns, amplitudes, alone)


def additional_snr(field: Field, profiles: ShearProfiles, halos: list[Halo], columns: Array, rows: Array) -> Array:
    """Return the S/N of one more halo at each point of a grid, the amplitudes of `halos` being fitted with its own.

    Parameters
    ----------
    field, profiles
        As in :func:`fit_jointly`.
    halos : list of Halo
        Halos in the field, at fixed positions.
    columns, rows : (n_columns,) and (n_rows,) float64 arrays, sides of the field
        x and y of the grid, evenly spaced.

    Returns
    -------
    (n_rows * n_columns, n_profiles) float64 array
        Square root of the decrease of chi square, with the sign of the amplitude; without `halos` the S/N of the
        matched filter.
    """
    fit = fit_jointly(field, profiles, halos)
    skies = np.stack([field.e1 + 1j * field.e2, *fit.patterns], axis=1)
    response, norm = filter_sums(field, profiles, columns, rows, skies.real.copy(), skies.imag.copy())
    overlap = response[:, 1:]
    left = response[:, 0] - np.einsum("cjp,j->cp", overlap, fit.amplitudes)
    normal = (fit.patterns.conj() * (field.weight / field.variance) @ fit.patterns.T).real
    shared = np.einsum("cjp,jk,ckp->cp", overlap, np.linalg.pinv(normal, hermitian=True), overlap)
    least = np.maximum(MIN_INDEPENDENT * norm, np.finfo(np.float64).tiny)
    return np.asarray(left / np.sqrt(np.maximum(norm - shared, least)))
