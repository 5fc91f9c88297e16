"""Correlations of the residuals of a PSF model: the rho statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.result import StarTable

Array = NDArray[np.float64]

N_BINS = 6
"""Number of bins in distance by default."""

N_RHO = 5
"""Number of statistics."""


@dataclass(frozen=True)
class RhoStatistics:
    """Correlations of residuals in bins of distance.

    Attributes
    ----------
    edges : (n_bins + 1,) float64 array, pixels
        Edges of the bins.
    distance : (n_bins,) float64 array, pixels
        Mean distance of the pairs; nan in a bin without any.
    n_pairs : (n_bins,) int64 array
        Number of pairs.
    rho : (5, n_bins) float64 array
        rho_1 to rho_5; nan in a bin without pairs.
    """

    edges: Array
    distance: Array
    n_pairs: NDArray[np.int64]
    rho: Array


def rho_statistics(tables: StarTable | Sequence[StarTable], edges: Array | None = None) -> RhoStatistics:
    """Return the rho statistics of the reserved stars of images with one kind of PSF.

    Parameters
    ----------
    tables : StarTable or sequence of StarTable
        Stars of one or several images; pairs are those within an image.
    edges : (n_bins + 1,) array, pixels, optional
        Edges of the bins in distance, ascending; by default six bins, equal in log distance, that hold all pairs.

    Returns
    -------
    RhoStatistics
        Correlations of the reserved stars that are no outliers.

    Notes
    -----
    With the ellipticity e of a star, its residual de = e - e_model and the relative residual of its size
    t = (T - T_model) / T, T = 2 sigma^2: rho_1 = <de* de>, rho_2 = <e* de> [1]_, rho_3 = <(e t)* (e t)>,
    rho_4 = <de* (e t)> and rho_5 = <e* (e t)> [2]_; real parts of means over pairs.

    References
    ----------
    .. [1] Rowe (2010), doi:10.1111/j.1365-2966.2010.16277.x.
    .. [2] Jarvis et al. (2016), doi:10.1093/mnras/stw990.
    """
    own = [tables] if isinstance(tables, StarTable) else list(tables)
    pairs = [_pairs(table) for table in own]
    distance, products = (np.concatenate(each, axis=-1) for each in zip(*pairs, strict=True))
    edges = _edges(distance) if edges is None else np.asarray(edges, dtype=np.float64)
    index = np.searchsorted(edges, distance, side="right") - 1
    inside = (index >= 0) & (index < edges.size - 1)
    sums = [
        np.bincount(index[inside], each[inside], minlength=edges.size - 1)
        for each in (np.ones_like(distance), distance, *products)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.array(sums[1:]) / sums[0]
    return RhoStatistics(edges, means[0], sums[0].astype(np.int64), means[1:])


def _pairs(stars: StarTable) -> tuple[Array, Array]:
    """Return the distances (m,) of all pairs of stars and the real parts of the five products (5, m)."""
    tested = stars.is_test
    z = (stars.x + 1j * stars.y)[tested]
    e = (stars.e1 + 1j * stars.e2)[tested]
    de = e - (stars.model_e1 + 1j * stars.model_e2)[tested]
    et = e * (1.0 - (stars.model_sigma / stars.sigma)[tested] ** 2)
    i, j = np.triu_indices(z.size, k=1)
    products = [
        0.5 * (np.conj(a[i]) * b[j] + np.conj(a[j]) * b[i]).real
        for a, b in ((de, de), (e, de), (et, et), (de, et), (e, et))
    ]
    return np.abs(z[i] - z[j]), np.array(products).reshape(N_RHO, -1)


def _edges(distance: Array) -> Array:
    """Return edges of equal ratios that hold all distances (m,)."""
    if distance.size == 0:
        return np.geomspace(1.0, 1e3, N_BINS + 1)
    low, high = float(distance.min()), float(distance.max())
    return np.geomspace(max(low, 1e-3), max(high, 2e-3) * (1.0 + 1e-9), N_BINS + 1)
