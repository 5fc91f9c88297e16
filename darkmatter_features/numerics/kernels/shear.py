"""Likelihood of one ellipticity under a reduced shear, for a Gaussian distribution of unlensed ellipticities.

In the frame of a centre the ellipticity is ``E = gamma_t + i gamma_x``. A tangential shear g maps it from
``E_s = (E - g) / (1 - g E)``, and its log likelihood ratio is ``ln p0(E_s) + ln |dE_s/dE|^2 - ln p0(E)`` (Seitz &
Schneider 1997).

References
----------
C. Seitz, P. Schneider (1997), A&A 318, 687, arXiv:astro-ph/9601079.
"""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled

MAX_SHEAR = 0.95
"""Upper limit of the reduced shear in a likelihood, dimensionless: at 1, the critical curve, the Jacobian vanishes, and
beyond it an image has the other parity."""


@compiled
def gaussian_log_ratio(gamma_t: Any, gamma_x: Any, g: Any, variance: Any) -> Any:
    """Return ``ln [p0(E_s) |dE_s/dE|^2 / p0(E)]`` for a tangential shear g; p0 has `variance` in each component."""
    square = (1.0 - g * gamma_t) ** 2 + (g * gamma_x) ** 2  # |1 - g E|^2
    source = ((gamma_t - g) ** 2 + gamma_x * gamma_x) / square  # |E_s|^2
    return (gamma_t * gamma_t + gamma_x * gamma_x - source) / (2.0 * variance) + 2.0 * np.log((1.0 - g * g) / square)


@compiled
def expansion_coefficients(gamma_t: Any, gamma_x: Any, weight: Any, variance: Any) -> Any:
    """Return the coefficients of g and g^2 in the expansion of `weight` times :func:`gaussian_log_ratio` at g = 0."""
    m = gamma_t * gamma_t + gamma_x * gamma_x
    linear = weight * gamma_t * ((1.0 - m) / variance + 4.0)
    quadratic = weight * (
        -(1.0 - m) * (1.0 + m - 4.0 * gamma_t * gamma_t) / (2.0 * variance) - 2.0 * (1.0 + m) + 4.0 * gamma_t * gamma_t
    )
    return linear, quadratic
