"""Means over sources alike in S/N and size: of the response to shear, and of what noise adds to ellipticities."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_IN_CELL = 200
"""Minimum number of sources whose mean is taken: the response of one scatters by about 0.5."""

MAX_CELLS = 8
"""Maximum number of cells in S/N, and in size within each."""


def means_of_similar(weight: Array, values: Array, snr: Array, size: Array) -> Array:
    """Return for each source the weighted mean of the sources that are alike in S/N and size.

    Parameters
    ----------
    weight : (n,) float64 array
        Weights.
    values : (n, m) float64 array
        Quantities of which only means have a meaning.
    snr, size : (n,) float64 arrays
        S/N, and size in pixels.

    Returns
    -------
    (n, m) float64 array
        Means; those of all where a source has no weight, and 0 without any weight.

    Notes
    -----
    Sources are divided into cells of equal numbers by their S/N, and each of these by size. Within each cell the sum
    of weight times value is kept, so that the shear from all sources is that from the single values.
    """
    means = np.zeros(values.shape)
    own = np.flatnonzero(weight > 0.0)
    if own.size == 0:
        return means
    means[:] = np.average(values[own], axis=0, weights=weight[own])
    n = int(np.clip(np.sqrt(own.size / MIN_IN_CELL), 1, MAX_CELLS))
    for row in np.array_split(own[np.argsort(snr[own], kind="stable")], n):
        for cell in np.array_split(row[np.argsort(size[row], kind="stable")], n):
            means[cell] = np.average(values[cell], axis=0, weights=weight[cell])
    return means
