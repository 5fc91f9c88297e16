"""The oracle: the exact evidence for a lens, from every galaxy that was drawn.

What the simulation does is a Poisson process. Without a lens, galaxies above the luminosity limit lie evenly, with
density D, and their ellipticities are distributed as ``p0(e)``, whatever their luminosity. Behind a lens, at distance r
from it, the density of images of sources of radius rho, and of their ellipticities, is ::

    D n_rho(r) p0(e_s) |de_s / de|^2,          e_s = (e - g_rho) / (1 - g_rho* e)
    n_rho(r) = (beta / r) (d beta / d r) S_rho(1 / mu_rho),          no image at all within the Einstein radius

with ``S_rho(L)`` the share of sources of that radius that are brighter than L, over all above the limit. The likelihood
ratio of a catalogue is then ``exp(-change) prod_i sum_rho n_rho(r_i) p0(e_s) |de_s / de|^2 / p0(e_i)``, with ``change``
the number of galaxies that the lens adds to the picture. Averaged over the priors of position and strength it is the
Bayes factor, and nothing that sees positions and ellipticities alone can tell lenses better.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from oracle.tables import E_HALF, E_STEP, RADIAL_STEP, OracleModel, oracle_model, smeared
from scipy.ndimage import binary_dilation, map_coordinates
from scipy.special import logsumexp

from darkmatter_features.io.dataset import Dataset, read_galaxy_truth
from darkmatter_features.simulation import seed

Array = NDArray[np.float64]

ALIKE = 0.002  # where g of all sizes lies this close together, one will do

GRID = 32  # cells of the coarse grid along a side, 16 px each; 64 change the log-odds by 0.04 rms, the AUC by 0.0001
LEVELS = 2  # times that cells which matter are halved
WORTH = 1e-3  # share of the evidence that makes a cell matter, and its neighbours
USES = {"both": (True, True), "shear": (True, False), "counts": (False, True)}


@dataclass(frozen=True)
class Posterior:
    """What a catalogue tells of the lens.

    Attributes
    ----------
    log_odds : float
        Of a lens, at even prior odds.
    row, column : float, pixels
        The best-fit position.
    mean_row, mean_column : float, pixels
        The mean place.
    """

    log_odds: float
    row: float
    column: float
    mean_row: float
    mean_column: float


def oracle_of(
    data: str | Path,
    split: str = "validation",
    *,
    use: str = "both",
    model: OracleModel | None = None,
    grid: int = GRID,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Find the oracle of every sky of a simulated data set of the preset ``seed``.

    Parameters
    ----------
    data : str or Path
        Folder of the data set, with its true catalogues.
    split : str
        "training" or "validation".
    use : str
        "both", "shear" alone (given the positions), or "counts" alone (the positions).
    model : OracleModel, optional
        The tables, `oracle_model()` where not given.
    grid : int
        Cells of the coarse grid along a side.
    n_jobs : int
        Processes.

    Returns
    -------
    pandas.DataFrame
        ``sky, label, log_odds, row, column, mean_row, mean_column, lens_row, lens_column``; positions in pixels.
    """
    dataset, tables = Dataset.open(data), model or oracle_model()
    part = next(each for each in dataset.splits if each.name == split)
    truths = (read_galaxy_truth(dataset.root, file) for file in part.files)
    skies = (smeared(truth, np.random.default_rng(i)) for i, truth in enumerate(truths))
    found = posteriors(skies, tables, use=use, grid=grid, n_jobs=n_jobs)
    return pd.DataFrame(
        {"sky": [dataset.relative(file) for file in part.files], "label": part.labels}
        | {name: [getattr(each, name) for each in found] for name in Posterior.__dataclass_fields__}
        | {"lens_row": part.lens_rows, "lens_column": part.lens_columns}
    )


def posteriors(
    skies: Iterable[dict[str, Array]], model: OracleModel, *, use: str = "both", grid: int = GRID, n_jobs: int = 1
) -> list[Posterior]:
    """Find the posterior of each catalogue ``x, y, e1, e2``."""
    task = joblib.delayed(posterior)
    found = joblib.Parallel(n_jobs=n_jobs, batch_size=16)(task(sky, model, use=use, grid=grid) for sky in skies)
    return list(found)


def posterior(
    sky: dict[str, Array], model: OracleModel, *, use: str = "both", grid: int = GRID, levels: int = LEVELS
) -> Posterior:
    """Average the likelihood ratio over position and strength: all cells of a grid, then those that matter, halved."""
    parts: list[tuple[Array, Array, Array]] = []
    cells = np.ones((grid, grid), dtype=np.bool_)
    for level in range(levels + 1):
        x, y, log_weight = _weigh(sky, model, cells, use)
        # Weights of all cells sum to the Bayes factor; of unsplit ones so far, and of all of this level.
        total = logsumexp(np.concatenate([log_weight, *(part[2] for part in parts)]))
        matters = np.zeros_like(cells)
        if level < levels:
            matters[cells] = log_weight > total + np.log(WORTH)
            matters = binary_dilation(matters, np.ones((3, 3))) & cells
        whole = ~matters[cells]
        parts.append((x[whole], y[whole], log_weight[whole]))
        cells = matters.repeat(2, axis=0).repeat(2, axis=1)
    return _summary([np.concatenate(columns) for columns in zip(*parts)], parts[-1])


