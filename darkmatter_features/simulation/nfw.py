"""NFW halos, whose shear and convergence GalSim computes."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import galsim
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Radii, pixels, at which GalSim is asked; between them the profiles are smooth enough to interpolate in log r.
_RADII = np.geomspace(0.1, 4096.0, 600)


@dataclass(frozen=True)
class NfwHalo:
    """A halo with the profile of Navarro, Frenk & White (1996), in front of sources at one redshift.

    Parameters
    ----------
    mass : float
        M200 over the critical density, solar masses / h.
    concentration : float
    redshift, source_redshift : float
    scale : float
        Arcseconds per pixel.
    """

    mass: float
    concentration: float
    redshift: float
    source_redshift: float
    scale: float

    @property
    def reach(self) -> float:
        """Radius in pixels beyond which the lens need not be solved for."""
        return float(_RADII[-1])

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Convergence, and tangential shear, at ``_RADII``."""
        halo = galsim.NFWHalo(self.mass, self.concentration, self.redshift, omega_m=0.3, omega_lam=0.7)
        along_x = (_RADII * self.scale, np.zeros_like(_RADII))
        kappa = halo.getConvergence(along_x, self.source_redshift)
        with warnings.catch_warnings():
            # GalSim 2.8 divides with `where` and no `out`, of which NumPy 2.4 warns; no radius here is 0.
            warnings.filterwarnings("ignore", "'where' used without 'out'", UserWarning)
            gamma1, _ = halo.getShear(along_x, self.source_redshift, reduced=False)
        return np.asarray(kappa), -np.asarray(gamma1)

    def convergence(self, r: Array) -> Array:
        """Convergence at r."""
        return self._at(r, self._table[0])

    def shear(self, r: Array) -> Array:
        """Tangential shear at r."""
        return self._at(r, self._table[1])

    def mean_convergence(self, r: Array) -> Array:
        """Mean convergence within r: ``kappa_bar = kappa + gamma_t``."""
        return self.convergence(r) + self.shear(r)

    @staticmethod
    def _at(r: Array, profile: Array) -> Array:
        values: Array = np.interp(np.log(np.maximum(r, _RADII[0])), np.log(_RADII), profile)
        return values
