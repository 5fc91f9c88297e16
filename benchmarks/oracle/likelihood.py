"""The oracle: the exact Bayes factor of a lens, given the true shapes and positions of all galaxies.

It is the best possible decision for an observer who has exactly these: the likelihood ratio is the most powerful test
(Neyman & Pearson 1933). The oracle has, for each sky,

- the positions of all galaxies, exactly, and their ellipticities before the PSF, smeared by 0.02;
- the mean density of galaxies of that sky without a lens, and its elongation and alignment, hence its ``p0(e)``;
- the source counts and the typical source sizes of all skies;
- the distributions of the amplitude, slope, core and radius of halos and of their position, but not the halo of that
  sky.

An image gives neither exact shapes nor the mean density or p0 of its sky, so that the oracle is a limit for all who
have just shapes and positions. An observer who also has other properties, such as the fill factor of each galaxy, can
do better.

The simulation is a Poisson process. Without a lens, galaxies above the luminosity limit are distributed evenly, with
density D, and their ellipticities have the density ``p0(e)`` at any luminosity. At distance r from a lens, the density
of images of sources of radius rho, and of their ellipticities, is ::

    D n_rho(r) p0(e_s) |de_s / de|^2,          e_s = (e - g_rho) / (1 - g_rho* e)
    n_rho(r) = (beta / r) (d beta / d r) S_rho(1 / mu_rho),          no image at all within the Einstein radius

with ``S_rho(L)`` the fraction of sources of that radius that are brighter than L, over all above the limit (Schneider,
Ehlers & Falco 1992; Seitz & Schneider 1997). The likelihood ratio of a catalogue is ``exp(-added_galaxies) prod_i
sum_rho n_rho(r_i) p0(e_s) |de_s / de|^2 / p0(e_i)``, with ``added_galaxies`` the number of galaxies that the lens adds
to the image. Its mean over the priors of position and halo is the Bayes factor.

References
----------
Neyman & Pearson 1933, Phil. Trans. R. Soc. A 231, 289, doi:10.1098/rsta.1933.0009
Schneider, Ehlers & Falco 1992, Gravitational Lenses, Springer, doi:10.1007/978-3-662-03758-4
Seitz & Schneider 1997, A&A 318, 687, arXiv:astro-ph/9601079
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from oracle.tables import E_HALF, E_STEP, RADIAL_STEP, SKY_PROPERTIES, OracleModel, oracle_model, smeared
from scipy.ndimage import binary_dilation, map_coordinates
from scipy.special import logsumexp

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.truth import read_galaxy_truth, read_sky_truth
from darkmatter_features.simulation import seed

Array = NDArray[np.float64]

GRID = 32
"""Cells of the coarse grid along a side, 16 px each."""

N_REFINEMENTS = 2
"""Number of times that relevant cells are halved."""

MIN_CELL_FRACTION = 1e-3
"""Minimum fraction of the Bayes factor in a cell that makes it, and its neighbours, relevant."""

USES = {"both": (True, True), "shear": (True, False), "counts": (False, True)}
"""From the evidence that is used to whether shear and counts are."""


@dataclass(frozen=True)
class Posterior:
    """Bayes factor of a lens in one catalogue, and its position.

    Attributes
    ----------
    log_bayes_factor : float
        Log of the likelihood ratio averaged over the priors of position and halo; log-odds at even prior odds.
    row, column : float, pixels
        Best-fit position.
    mean_row, mean_column : float, pixels
        Posterior mean of the position.
    """

    log_bayes_factor: float
    row: float
    column: float
    mean_row: float
    mean_column: float


def oracle_table(
    data: str | Path,
    split: str = "validation",
    *,
    use: str = "both",
    model: OracleModel | None = None,
    grid: int = GRID,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Return the posterior of the oracle for each sky of a simulated data set of the preset ``seed``.

    Parameters
    ----------
    data : str or Path
        Folder of the data set, with its true catalogues.
    split : str
        "training" or "validation".
    use : str
        "both", "shear" alone (given the positions), or "counts" alone (the positions).
    model : OracleModel, optional
        Tables of the likelihood; `oracle_model()` when not given.
    grid : int
        Cells of the coarse grid along a side.
    n_jobs : int
        Number of processes.

    Returns
    -------
    pandas.DataFrame
        ``sky, label, log_bayes_factor, row, column, mean_row, mean_column, lens_row, lens_column``; positions in
        pixels.
    """
    dataset, tables = Dataset.open(data), model or oracle_model()
    chosen = next(each for each in dataset.splits if each.name == split)
    truths = true_catalogues(dataset, [dataset.relative(file) for file in chosen.files])
    skies = (smeared(truth, np.random.default_rng(i)) for i, truth in enumerate(truths))
    found = posteriors(skies, tables, use=use, grid=grid, n_jobs=n_jobs)
    return pd.DataFrame(
        {"sky": [dataset.relative(file) for file in chosen.files], "label": chosen.labels}
        | {name: [getattr(each, name) for each in found] for name in Posterior.__dataclass_fields__}
        | {"lens_row": chosen.lens_rows, "lens_column": chosen.lens_columns}
    )


