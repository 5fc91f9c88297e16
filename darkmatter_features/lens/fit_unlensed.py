"""Fit of the galaxies without a lens: shape bins, their ellipticities, and the size bins of the counts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.adjustment import typical_statistics
from darkmatter_features.lens.density import log_density_of
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]

N_BINS = 8
"""Bins of fill factor, equally populated.

An edge-on disc shows more of its bulge, so the fill factor predicts the ellipticity of a galaxy without a lens. The log
loss of the evidence, on simulated training skies outside the fit, is 0.017 with 1 bin, 0.004 with 4, 0.002 with 6,
0.001 with 8, 0.003 with 10, 0.001 with 12. Bins of size gain nothing: magnification moves galaxies between them.
"""

MIN_GALAXIES = 400
"""Minimum number of galaxies in a bin."""

SMOOTHING = 0.008
"""Smoothing of the density of ellipticities at :data:`SMOOTHED_GALAXIES`, standard deviation per component."""

ANGULAR_SMOOTHING = 0.15
"""Smoothing along the angle at :data:`SMOOTHED_GALAXIES`, standard deviation in radians.

In place of 0.02 per component, growing as n^(-1/6), and none along the angle, both raise the log density of the
galaxies of another sky by 1.8 with the fit to 630 skies, and by 1.3 to 4.1 with 75 to 100 skies of five kinds. The log
density of the fitted skies exceeds that of others by 3.4 and 3.4 to 5.8, which was 5.3 and 11 to 22.
"""

SMOOTHED_GALAXIES = 20_000
"""With n < 20,000 galaxies both grow as n^(-1/3)."""

UNINFORMED_FRACTION = 0.2
"""Fraction of the galaxies whose ellipticity is taken as independent of their fill factor.

In the skies to be judged, fill factor and ellipticity may be related differently. Simulated skies need no such fraction
(log loss 0.0011 with 0, 0.0015 with 0.1, 0.0027 with 0.3); on the published sky with a lens, the cross null of a
template of simulated skies has a log evidence of 5.8, 2.8 and 1.0.
"""

SIZE_QUANTILES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 0.96)
"""Edges of the size bins, as quantiles: narrow at the top, where magnified galaxies are."""

DECIMALS = 5
"""Decimals of the fitted numbers."""


def fit_unlensed(catalogs: Sequence[GalaxyCatalog]) -> LensTemplate:
    """Fit shape bins, their ellipticities and the size bins to skies without a lens.

    Parameters
    ----------
    catalogs : sequence of GalaxyCatalog
        Galaxies of those skies.

    Returns
    -------
    LensTemplate
        With the default profile. With fewer than 400 galaxies, the default template with their mean ellipticity.
    """
    size = _joined(catalog.size for catalog in catalogs)
    fill_factor, e1, e2 = (
        _joined(getattr(catalog, name)[catalog.is_resolved] for catalog in catalogs)
        for name in ("fill_factor", "e1", "e2")
    )
    is_partial = _joined(catalog.is_partial[catalog.is_resolved] for catalog in catalogs).astype(bool)
    n_bins = min(N_BINS, e1.size // MIN_GALAXIES)
    if n_bins == 0:
        means = {"mean_e1": float(e1.mean()), "mean_e2": float(e2.mean())} if e1.size else {}
        return LensTemplate.default(**means)
    edges = _edges(fill_factor, np.arange(1, n_bins) / n_bins)
    shapes = _shapes(e1, e2, np.searchsorted(edges, fill_factor), is_partial)
    size_edges = _edges(size, SIZE_QUANTILES)
    fractions = np.bincount(np.searchsorted(size_edges, size), minlength=size_edges.size + 1) / size.size
    template = replace(
        LensTemplate.default(),
        fill_factor_edges=edges,
        **shapes,
        size_edges=size_edges,
        size_fractions=fractions,
        log_counts=np.zeros((fractions.size, 2)),
        source=f"shapes of {len(catalogs)} skies without a lens; default profile",
    )
    centre, scatter, error = (values.round(DECIMALS) for values in typical_statistics(catalogs, template))
    return replace(template, sky_centre=centre, sky_scatter=scatter, sky_error=error)


def _joined(columns: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return columns of all catalogues in one; empty without catalogues."""
    return np.concatenate([np.empty(0), *columns])


def _edges(values: Array, quantiles: Sequence[float] | Array) -> Array:
    """Return the quantiles that divide the values; none where all are equal."""
    edges: Array = np.unique(np.quantile(values, quantiles).round(DECIMALS))
    return np.asarray(edges[(edges >= values.min()) & (edges < values.max())])


def _shapes(e1: Array, e2: Array, bins: NDArray[np.int64], is_partial: NDArray[np.bool_]) -> dict[str, Array]:
    """Return the template's fields of the shape bins: whole galaxies of each bin of fill factor, then partial ones.

    A shape bin with few galaxies takes those of its bin of fill factor or, if these are few, all.
    """
    every, n_bins = np.ones(bins.size, dtype=bool), bins.max() + 1
    halves = ~is_partial, is_partial
    members = [_enough((bins == k) & half, bins == k, every) for half in halves for k in range(n_bins)]
    of_bins = np.stack([_log_density(e1[own], e2[own]) for own in members])
    of_any = np.stack([_log_density(e1[own], e2[own]) for own in (_enough(half, every) for half in halves)])
    return {
        "log_p0": _mixed(of_bins, np.repeat(of_any, n_bins, axis=0)).round(3),
        "mean_e1": np.array([e1[own].mean() for own in members]).round(DECIMALS),
        "mean_e2": np.array([e2[own].mean() for own in members]).round(DECIMALS),
        "sigma_e": np.array([np.sqrt(0.5 * (e1[own].var() + e2[own].var())) for own in members]).round(DECIMALS),
        "response": np.ones(len(members)),
    }


def _enough(*choices: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the first selection of at least MIN_GALAXIES galaxies, or else the last."""
    return next((own for own in choices if own.sum() >= MIN_GALAXIES), choices[-1])


def _log_density(e1: Array, e2: Array) -> Array:
    few = max(SMOOTHED_GALAXIES / e1.size, 1.0) ** (1 / 3)
    return log_density_of(e1, e2, smoothing=SMOOTHING * few, angular_smoothing=ANGULAR_SMOOTHING * few)


def _mixed(of_bins: Array, of_any: Array) -> Array:
    """Return the log densities of the shape bins, mixed with those of galaxies of any fill factor."""
    mixed: Array = np.logaddexp(np.log(1.0 - UNINFORMED_FRACTION) + of_bins, np.log(UNINFORMED_FRACTION) + of_any)
    return mixed
