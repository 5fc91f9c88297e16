"""Search of the halos of a field, one after another, each conditional on those before.

After each new halo all are moved in turn, each to the highest S/N given the others, until none moves; the amplitudes of
all are always fitted together.
"""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.joint_fit import Halo, additional_snr, fit_jointly
from darkmatter_features.location.bayes_factor import BAYES_FACTOR_CELLS
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]

MAX_PASSES = 6
"""Maximum number of passes over the halos after a new one."""

MIN_SEPARATION = 0.05
"""Minimum distance between two halos, sides of the field: half the radius from which most of the signal comes. The sum
of two profiles at one place is another profile, and would fit any lens better than one of them."""

FINE_CELLS = 200
"""Cells per side of the field for the final positions of the fit, as for the posterior of one lens."""


def find_halos(field: Field, profiles: ShearProfiles, *, threshold: float, most: int) -> list[Halo]:
    """Return the halos of a field whose S/N, in a joint fit, is at least a threshold.

    Parameters
    ----------
    field : Field
        Field of n galaxies.
    profiles : ShearProfiles
        Trial shear profiles of each halo.
    threshold : float
        Minimum S/N of each halo with the amplitudes of all others free.
    most : int
        Maximum number of halos.

    Returns
    -------
    list of Halo
        On cells of 1/200 of the field's side; empty where no S/N reaches the threshold.
    """
    halos: list[Halo] = []
    while len(halos) < most:
        new, snr = best_halo(field, profiles, halos, BAYES_FACTOR_CELLS)
        if snr < threshold:
            break
        halos = _relaxed(field, profiles, [*halos, new], BAYES_FACTOR_CELLS, MAX_PASSES)
    halos = _relaxed(field, profiles, halos, FINE_CELLS, 1)
    return _significant(field, profiles, halos, threshold)


def best_halo(field: Field, profiles: ShearProfiles, halos: list[Halo], n_cells: int) -> tuple[Halo, float]:
    """Return the halo of the highest S/N given other `halos`, on a grid of `n_cells` per side, and its S/N.

    It lies :data:`MIN_SEPARATION` or more from the others; the S/N is ``-inf`` where no cell does.
    """
    columns, rows = field.grid(n_cells)
    snr = additional_snr(field, profiles, halos, columns, rows)
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    for halo in halos:
        snr[np.hypot(x - halo.x, y - halo.y) < MIN_SEPARATION] = -np.inf
    cell, profile = np.unravel_index(snr.argmax(), snr.shape)
    halo = Halo(float(columns[cell % columns.size]), float(rows[cell // columns.size]), int(profile))
    return halo, float(snr[cell, profile])


def joint_snr(field: Field, profiles: ShearProfiles, halos: list[Halo]) -> Array:
    """Return the S/N (n_halos,) of each halo with the amplitudes of all others free."""
    fit = fit_jointly(field, profiles, halos)
    norm = (np.abs(fit.patterns) ** 2 @ (field.weight / field.variance)).astype(np.float64)
    return np.asarray(fit.amplitudes * np.sqrt(norm) * fit.independence)


def _relaxed(field: Field, profiles: ShearProfiles, halos: list[Halo], n_cells: int, n_passes: int) -> list[Halo]:
    """Return the halos, each moved in turn to the highest S/N given the others, `n_passes` times at most."""
    for _ in range(n_passes):
        before = list(halos)
        for k in range(len(halos)):
            halos = [*halos[:k], best_halo(field, profiles, halos[:k] + halos[k + 1 :], n_cells)[0], *halos[k + 1 :]]
        if halos == before:
            break
    return halos


def _significant(field: Field, profiles: ShearProfiles, halos: list[Halo], threshold: float) -> list[Halo]:
    """Return the halos without those below the threshold, the weakest left out first."""
    while halos:
        snr = joint_snr(field, profiles, halos)
        weakest = int(snr.argmin())
        if snr[weakest] >= threshold:
            break
        halos = halos[:weakest] + halos[weakest + 1 :]
    return halos
