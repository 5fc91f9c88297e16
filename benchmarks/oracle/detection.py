"""True galaxies that are found in images of the preset ``survey``, and the probability to be found."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import Sky
from darkmatter_features.simulation import survey
from darkmatter_features.simulation.population import lensed

Array = NDArray[np.float64]

MATCH_RADIUS = 2.0
"""Maximum distance between a true galaxy and a measured one, pixels."""

N_SKIES = 60
"""Skies from which the probability is learnt: some 14,000 true galaxies."""

SEED = 7_340_000
"""Seed of these skies, which no data set shares."""


@dataclass(frozen=True)
class Detection:
    """Probability that a true galaxy is found, by its luminosity and radius behind a lens, and the PSF.

    Attributes
    ----------
    classifier : scikit-learn classifier
        Logistic regression on the columns log luminosity, log radius and log PSF width, to second order.
    psf_sigma : float, pixels
        Median PSF width of the skies, as measured.
    """

    classifier: Any
    psf_sigma: float

    def __call__(self, luminosity: ArrayLike, radius: ArrayLike, psf_sigma: float | None = None) -> Array:
        """Return the probabilities of galaxies above the limit of the preset; 0 below it."""
        bright, radius = np.broadcast_arrays(np.asarray(luminosity, dtype=np.float64), radius)
        width = np.full(bright.shape, self.psf_sigma if psf_sigma is None else psf_sigma)
        columns = [np.log(values).ravel() for values in (bright, radius, width)]
        found = self.classifier.predict_proba(np.stack(columns, axis=1))[:, 1]
        return np.where(bright > 1.0, found.reshape(bright.shape), 0.0)


def matches(x: Array, y: Array, measured_x: Array, measured_y: Array) -> NDArray[np.int64]:
    """Return for each measured galaxy (n,) the index of its true one, -1 for none; each true one has one at most."""
    if not len(x) or not len(measured_x):
        return np.full(len(measured_x), -1)
    distance, nearest = cKDTree(np.column_stack([x, y])).query(np.column_stack([measured_x, measured_y]))
    order = np.lexsort([distance, nearest])
    is_first = np.append(True, np.diff(nearest[order]) != 0)
    own = np.full(len(measured_x), -1)
    kept = order[is_first & (distance[order] <= MATCH_RADIUS)]
    own[kept] = nearest[kept]
    return own


def learn_detection(n_skies: int = N_SKIES, *, seed: int = SEED, n_jobs: int = 1) -> Detection:
    """Learn the probability from skies with and without a lens, drawn and measured for this."""
    tables = Parallel(n_jobs=n_jobs)(delayed(_found_in_sky)(seed + i) for i in range(n_skies))
    sample = pd.concat(tables)
    columns = sample[["luminosity", "radius", "psf_sigma"]].map(np.log).to_numpy()
    classifier = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(C=100.0))
    return Detection(classifier.fit(columns, sample["is_found"]), float(np.median([t["psf_sigma"][0] for t in tables])))


def _found_in_sky(seed: int) -> pd.DataFrame:
    """Return luminosity and radius of the galaxies in a sky, the width of its PSF, and which of them are found."""
    rng = np.random.default_rng(seed)
    galaxies = survey.draw_galaxies(rng)
    halo, x, y = survey.draw_halo(rng)
    galaxies = galaxies if halo is None else lensed(galaxies, halo, x, y)
    galaxies = galaxies.select(galaxies.luminosity > 1.0)
    catalog = measure(Sky("survey", survey.expose(rng, galaxies)[:, :, None]))
    inside = galaxies.select(galaxies.within(survey.SIDE))
    is_found = np.isin(np.arange(len(inside)), matches(inside.x, inside.y, catalog.x, catalog.y))
    radius = np.sqrt(np.abs(np.linalg.det(inside.frame)))
    width = np.full(len(inside), catalog.image.psf_sigma)
    return pd.DataFrame(
        {"luminosity": inside.luminosity, "radius": radius, "psf_sigma": width, "is_found": is_found.astype(np.int64)}
    )
