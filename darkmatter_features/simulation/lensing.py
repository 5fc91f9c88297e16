r"""Circular lenses: deflection, convergence, shear and the lens equation.

Notes
-----
Lengths are in pixels, measured from the lens. With the deflection ``alpha``, the mean convergence
``kappa_bar = alpha / r`` within r and the convergence ``kappa`` at r ([1]_, section 3.1)::

    beta = r - alpha(r)                     lens equation
    gamma_t = kappa_bar - kappa             tangential shear
    lambda_t = 1 - kappa_bar                an image is stretched by 1 / lambda_t along the tangent
    lambda_r = 1 + kappa_bar - 2 kappa      an image is stretched by 1 / lambda_r along the radius
    mu = 1 / (lambda_t lambda_r)            magnification of its flux and area

References
----------
.. [1] Bartelmann & Schneider 2001, Phys. Rep. 340, 291, doi:10.1016/S0370-1573(00)00082-X.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PIVOT_RADIUS = 100.0
"""Radius at which the amplitude of a halo is its shear, pixels."""

N_BISECTIONS = 44
"""Number of bisections in the lens equation: 512 px / 2^44 is far below 1e-9 px."""


class CircularLens(Protocol):
    """A lens with circular symmetry."""

    @property
    def max_radius(self) -> float:
        """Radius beyond which images are not displaced, pixels."""

    def mean_convergence(self, r: Array) -> Array:
        """Return the mean convergence within r, ``alpha / r``."""

    def convergence(self, r: Array) -> Array:
        """Return the convergence at r."""


@dataclass(frozen=True)
class CompensatedPowerLaw:
    r"""A cored power-law halo, compensated by a sheet of negative mass within ``max_radius``.

    Parameters
    ----------
    amplitude : float
        Shear of the halo at ``PIVOT_RADIUS`` if it had no core.
    slope : float
        Exponent of the shear, which falls as ``r^-slope``: 1 is isothermal, halos are shallower within their scale
        radius.
    core : float
        Core radius, pixels.
    max_radius : float
        Radius of the sheet, pixels: beyond it there is neither deflection nor shear.

    Notes
    -----
    With ``u = r^2 + core^2``, the mean convergence within ``max_radius`` is

    .. math:: \bar\kappa(r) = \frac{2\,\mathrm{amplitude}}{\mathrm{slope}}
              \left(\frac{\mathrm{PIVOT\_RADIUS}^2}{u}\right)^{\mathrm{slope}/2} - \mathrm{sheet},

    and zero outside; the sheet makes the total mass vanish. The published skies need it: their shear is 0.09 at 215 px
    and zero beyond 250 px, where a truncated halo of any profile keeps ``M / (pi r^2)``.
    """

    amplitude: float
    slope: float
    core: float
    max_radius: float

    @property
    def sheet(self) -> float:
        """Convergence of the sheet, which is subtracted."""
        return float(self._halo(np.array(self.max_radius)))

    def mean_convergence(self, r: Array) -> Array:
        """Return the mean convergence within r, ``alpha / r``."""
        return np.where(r < self.max_radius, self._halo(r) - self.sheet, 0.0)

    def convergence(self, r: Array) -> Array:
        """Return the convergence at r, ``kappa_bar + (r / 2) d kappa_bar / dr``."""
        ratio = 1.0 - 0.5 * self.slope * r**2 / (r**2 + self.core**2)
        return np.where(r < self.max_radius, self._halo(r) * ratio - self.sheet, 0.0)

    def _halo(self, r: Array) -> Array:
        """Return the mean convergence of the halo without the sheet."""
        power = (PIVOT_RADIUS**2 / (r**2 + self.core**2)) ** (0.5 * self.slope)
        return (2.0 * self.amplitude / self.slope) * power


def image_radii(lens: CircularLens, beta: Array) -> Array:
    """Solve the lens equation for the outermost image of every source.

    Parameters
    ----------
    lens : CircularLens
        Lens at the origin.
    beta : (n,) float64 array, pixels
        Distances of the sources from the lens, without deflection.

    Returns
    -------
    r : (n,) float64 array, pixels
        Distances of the images from the lens, which solve ``r - alpha(r) = beta``.

    Notes
    -----
    Bisection between the Einstein radius, where ``r - alpha(r)`` is 0 and rises, and a radius beyond both
    ``max_radius`` and the source.
    """
    low = np.full_like(beta, _einstein_radius(lens))
    high = np.maximum(beta, lens.max_radius)
    for _ in range(N_BISECTIONS):
        middle = 0.5 * (low + high)
        short = middle * (1.0 - lens.mean_convergence(middle)) < beta
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return 0.5 * (low + high)


def _einstein_radius(lens: CircularLens) -> float:
    """Return the radius within which the mean convergence is 1, pixels; 0 if there is none."""
    low, high = 0.0, lens.max_radius
    for _ in range(N_BISECTIONS):
        middle = 0.5 * (low + high)
        if float(lens.mean_convergence(np.array(middle))) > 1.0:
            low = middle
        else:
            high = middle
    return low


def stretches(lens: CircularLens, r: Array, source_radius: Array) -> tuple[Array, Array]:
    """Return the factors by which images are stretched along the tangent and along the radius.

    Parameters
    ----------
    lens : CircularLens
        Lens at the origin.
    r : (n,) float64 array, pixels
        Distances of the images from the lens.
    source_radius : (n,) float64 array, pixels
        Radii of the sources before lensing.

    Returns
    -------
    tangential, radial : (n,) float64 arrays
        Factors ``1 / lambda_t``, softened, and ``1 / lambda_r``.

    Notes
    -----
    For a point, ``1 / lambda_t`` diverges on the Einstein ring. The mean distance of a source of radius rho from the
    caustic is rho, where ``lambda_t = beta / r``; hence ``lambda_t -> hypot(lambda_t, kappa_bar rho / r)``.
    """
    kappa_bar, kappa = lens.mean_convergence(r), lens.convergence(r)
    softening = kappa_bar * source_radius / np.maximum(r, source_radius)
    return 1.0 / np.hypot(1.0 - kappa_bar, softening), 1.0 / (1.0 + kappa_bar - 2.0 * kappa)


def distortion(tangential: Array, radial: Array, phi: Array) -> Array:
    """Return the matrices that turn unlensed galaxies into their images.

    Parameters
    ----------
    tangential, radial : (n,) float64 arrays
        Stretches along the tangent and the radius.
    phi : (n,) float64 array, radians
        Polar angles about the lens.

    Returns
    -------
    jacobian : (n, 2, 2) float64 array
        Inverse of the Jacobian of the lens mapping; its determinant is the magnification.
    """
    c, s = np.cos(phi), np.sin(phi)
    xx = radial * c**2 + tangential * s**2
    yy = radial * s**2 + tangential * c**2
    xy = (radial - tangential) * c * s
    return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def ellipticity(moments: Array) -> tuple[Array, Array]:
    """Return the ellipticity, of modulus (a - b) / (a + b), of second moments.

    Parameters
    ----------
    moments : (n, 2, 2) float64 array
        Second moments Q.

    Returns
    -------
    e1, e2 : (n,) float64 arrays
        Components of the ellipticity.

    Notes
    -----
    Eq. 3.1 of [1]_. If the moments change as ``J Q J^T`` under ``distortion``, the ellipticity changes exactly as
    ``e -> (e + g) / (1 + g* e)``.

    References
    ----------
    .. [1] Seitz & Schneider 1997, A&A 318, 687, arXiv:astro-ph/9601079.
    """
    xx, yy, xy = moments[..., 0, 0], moments[..., 1, 1], moments[..., 0, 1]
    size = xx + yy + 2.0 * np.sqrt(np.maximum(xx * yy - xy**2, 0.0))
    return (xx - yy) / size, 2.0 * xy / size