def true_catalogues(dataset: Dataset, files: list[str]) -> list[dict[str, Array]]:
    """Return the true catalogue ``x, y, e1, e2`` of each image, and the properties of its sky."""
    of_skies = read_sky_truth(dataset.root)
    properties = [{name: np.array(of_skies[file][name]) for name in SKY_PROPERTIES} for file in files]
    if any(np.isnan(value) for each in properties for value in each.values()):
        names = ", ".join(SKY_PROPERTIES)
        raise DatasetError(f"{dataset.root}/truth/skies.csv lacks {names}; simulate the preset seed again")
    return [read_galaxy_truth(dataset.root, file) | own for file, own in zip(files, properties)]


def posteriors(
    skies: Iterable[dict[str, Array]], model: OracleModel, *, use: str = "both", grid: int = GRID, n_jobs: int = 1
) -> list[Posterior]:
    """Return the posterior of each catalogue ``x, y, e1, e2`` of a sky with ``density, elongation, alignment``."""
    task = joblib.delayed(posterior)
    found = joblib.Parallel(n_jobs=n_jobs, batch_size=16)(task(sky, model, use=use, grid=grid) for sky in skies)
    return list(found)


def posterior(
    sky: dict[str, Array],
    model: Any,
    *,
    use: str = "both",
    grid: int = GRID,
    n_refinements: int = N_REFINEMENTS,
    evaluate: Callable[..., Array] | None = None,
) -> Posterior:
    """Return the likelihood ratio averaged over position and halo.

    All cells of a grid are evaluated, then the relevant ones are halved and evaluated again. The likelihood of a model
    of another preset is `evaluate`, with the arguments of `log_likelihoods`.
    """
    evaluate = evaluate or log_likelihoods
    unsplit: list[tuple[Array, Array, Array]] = []
    cells = np.ones((grid, grid), dtype=np.bool_)
    for level in range(n_refinements + 1):
        x, y, log_weight = _weigh(cells, partial(evaluate, sky, model, use=use))
        # The weights of all cells sum to the Bayes factor: the unsplit ones so far, and all of this level.
        total = logsumexp(np.concatenate([log_weight, *(weights for _, _, weights in unsplit)]))
        is_relevant = np.zeros_like(cells)
        if level < n_refinements:
            is_relevant[cells] = log_weight > total + np.log(MIN_CELL_FRACTION)
            is_relevant = binary_dilation(is_relevant, np.ones((3, 3))) & cells
        stays = ~is_relevant[cells]
        unsplit.append((x[stays], y[stays], log_weight[stays]))
        cells = is_relevant.repeat(2, axis=0).repeat(2, axis=1)
    return _summary([np.concatenate(columns) for columns in zip(*unsplit)], unsplit[-1])


def _weigh(cells: NDArray[np.bool_], likelihoods: Callable[[Array, Array], Array]) -> tuple[Array, Array, Array]:
    """Return the centres x and y of cells, and the log of their contributions to the Bayes factor."""
    row, column = np.nonzero(cells)
    side = (seed.SIDE - 1.0) / len(cells)
    x, y = (column + 0.5) * side, (row + 0.5) * side
    each = likelihoods(x, y)
    return x, y, logsumexp(each, axis=1) - np.log(each.shape[1]) - 2.0 * np.log(len(cells))


def _summary(all_cells: list[Array], finest: tuple[Array, Array, Array]) -> Posterior:
    x, y, log_weight = all_cells
    total = float(logsumexp(log_weight))
    weight = np.exp(log_weight - total)
    best = int(np.argmax(finest[2])) if len(finest[2]) else int(np.argmax(log_weight))
    peak = finest if len(finest[2]) else all_cells
    return Posterior(total, float(peak[1][best]), float(peak[0][best]), float(weight @ y), float(weight @ x))


