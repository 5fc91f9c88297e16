"""Circular lenses: deflection, convergence, shear, and the lens equation.

Lengths are pixels, measured from the lens. With ``alpha`` the deflection, ``kappa_bar = alpha / r`` the mean
convergence within r and ``kappa`` the convergence at r (Bartelmann & Schneider 2001, section 3.1)::

    beta = r - alpha(r)                     the lens equation
    gamma_t = kappa_bar - kappa             the tangential shear
    lambda_t = 1 - kappa_bar                a source is stretched by 1 / lambda_t along the tangent
    lambda_r = 1 + kappa_bar - 2 kappa      and by 1 / lambda_r along the radius
    mu = 1 / (lambda_t lambda_r)            its flux and area grow by mu
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Halvings of the bracket in the lens equation: 512 px / 2^44 is far below 1e-9 px.
_BISECTIONS = 44

PIVOT = 100.0
"""Radius, pixels, at which a halo's strength is its shear."""


class CircularLens(Protocol):
    """What every lens can tell of a circle of radius r about it."""

    @property
    def reach(self) -> float:
        """Radius in pixels beyond which the lens need not be solved for."""

    def mean_convergence(self, r: Array) -> Array:
        """Mean convergence within r, ``alpha / r``."""

    def convergence(self, r: Array) -> Array:
        """Convergence at r."""


@dataclass(frozen=True)
class CompensatedPowerLaw:
    """A cored power-law halo whose mass was drawn out of the disc of radius ``reach`` around it.

    Parameters
    ----------
    strength : float
        Shear at ``PIVOT`` from the halo's centre, were there no core.
    slope : float
        The shear falls as ``r^-slope``; 1 is isothermal, halos within their scale radius are shallower.
    core : float
        Core radius, pixels.
    reach : float
        Radius, pixels, within which the mean convergence is zero: no deflection and no shear from there on.

    Notes
    -----
    With ``u = r^2 + core^2``, the mean convergence is ``(2 strength / slope) (PIVOT^2 / u)^(slope / 2) - sheet`` within
    ``reach`` and zero outside; ``sheet`` makes the total mass vanish. The published skies ask for it: their shear
    is .09 at 215 px and gone beyond 250, where a truncated halo of any kind keeps ``M / (pi r^2)``.
    """

    strength: float
    slope: float
    core: float
    reach: float

    @property
    def sheet(self) -> float:
        """Convergence of the removed sheet."""
        return float(self._halo(np.array(self.reach)))

    def mean_convergence(self, r: Array) -> Array:
        """Mean convergence within r, ``alpha / r``."""
        return np.where(r < self.reach, self._halo(r) - self.sheet, 0.0)

    def convergence(self, r: Array) -> Array:
        """Convergence at r: ``kappa_bar + (r / 2) d kappa_bar / dr``."""
        share = 1.0 - 0.5 * self.slope * r**2 / (r**2 + self.core**2)
        return np.where(r < self.reach, self._halo(r) * share - self.sheet, 0.0)

    def _halo(self, r: Array) -> Array:
        """Mean convergence of the halo alone."""
        falling = (PIVOT**2 / (r**2 + self.core**2)) ** (0.5 * self.slope)
        return (2.0 * self.strength / self.slope) * falling


def image_radii(lens: CircularLens, beta: Array) -> Array:
    """Solve the lens equation for the outermost image of every source.

    Parameters
    ----------
    lens : CircularLens
    beta : (n,) float64 array, pixels
        Distances of the sources from the lens, as they would be without it.

    Returns
    -------
    r : (n,) float64 array, pixels
        Distances of their images; ``r - alpha(r) = beta``.

    Notes
    -----
    Bisection between the Einstein radius and a radius beyond both ``reach`` and the source: there
    ``r - alpha(r)`` rises from 0.
    """
    low = np.full_like(beta, _einstein_radius(lens))
    high = np.maximum(beta, lens.reach)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        short = middle * (1.0 - lens.mean_convergence(middle)) < beta
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return 0.5 * (low + high)


def _einstein_radius(lens: CircularLens) -> float:
    """Radius within which the mean convergence is 1; 0 where it never is."""
    low, high = 0.0, lens.reach
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if float(lens.mean_convergence(np.array(middle))) > 1.0:
            low = middle
        else:
            high = middle
    return low


def stretches(lens: CircularLens, r: Array, source_radius: Array) -> tuple[Array, Array]:
    """How much images are stretched along the tangent and along the radius.

    Parameters
    ----------
    lens : CircularLens
    r : (n,) float64 array, pixels
        Distances of the images from the lens.
    source_radius : (n,) float64 array, pixels
        Radii of the sources before lensing.

    Returns
    -------
    tangential, radial : (n,) float64 arrays

    Notes
    -----
    ``1 / lambda_t`` diverges on the Einstein ring, for a point. A source of radius rho lies on average rho off
    the caustic, where ``lambda_t = beta / r``; hence ``lambda_t -> hypot(lambda_t, kappa_bar rho / r)``.
    """
    kappa_bar, kappa = lens.mean_convergence(r), lens.convergence(r)
    softening = kappa_bar * source_radius / np.maximum(r, source_radius)
    return 1.0 / np.hypot(1.0 - kappa_bar, softening), 1.0 / (1.0 + kappa_bar - 2.0 * kappa)


def distortion(tangential: Array, radial: Array, phi: Array) -> Array:
    """Matrices that turn unlensed galaxies into their images.

    Parameters
    ----------
    tangential, radial : (n,) float64 arrays
        Stretches along the tangent and the radius.
    phi : (n,) float64 array, radians
        Polar angles about the lens.

    Returns
    -------
    jacobian : (n, 2, 2) float64 array
        The inverse of the lens mapping's Jacobian; its determinant is the magnification.
    """
    c, s = np.cos(phi), np.sin(phi)
    xx = radial * c**2 + tangential * s**2
    yy = radial * s**2 + tangential * c**2
    xy = (radial - tangential) * c * s
    return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def ellipticity(moments: Array) -> tuple[Array, Array]:
    """Ellipticity (a - b) / (a + b) of second moments.

    Parameters
    ----------
    moments : (n, 2, 2) float64 array
        Second moments Q.

    Returns
    -------
    e1, e2 : (n,) float64 arrays

    Notes
    -----
    Seitz & Schneider 1997, equation 3.1. Moments that go as ``J Q J^T`` under ``distortion`` make this estimator go as
    ``(e + g) / (1 + g* e)``, exactly.
    """
    xx, yy, xy = moments[..., 0, 0], moments[..., 1, 1], moments[..., 0, 1]
    size = xx + yy + 2.0 * np.sqrt(np.maximum(xx * yy - xy**2, 0.0))
    return (xx - yy) / size, 2.0 * xy / size
