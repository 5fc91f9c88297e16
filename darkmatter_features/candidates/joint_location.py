"""Location of several lenses of a field at the same time: positions and evidence by the posterior of all together."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.chains import COARSE_CELLS, FINE_PER_COARSE
from darkmatter_features.candidates.joint_fit import Halo, fit_jointly
from darkmatter_features.candidates.joint_positions import joint_positions, mean_shears
from darkmatter_features.candidates.joint_posterior import sample_jointly
from darkmatter_features.candidates.search import MIN_SEPARATION
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.location.field import MIN_SCATTER, Field, field_of
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.location.significance import randomized_log_bayes_factors
from darkmatter_features.numerics.significance import NullTest

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

N_PARAMETERS = 4
"""Number of parameters of a halo: two of position, profile and amplitude."""

SNR_CELLS = 41
"""Cells per side of the square about a position in which the highest S/N is searched."""


class JointLens(NamedTuple):
    """Lens beside others.

    Attributes
    ----------
    x, y, position_error : float, sides of the field
        Position and its root mean square error.
    snr, snr_cross : float
        S/N with the amplitudes of all free, and that of the cross shear at the same place.
    log_bayes_factor : float
        Log of the evidence for it beside the others over that for the others alone.
    profile : int
        Index of the profile with the highest S/N.
    null : NullTest or None
        Log Bayes factors without the other lenses, of the field and of randomized skies; None without these.
    """

    x: float
    y: float
    position_error: float
    snr: float
    snr_cross: float
    log_bayes_factor: float
    profile: int
    null: NullTest | None = None


def locate_jointly(
    catalog: ShapeCatalog,
    profiles: ShearProfiles,
    halos: list[Halo],
    *,
    threshold: float,
    samples_rng: np.random.Generator,
    n_randomizations: int = 0,
    rng: np.random.Generator | None = None,
) -> list[JointLens]:
    """Return the lenses of a catalogue, two or more; none where only one is left.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.
    profiles : ShearProfiles
        Trial shear profiles.
    halos : list of Halo
        Halos of the search.
    threshold : float
        Minimum S/N; while the weakest is below, it is left out and the others are located anew.
    samples_rng, rng : numpy.random.Generator
        Source of the samples of the posterior, and of the random rotations.
    n_randomizations : int
        Number of randomized skies for the probability of a false alarm; 0 for none.
    """
    field = field_of(catalog, subtract_mean=False)
    while True:
        lenses, shears = _located(catalog, field, profiles, halos, samples_rng)
        weakest = min(range(len(lenses)), key=lambda k: lenses[k].snr)
        if lenses[weakest].snr >= threshold:
            break
        halos = halos[:weakest] + halos[weakest + 1 :]
        if len(halos) < 2:
            return []
    if not n_randomizations:
        return lenses
    return [
        each._replace(null=_null_test(without_others(catalog, shears, k), profiles, n_randomizations, rng))
        for k, each in enumerate(lenses)
    ]


def _located(
    catalog: ShapeCatalog, field: Field, profiles: ShearProfiles, halos: list[Halo], rng: np.random.Generator
) -> tuple[list[JointLens], ComplexArray]:
    """Return the lenses, in the order of the halos, and their mean shears (n_halos, n)."""
    samples = sample_jointly(unlensed(field, profiles, halos), profiles, halos, rng)
    found = joint_positions(samples, halos, float(np.prod(field.size)) / fine_cells(field))
    shears = mean_shears(field, profiles, found.samples)
    peaks = [
        _peak(field_of(without_others(catalog, shears, k), subtract_mean=False), profiles, *place)
        for k, place in enumerate(zip(found.x, found.y, found.error, strict=True))
    ]
    best = [Halo(float(x), float(y), peak[2]) for x, y, peak in zip(found.x, found.y, peaks, strict=True)]
    independence = fit_jointly(field, profiles, best).independence
    columns = zip(found.x, found.y, found.error, independence, found.log_bayes_factor, peaks, strict=True)
    return [
        JointLens(float(x), float(y), float(error), snr * float(free), cross, float(log_bayes_factor), profile)
        for x, y, error, free, log_bayes_factor, (snr, cross, profile) in columns
    ], shears


def unlensed(field: Field, profiles: ShearProfiles, halos: list[Halo]) -> Field:
    """Return the field with the variance that is left without the best-fit shear of halos."""
    fit = fit_jointly(field, profiles, halos)
    left = field.e1 + 1j * field.e2 - fit.amplitudes @ fit.patterns
    n_free = max(2 * field.x.size - N_PARAMETERS * len(halos), field.x.size)
    variance = float(np.average(np.abs(left) ** 2, weights=field.weight**2)) / 2.0 * 2 * field.x.size / n_free
    return replace(field, variance=min(max(variance, MIN_SCATTER**2), field.variance))


def fine_cells(field: Field) -> int:
    """Return the number of fine cells of a field."""
    across, up = field.n_cells(COARSE_CELLS)
    return across * up * FINE_PER_COARSE**2


def without_others(catalog: ShapeCatalog, shears: ComplexArray, k: int) -> ShapeCatalog:
    """Return a catalogue without the shears (n_halos, n) of all lenses but the one of index k, to first order."""
    shear = np.delete(shears, k, axis=0).sum(axis=0)
    return replace(catalog, e1=catalog.e1 - shear.real, e2=catalog.e2 - shear.imag)


def _peak(field: Field, profiles: ShearProfiles, x: float, y: float, error: float) -> tuple[float, float, int]:
    """Return the highest S/N within the error of a position, the S/N of cross shear there, and the profile."""
    radius = max(error, MIN_SEPARATION)
    columns, rows = (
        np.linspace(max(at - radius, 0.0), min(at + radius, size), SNR_CELLS)
        for at, size in zip((x, y), field.size, strict=True)
    )
    response, norm = filter_sums(field, profiles, columns, rows, *field.with_cross())
    snr = response / np.sqrt(np.maximum(norm, np.finfo(np.float64).tiny))[:, None]
    cell, profile = np.unravel_index(snr[:, 0].argmax(), norm.shape)
    return float(snr[cell, 0, profile]), float(snr[cell, 1, profile]), int(profile)


def _null_test(
    catalog: ShapeCatalog, profiles: ShearProfiles, n_randomizations: int, rng: np.random.Generator | None
) -> NullTest:
    field = field_of(catalog, subtract_mean=False)
    observed, randomized = randomized_log_bayes_factors(field, profiles, n_randomizations=n_randomizations, rng=rng)
    return NullTest(observed, tuple(randomized.tolist()))
