"""Figures of simulated skies, treated and measured like the published ones."""

from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from realism.published import MEAN_E1, RADII, SHEAR_RADII, TEMPLATE_SKIES
from shift.thumbnails import enlarged_thumbnail

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit import fit_template
from darkmatter_features.lens.lensed_galaxies import LabelledSkies
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.simulation.conditions import SkyDistribution
from darkmatter_features.simulation.seed import DISTRIBUTION, seed_sky
from darkmatter_features.simulation.sky import SimulatedSky
from darkmatter_features.workers import parallel

Array = NDArray[np.float64]

CONFIG = MeasureConfig(measure_psf=False)
"""Settings with which the published skies were measured."""


@dataclass(frozen=True)
class SkyFigures:
    """Figures of one sky.

    Attributes
    ----------
    is_lensed : bool
        Whether the sky has a lens.
    n_galaxies : float
        Number of galaxies.
    light : float
        Mean of all pixels and channels, 8-bit counts.
    mean_e1 : float
        Mean e1 of the galaxies.
    e_scatter : float
        Root mean square of the deviations of e1 and e2 from their means in the sky, per component.
    snr : float
        Maximum S/N of the matched filter.
    offset : float, pixels
        Distance of the best-fit position from the lens; nan without a lens.
    gamma_t : float
        Mean tangential ellipticity between ``SHEAR_RADII``, e1 less ``MEAN_E1``; nan without a lens.
    profile_counts, profile_sums : (n_bins,) float64 arrays
        Number of galaxies in each radial bin about the lens, and the sum of their tangential ellipticities.
    """

    is_lensed: bool
    n_galaxies: float
    light: float
    mean_e1: float
    e_scatter: float
    snr: float
    offset: float
    gamma_t: float
    profile_counts: Array
    profile_sums: Array


def figures_of_sky(sky: SimulatedSky, template: CompiledTemplate | LensTemplate) -> SkyFigures:
    """Treat a simulated sky like a published thumbnail, and measure it."""
    lens = (sky.lens_row, sky.lens_column) if sky.lensed else None
    pixels = enlarged_thumbnail(sky.pixels, lens)
    galaxies = measure(Sky("simulated", pixels), CONFIG)
    prepared = PreparedCatalog(galaxies, template)
    evidence = lens_evidence(prepared)
    variance = 0.5 * (galaxies.e1.var() + galaxies.e2.var())
    gamma_t, counts, sums = _shear_about(galaxies, *(lens or (np.nan, np.nan)))
    return SkyFigures(
        is_lensed=sky.lensed,
        n_galaxies=float(len(galaxies)),
        light=float(pixels.mean()),
        mean_e1=float(galaxies.e1.mean()),
        e_scatter=float(np.sqrt(variance)),
        snr=float(matched_filter(prepared, config=CONFIG)[0].max()),
        offset=float(np.hypot(evidence.row - sky.lens_row, evidence.column - sky.lens_column)),
        gamma_t=gamma_t,
        profile_counts=counts,
        profile_sums=sums,
    )


def _shear_about(galaxies: GalaxyCatalog, row: float, column: float) -> tuple[float, Array, Array]:
    """Return the mean gamma_t of a sky, and the counts and sums of gamma_t in radial bins about a position."""
    if np.isnan(row):
        return np.nan, np.zeros(RADII.size - 1), np.zeros(RADII.size - 1)
    dx, dy = galaxies.x - column, galaxies.y - row
    radius, phi = np.hypot(dx, dy), np.arctan2(dy, dx)
    gamma_t = -((galaxies.e1 - MEAN_E1) * np.cos(2.0 * phi) + galaxies.e2 * np.sin(2.0 * phi))
    within = (radius > SHEAR_RADII[0]) & (radius < SHEAR_RADII[1])
    counts, sums = (np.histogram(radius, RADII, weights=w)[0] for w in (np.ones_like(radius), gamma_t))
    return float(gamma_t[within].mean()), counts, sums


def simulated_figures(
    n_skies: int, template: LensTemplate, *, seed: int, distribution: SkyDistribution = DISTRIBUTION, n_jobs: int = -1
) -> list[SkyFigures]:
    """Simulate skies of a distribution and return the figures of each."""
    compiled = CompiledTemplate(template)
    tasks = zip(_seeds(n_skies, seed), repeat(distribution), repeat(compiled))
    return list(parallel(_simulate_and_measure, tasks, n_jobs=n_jobs))


def _simulate_and_measure(
    seed: tuple[int, int], distribution: SkyDistribution, template: CompiledTemplate
) -> SkyFigures:
    return figures_of_sky(seed_sky(np.random.default_rng(seed), distribution), template)


def template_of_measurement(n_skies: int, *, seed: int, n_jobs: int = -1) -> LensTemplate:
    """Return the template fitted to ``TEMPLATE_SKIES``, which were measured untreated."""
    tasks = zip(_seeds(n_skies, seed), repeat(TEMPLATE_SKIES))
    found = list(parallel(_catalog_and_lens, tasks, n_jobs=n_jobs))
    rows, columns = np.array([lens for _, lens in found]).T
    labels = np.isfinite(rows).astype(np.float64)
    return fit_template(LabelledSkies([catalog for catalog, _ in found], labels, rows, columns))


def _catalog_and_lens(
    seed: tuple[int, int], distribution: SkyDistribution
) -> tuple[GalaxyCatalog, tuple[float, float]]:
    sky = seed_sky(np.random.default_rng(seed), distribution)
    return measure(Sky("simulated", sky.pixels), CONFIG), (sky.lens_row, sky.lens_column)


def _seeds(n: int, seed: int) -> list[tuple[int, int]]:
    return [(seed, index) for index in range(n)]
