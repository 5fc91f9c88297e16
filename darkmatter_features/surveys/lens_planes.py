"""Lens planes: how strongly a lens at a trial redshift shears galaxies of known redshifts."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError

Array = NDArray[np.float64]

LENS_REDSHIFTS = (0.15, 0.35, 0.6)
"""Default trial redshifts of lenses: between neighbours, the S/N of a lens is at least 98 % of that at its own."""

REDSHIFT_RANGE = (0.01, 3.0)
"""Smallest and largest trial redshift."""

MIN_EFFICIENCY = 1e-3
"""Minimum efficiency: a galaxy in front of the lens has a millionth of the weight of one far behind it."""

MAX_SOURCE_REDSHIFT = 20.0
"""Largest redshift of a galaxy: larger numbers, such as 99, mark in catalogues that there is none."""

N_NODES = 2000
"""Number of redshifts where distances are tabulated, evenly spaced in log(1 + z): the error is below 1e-5."""


def check_lens_redshifts(redshifts: Sequence[float]) -> None:
    """Raise an error unless all trial redshifts are in :data:`REDSHIFT_RANGE`.

    Raises
    ------
    ConfigError
        If there is none, or one is out of the range.
    """
    low, high = REDSHIFT_RANGE
    if not redshifts or not all(low <= each <= high for each in redshifts):
        raise ConfigError(
            f"--lens-redshifts (Python: lens_redshifts=) must be from {low:g} to {high:g}, got {list(redshifts)}"
        )


def lensing_efficiency(lens_redshift: float, source_redshift: Array) -> Array:
    r"""Return the shear of galaxies relative to that at an infinite redshift.

    Parameters
    ----------
    lens_redshift : float
        Redshift of the lens.
    source_redshift : float64 array
        Redshifts of the galaxies.

    Returns
    -------
    float64 array
        At least :data:`MIN_EFFICIENCY`.

    Notes
    -----
    :math:`D_{ls} / D_s = 1 - \chi_l / \chi_s` with comoving distances :math:`\chi` in a flat universe (Bartelmann &
    Schneider 2001 [1]_, section 3.1), relative to that of a source at an infinite distance in the same sense, which is
    1. Distances are those of Planck Collaboration (2020) [2]_.

    References
    ----------
    .. [1] Bartelmann & Schneider (2001), Phys. Rep. 340, 291, doi:10.1016/S0370-1573(00)00082-X
    .. [2] Planck Collaboration (2020), A&A 641, A6, doi:10.1051/0004-6361/201833910
    """
    redshift, distance = _distances()
    lens = float(np.interp(lens_redshift, redshift, distance))
    source = np.interp(source_redshift, redshift, distance)
    return np.maximum(1.0 - lens / np.maximum(source, lens), MIN_EFFICIENCY)


@cache
def _distances() -> tuple[Array, Array]:
    """Return redshifts and comoving distances, Mpc."""
    from astropy.cosmology import Planck18

    redshift = np.expm1(np.linspace(0.0, np.log1p(MAX_SOURCE_REDSHIFT), N_NODES))
    return redshift, np.asarray(Planck18.comoving_distance(redshift).value, dtype=np.float64)
