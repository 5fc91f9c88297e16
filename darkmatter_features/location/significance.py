"""What chance alone makes of the odds for a lens: the same field with each shape turned at random."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError
from darkmatter_features.location.bayes_factor import field_log_bayes_factor, log_bayes_factors
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]

BATCH_SIZE = 50
MAX_GALAXIES_PER_BATCH = 5_000_000
"""Randomized skies worked out at a time: what they need of memory is this times 230 kB in a square field, and some 50
bytes for each of at most so many galaxies."""

MIN_SPREAD = 1e-9
"""Of randomized skies' log Bayes factor: below, the shapes do not scatter, and nothing but rounding tells the skies apart."""


def randomized_log_bayes_factors(
    field: Field, profiles: ShearProfiles, *, n_randomizations: int, rng: np.random.Generator | None
) -> tuple[float, Array]:
    """Return the log Bayes factor of a field and of randomized skies, worked out the same way.

    Parameters
    ----------
    field : Field
        n galaxies.
    profiles : ShearProfiles
        What a lens may do.
    n_randomizations : int
        How many skies.
    rng : numpy.random.Generator
        Randomizes them.

    Returns
    -------
    log_bayes_factor : float
        Log Bayes factor of the field.
    randomized : (n_randomizations,) float64 array
        Of the same galaxies, each ellipticity turned by a phase from the full [0, 2 pi): e is of spin 2, so that half
        of that range would leave the shear in.

    Raises
    ------
    ConfigError
        If `n_randomizations` is not positive or there is no `rng`.
    """
    if n_randomizations < 1 or rng is None:
        raise ConfigError(
            f"a p-value wants 1 randomized sky or more and an rng, got {n_randomizations} and {rng}; 200 tell p down to 0.005"
        )
    log_bayes_factor = []
    batch = max(min(BATCH_SIZE, MAX_GALAXIES_PER_BATCH // field.x.size), 1)
    for start in range(0, n_randomizations, batch):
        turn = np.exp(2j * np.pi * rng.random((min(batch, n_randomizations - start), field.x.size))).T
        e = (field.e1 + 1j * field.e2)[:, None] * turn
        log_bayes_factor.append(
            log_bayes_factors(field, profiles, e.real.copy(), e.imag.copy(), n_skies=n_randomizations)
        )
    return field_log_bayes_factor(field, profiles, n_skies=n_randomizations), np.concatenate(log_bayes_factor)


def p_value_of(log_bayes_factor: float, randomized: Array) -> float:
    """Return the probability of such odds by chance.

    Parameters
    ----------
    log_bayes_factor : float
        Log Bayes factor of a field.
    randomized : (n,) float64 array
        Those of randomized skies.

    Returns
    -------
    float
        ``(1 + number of randomized skies with at least such log_bayes_factor) / (1 + n)`` (Phipson & Smyth 2010).
    """
    return (1 + int((randomized >= log_bayes_factor).sum())) / (1 + randomized.size)


def bayes_factor_excess(log_bayes_factor: float, randomized: Array) -> float:
    """Return by how many of their standard deviations the log Bayes factor exceed the mean of randomized skies'.

    Parameters
    ----------
    log_bayes_factor : float
        Log Bayes factor of a field.
    randomized : (n,) float64 array
        Those of randomized skies.

    Returns
    -------
    float
        nan of a single randomized sky, and where they all have the same odds.

    Notes
    -----
    It tells fields apart where no p-value does, below ``1 / (1 + n_randomizations)``, and is better compared from one field
    to another than the odds: those of chance differ with the number of galaxies and the spread of their ellipticities,
    which is wider about a strong lens whichever way they are turned. They are skew, so that these are no Gaussian's
    sigmas: of simulated skies that were randomized one in a hundred exceeds some 3, about a very strong lens 2.5.
    """
    spread = randomized.std(ddof=1) if randomized.size > 1 else 0.0
    return float((log_bayes_factor - randomized.mean()) / spread) if spread > MIN_SPREAD else np.nan
