"""The oracle for the preset ``survey``: the exact Bayes factor, given the true shapes and positions of galaxies.

As for the preset ``seed``, see :mod:`oracle.likelihood`, the likelihood ratio of a catalogue is that of a Poisson
process, averaged over the priors of position and halo. Three things differ:

- Ellipticities have the same isotropic density ``p0(e)`` in all skies, and each has a Gaussian error of a known
  standard deviation. With e in the frame of the tangent, the density of an observed ellipticity depends on its two
  components, the shear and the error alone: it is tabulated, with the error added after the shear. True shapes have
  an error of 0.02, as in :mod:`oracle.tables`: the modulus of unlensed ones is cut at 0.75, and the ring of the cut
  ones would reveal every lens.
- The catalogue may be cut to the galaxies that are found in an image. A galaxy is found with a probability that depends
  on its luminosity and radius behind the lens; neighbours and stars make no difference between positions.
- Halos differ in mass alone, and reach beyond the image.

The shear and the number at a radius are means over sources, for which they differ next to the Einstein ring alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import joblib
import numba
import numpy as np
from numpy.typing import NDArray
from oracle.likelihood import GRID, USES, Posterior, posterior
from oracle.tables import RADIAL_STEP, SMOOTHING
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve

from darkmatter_features.simulation import lensing, survey
from darkmatter_features.simulation.nfw import NfwHalo

Array = NDArray[np.float64]

N_HALOS = 8
"""Number of halos, evenly spaced in the logarithm of the mass; 16 change a log Bayes factor by 0.07 rms."""

N_SOURCES = 3000
"""Number of sources over which the number and the shear at a radius are averaged."""

ERRORS = SMOOTHING * np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 12.5, 16.0, 20.0])
"""Standard deviations of ellipticities for which the density is tabulated; errors are rounded to these."""

N_SHEARS = 49
"""Number of reduced shears, from 0 to MAX_SHEAR."""

MAX_SHEAR = 0.96
"""Maximum reduced shear of the table: sources next to the Einstein ring have this."""

E_STEP = 0.0125
"""Distance between the nodes of the ellipticity, dimensionless."""

E_HALF = 160
"""Number of cells from the middle of the table of ellipticities to its edge: errors bring some above a modulus of 1."""

FFT_SIDE = 512
"""Side of the transforms with which errors are added, cells: wider than the table, which is not periodic."""

MIN_DENSITY = 1e-9
"""Minimum of a density: far outside, no ellipticity was drawn, and one there counts as very unlikely."""

Probability = Callable[[Array, Array], Array]
"""From luminosity and radius behind a lens to the probability to be found."""


@dataclass(frozen=True, eq=False)
class SurveyOracle:
    """Tables of the likelihood.

    Attributes
    ----------
    halos : tuple of NfwHalo
        Halos of equal prior.
    log_ratio : (n_errors, 2 E_HALF + 1, E_HALF + 1, N_SHEARS) float32 array
        Log of the density of an ellipticity behind a shear, over that without, by its error, its tangential component
        and the modulus of its cross component.
    shear, number : (n_r, n_halos) float64 arrays
        Tangential reduced shear, and density of galaxies over that without a lens, at radii in steps of RADIAL_STEP.
    added_area : (n_halos, SIDE, SIDE) float32 array, square pixels
        Expected number of galaxies that a lens on a pixel adds to the image, over their density without a lens.
    """

    halos: tuple[NfwHalo, ...]
    log_ratio: NDArray[np.float32]
    shear: Array
    number: Array
    added_area: NDArray[np.float32]


def survey_oracle(probability: Probability | None = None, *, n_halos: int = N_HALOS) -> SurveyOracle:
    """Return the tables for galaxies that are found with a probability, or for all above the limit of the preset."""
    halos = halo_prior(n_halos)
    radii = np.arange(0.0, np.sqrt(2.0) * survey.SIDE + RADIAL_STEP, RADIAL_STEP)
    shear, number = (np.stack(c, axis=1) for c in zip(*(lens_profiles(halo, radii, probability) for halo in halos)))
    added = [_added_area(radii, column) for column in number.T]
    return SurveyOracle(halos, log_ratios(), shear, number, np.stack(added))


def halo_prior(n_halos: int) -> tuple[NfwHalo, ...]:
    """Return halos at the middles of intervals of equal probability."""
    low, high = np.log(survey.MASS)
    levels = (np.arange(n_halos) + 0.5) / n_halos
    fixed = survey.CONCENTRATION, survey.LENS_REDSHIFT, survey.SOURCE_REDSHIFT, survey.SCALE
    return tuple(NfwHalo(float(np.exp(low + (high - low) * level)), *fixed) for level in levels)


def lens_profiles(lens: NfwHalo, radii: Array, probability: Probability | None) -> tuple[Array, Array]:
    """Return the mean reduced shear and the relative number density of found galaxies at radii (n_r,)."""
    luminosity, radius = sources()
    nodes = np.geomspace(2.0, radii[-1], 160)
    beyond = lens.mean_convergence(nodes) < 1.0
    shear, found = np.zeros((2, len(nodes)))
    for k in np.flatnonzero(beyond):
        tangential, radial = lensing.stretches(lens, np.full(len(radius), nodes[k]), radius)
        weight = _found(luminosity * tangential * radial, radius * np.sqrt(tangential * radial), probability)
        found[k] = weight.sum()
        shear[k] = np.average((tangential - radial) / (tangential + radial), weights=weight)
    found /= _found(luminosity, radius, probability).sum()
    log_r, log_nodes = np.log(np.maximum(radii, nodes[0])), np.log(nodes)
    kappa_bar, kappa = lens.mean_convergence(radii), lens.convergence(radii)
    squeeze = np.where(kappa_bar < 1.0, (1.0 - kappa_bar) * (1.0 + kappa_bar - 2.0 * kappa), 0.0)
    of_radius = [np.interp(log_r, log_nodes[beyond], values[beyond]) for values in (shear, found)]
    return np.minimum(of_radius[0], MAX_SHEAR), squeeze * of_radius[1]


@lru_cache(maxsize=2)
def sources(n: int = N_SOURCES) -> tuple[Array, Array]:
    """Return luminosities and radii of sources before lensing, also of those below the limit."""
    rng = np.random.default_rng(0)
    drawn = [survey.draw_galaxies(rng)]
    while sum(map(len, drawn)) < n:
        drawn.append(survey.draw_galaxies(rng))
    return np.concatenate([d.luminosity for d in drawn])[:n], np.concatenate([d.radius for d in drawn])[:n]


def _found(luminosity: Array, radius: Array, probability: Probability | None) -> Array:
    above = luminosity > 1.0
    return above.astype(np.float64) if probability is None else np.where(above, probability(luminosity, radius), 0.0)


def _added_area(radii: Array, number: Array) -> NDArray[np.float32]:
    """Return the number of galaxies that a lens on each pixel adds to the image, over their density."""
    offset = np.arange(1 - survey.SIDE, survey.SIDE)
    kernel = np.interp(np.hypot(offset[:, None], offset), radii, number) - 1.0
    added: NDArray[np.float32] = fftconvolve(np.ones((survey.SIDE, survey.SIDE)), kernel, mode="same").astype(
        np.float32
    )
    return added


@lru_cache(maxsize=1)
def log_ratios() -> NDArray[np.float32]:
    """Return the table :attr:`SurveyOracle.log_ratio`."""
    modulus, turn = _source_ellipticities()
    out = np.empty((len(ERRORS), 2 * E_HALF + 1, E_HALF + 1, N_SHEARS), dtype=np.float32)
    transfer = _transfer_functions()
    source = modulus[:, None] * turn
    for k, g in enumerate(np.linspace(0.0, MAX_SHEAR, N_SHEARS)):
        counts = fft.rfft2(_on_grid(((source + g) / (1.0 + g * source)).ravel()), (FFT_SIDE, FFT_SIDE))
        for s, each in enumerate(transfer):
            smooth = fft.irfft2(counts * each, (FFT_SIDE, FFT_SIDE))[: 2 * E_HALF + 1, : 2 * E_HALF + 1]
            smooth = 0.5 * (smooth + smooth[:, ::-1])
            out[s, :, :, k] = np.log(np.maximum(smooth[:, E_HALF:], 0.0) / E_STEP**2 + MIN_DENSITY)
    out -= out[:, :, :, :1].copy()
    return out


def _transfer_functions() -> list[Array]:
    """Return the Fourier transforms of the Gaussian errors, less the variance of a cell that counts at nodes have."""
    frequency = np.hypot(fft.fftfreq(FFT_SIDE)[:, None], fft.rfftfreq(FFT_SIDE)) / E_STEP
    return [np.exp(-2.0 * np.pi**2 * (error**2 - E_STEP**2 / 12.0) * frequency**2) for error in ERRORS]


def _source_ellipticities(n_moduli: int = 400, n_turns: int = 720) -> tuple[Array, NDArray[np.complex128]]:
    """Return moduli of equal probability, with those that the preset cuts, and phases."""
    level = (np.arange(n_moduli) + 0.5) / n_moduli
    modulus = survey.SIGMA_E * np.sqrt(-2.0 * np.log1p(-level))
    turns = np.exp(2.0j * np.pi * (np.arange(n_turns) + 0.5) / n_turns)
    return np.minimum(modulus, survey.MAX_ELLIPTICITY), turns


def _on_grid(e: NDArray[np.complex128]) -> Array:
    """Return the fraction of ellipticities (n,) at each node, tangential component first."""
    size = 2 * E_HALF + 1
    row, column = (np.rint(part / E_STEP).astype(np.int64) + E_HALF for part in (e.real, e.imag))
    counts = np.bincount(row * size + column, minlength=size * size) / len(e)
    return counts.reshape(size, size)


def rounded(error: Array) -> NDArray[np.int64]:
    """Return the indices of the tabulated errors next to errors (n,), in the logarithm."""
    middles = np.sqrt(ERRORS[1:] * ERRORS[:-1])
    return np.searchsorted(middles, error)


def with_errors(sky: dict[str, Array], error: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Return a catalogue whose ellipticities have additional Gaussian errors (n,), rounded to the tabulated ones."""
    index = rounded(error)
    e1, e2 = (sky[name] + rng.normal(0.0, 1.0, len(index)) * ERRORS[index] for name in ("e1", "e2"))
    return sky | {"e1": e1, "e2": e2, "error": index}


