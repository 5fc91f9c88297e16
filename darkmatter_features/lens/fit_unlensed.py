"""Fitting what a sky is without a lens: kinds of galaxies, their ellipticities, and the classes they are counted in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.template import LensTemplate, log_density_of

Array = NDArray[np.float64]

# Bins of fill factor of equally many galaxies, but no bin with fewer than these. A disc seen from the side shows more
# of its bulge: fill factor tells how elliptical a galaxy is without a lens. The log loss of the evidence, on simulated
# training skies that the template was not fitted to, is 0.017 with 1 bin, 0.004 with 4, 0.002 with 6, 0.001 with 8,
# 0.003 with 10, 0.001 with 12. Bins of size gain nothing: a lens that magnifies moves galaxies from one to the next.
N_BINS, MIN_GALAXIES = 8, 400
# Smoothing of the density of ellipticities: at this many galaxies, growing as n^(-1/6) when there are fewer (the rule
# for two dimensions), and at most so much. The same log loss is 0.0015 with 0.015, 0.0012 with 0.02, 0.0027 with
# 0.03, 0.006 with 0.04.
SMOOTHING, SMOOTHED_GALAXIES, MAX_SMOOTHING = 0.02, 20_000, 0.15
# What fill factor tells of ellipticity may be another thing in the skies to be judged: this share of the galaxies is as
# if it told nothing. Simulated skies want none (log loss 0.0011 with 0, 0.0015 with 0.1, 0.0027 with 0.3); on the
# published sky with a lens, the cross null of a template of simulated skies has a log evidence of 5.8, 2.8 and 1.0.
ANY_SHARE = 0.2
# Classes of size for the counts, as quantiles: fine at the top, where magnified galaxies are.
COUNT_QUANTILES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 0.96)
# Of what is fitted, in decimals.
DIGITS = 5


def fit_unlensed(catalogs: Sequence[GalaxyCatalog]) -> LensTemplate:
    """Fit kinds, their ellipticities and the classes of size to skies without a lens.

    Parameters
    ----------
    catalogs : sequence of GalaxyCatalog
        Of those skies.

    Returns
    -------
    LensTemplate
        With the default profile. Of fewer than 400 galaxies, the default with their mean ellipticity.
    """
    size, fill_factor, e1, e2 = (
        np.concatenate([getattr(c, name) for c in catalogs] or [[]]) for name in ("size", "fill_factor", "e1", "e2")
    )
    is_partial = np.concatenate([c.is_partial for c in catalogs] or [np.zeros(0, dtype=bool)])
    n_bins = min(N_BINS, size.size // MIN_GALAXIES)
    if n_bins == 0:
        means = {"mean_e1": float(e1.mean()), "mean_e2": float(e2.mean())} if size.size else {}
        return LensTemplate.default(**means)
    edges = _edges(fill_factor, np.arange(1, n_bins) / n_bins)
    shapes = _shapes(e1, e2, np.searchsorted(edges, fill_factor), is_partial)
    class_edges = _edges(size, COUNT_QUANTILES)
    fractions = np.bincount(np.searchsorted(class_edges, size), minlength=class_edges.size + 1) / size.size
    return replace(
        LensTemplate.default(),
        fill_factor_edges=edges,
        **shapes,
        size_edges=class_edges,
        size_fractions=fractions,
        log_counts=np.zeros((fractions.size, 2)),
        source=f"shapes of {len(catalogs)} skies without a lens; default profile",
    )


def _edges(values: Array, shares: Sequence[float] | Array) -> Array:
    """Return the quantiles of values that part them in two: none, where all are alike."""
    edges: Array = np.unique(np.quantile(values, shares).round(DIGITS))
    return np.asarray(edges[(edges >= values.min()) & (edges < values.max())])


def _shapes(e1: Array, e2: Array, bins: NDArray[np.int64], is_partial: NDArray[np.bool_]) -> dict[str, Array]:
    """Return the fields of a template that tell what kinds are like: whole galaxies of each bin, then partial ones.

    A kind of few galaxies is like its whole bin or, if these are few, like all.
    """
    every, n_bins = np.ones(bins.size, dtype=bool), bins.max() + 1
    parts = ~is_partial, is_partial
    members = [_enough((bins == k) & part, bins == k, every) for part in parts for k in range(n_bins)]
    of_kinds = np.stack([_log_density(e1[own], e2[own]) for own in members])
    of_any = np.stack([_log_density(e1[own], e2[own]) for own in (_enough(part, every) for part in parts)])
    return {
        "log_p0": _mixed(of_kinds, np.repeat(of_any, n_bins, axis=0)).round(3),
        "mean_e1": np.array([e1[own].mean() for own in members]).round(DIGITS),
        "mean_e2": np.array([e2[own].mean() for own in members]).round(DIGITS),
        "sigma_e": np.array([np.sqrt(0.5 * (e1[own].var() + e2[own].var())) for own in members]).round(DIGITS),
        "response": np.ones(len(members)),
    }


def _enough(*choices: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the first choice of galaxies that holds enough of them, or else the last."""
    return next((own for own in choices if own.sum() >= MIN_GALAXIES), choices[-1])


def _log_density(e1: Array, e2: Array) -> Array:
    smoothing = min(SMOOTHING * max(SMOOTHED_GALAXIES / e1.size, 1.0) ** (1 / 6), MAX_SMOOTHING)
    return log_density_of(e1, e2, smoothing=smoothing)


def _mixed(of_kinds: Array, of_any: Array) -> Array:
    """Return the log densities of kinds, of which :data:`ANY_SHARE` is that of galaxies of any fill factor."""
    mixed: Array = np.logaddexp(np.log(1.0 - ANY_SHARE) + of_kinds, np.log(ANY_SHARE) + of_any)
    return mixed
