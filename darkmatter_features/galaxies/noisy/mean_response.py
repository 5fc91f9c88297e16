"""Mean response to shear of sources alike in S/N and size."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_IN_CELL = 200
"""Minimum number of sources whose mean response is taken: the response of one scatters by about 0.5."""

MAX_CELLS = 8
"""Maximum number of cells in S/N, and in size within each."""


def mean_response(weight: Array, response: Array, snr: Array, size: Array) -> Array:
    """Return for each source the weighted mean response of the sources that are alike in S/N and size, (n,).

    Parameters
    ----------
    weight, response : (n,) float64 arrays
        Weights, and responses of single sources.
    snr, size : (n,) float64 arrays
        S/N, and size in pixels.

    Notes
    -----
    Sources are divided into cells of equal numbers by their S/N, and each of these by size. Within each cell the sum
    of weight times response is kept, so that the shear from all sources is that from the single responses.
    """
    mean = np.ones(weight.size)
    own = np.flatnonzero(weight > 0.0)
    if own.size == 0:
        return mean
    n = int(np.clip(np.sqrt(own.size / MIN_IN_CELL), 1, MAX_CELLS))
    for row in np.array_split(own[np.argsort(snr[own], kind="stable")], n):
        for cell in np.array_split(row[np.argsort(size[row], kind="stable")], n):
            mean[cell] = (weight[cell] @ response[cell]) / weight[cell].sum()
    return mean
