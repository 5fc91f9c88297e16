"""Catalogues for the oracle of the preset ``survey``: the true galaxies that are found in its images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from oracle import survey as oracle
from oracle.detection import Detection, matches
from oracle.tables import SMOOTHING

from darkmatter_features.features.cross_fitting import catalogs_of, read_catalogs
from darkmatter_features.galaxies.measure import SHAPE_NOISE
from darkmatter_features.galaxies.noisy.catalog import SourceCatalog
from darkmatter_features.galaxies.noisy.sources import SourceFlag
from darkmatter_features.galaxies.shapes import Flag, GalaxyCatalog
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.truth import read_galaxy_truth
from darkmatter_features.simulation import survey
from darkmatter_features.simulation.lensing import PIVOT_RADIUS

Array = NDArray[np.float64]

N_MASSES = 64
"""Number of masses between which the mass of a halo is interpolated by its amplitude."""


@dataclass(frozen=True)
class FoundSky:
    """True galaxies of a sky, and those that its image shows.

    Attributes
    ----------
    sky : str
        Path of the image relative to the data set.
    truth : dict of (n,) float64 arrays
        ``x, y, e1, e2`` of all galaxies above the limit of the preset.
    found : pandas.DataFrame
        Those with a measured galaxy within 2 px: ``x, y, e1, e2``, and what was measured: ``measured_e1, measured_e2``
        (corrected for the response), ``error`` by the noise, ``weight``, ``snr``, ``is_blended``.
    n_measured : int
        Number of measured galaxies, with a true one or without.
    psf_sigma : float, pixels
        Measured width of the PSF.
    """

    sky: str
    truth: dict[str, Array]
    found: pd.DataFrame
    n_measured: int
    psf_sigma: float


def found_skies(data: Path, features: Path, skies: list[str]) -> list[FoundSky]:
    """Return the found galaxies of skies of a data set, by its feature tables."""
    frame = read_catalogs(features / "catalogs.parquet")
    catalogs: Iterator[GalaxyCatalog] = catalogs_of(frame[frame["sky"].isin(skies)])
    measured = {catalog.name: catalog for catalog in catalogs}
    root = Dataset.open(data).root
    return [found_sky(name, read_galaxy_truth(root, name), measured[name]) for name in skies]


def found_sources(truth: dict[str, Array], sources: SourceCatalog) -> pd.DataFrame:
    """Return the true galaxies that are sources with a weight, with their measured shapes.

    ``measured_e1, measured_e2`` are divided by the response, and ``weight`` is multiplied by it, so that weighted means
    are those of the catalogue, ``sum(w e) / sum(w response)``.
    """
    own = np.flatnonzero(sources.weight > 0.0)
    true = matches(truth["x"], truth["y"], sources.sources.x[own], sources.sources.y[own])
    own, true = own[true >= 0], true[true >= 0]
    response = sources.response[own]
    return pd.DataFrame({name: values[true] for name, values in truth.items()}).assign(
        measured_e1=sources.e1[own] / response,
        measured_e2=sources.e2[own] / response,
        weight=sources.weight[own] * response,
        snr=sources.sources.snr[own],
        is_blended=(sources.sources.flags[own] & SourceFlag.BLENDED) != 0,
    )


def with_true_shear(found: pd.DataFrame, lens: dict[str, float]) -> pd.DataFrame:
    """Return galaxies about a lens, a row of the truth of the skies, with their reduced shear ``g1, g2``."""
    halos = oracle.halo_prior(N_MASSES)
    amplitudes = [float(halo.shear(np.array(PIVOT_RADIUS))) for halo in halos]
    halo = replace(halos[0], mass=float(np.interp(lens["strength"], amplitudes, [halo.mass for halo in halos])))
    dx, dy = found["x"].to_numpy() - lens["column"], found["y"].to_numpy() - lens["row"]
    r = np.hypot(dx, dy)
    g = -(halo.shear(r) / (1.0 - halo.convergence(r))) * np.exp(2.0j * np.arctan2(dy, dx))
    return found.assign(g1=g.real, g2=g.imag)


def found_sky(sky: str, truth: dict[str, Array], catalog: GalaxyCatalog) -> FoundSky:
    """Return the galaxies of a sky that are in a measured catalogue."""
    own = matches(truth["x"], truth["y"], catalog.x, catalog.y)
    is_matched = own >= 0
    # The fill factor of a catalogue of an image with noise is 1 / (1 + (error / SHAPE_NOISE)^2), and so its weight.
    weight = catalog.fill_factor[is_matched]
    found = pd.DataFrame({name: values[own[is_matched]] for name, values in truth.items()})
    found = found.assign(
        measured_e1=catalog.e1[is_matched],
        measured_e2=catalog.e2[is_matched],
        error=SHAPE_NOISE * np.sqrt(np.maximum(1.0 / weight - 1.0, 0.0)),
        weight=weight,
        snr=catalog.snr[is_matched],
        is_blended=(catalog.flags[is_matched] & Flag.BLENDED) != 0,
    )
    return FoundSky(sky, truth, found, len(catalog), catalog.image.psf_sigma)


def all_galaxies(skies: list[FoundSky]) -> list[dict[str, Array]]:
    """Return catalogues of all true galaxies, with their true shapes."""
    density = survey.DENSITY * survey.SIDE**2
    return [_catalogue(k, sky.truth, density, SMOOTHING) for k, sky in enumerate(skies)]


def found_galaxies(skies: list[FoundSky], detection: Detection, *, noise: float = 0.0) -> list[dict[str, Array]]:
    """Return catalogues of the found galaxies with true shapes, or with errors `noise` times those by the noise."""
    return [
        _catalogue(
            k,
            {name: sky.found[name].to_numpy() for name in ("x", "y", "e1", "e2")},
            expected_number(detection, sky.psf_sigma),
            np.maximum(noise * sky.found["error"].to_numpy(), SMOOTHING),
        )
        for k, sky in enumerate(skies)
    ]


def measured_galaxies(skies: list[FoundSky], detection: Detection, *, noise: float) -> list[dict[str, Array]]:
    """Return catalogues of the found galaxies with measured shapes, of errors `noise` times those by the noise."""
    exact = found_galaxies(skies, detection)
    return [
        catalogue
        | {f"e{k}": sky.found[f"measured_e{k}"].to_numpy() for k in (1, 2)}
        | {"error": oracle.rounded(np.maximum(noise * sky.found["error"].to_numpy(), SMOOTHING))}
        for catalogue, sky in zip(exact, skies)
    ]


def expected_number(detection: Detection, psf_sigma: float) -> float:
    """Return the number of galaxies found in an image of a PSF without a lens."""
    luminosity, radius = oracle.sources()
    above = luminosity > 1.0
    fraction = detection(luminosity[above], radius[above], psf_sigma).mean()
    return float(survey.DENSITY * survey.SIDE**2 * fraction)


def _catalogue(k: int, galaxies: dict[str, Array], density: float, error: Array | float) -> dict[str, Array]:
    errors = np.broadcast_to(np.asarray(error, dtype=np.float64), galaxies["x"].shape)
    return oracle.with_errors(galaxies | {"density": np.array(density)}, errors, np.random.default_rng(k))