def _weigh(sky: dict[str, Array], model: OracleModel, cells: NDArray[np.bool_], use: str) -> tuple[Array, Array, Array]:
    """Middles of cells, and the logarithm of what each adds to the Bayes factor."""
    row, column = np.nonzero(cells)
    side = (seed.SIDE - 1.0) / len(cells)
    x, y = (column + 0.5) * side, (row + 0.5) * side
    each = log_likelihoods(sky, model, x, y, use=use)
    return x, y, logsumexp(each, axis=1) - np.log(each.shape[1]) - 2.0 * np.log(len(cells))


def _summary(every: list[Array], finest: tuple[Array, Array, Array]) -> Posterior:
    x, y, log_weight = every
    total = float(logsumexp(log_weight))
    share = np.exp(log_weight - total)
    best = int(np.argmax(finest[2])) if len(finest[2]) else int(np.argmax(log_weight))
    peak = finest if len(finest[2]) else every
    return Posterior(total, float(peak[1][best]), float(peak[0][best]), float(share @ y), float(share @ x))


def log_likelihoods(
    sky: dict[str, Array], model: OracleModel, x: Array, y: Array, *, use: str = "both"
) -> NDArray[np.float64]:
    """Log likelihood ratio of a catalogue for lenses at x and y, (n_places, n_strengths)."""
    with_shear, with_counts = USES[use]
    out = np.zeros((len(x), len(model.strengths)), dtype=np.float64)
    if with_counts:
        for a, change in enumerate(model.change):
            out[:, a] = -map_coordinates(change, [y, x], order=1)
    galaxies = np.stack([sky[name] for name in ("x", "y", "e1", "e2")])
    few = np.ptp(model.shear, axis=2) < ALIKE
    _add_galaxies(galaxies, model.density, model.shear, model.number, few, x, y, with_shear, with_counts, out)
    return out


@numba.njit(cache=True, error_model="numpy")
def _density_at(density, e1, e2):
    """Interpolate p0 between its four nearest cells."""
    u, v = e1 / E_STEP + E_HALF, e2 / E_STEP + E_HALF
    i, j = int(u), int(v)
    u, v = u - i, v - j
    low = (1.0 - u) * density[j, i] + u * density[j, i + 1]
    return (1.0 - v) * low + v * ((1.0 - u) * density[j + 1, i] + u * density[j + 1, i + 1])


@numba.njit(cache=True, error_model="numpy")
def _unsheared(density, e, g):
    """``p0(e_s) |de_s / de|^2``."""
    below = 1.0 - np.conj(g) * e
    source = (e - g) / below
    norm = below.real**2 + below.imag**2
    return _density_at(density, source.real, source.imag) * ((1.0 - g.real**2 - g.imag**2) / norm) ** 2


@numba.njit(cache=True, error_model="numpy")
def _add_galaxies(galaxies, density, shear, number, few, x, y, with_shear, with_counts, out):
    """Add the logarithms of every galaxy's factor to `out`."""
    n_a, n_r, n_sizes = shear.shape
    for i in range(galaxies.shape[1]):
        e = complex(galaxies[2, i], galaxies[3, i])
        unlensed = _density_at(density, e.real, e.imag)
        for p in range(len(x)):
            dx, dy = galaxies[0, i] - x[p], galaxies[1, i] - y[p]
            r2 = dx * dx + dy * dy
            place = np.sqrt(r2) / RADIAL_STEP
            j = int(place)
            if j >= n_r - 1:
                continue
            t = place - j
            tangent = -complex(dx * dx - dy * dy, 2.0 * dx * dy) / max(r2, 1e-12)
            for a in range(n_a):
                if out[p, a] == -np.inf:
                    break  # within the Einstein ring, and within that of every stronger lens
                total, ratio, g = 0.0, 0.0, 0.0
                for k in range(n_sizes):
                    n = max((1.0 - t) * number[a, j, k] + t * number[a, j + 1, k], 0.0)
                    total += n
                    if with_shear and n > 0.0 and (k == 0 or not few[a, j]):
                        g = (1.0 - t) * shear[a, j, k] + t * shear[a, j + 1, k]
                        one = _unsheared(density, e, g * tangent)
                        ratio += (1.0 if few[a, j] else n) * one
                if few[a, j]:
                    ratio *= total
                if total == 0.0:
                    out[p, a] += -np.inf if with_counts else 0.0
                elif with_shear and with_counts:
                    out[p, a] += np.log(ratio / unlensed)
                elif with_shear:
                    out[p, a] += np.log(ratio / (total * unlensed))
                else:
                    out[p, a] += np.log(total)