def survey_posteriors(
    skies: Iterable[dict[str, Array]],
    model: SurveyOracle,
    *,
    use: str = "both",
    grid: int = GRID,
    n_jobs: int = 1,
) -> list[Posterior]:
    """Return the posterior of each catalogue ``x, y, e1, e2, error`` of a sky with the ``density`` of such galaxies.

    The error is an index of `ERRORS`, the density the number of galaxies that the image would have without a lens.
    """
    task = joblib.delayed(posterior)
    options = {"use": use, "grid": grid, "evaluate": log_likelihoods}
    found = joblib.Parallel(n_jobs=n_jobs, batch_size=16)(task(sky, model, **options) for sky in skies)
    return list(found)


def log_likelihoods(sky: dict[str, Array], model: SurveyOracle, x: Array, y: Array, *, use: str = "both") -> Array:
    """Return the log likelihood ratio of a catalogue for lenses at x and y, (n_positions, n_halos)."""
    with_shear, with_counts = USES[use]
    out = np.zeros((len(x), len(model.halos)), dtype=np.float64)
    if with_counts:
        density = float(sky["density"]) / survey.SIDE**2
        for a, area in enumerate(model.added_area):
            out[:, a] = -density * map_coordinates(area, [y, x], order=1, output=np.float64)
    galaxies = np.stack([np.asarray(sky[name], dtype=np.float64) for name in ("x", "y", "e1", "e2")])
    error = np.asarray(sky["error"], dtype=np.int64)
    _add_galaxies(galaxies, error, model.log_ratio, model.shear, model.number, x, y, with_shear, with_counts, out)
    return out


