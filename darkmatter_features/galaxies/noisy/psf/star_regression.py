"""Polynomials in the position through quantities of stars: weights, outliers, and the degree."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.model import polynomial_powers, polynomial_terms

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_SNR = 400.0
"""S/N above which stars have about the same weight: the model is not exact."""

MAX_WEIGHT = 5.0
"""Maximum weight of a star, in median weights: a single bright star does not rule."""

STARS_OF_DEGREE = (12, 30)
"""Number of stars from which the degree may be 1, and 2."""

MIN_GAIN = 0.95
"""Mean squared error of left-out stars, relative to that of the degree below, that a higher degree must reach."""

MAX_CONDITION = 50.0
"""Maximum condition number of the polynomial's terms at the stars: beyond, the stars cover too little of the image."""

MAX_DEVIATION = 4.0
"""Deviation from the polynomial above which a star is an outlier, robust standard deviations."""

CLIPS = 4
"""Number of times that outliers are left out."""

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def star_weights(snr: Array) -> Array:
    """Return the weights (n,) of stars, those of the inverse variance with a bound, sum 1."""
    weights = 1.0 / (1.0 / np.maximum(snr, 1e-3) ** 2 + 1.0 / MAX_SNR**2)
    weights = np.minimum(weights, MAX_WEIGHT * np.median(weights))
    return np.asarray(weights / weights.sum())


def solution(terms: Array, weights: Array) -> Array:
    """Return the matrix (n_terms, n) that gives the coefficients of the weighted least-squares polynomial."""
    root = np.sqrt(weights)
    return np.asarray(np.linalg.pinv(terms * root[:, None]) * root)


def outliers(shapes: Array, terms: Array, snr: Array, is_candidate: Mask) -> Mask:
    """Return the stars whose e1, e2 or log width (n, 3) deviates from a polynomial of the position, (n,).

    Their errors are those of noise, and a scatter that the other stars have. Stars that are no candidates deviate.
    """
    is_outlier = ~is_candidate
    for _ in range(CLIPS):
        used = ~is_outlier
        if used.sum() <= terms.shape[1] + 1:
            break
        fit = solution(terms[used], star_weights(snr[used])) @ shapes[used]
        rest = np.abs(np.where(is_candidate[:, None], shapes - terms @ fit, np.inf))
        scatter = MAD_TO_SIGMA * np.median(rest[used], axis=0) + 1e-4
        deviation = rest / np.hypot(scatter, 1.0 / np.maximum(snr, 1e-3)[:, None])
        found = np.asarray((deviation > MAX_DEVIATION).any(axis=1))
        if (found == is_outlier).all():
            break
        is_outlier = found
    return is_outlier


def chosen_degree(shapes: Array, u: Array, v: Array, snr: Array) -> int:
    """Return the degree that predicts the shapes (n, 3) of left-out stars best, bounded by their number.

    The error of a left-out star is that of the fit over 1 - h, with h its diagonal element of the hat matrix.
    """
    best, least = 0, np.inf
    for degree in range(1 + int(np.searchsorted(STARS_OF_DEGREE, len(u), side="right"))):
        terms = polynomial_terms(u, v, polynomial_powers(degree))
        if np.linalg.cond(terms) > MAX_CONDITION:
            break
        weights = star_weights(snr)
        hat = terms @ solution(terms, weights)
        left_out = (shapes - hat @ shapes) / np.maximum(1.0 - np.diag(hat), 1e-3)[:, None]
        error = float((weights[:, None] * left_out**2).sum())
        if error < MIN_GAIN * least:
            best, least = degree, error
    return best


def reserved(snr: Array, is_candidate: Mask, every: int) -> Mask:
    """Return each `every`-th of the candidates in the order of their S/N, (n,)."""
    order = np.argsort(-snr, kind="stable")
    order = order[is_candidate[order]]
    chosen = np.zeros(len(snr), dtype=np.bool_)
    chosen[order[every // 2 :: every]] = True
    return chosen
