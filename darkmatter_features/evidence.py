"""The evidence for a lens: the marginal likelihood over where it is and how strong, over that of none."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.kernels.evidence import count_likelihood, expand, lens_likelihood
from darkmatter_features.shapes import GalaxyCatalog
from darkmatter_features.template import STEP, LensTemplate

Array = NDArray[np.float64]

# Side of the cells whose centres are tried first, pixels; each that matters is cut into FINER x FINER.
CELL = 16.0
FINER = 4
# Cells this far below the best, in log evidence, do not matter; of the others at most this many are cut.
MATTERS, MAX_CUT = 12.0, 40
# Shears from this on are undone exactly; of less, an expansion to second order errs by 0.01 in log evidence.
WEAK = 0.25
# The position is the mean of the posterior within this distance of its mode, pixels.
NEAR_MODE = 48.0
# Steps of the lattice over which the counts are normalised, pixels.
LATTICE = 8.0


@dataclass(frozen=True)
class Evidence:
    """What a catalogue says of a lens, each centre in the picture and each strength weighed by its prior.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the picture.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels
        Centres of the cells.
    log_shear, log_counts : (n_rows, n_columns) float64 arrays
        Log likelihood ratio of shapes and of counts for a lens in each cell, over none.
    log_evidence : (n_rows, n_columns) float64 array
        Of both together.
    posterior : (n_rows, n_columns) float64 array
        Probability of the cell, given that there is a lens; sums to 1.
    log_odds, log_odds_shear, log_odds_counts : float
        Logs of the evidence over the whole picture: of both, of shapes alone, of counts alone.
    amplitude : float
        Posterior mean of the strength, in units of the template's profile.
    row, column : float, pixels
        Where the lens would be: the mean of the posterior about its mode.
    position_error : float, pixels
        Root mean square distance from there, over the whole posterior.
    """

    shape: tuple[int, int]
    rows: Array
    columns: Array
    log_shear: Array
    log_counts: Array
    log_evidence: Array
    posterior: Array
    log_odds: float
    log_odds_shear: float
    log_odds_counts: float
    amplitude: float
    row: float
    column: float
    position_error: float

    def __post_init__(self) -> None:
        for array in (self.rows, self.columns, self.log_shear, self.log_counts, self.log_evidence, self.posterior):
            array.flags.writeable = False


def lens_evidence(catalog: GalaxyCatalog, template: LensTemplate | None = None) -> Evidence:
    """Weigh a lens against none.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate, optional
        What a lens does; the default, with the sky's own mean ellipticity, when not given.

    Returns
    -------
    Evidence
        On cells of 16 px, those that matter integrated over cells of 4 px.

    Notes
    -----
    For a lens at c of amplitude A with profile g(r), each ellipticity has the likelihood ratio
    ``p0(e_s) |de_s/de|^2 / p0(e)`` with ``e_s = (e - g) / (1 - g* e)`` (Seitz & Schneider 1997), and the positions have
    ``prod n(r_i) / <n>^N``, with <n> the mean over the picture. The evidence is the mean of their product over c and A.
    """
    template = template or LensTemplate.of_sky(catalog)
    rows, columns = (_cells(side) for side in catalog.shape)
    places = np.stack([axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij")])
    coarse = likelihoods(catalog, template, *places)
    joint = _over_amplitudes(coarse, template)
    cut = np.argsort(-joint, kind="stable")[:MAX_CUT]
    cut = cut[joint[cut] > joint.max() - MATTERS]
    fine_places = _finer(places[:, cut], catalog.shape, rows.size, columns.size)
    fine = likelihoods(catalog, template, *fine_places)
    return _summarised(catalog.shape, rows, columns, places, coarse, cut, fine_places, fine, template)


def likelihoods(catalog: GalaxyCatalog, template: LensTemplate, rows: Array, columns: Array) -> tuple[Array, Array]:
    """Return the log likelihood ratios for a lens at given places.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate
        What a lens does.
    rows, columns : (m,) float64 arrays, pixels
        The places.

    Returns
    -------
    log_shear : (m, n_profiles, n_amplitudes) float64 array
        Of the shapes.
    log_counts : (m,) float64 array
        Of the counts.
    """
    kind = template.kinds(catalog.size, catalog.is_partial)
    coefficients = np.empty((len(catalog), 5))
    expand(template.log_p0, kind, catalog.e1, catalog.e2, coefficients)
    log_shear = np.empty((rows.size, *template.weights.shape))
    lens_likelihood(
        catalog.x, catalog.y, catalog.e1, catalog.e2, kind, template.response, template.log_p0, coefficients,
        template.shear, STEP, template.amplitudes, WEAK, columns, rows, log_shear,
    )  # fmt: skip
    log_counts = np.empty(rows.size)
    count_likelihood(
        catalog.x, catalog.y, template.classes(catalog.size), template.log_counts, STEP, columns, rows, log_counts
    )
    return log_shear, log_counts - len(catalog) * _log_mean_counts(template, catalog.shape, rows, columns)


def _over_amplitudes(likelihood: tuple[Array, Array], template: LensTemplate) -> Array:
    """Return the log evidence (m,) of each place, of shapes and counts."""
    log_shear, log_counts = likelihood
    return _of_shear(log_shear, template) + log_counts


def _of_shear(log_shear: Array, template: LensTemplate) -> Array:
    return np.asarray(logsumexp(log_shear, axis=(1, 2), b=template.weights))


def _cells(side: int) -> Array:
    n = max(round(side / CELL), 1)
    return (np.arange(n) + 0.5) * side / n - 0.5


def _finer(places: Array, shape: tuple[int, int], n_rows: int, n_columns: int) -> Array:
    """Return the centres (2, m * FINER**2) of the smaller cells, those of one cell beside each other."""
    offsets = (np.arange(FINER) + 0.5) / FINER - 0.5
    down, across = (axis.ravel() for axis in np.meshgrid(offsets, offsets, indexing="ij"))
    rows = places[0][:, None] + down * shape[0] / n_rows
    columns = places[1][:, None] + across * shape[1] / n_columns
    return np.stack([rows.ravel(), columns.ravel()])


def _summarised(
    shape: tuple[int, int],
    rows: Array,
    columns: Array,
    places: Array,
    coarse: tuple[Array, Array],
    cut: NDArray[np.int64],
    fine_places: Array,
    fine: tuple[Array, Array],
    template: LensTemplate,
) -> Evidence:
    """Put the cut cells in the place of the coarse ones, and sum."""
    of_shear, of_counts, joint = (
        _put_together(function(coarse), function(fine), cut)
        for function in (
            lambda both: _of_shear(both[0], template),
            lambda both: both[1],
            lambda both: _over_amplitudes(both, template),
        )
    )
    whole = np.setdiff1d(np.arange(joint.size), cut)
    every_place = np.concatenate([places[:, whole], fine_places], axis=1)
    log_weight = np.concatenate([joint[whole], _over_amplitudes(fine, template) - 2.0 * np.log(FINER)])
    weight = np.exp(log_weight - logsumexp(log_weight))
    row, column = _about_mode(every_place, weight)
    square = (every_place[0] - row) ** 2 + (every_place[1] - column) ** 2
    grid = (rows.size, columns.size)
    best = int(np.argmax(_over_amplitudes(fine, template)))
    of_amplitude = np.exp(fine[0][best] - fine[0][best].max()) * template.weights
    return Evidence(
        shape=shape,
        rows=rows,
        columns=columns,
        log_shear=of_shear.reshape(grid),
        log_counts=of_counts.reshape(grid),
        log_evidence=joint.reshape(grid),
        posterior=np.exp(joint - logsumexp(joint)).reshape(grid),
        log_odds=_mean(joint),
        log_odds_shear=_mean(of_shear),
        log_odds_counts=_mean(of_counts),
        amplitude=float((of_amplitude.sum(axis=0) * template.amplitudes).sum() / of_amplitude.sum()),
        row=row,
        column=column,
        position_error=float(np.sqrt((weight * square).sum())),
    )


def _put_together(coarse: Array, fine: Array, cut: NDArray[np.int64]) -> Array:
    """Return the coarse values with those of the cut cells replaced by the log of the mean over their parts."""
    together = coarse.copy()
    together[cut] = logsumexp(fine.reshape(cut.size, -1), axis=1) - 2.0 * np.log(FINER)
    return together


def _mean(log_values: Array) -> float:
    return float(logsumexp(log_values) - np.log(log_values.size))


def _about_mode(places: Array, weight: Array) -> tuple[float, float]:
    """Return the mean row and column of what lies near the heaviest place."""
    mode = places[:, np.argmax(weight), None]
    near = weight * (((places - mode) ** 2).sum(axis=0) <= NEAR_MODE**2)
    row, column = (places * near).sum(axis=1) / near.sum()
    return float(row), float(column)


def _log_mean_counts(template: LensTemplate, shape: tuple[int, int], rows: Array, columns: Array) -> Array:
    """Return log <n> (m,), the mean over the picture of the counts about each place."""
    from scipy.ndimage import map_coordinates

    if not template.log_counts.any():
        return np.zeros(rows.size)
    lattice = _counts_lattice(template, shape)
    scale = [(n - 1) / max(side - 1, 1) for n, side in zip(lattice.shape, shape, strict=True)]
    return np.asarray(map_coordinates(lattice, [rows * scale[0], columns * scale[1]], order=1, mode="nearest"))


@lru_cache(maxsize=8)
def _counts_lattice(template: LensTemplate, shape: tuple[int, int]) -> Array:
    """Return log <n> on a lattice of centres that spans the picture: it is smooth, and alike for all its skies."""
    rows, columns = (np.linspace(0.0, side - 1.0, max(round(side / CELL), 1) + 1) for side in shape)
    field = [(np.arange(max(round(side / LATTICE), 1)) + 0.5) * LATTICE - 0.5 for side in shape]
    density = template.class_fractions @ np.exp(template.log_counts)
    mean = np.empty((rows.size, columns.size))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            radius = np.hypot(field[0][:, None] - row, field[1][None, :] - column)
            mean[i, j] = np.interp(radius / STEP, np.arange(density.size), density).mean()
    lattice = np.log(mean)
    lattice.flags.writeable = False
    return lattice
