"""Search of the halos of a field, one after another, each conditional on those before.

After each new halo all are moved in turn, each to the highest S/N given the others, until none moves; the amplitudes of
all are always fitted together.
"""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.averages import averaged
from darkmatter_features.candidates.joint_fit import Halo, additional_snr, fit_jointly
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]

MAX_PASSES = 3
"""Maximum number of passes over the halos after a new one."""

MAX_REPEATED = 5
"""Maximum number of halos for more than one pass: the number of moves grows with its square."""

MIN_SEPARATION = 0.05
"""Minimum distance between two halos, sides of the field: half the radius from which most of the signal comes. The sum
of two profiles at one place is another profile, and would fit any lens better than one of them."""

SEARCH_CELLS = 40
"""Cells per side of the field for the search. The joint posterior finds the positions."""

FINE_PER_CELL = 5
"""Fine cells per side of a cell: 200 per side of the field, as for the posterior of one lens."""


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
    halos, means = list[Halo](), averaged(field)
    while len(halos) < most:
        new, snr = best_halo(field, profiles, halos, means)
        if snr < threshold:
            break
        halos = _relaxed(field, profiles, [*halos, new], means)
    return _significant(field, profiles, halos, threshold)


def best_halo(field: Field, profiles: ShearProfiles, halos: list[Halo], means: Field) -> tuple[Halo, float]:
    """Return the halo of the highest S/N given other `halos`, to a fine cell, and its S/N.

    Cells are searched in `means`, the averages of the galaxies, and the fine cells about the best one in the field. The
    halo lies :data:`MIN_SEPARATION` or more from the others; the S/N is ``-inf`` where no cell does.
    """
    columns, rows = field.grid(SEARCH_CELLS)
    halo, snr = _best_on_grid(means, profiles, halos, columns, rows)
    if snr == -np.inf:
        return halo, snr
    offsets = np.arange(-FINE_PER_CELL, FINE_PER_CELL + 1) / FINE_PER_CELL
    fine = (
        at + offsets * size / axis.size
        for at, size, axis in zip((halo.x, halo.y), field.size, (columns, rows), strict=True)
    )
    columns, rows = (
        np.linspace(max(axis[0], 0.0), min(axis[-1], size), axis.size)
        for axis, size in zip(fine, field.size, strict=True)
    )
    return max((halo, snr), _best_on_grid(field, profiles, halos, columns, rows), key=lambda each: each[1])


def _best_on_grid(
    field: Field, profiles: ShearProfiles, halos: list[Halo], columns: Array, rows: Array
) -> tuple[Halo, float]:
    """Return the halo of the highest S/N on a grid, and its S/N."""
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


def _relaxed(field: Field, profiles: ShearProfiles, halos: list[Halo], means: Field) -> list[Halo]:
    """Return the halos, each moved in turn to the highest S/N given the others, a few times at most."""
    for _ in range(0 if len(halos) == 1 else MAX_PASSES if len(halos) <= MAX_REPEATED else 1):
        before = list(halos)
        for k in range(len(halos)):
            halos = [*halos[:k], best_halo(field, profiles, halos[:k] + halos[k + 1 :], means)[0], *halos[k + 1 :]]
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
