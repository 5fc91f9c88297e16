"""Significance of a lens: the Bayes factors of the same field with randomly rotated ellipticities."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError
from darkmatter_features.location.bayes_factor import field_log_bayes_factor, log_bayes_factors
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.significance import check_n_randomizations

Array = NDArray[np.float64]

BATCH_SIZE = 50
"""Maximum number of randomized skies in memory: in a square field each needs 230 kB, and 50 bytes a galaxy."""

MAX_GALAXIES_PER_BATCH = 5_000_000
"""Maximum number of galaxies in a batch, all skies together."""

MIN_SPREAD = 1e-9
"""Minimum standard deviation of log Bayes factors of randomized skies: below, the shapes do not scatter, and the skies
differ by rounding only."""


def randomized_log_bayes_factors(
    field: Field, profiles: ShearProfiles, *, n_randomizations: int, rng: np.random.Generator | None
) -> tuple[float, Array]:
    """Return the log Bayes factors of a field and of randomized skies, by the same method.

    Parameters
    ----------
    field : Field
        Field of n galaxies.
    profiles : ShearProfiles
        Shear profiles of a lens.
    n_randomizations : int
        Number of randomized skies, 1 or more.
    rng : numpy.random.Generator
        Source of the random rotations.

    Returns
    -------
    log_bayes_factor : float
        Log Bayes factor of the field.
    randomized : (n_randomizations,) float64 array
        Log Bayes factors of the same galaxies, each ellipticity rotated by a phase from the full range [0, 2 pi): e has
        spin 2, and half of that range would keep part of the shear.

    Raises
    ------
    ConfigError
        If `n_randomizations` is not positive or there is no `rng`.
    """
    check_n_randomizations(n_randomizations)
    if rng is None:
        raise ConfigError(
            "randomized skies need a random generator, got rng=None; pass rng=numpy.random.default_rng(1)"
        )
    randomized = []
    batch = max(min(BATCH_SIZE, MAX_GALAXIES_PER_BATCH // field.x.size), 1)
    for start in range(0, n_randomizations, batch):
        turn = np.exp(2j * np.pi * rng.random((min(batch, n_randomizations - start), field.x.size))).T
        e = (field.e1 + 1j * field.e2)[:, None] * turn
        e1, e2 = e.real.copy(), e.imag.copy()
        randomized.append(log_bayes_factors(field, profiles, e1, e2, n_skies=n_randomizations))
    return field_log_bayes_factor(field, profiles, n_skies=n_randomizations), np.concatenate(randomized)


def bayes_factor_excess(log_bayes_factor: float, randomized: Array) -> float:
    """Return the excess of a log Bayes factor over the mean of randomized skies, in their standard deviations.

    Parameters
    ----------
    log_bayes_factor : float
        Log Bayes factor of a field.
    randomized : (n,) float64 array
        Log Bayes factors of randomized skies.

    Returns
    -------
    float
        nan for a single randomized sky, and where all of them have the same Bayes factor.

    Notes
    -----
    The excess ranks fields whose p-value is at its minimum, ``1 / (1 + n_randomizations)``. It compares fields better
    than the Bayes factor itself, whose distribution under the null hypothesis depends on the number of galaxies and on
    the dispersion of their ellipticities; a strong lens widens that dispersion however the shapes are rotated. The
    distribution is skew, so that the unit is no Gaussian sigma: one in a hundred randomized simulated skies exceeds 3,
    or 2.5 about a very strong lens.
    """
    spread = randomized.std(ddof=1) if randomized.size > 1 else 0.0
    return float((log_bayes_factor - randomized.mean()) / spread) if spread > MIN_SPREAD else np.nan
