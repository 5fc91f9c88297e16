"""The evidence for a lens: the likelihood over that of no lens, marginalised over position and amplitude."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.kernels.evidence import log_mean_exp
from darkmatter_features.lens.likelihood import likelihoods
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]

CELL = 16.0
"""Nominal side of the coarse cells, at whose centres a lens is tried first, pixels."""

N_SUBCELLS = 4
"""Each cell that contributes is cut into this many subcells along each side."""

LOG_EVIDENCE_CUT = 8.0
"""Cells this far below the best, in log evidence, are not cut."""

MAX_CUT = 12
"""Maximum number of cells that are cut."""

MODE_RADIUS = 48.0
"""The best-fit position is the mean of the posterior within this radius about its mode, pixels."""


@dataclass(frozen=True)
class Evidence:
    """Evidence of a catalogue for a lens, averaged over positions in the image and over the prior of the amplitude.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels
        Centres of the cells.
    log_shear, log_counts : (n_rows, n_columns) float64 arrays
        Log likelihood ratio of the shapes, and of the counts, for a lens in each cell over none.
    log_evidence : (n_rows, n_columns) float64 array
        Log likelihood ratio of both together.
    posterior : (n_rows, n_columns) float64 array
        Probability that the lens is in the cell, given that there is one; the sum is 1.
    log_bayes_factor, log_bayes_factor_shear, log_bayes_factor_counts : float
        Log of the evidence over the whole image: of both, of the shapes alone, of the counts alone.
    amplitude : float
        Posterior mean of the amplitude, in units of the template's profile.
    row, column : float, pixels
        Best-fit position: the mean of the posterior about its mode.
    position_error : float, pixels
        Root mean square distance from the best-fit position, over the whole posterior.
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


