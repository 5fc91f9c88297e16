"""What chance alone makes of the odds for a lens: the same field with each shape turned at random."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError
from darkmatter_features.location.bayes_factor import odds_of_field, odds_of_skies
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]

BATCH, MOST_GALAXIES = 50, 5_000_000
"""Scrambled skies worked out at a time: what they need of memory is this times 230 kB in a square field, and some 50
bytes for each of at most so many galaxies."""

LEAST_SPREAD = 1e-9
"""Of scrambled skies' log odds: below, the shapes do not scatter, and nothing but rounding tells the skies apart."""


def scrambled_odds(
    field: Field, profiles: ShearProfiles, *, n_scrambles: int, rng: np.random.Generator | None
) -> tuple[float, Array]:
    """Return the log odds of a field and of scrambled skies, worked out the same way.

    Parameters
    ----------
    field : Field
        n galaxies.
    profiles : ShearProfiles
        What a lens may do.
    n_scrambles : int
        How many skies.
    rng : numpy.random.Generator
        Scrambles them.

    Returns
    -------
    odds : float
        Log odds of the field.
    scrambled : (n_scrambles,) float64 array
        Of the same galaxies, each ellipticity turned by a phase from the full [0, 2 pi): e is of spin 2, so that half
        of that range would leave the shear in.

    Raises
    ------
    ConfigError
        If `n_scrambles` is not positive or there is no `rng`.
    """
    if n_scrambles < 1 or rng is None:
        raise ConfigError(
            f"a p-value wants 1 scrambled sky or more and an rng, got {n_scrambles} and {rng}; 200 tell p down to 0.005"
        )
    odds = []
    batch = max(min(BATCH, MOST_GALAXIES // field.x.size), 1)
    for start in range(0, n_scrambles, batch):
        turn = np.exp(2j * np.pi * rng.random((min(batch, n_scrambles - start), field.x.size))).T
        e = (field.e1 + 1j * field.e2)[:, None] * turn
        odds.append(odds_of_skies(field, profiles, e.real.copy(), e.imag.copy(), n_skies=n_scrambles))
    return odds_of_field(field, profiles, n_skies=n_scrambles), np.concatenate(odds)


def p_value_of(odds: float, scrambled: Array) -> float:
    """Return the probability of such odds by chance.

    Parameters
    ----------
    odds : float
        Log odds of a field.
    scrambled : (n,) float64 array
        Those of scrambled skies.

    Returns
    -------
    float
        ``(1 + number of scrambled skies with at least such odds) / (1 + n)`` (Phipson & Smyth 2010).
    """
    return (1 + int((scrambled >= odds).sum())) / (1 + scrambled.size)


def excess_of(odds: float, scrambled: Array) -> float:
    """Return by how many of their standard deviations the log odds exceed the mean of scrambled skies'.

    Parameters
    ----------
    odds : float
        Log odds of a field.
    scrambled : (n,) float64 array
        Those of scrambled skies.

    Returns
    -------
    float
        nan of a single scrambled sky, and where they all have the same odds.

    Notes
    -----
    It tells fields apart where no p-value does, below ``1 / (1 + n_scrambles)``, and is better compared from one field
    to another than the odds: those of chance differ with the number of galaxies and the spread of their ellipticities,
    which is wider about a strong lens whichever way they are turned. They are skew, so that these are no Gaussian's
    sigmas: of simulated skies that were scrambled one in a hundred exceeds some 3, about a very strong lens 2.5.
    """
    spread = scrambled.std(ddof=1) if scrambled.size > 1 else 0.0
    return float((odds - scrambled.mean()) / spread) if spread > LEAST_SPREAD else np.nan
