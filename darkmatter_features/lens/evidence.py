"""The evidence for a lens: the marginal likelihood over where it is and how strong, over that of none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.kernels.evidence import log_mean_exp
from darkmatter_features.lens.likelihood import LensRatios
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]

# Side of the cells whose centres are tried first, pixels; each that matters is cut into FINER x FINER.
CELL = 16.0
FINER = 4
# Cells this far below the best, in log evidence, do not matter; of the others at most this many are cut.
MATTERS, MAX_CUT = 8.0, 12
# The position is the mean of the posterior within this distance of its mode, pixels.
NEAR_MODE = 48.0


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
    log_bayes_factor, log_bayes_factor_shear, log_bayes_factor_counts : float
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
    log_bayes_factor: float
    log_bayes_factor_shear: float
    log_bayes_factor_counts: float
    amplitude: float
    row: float
    column: float
    position_error: float

    def __post_init__(self) -> None:
        for array in (self.rows, self.columns, self.log_shear, self.log_counts, self.log_evidence, self.posterior):
            array.flags.writeable = False


def lens_evidence(catalog: GalaxyCatalog, template: LensTemplate | None = None, *, cross: bool = False) -> Evidence:
    """Weigh a lens against none.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate, optional
        What a lens does; the default, with the sky's own mean ellipticity, when not given.
    cross : bool
        Weigh, as a null test, what shears across, by 45 degrees from tangentially: no lens does.

    Returns
    -------
    Evidence
        On cells of 16 px, those that matter integrated over cells of 4 px.

    Notes
    -----
    For a lens at c of amplitude A with profile g(r), each ellipticity has the likelihood ratio
    ``p0(e_s) |de_s/de|^2 / p0(e)`` with ``e_s = (e - g) / (1 - g* e)`` (Seitz & Schneider 1997), and the positions have
    ``prod n(r_i)^A / <n^A>^N``, with <> the mean over the picture. The evidence is the mean of their product over
    c and A.
    """
    template = template or LensTemplate.of_sky(catalog)
    rows, columns = (_cells(side) for side in catalog.shape)
    places = np.stack([axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij")])
    ratios = LensRatios.of(catalog, template, cross=cross)
    coarse = ratios.likelihoods(*places)
    joint = _over_amplitudes(coarse, template)
    cut = np.argsort(-joint, kind="stable")[:MAX_CUT]
    cut = cut[joint[cut] > joint.max() - MATTERS]
    fine_places = _finer(places[:, cut], catalog.shape, rows.size, columns.size)
    fine = ratios.likelihoods(*fine_places)
    return _summarised(catalog.shape, rows, columns, places, coarse, cut, fine_places, fine, template)


def _over_amplitudes(likelihood: tuple[Array, Array], template: LensTemplate) -> Array:
    """Return the log evidence (m,) of each place, of shapes and counts."""
    log_shear, log_counts = likelihood
    return _of_shear(log_shear + log_counts[:, None, :], template)


def _of_shear(log_shear: Array, template: LensTemplate) -> Array:
    return _log_mean_exp(log_shear.reshape(len(log_shear), -1), template.weights.ravel())


def _of_counts(log_counts: Array, template: LensTemplate) -> Array:
    return _log_mean_exp(log_counts, template.weights.sum(axis=0))


def _log_mean_exp(values: Array, weights: Array) -> Array:
    means = np.empty(len(values))
    log_mean_exp(values, weights, means)
    return means


def _log_sum_exp(values: Array) -> float:
    largest = values.max()
    return float(largest + np.log(np.exp(values - largest).sum()))


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
    of_shear = _put_together(_of_shear(coarse[0], template), _of_shear(fine[0], template), cut)
    of_counts = _put_together(_of_counts(coarse[1], template), _of_counts(fine[1], template), cut)
    fine_joint = _over_amplitudes(fine, template)
    joint = _put_together(_over_amplitudes(coarse, template), fine_joint, cut)
    is_whole = np.ones(joint.size, dtype=np.bool_)
    is_whole[cut] = False
    whole = np.flatnonzero(is_whole)
    every_place = np.concatenate([places[:, whole], fine_places], axis=1)
    area = np.repeat([1.0, FINER**-2.0], [whole.size, fine_joint.size])
    log_weight = np.concatenate([joint[whole], fine_joint]) + np.log(area)
    weight = np.exp(log_weight - _log_sum_exp(log_weight))
    row, column = _about_mode(every_place, weight, area)
    square = (every_place[0] - row) ** 2 + (every_place[1] - column) ** 2
    grid = (rows.size, columns.size)
    best = int(np.argmax(fine_joint))
    log_amplitude = fine[0][best] + fine[1][best]
    of_amplitude = np.exp(log_amplitude - log_amplitude.max()) * template.weights
    return Evidence(
        shape=shape,
        rows=rows,
        columns=columns,
        log_shear=of_shear.reshape(grid),
        log_counts=of_counts.reshape(grid),
        log_evidence=joint.reshape(grid),
        posterior=np.exp(joint - _log_sum_exp(joint)).reshape(grid),
        log_bayes_factor=_mean(joint),
        log_bayes_factor_shear=_mean(of_shear),
        log_bayes_factor_counts=_mean(of_counts),
        amplitude=float((of_amplitude.sum(axis=0) * template.amplitudes).sum() / of_amplitude.sum()),
        row=row,
        column=column,
        position_error=float(np.sqrt((weight * square).sum())),
    )


def _put_together(coarse: Array, fine: Array, cut: NDArray[np.int64]) -> Array:
    """Return the coarse values with those of the cut cells replaced by the log of the mean over their parts."""
    together = coarse.copy()
    together[cut] = _log_mean_exp(fine.reshape(cut.size, -1), np.full(FINER**2, FINER**-2.0))
    return together


def _mean(log_values: Array) -> float:
    return float(_log_sum_exp(log_values) - np.log(log_values.size))


def _about_mode(places: Array, weight: Array, area: Array) -> tuple[float, float]:
    """Return the mean row and column of what lies near the densest place."""
    mode = places[:, np.argmax(weight / area), None]
    near = weight * (((places - mode) ** 2).sum(axis=0) <= NEAR_MODE**2)
    row, column = (places * near).sum(axis=1) / near.sum()
    return float(row), float(column)
