"""Significance of a lens: the Bayes factors of the same field with randomly rotated ellipticities."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError
from darkmatter_features.location.bayes_factor import coarse_sums, log_bayes_factors, observed_log_bayes_factor
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.records import Reals
from darkmatter_features.numerics.significance import check_n_randomizations
from darkmatter_features.workers import threaded

Array = NDArray[np.float64]

BATCH_SIZE = 64
"""Maximum number of randomized skies in a batch: in a square field each needs 460 kB, and 24 bytes a galaxy."""

VECTOR_SKIES = 32
"""Number of skies whose multiples vectorise best."""

MAX_GALAXIES_PER_BATCH = 10_000_000
"""Maximum number of galaxies in a batch, all skies together."""

ROTATED_AT_ONCE = 8
"""Number of skies that are rotated together: their phases and sines need less memory than those of a batch."""

MIN_SPREAD = 1e-9
"""Minimum standard deviation of log Bayes factors of randomized skies: below, the shapes do not scatter, and the skies
differ by rounding only."""


def randomized_log_bayes_factors(
    field: Field,
    profiles: ShearProfiles,
    *,
    n_randomizations: int,
    rng: np.random.Generator | None,
    n_threads: int = 1,
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
    n_threads : int
        Number of threads, each with a batch of skies. The result does not depend on it.

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
    batch = max(min(BATCH_SIZE, MAX_GALAXIES_PER_BATCH // field.x.size), 1)
    batch -= batch % VECTOR_SKIES if batch > VECTOR_SKIES else 0
    sizes = (min(batch, n_randomizations - start) for start in range(0, n_randomizations, batch))
    drawn = ((rng.random((size, field.x.size)),) for size in sizes)
    sums = coarse_sums(field, profiles, n_skies=n_randomizations)
    observed = observed_log_bayes_factor(sums)
    randomized = threaded(
        lambda turns: log_bayes_factors(sums, *rotated(field, turns, sums.dtype)), drawn, n_threads=n_threads
    )
    return observed, np.concatenate(list(randomized))


def rotated(field: Field, turns: Array, dtype: type[np.floating]) -> tuple[Reals, Reals]:
    """Return e1 and e2 (n, m) of m skies whose ellipticities are rotated by phases of some `turns` (m, n) of 2 pi."""
    e1, e2 = np.empty(turns.shape[::-1], dtype=dtype), np.empty(turns.shape[::-1], dtype=dtype)
    own_e1, own_e2 = field.e1.astype(dtype), field.e2.astype(dtype)
    for first in range(0, len(turns), ROTATED_AT_ONCE):
        skies = slice(first, first + ROTATED_AT_ONCE)
        phase = (2.0 * np.pi * turns[skies]).astype(dtype)
        cosine, sine = np.cos(phase), np.sin(phase)
        e1[:, skies] = (own_e1 * cosine - own_e2 * sine).T
        e2[:, skies] = (own_e1 * sine + own_e2 * cosine).T
    return e1, e2


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
