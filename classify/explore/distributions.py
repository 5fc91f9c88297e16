"""Distributions of a data set, as its figures show them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classify.explore.look import Looks

Array = NDArray[np.float64]

CLASSES = ((1.0, "with a lens"), (0.0, "without a lens"), (np.nan, "unlabelled"))
"""Label and name of each class."""

MAX_BINS = 30
"""Maximum number of bins of the number of galaxies."""

ELLIPTICITY_EDGES = np.linspace(-1, 1, 81)
"""Borders of the bins of ellipticities."""


@dataclass(frozen=True, eq=False)
class Distribution:
    """Histograms with the same bins.

    Attributes
    ----------
    edges : (n + 1,) float64 array
        Borders of the bins.
    values : dict of str to (n,) float64 array
        Content of the bins of each histogram, by its name.
    """

    edges: Array
    values: dict[str, Array]


def by_class(skies: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name and the skies of each class that there is."""
    for label, name in CLASSES:
        own = skies[skies["label"].isna() if np.isnan(label) else skies["label"] == label]
        if len(own):
            yield name, own


def galaxy_counts(skies: pd.DataFrame) -> Distribution:
    """Return the number of skies of each class by their number of galaxies; bins are whole numbers of galaxies wide."""
    known = skies.dropna(subset="n_galaxies")
    low, high = known["n_galaxies"].min(), known["n_galaxies"].max()
    width = max(1, int(np.ceil((high - low + 1) / min(MAX_BINS, max(5, int(np.sqrt(len(known))))))))
    edges = np.arange(low, high + 1 + width, width, dtype=np.float64)
    counts = {name: np.histogram(own["n_galaxies"], edges)[0].astype(np.float64) for name, own in by_class(known)}
    return Distribution(edges, counts)


def ellipticities(looks: Looks) -> Distribution:
    """Return the fraction of all galaxies by the components of their ellipticity."""
    catalogs = [each for each in looks.catalogs if each is not None]
    found = {}
    for name in ("e1", "e2"):
        counts = np.zeros(ELLIPTICITY_EDGES.size - 1)
        for catalog in catalogs:
            counts += np.histogram(getattr(catalog, name), ELLIPTICITY_EDGES)[0]
        found[name] = counts / max(counts.sum(), 1)
    return Distribution(ELLIPTICITY_EDGES, found)


def mean_scatter(skies: pd.DataFrame) -> float:
    """Return the scatter of the mean ellipticity of a sky, per component, if shapes have no preferred direction."""
    known = skies[skies["mean_e1"].notna()]
    return float(np.sqrt((known["sigma_e"] ** 2 / known["n_galaxies"]).mean()))
