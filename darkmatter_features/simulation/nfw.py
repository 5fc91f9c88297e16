"""NFW halos, whose shear and convergence are computed by GalSim."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import galsim
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TABLE_RADII = np.geomspace(0.1, 4096.0, 600)
"""Radii of the tabulated profiles, pixels; in between, the profiles are interpolated in log r."""


@dataclass(frozen=True)
class NfwHalo:
    """A halo with the NFW profile [1]_ in front of sources at one redshift.

    Parameters
    ----------
    mass : float
        Mass M200 with respect to the critical density, solar masses / h.
    concentration : float
        Ratio of the virial radius to the scale radius.
    redshift, source_redshift : float
        Redshifts of the halo and of the sources.
    scale : float
        Pixel scale, arcsec per pixel.

    Notes
    -----
    Convergence and shear are those of [2]_, in a flat universe with Omega_m = 0.3.

    References
    ----------
    .. [1] Navarro, Frenk & White 1996, ApJ 462, 563, doi:10.1086/177173.
    .. [2] Wright & Brainerd 2000, ApJ 534, 34, doi:10.1086/308744.
    """

    mass: float
    concentration: float
    redshift: float
    source_redshift: float
    scale: float

    @property
    def max_radius(self) -> float:
        """Radius beyond which images are not displaced, pixels: the end of the table."""
        return float(TABLE_RADII[-1])

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Convergence and tangential shear at ``TABLE_RADII``."""
        halo = galsim.NFWHalo(self.mass, self.concentration, self.redshift, omega_m=0.3, omega_lam=0.7)
        along_x = (TABLE_RADII * self.scale, np.zeros_like(TABLE_RADII))
        kappa = halo.getConvergence(along_x, self.source_redshift)
        with warnings.catch_warnings():
            # GalSim 2.8 divides with `where` and no `out`, of which NumPy 2.4 warns; no radius here is 0.
            warnings.filterwarnings("ignore", "'where' used without 'out'", UserWarning)
            gamma1, _ = halo.getShear(along_x, self.source_redshift, reduced=False)
        return np.asarray(kappa), -np.asarray(gamma1)

    def convergence(self, r: Array) -> Array:
        """Return the convergence at r."""
        return self._at(r, self._table[0])

    def shear(self, r: Array) -> Array:
        """Return the tangential shear at r."""
        return self._at(r, self._table[1])

    def mean_convergence(self, r: Array) -> Array:
        """Return the mean convergence within r, ``kappa_bar = kappa + gamma_t``."""
        return self.convergence(r) + self.shear(r)

    @staticmethod
    def _at(r: Array, profile: Array) -> Array:
        values: Array = np.interp(np.log(np.maximum(r, TABLE_RADII[0])), np.log(TABLE_RADII), profile)
        return values
