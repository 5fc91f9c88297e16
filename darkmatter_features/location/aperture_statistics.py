"""E against B in apertures: the convention of a catalogue without a single strong lens.

The shear of all matter along the line of sight is an E mode: in the right convention, and in that of the opposite sign,
the variance of the tangential shear in apertures (E) exceeds that of the cross shear (B). Overdensities stand out from
the mean more than voids do: the third moment has the sign of the right one of the two.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.location.conventions import (
    AS_IS,
    CONVENTION_CELLS,
    SKIES,
    ConventionRanking,
    flags,
    four_skies,
    north_turn,
)
from darkmatter_features.location.field import MAX_MEAN_SNR, Field, field_of, mean_snr
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import ShearProfiles, default_profiles

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

PROFILE = 1
"""Number of the default profile of the apertures: isothermal with a core of 0.036 sides."""

N_RANDOMIZED = 12
"""Number of randomized skies for the errors, which are known to 20 %."""

SEED = 1
"""Seed of the randomized skies: the same catalogue gives the same result."""

MIN_EXCESS = 5.0
"""Minimum difference of E and B in its standard deviations."""

MIN_SKEWNESS = 4.0
"""Minimum third moment in its standard deviation."""


@dataclass(frozen=True)
class ApertureStatistics:
    """Moments of S/N maps in units of their scatter in randomized skies.

    Attributes
    ----------
    excess : (2,) float64 array
        Variance of the tangential over that of the cross shear, for e and for its conjugate.
    skewness : (4,) float64 array
        Third moment for e, -i e, the conjugate of e, and -i times that.
    """

    excess: Array
    skewness: Array


def decide_by_apertures(
    catalog: ShapeCatalog, ranking: ConventionRanking, options: CatalogOptions
) -> tuple[ConventionRanking, tuple[str, ...]]:
    """Return the ranking with the convention by aperture statistics, if they decide it, and a line on their result."""
    field = field_of(catalog, subtract_mean=mean_snr(catalog) > MAX_MEAN_SNR)
    turn = north_turn(catalog) if options.local_north else np.ones(len(catalog), dtype=np.complex128)
    statistics = aperture_statistics(field, turn)
    parity = int(np.abs(statistics.excess).argmax())
    excess = float(statistics.excess[parity])
    if abs(excess) < MIN_EXCESS:
        return ranking, ()
    sky = 2 * parity + (excess < 0.0)
    plus, minus = SKIES[sky]
    skewness = float(statistics.skewness[sky])
    line = f"aperture statistics: E exceeds B by {abs(excess):.1f} standard deviations with {plus.name} or {minus.name}"
    if abs(skewness) < MIN_SKEWNESS:
        return ranking, (f"{line}; which of the two cannot be decided",)
    best = plus if skewness > 0.0 else minus
    if best == AS_IS:
        return replace(ranking, best=best), ()
    return replace(ranking, best=best), (f"{line}; the peaks decide for {best.name}: use {flags(best, options)}",)


def aperture_statistics(field: Field, turn: Complex) -> ApertureStatistics:
    """Return the moments of a field, relative to those of randomized skies."""
    real = _moments(field, *four_skies(field, turn))
    phases = np.random.default_rng(SEED).random((field.x.size, N_RANDOMIZED))
    e = (field.e1 + 1j * field.e2)[:, None] * np.exp(2j * np.pi * phases)
    both = np.concatenate([e, -1j * e], axis=1)
    second, third = _moments(field, np.ascontiguousarray(both.real), np.ascontiguousarray(both.imag))
    errors = np.sqrt(np.square(second[:N_RANDOMIZED] - second[N_RANDOMIZED:]).mean()), np.sqrt(np.square(third).mean())
    return ApertureStatistics((real[0][0::2] - real[0][1::2]) / errors[0], real[1] / errors[1])


def _moments(field: Field, e1: Array, e2: Array) -> tuple[Array, Array]:
    """Return the second and the third moment (m,) of the S/N maps of m skies."""
    profiles = default_profiles()
    one = ShearProfiles((profiles.names[PROFILE],), profiles.shear[:, PROFILE : PROFILE + 1].copy(), profiles.spacing)
    response, norm = filter_sums(field, one, *field.grid(CONVENTION_CELLS), e1, e2)
    snr = response[:, :, 0] / np.sqrt(np.maximum(norm, np.finfo(np.float64).tiny))
    return (snr**2).mean(axis=0), (snr**3).mean(axis=0)
