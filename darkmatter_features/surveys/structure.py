"""Structure along the line of sight: how much it widens the distribution of the S/N of a survey."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

USUAL_EXCESS = 0.1
"""Usual excess of the variance of the S/N, by which an uncertain measurement is drawn towards none: 30 galaxies per
square arcmin, filters of one and two arcmin and halos of a mass function have 0.05 and 0.1 without candidates."""


def structure_factor(observed: Array, randomized: Array) -> float:
    r"""Return the factor by which structure along the line of sight widens the distribution of the S/N.

    Parameters
    ----------
    observed : (n_filters,) float64 array
        Mean square of the S/N of each filter over the survey, without the shear of the candidates.
    randomized : (n_skies, n_filters) float64 array
        The same of randomized skies.

    Returns
    -------
    float
        1 or more.

    Notes
    -----
    Halos too weak to be found add a variance to that of shape noise (Hoekstra 2001 [1]_). The excess x of the observed
    over the mean randomized variance, averaged over filters, has the scatter :math:`\sigma` of the randomized ones
    as its error. It is drawn towards 0 by :math:`\tau^2 / (\tau^2 + \sigma^2)` with :math:`\tau` of
    :data:`USUAL_EXCESS`, so that a small field is left with shape noise; the factor is :math:`\sqrt{1 + x}`.

    References
    ----------
    .. [1] Hoekstra (2001), A&A 370, 743, doi:10.1051/0004-6361:20010293
    """
    if len(randomized) < 2:
        return 1.0
    mean = randomized.mean(axis=0)
    excess = float((observed / mean).mean()) - 1.0
    error = float((randomized / mean).mean(axis=1).std(ddof=1))
    return float(np.sqrt(1.0 + max(excess, 0.0) * USUAL_EXCESS**2 / (USUAL_EXCESS**2 + error**2)))