def lens_evidence(
    galaxies: GalaxyCatalog | PreparedCatalog,
    template: LensTemplate | CompiledTemplate | None = None,
    *,
    cross: bool = False,
) -> Evidence:
    r"""Return the evidence for a lens over none.

    Parameters
    ----------
    galaxies : GalaxyCatalog or PreparedCatalog
        Galaxies of one sky.
    template : LensTemplate or CompiledTemplate, optional
        Template for a catalogue that is not prepared; the default with the sky's own mean ellipticity when not given.
    cross : bool
        Rotate the shear by 45 degrees: a null test, since no lens shears so.

    Returns
    -------
    Evidence
        On cells of 16 px; those that contribute are integrated over subcells of 4 px.

    Notes
    -----
    For a lens at c of amplitude A with profile g(r), the likelihood ratio is

    .. math:: L(c, A) = \prod_i \frac{p_0(e_{s,i})}{p_0(e_i)} \left|\frac{\partial e_s}{\partial e}\right|_i^2
        \frac{n(r_i)^A}{\langle n^A \rangle}, \qquad e_s = \frac{e - g}{1 - g^* e},

    with the inverse shear of [1]_ and the mean :math:`\langle\rangle` over the image. The evidence is the mean of L
    over c and A.

    References
    ----------
    .. [1] Seitz & Schneider 1997, A&A 318, 687, arXiv:astro-ph/9601079.
    """
    prepared = prepare(galaxies, template)
    shape = prepared.catalog.shape
    rows, columns = (_cells(side) for side in shape)
    centres = np.stack([axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij")])
    coarse = _Marginals.at(prepared, centres, cross=cross)
    cut = np.argsort(-coarse.joint, kind="stable")[:MAX_CUT]
    cut = cut[coarse.joint[cut] > coarse.joint.max() - LOG_EVIDENCE_CUT]
    fine = _Marginals.at(prepared, _subcells(centres[:, cut], shape, rows.size, columns.size), cross=cross)
    return _summary(shape, (rows, columns), coarse, fine, cut)


@dataclass(frozen=True)
class _Marginals:
    """Log likelihood ratios at m positions, and their means over the prior of profile and amplitude."""

    template: LensTemplate
    positions: Array
    log_shear: Array
    log_counts: Array

    @classmethod
    def at(cls, prepared: PreparedCatalog, positions: Array, *, cross: bool) -> "_Marginals":
        return cls(prepared.template, positions, *likelihoods(prepared, *positions, cross=cross))

    @cached_property
    def joint(self) -> Array:
        """Log evidence (m,) of shapes and counts."""
        joint = self.log_shear + self.log_counts[:, None, :]
        return _log_mean_exp(joint.reshape(len(joint), -1), self.template.weights.ravel())

    @cached_property
    def of_shapes(self) -> Array:
        """Log evidence (m,) of the shapes alone."""
        return _log_mean_exp(self.log_shear.reshape(len(self.log_shear), -1), self.template.weights.ravel())

    @cached_property
    def of_counts(self) -> Array:
        """Log evidence (m,) of the counts alone."""
        return _log_mean_exp(self.log_counts, self.template.weights.sum(axis=0))

    def amplitude_at(self, best: int) -> float:
        """Return the posterior mean of the amplitude for a lens at one of the positions."""
        log_amplitude = self.log_shear[best] + self.log_counts[best]
        weight = np.exp(log_amplitude - log_amplitude.max()) * self.template.weights
        return float((weight.sum(axis=0) * self.template.amplitudes).sum() / weight.sum())


def _summary(
    shape: tuple[int, int], axes: tuple[Array, Array], coarse: _Marginals, fine: _Marginals, cut: NDArray[np.int64]
) -> Evidence:
    """Replace the cells that were cut by the means over their subcells, and integrate over positions."""
    grid = axes[0].size, axes[1].size
    of_shapes = _replaced(coarse.of_shapes, fine.of_shapes, cut)
    of_counts = _replaced(coarse.of_counts, fine.of_counts, cut)
    joint = _replaced(coarse.joint, fine.joint, cut)
    row, column, error = _position(coarse, fine, cut)
    return Evidence(
        shape=shape,
        rows=axes[0],
        columns=axes[1],
        log_shear=of_shapes.reshape(grid),
        log_counts=of_counts.reshape(grid),
        log_evidence=joint.reshape(grid),
        posterior=np.exp(joint - _log_sum_exp(joint)).reshape(grid),
        log_bayes_factor=_log_mean(joint),
        log_bayes_factor_shear=_log_mean(of_shapes),
        log_bayes_factor_counts=_log_mean(of_counts),
        amplitude=fine.amplitude_at(int(np.argmax(fine.joint))),
        row=row,
        column=column,
        position_error=error,
    )


def _position(coarse: _Marginals, fine: _Marginals, cut: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return row and column of the best-fit position, and its error, from whole cells and subcells."""
    is_whole = np.ones(coarse.joint.size, dtype=np.bool_)
    is_whole[cut] = False
    whole = np.flatnonzero(is_whole)
    positions = np.concatenate([coarse.positions[:, whole], fine.positions], axis=1)
    area = np.repeat([1.0, N_SUBCELLS**-2.0], [whole.size, fine.joint.size])
    log_weight = np.concatenate([coarse.joint[whole], fine.joint]) + np.log(area)
    weight = np.exp(log_weight - _log_sum_exp(log_weight))
    row, column = _about_mode(positions, weight, area)
    square = (positions[0] - row) ** 2 + (positions[1] - column) ** 2
    return row, column, float(np.sqrt((weight * square).sum()))


def _about_mode(positions: Array, weight: Array, area: Array) -> tuple[float, float]:
    """Return the mean row and column within MODE_RADIUS of the position of the highest density."""
    mode = positions[:, np.argmax(weight / area), None]
    near = weight * (((positions - mode) ** 2).sum(axis=0) <= MODE_RADIUS**2)
    row, column = (positions * near).sum(axis=1) / near.sum()
    return float(row), float(column)


def _replaced(coarse: Array, fine: Array, cut: NDArray[np.int64]) -> Array:
    """Return the coarse values, those of the cut cells replaced by the log of the mean over their subcells."""
    values = coarse.copy()
    values[cut] = _log_mean_exp(fine.reshape(cut.size, -1), np.full(N_SUBCELLS**2, N_SUBCELLS**-2.0))
    return values


def _cells(side: int) -> Array:
    n = max(round(side / CELL), 1)
    return (np.arange(n) + 0.5) * side / n - 0.5


def _subcells(centres: Array, shape: tuple[int, int], n_rows: int, n_columns: int) -> Array:
    """Return the centres (2, m * N_SUBCELLS**2) of the subcells, cell by cell."""
    offsets = (np.arange(N_SUBCELLS) + 0.5) / N_SUBCELLS - 0.5
    down, across = (axis.ravel() for axis in np.meshgrid(offsets, offsets, indexing="ij"))
    rows = centres[0][:, None] + down * shape[0] / n_rows
    columns = centres[1][:, None] + across * shape[1] / n_columns
    return np.stack([rows.ravel(), columns.ravel()])


def _log_mean_exp(values: Array, weights: Array) -> Array:
    means = np.empty(len(values))
    log_mean_exp(values, weights, means)
    return means


def _log_sum_exp(values: Array) -> float:
    largest = values.max()
    return float(largest + np.log(np.exp(values - largest).sum()))


def _log_mean(log_values: Array) -> float:
    return float(_log_sum_exp(log_values) - np.log(log_values.size))
