"""Derivatives of an image without its PSF, smoothed by a round Gaussian: kernels, response to shear, and noise.

All derivatives are without unit: the one of order (p, q) is multiplied by ``sigma**(p + q)``, where sigma is the
standard deviation of the Gaussian.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_ORDER = 4
"""Maximum order of the derivatives: the response of second ones has orders up to four."""

ORDERS = tuple((n - q, q) for n in range(MAX_ORDER + 1) for q in range(n + 1))
"""Order of each derivative along x and along y: (0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), ..., (0, 4)."""

N_SHAPE = 6
"""Number of the first derivatives, up to order two, that give the shape."""


def shear_response() -> Array:
    """Return the response of the shape's derivatives to a shear of the image before the PSF.

    Returns
    -------
    (2, 6, 15) float64 array
        Entry ``[a, i, j]``: derivative `j` times it, summed over `j`, is the change of derivative `i` per unit of the
        shear's component ``a + 1`` about the point at which the derivatives are taken.

    Notes
    -----
    The shear g1 changes a surface brightness f by ``-g1 (x d/dx - y d/dy) f``, the shear g2 by
    ``-g2 (y d/dx + x d/dy) f``. Integration by parts against the derivatives of a Gaussian gives, for order (p, q)::

        D_pq,1 = -(p - q) D_pq - D_(p+2)q + D_p(q+2)
        D_pq,2 = -p D_(p-1)(q+1) - q D_(p+1)(q-1) - 2 D_(p+1)(q+1)

    References
    ----------
    Li, Katayama, Oguri & More (2018), arXiv:1805.08514, have the response of shapelets.
    """
    index = {order: i for i, order in enumerate(ORDERS)}
    response = np.zeros((2, N_SHAPE, len(ORDERS)))
    for i, (p, q) in enumerate(ORDERS[:N_SHAPE]):
        terms = {(0, (p, q)): q - p, (0, (p + 2, q)): -1, (0, (p, q + 2)): 1, (1, (p + 1, q + 1)): -2}
        terms |= {(1, (p - 1, q + 1)): -p} if p else {}
        terms |= {(1, (p + 1, q - 1)): -q} if q else {}
        for (component, order), factor in terms.items():
            response[component, i, index[order]] += factor
    return response


def kernel_reach(inner_sigma: float) -> int:
    """Return the distance of the last pixel of the kernels of :func:`kernel_table`, pixels."""
    return int(np.ceil(6.0 * inner_sigma))


def kernel_table(sigma: float, inner_sigma: float, offset: float = 0.0) -> Array:
    """Return one-dimensional kernels that take derivatives of an image while smoothing it further.

    Parameters
    ----------
    sigma : float, pixels
        Standard deviation of the Gaussian after smoothing: the unit of the derivatives.
    inner_sigma : float, pixels
        Standard deviation of the Gaussian of the kernels.
    offset : float, pixels
        Distance from pixel 0 at which the derivatives are taken.

    Returns
    -------
    (5, 2 m + 1) float64 array
        Row p has the kernel of the derivative of order p for pixels -m to m, m = 6 `inner_sigma`.
    """
    m = kernel_reach(inner_sigma)
    x = (np.arange(-m, m + 1) - offset) / inner_sigma
    gauss = np.exp(-0.5 * x**2) / (inner_sigma * np.sqrt(2.0 * np.pi))
    hermite = [np.ones_like(x), x]
    for n in range(1, MAX_ORDER):
        hermite.append(x * hermite[n] - n * hermite[n - 1])
    return np.stack([gauss * h * (sigma / inner_sigma) ** p for p, h in enumerate(hermite)])


def noise_covariance(power: Array, kx: Array, ky: Array) -> Array:
    """Return the covariance of the noise of all derivatives at a point.

    Parameters
    ----------
    power : (n_ky, n_kx) float64 array
        Variance of the smoothed field that each mode contributes; the sum is the variance of the field.
    kx, ky : (n_kx,), (n_ky,) float64 arrays
        Wave numbers of the modes, times sigma. With each mode, the opposite one must count: half of the modes with
        doubled power will do.

    Returns
    -------
    (15, 15) float64 array
        Covariance.
    """
    return covariance_of(mode_moments(power, kx, ky))


def mode_moments(power: Array, kx: Array, ky: Array) -> Array:
    """Return the sums of power times kx^p ky^q over modes, (9, 9), for the arguments of :func:`noise_covariance`."""
    powers_x, powers_y = (np.vander(k, 2 * MAX_ORDER + 1, increasing=True) for k in (kx, ky))
    return np.asarray(powers_x.T @ power.T @ powers_y)


def covariance_of(moments: Array) -> Array:
    """Return the covariance (15, 15) of the noise of all derivatives, given the moments of the power."""
    return np.asarray(_SIGNS * moments[_ORDER_SUMS[0], _ORDER_SUMS[1]])


def turned(moments: Array) -> Array:
    """Return the moments of the power turned by a right angle: those of its modes at (-ky, kx)."""
    return np.asarray(moments.T * (-1.0) ** np.arange(len(moments))[:, None])


_ORDER_SUMS = np.add(np.transpose(ORDERS)[:, :, None], np.transpose(ORDERS)[:, None, :])
"""Sums of the orders of two derivatives, along x and along y, (2, 15, 15)."""


def _signs() -> Array:
    """Return the sign (15, 15) of each moment in the covariance, 0 where the sum of the orders is odd."""
    total = np.sum(ORDERS, axis=1)
    return np.where((total[:, None] + total) % 2 == 0, (-1.0) ** ((total[:, None] - total) // 2), 0.0)


_SIGNS = _signs()