@numba.njit(cache=True, error_model="numpy")
def _add_galaxies(galaxies, error, log_ratio, shear, number, x, y, with_shear, with_counts, out):
    """Add the log of each galaxy's factor to `out`, (n_positions, n_halos)."""
    n_r, n_halos = shear.shape
    for i in range(galaxies.shape[1]):
        e = complex(galaxies[2, i], galaxies[3, i])
        table = log_ratio[error[i]]
        for p in range(len(x)):
            dx, dy = galaxies[0, i] - x[p], galaxies[1, i] - y[p]
            r2 = max(dx * dx + dy * dy, 1e-12)
            j = min(int(np.sqrt(r2) / RADIAL_STEP), n_r - 2)
            t = np.sqrt(r2) / RADIAL_STEP - j
            turned = -e * complex(dx * dx - dy * dy, -2.0 * dx * dy) / r2
            u = min(max(turned.real / E_STEP + E_HALF, 0.0), 2.0 * E_HALF - 1e-6)
            v = min(abs(turned.imag) / E_STEP, E_HALF - 1e-6)
            k, m = int(u), int(v)
            u, v = u - k, v - m
            for a in range(n_halos):
                if with_counts:
                    n = (1.0 - t) * number[j, a] + t * number[j + 1, a]
                    out[p, a] += np.log(n) if n > 0.0 else -np.inf
                if with_shear:
                    g = ((1.0 - t) * shear[j, a] + t * shear[j + 1, a]) * ((N_SHEARS - 1) / MAX_SHEAR)
                    q = min(int(g), N_SHEARS - 2)
                    g -= q
                    low = (1.0 - v) * table[k, m, q] + v * table[k, m + 1, q]
                    high = (1.0 - v) * table[k, m, q + 1] + v * table[k, m + 1, q + 1]
                    left = (1.0 - g) * low + g * high
                    low = (1.0 - v) * table[k + 1, m, q] + v * table[k + 1, m + 1, q]
                    high = (1.0 - v) * table[k + 1, m, q + 1] + v * table[k + 1, m + 1, q + 1]
                    out[p, a] += (1.0 - u) * left + u * ((1.0 - g) * low + g * high)
