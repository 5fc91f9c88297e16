"""Inputs that several benchmarks need: a published sky, a fitted template, random catalogues."""

from pathlib import Path

import numpy as np

from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.dataset import Split
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.fit import LabelledSkies, fit_template
from darkmatter_features.lens.template import LensTemplate

PUBLISHED_SKY = Path(__file__).parents[3] / "shared" / "seed-skies" / "lensing.png"
"""A published sky with a lens, present where the folder lies beside this checkout."""

N_FITTED = 1200
"""Skies that a timed template is fitted to, as in the default data set; fits to fewer keep rare amplitudes."""


def fitted_template(split: Split) -> LensTemplate:
    """Return the template that `darkmatter features` fits: to skies with and without a lens, at known positions."""
    catalogs = [measure(read_sky(path)) for path in split.files[:N_FITTED]]
    positions = np.array([split.lens_position(k, catalog.shape) for k, catalog in enumerate(catalogs)])
    return fit_template(LabelledSkies(catalogs, split.labels[:N_FITTED].astype(float), *positions.T))


def random_catalog(
    rng: np.random.Generator,
    *,
    n: int,
    shape: tuple[int, int],
    bias: float = 0.05,
    scatter: float = 0.22,
    max_scatter: float = 0.9,
) -> GalaxyCatalog:
    """Return galaxies at random positions with random orientations, in an image of `shape` (rows, columns).

    Their ellipticity is `bias` in e1 plus a Gaussian of standard deviation `scatter` per component, whose absolute
    value is cut at `max_scatter`.
    """
    e = bias + np.minimum(scatter * rng.rayleigh(size=n), max_scatter) * np.exp(2j * np.pi * rng.random(n))
    x, y = (rng.uniform(-0.5, side - 0.5, n) for side in shape[::-1])
    ones = np.ones(n)
    return GalaxyCatalog(
        "random", shape, x, y, e.real.copy(), e.imag.copy(), 0.5 * np.angle(e),
        2 * ones, ones.copy(), ones.copy(), 50 * ones, np.full(n, 40, dtype=np.int32), np.zeros(n, dtype=np.uint8),
    )  # fmt: skip
