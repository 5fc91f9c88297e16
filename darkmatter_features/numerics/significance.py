"""Monte Carlo p-values: the rank of a statistic among those of randomized skies."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError


class NullTest(NamedTuple):
    """Statistic of a sky and those of randomized skies.

    Attributes
    ----------
    observed : float
        Statistic of the observed sky.
    randomized : tuple of float
        Statistic of each randomized sky.
    """

    observed: float
    randomized: tuple[float, ...]

    @property
    def p_value(self) -> float:
        """Probability of at least the observed statistic, see :func:`monte_carlo_p_value`."""
        return monte_carlo_p_value(self.observed, np.array(self.randomized))


def check_n_randomizations(n_randomizations: int, *, least: int = 1) -> None:
    """Raise ConfigError if the number of randomized skies is below `least`."""
    if n_randomizations < least:
        raise ConfigError(
            f"the number of randomizations must be {least} or more, got {n_randomizations}; "
            "200 resolve p-values down to 0.005"
        )


def monte_carlo_p_value(observed: float, randomized: NDArray[np.float64]) -> float:
    """Return the p-value of a statistic from its values for randomized skies.

    Parameters
    ----------
    observed : float
        Statistic of the observed sky; large values speak against the null hypothesis.
    randomized : (n,) float64 array
        Statistic of n randomized skies, 1 or more.

    Returns
    -------
    float
        Between ``1 / (1 + n)`` and 1.

    Raises
    ------
    ConfigError
        If there are no randomized skies.

    Notes
    -----
    ``p = (1 + b) / (1 + n)``, with b the number of randomized skies whose statistic is at least the observed one. The
    observed sky counts as one draw, so that p is never 0 and ``P(p <= alpha) <= alpha`` under the null hypothesis.

    References
    ----------
    B. Phipson, G. K. Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9, 39, doi:10.2202/1544-6115.1585.
    """
    check_n_randomizations(randomized.size)
    return (1 + int((randomized >= observed).sum())) / (1 + randomized.size)