def log_likelihoods(
    sky: dict[str, Array], model: OracleModel, x: Array, y: Array, *, use: str = "both"
) -> NDArray[np.float64]:
    """Return the log likelihood ratio of a catalogue for lenses at x and y, (n_positions, n_halos)."""
    with_shear, with_counts = USES[use]
    out = np.zeros((len(x), len(model.halos)), dtype=np.float64)
    if with_counts:
        density = float(sky["density"]) / seed.SIDE**2
        for a, area in enumerate(model.added_area):
            out[:, a] = -density * map_coordinates(area, [y, x], order=1, output=np.float64)
    galaxies = np.stack([sky[name] for name in ("x", "y", "e1", "e2")])
    p0 = model.ellipticity_density(float(sky["elongation"]), float(sky["alignment"]))
    _add_galaxies(galaxies, p0, *model.by_radius, x, y, with_shear, with_counts, out)
    return out


@numba.njit(cache=True, error_model="numpy")
def _density_at(density, e1, e2):
    """Return p0, interpolated between its four nearest cells."""
    u, v = e1 / E_STEP + E_HALF, e2 / E_STEP + E_HALF
    i, j = int(u), int(v)
    u, v = u - i, v - j
    low = (1.0 - u) * density[j, i] + u * density[j, i + 1]
    return (1.0 - v) * low + v * ((1.0 - u) * density[j + 1, i] + u * density[j + 1, i + 1])


@numba.njit(cache=True, error_model="numpy")
def _unsheared(density, e, g):
    """Return ``p0(e_s) |de_s / de|^2``."""
    below = 1.0 - np.conj(g) * e
    source = (e - g) / below
    norm = below.real**2 + below.imag**2
    return _density_at(density, source.real, source.imag) * ((1.0 - g.real**2 - g.imag**2) / norm) ** 2


@numba.njit(cache=True, error_model="numpy")
def _add_galaxies(galaxies, density, is_common, common, total, shear, number, x, y, with_shear, with_counts, out):
    """Add the log of each galaxy's factor to `out`, (n_positions, n_halos)."""
    n_r, n_halos, _ = shear.shape
    for i in range(galaxies.shape[1]):
        e = complex(galaxies[2, i], galaxies[3, i])
        unlensed = _density_at(density, e.real, e.imag)
        for p in range(len(x)):
            dx, dy = galaxies[0, i] - x[p], galaxies[1, i] - y[p]
            r2 = dx * dx + dy * dy
            node = np.sqrt(r2) / RADIAL_STEP
            j = int(node)
            if j >= n_r - 1:
                continue
            t = node - j
            tangent = -complex(dx * dx - dy * dy, 2.0 * dx * dy) / max(r2, 1e-12)
            for a in range(n_halos):
                if out[p, a] == -np.inf:
                    continue  # a galaxy is within the Einstein ring
                n, ratio = 0.0, 1.0
                if is_common[j, a]:
                    n = max((1.0 - t) * total[j, a] + t * total[j + 1, a], 0.0)
                    g = (1.0 - t) * common[j, a] + t * common[j + 1, a]
                    if with_shear and g != 0.0:
                        ratio = _unsheared(density, e, g * tangent) / unlensed
                else:
                    n, ratio = _sum_over_sizes(density, e, tangent, t, shear[j : j + 2, a], number[j : j + 2, a])
                    ratio /= unlensed
                if n == 0.0:
                    out[p, a] += -np.inf if with_counts else 0.0
                elif with_shear and with_counts:
                    out[p, a] += np.log(n * ratio)
                elif with_shear:
                    out[p, a] += np.log(ratio)
                else:
                    out[p, a] += np.log(n)


@numba.njit(cache=True, error_model="numpy")
def _sum_over_sizes(density, e, tangent, t, shear, number):
    """Return the number of sources of all sizes, and their mean ``p0(e_s) |de_s / de|^2``, between two radii."""
    total, summed = 0.0, 0.0
    for k in range(shear.shape[1]):
        n = max((1.0 - t) * number[0, k] + t * number[1, k], 0.0)
        if n > 0.0:
            total += n
            summed += n * _unsheared(density, e, ((1.0 - t) * shear[0, k] + t * shear[1, k]) * tangent)
    return total, summed / max(total, 1e-300)
