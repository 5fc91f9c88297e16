"""How good verdicts are: each figure with its bootstrap bounds.

Every figure is written for rows that carry weights. Weights of one give its value; the weights of a bootstrap
resample, which say how often each row was drawn, give its scatter, for all resamples at once.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Figure = Callable[[Array], Array]
"""From weights ``(n_resamples, n)`` to one value a resample; nan where the figure is not defined."""

BOUNDS = (0.025, 0.975)
"""Quantiles of the bootstrap: the ends of a 95 % interval."""
NEAR_PX = 40.0
"""A found centre this close to its lens is near it, pixels; about where the shear has dropped to half."""
FALSE_ALARM_RATE = 0.01
"""The share of lens-free skies that may be called lenses, for the recall."""
CLIP = 1e-15
"""Probabilities are kept this far from 0 and 1: one sure mistake shall not make the log loss infinite."""
MAX_WEIGHTS = 4_000_000
"""Weights held at once: 32 MB, whatever the number of skies."""

KEYS = ("accuracy", "auc", "log_loss", "brier", "recall_at_1pct_fpr", "median_offset_px", "within_40px")


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the share of skies called rightly at a probability of one half."""
    return _value(_accuracy(*_checked(labels, probabilities)), labels)


def auc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the chance that a lens ranks above a sky without one (the area under the ROC curve)."""
    return _value(_auc(*_checked(labels, probabilities)), labels)


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean of ``-log p(label)``."""
    return _value(_log_loss(*_checked(labels, probabilities)), labels)


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean squared difference of probability and label."""
    return _value(_brier(*_checked(labels, probabilities)), labels)


def recall_at_1pct_fpr(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the share of lenses found when at most 1 % of the skies without one raise a false alarm."""
    return _value(_recall(*_checked(labels, probabilities)), labels)


def score(
    labels: ArrayLike,
    probabilities: ArrayLike,
    offsets: ArrayLike,
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
) -> dict[str, float]:
    """Return every figure with its bootstrap bounds.

    Parameters
    ----------
    labels : (n,) array
        1 for a sky with a lens, 0 for one without.
    probabilities : (n,) array
        Of a lens.
    offsets : (n,) array, pixels
        From the true to the found centre; nan where there is no lens or its place is unknown.
    rng : numpy.random.Generator
        Draws the resamples.
    n_resamples : int
        Their number.

    Returns
    -------
    dict
        Flat: ``n``, then each of `KEYS`, followed by itself with ``_lo`` and ``_hi``, the ends of a 95 %
        interval. A figure that is not defined (no lenses, say) is nan.

    Raises
    ------
    ValueError
        When the arrays differ in length, or a label is neither 0 nor 1.
    """
    y, p = _checked(labels, probabilities)
    known = np.asarray(offsets, dtype=np.float64)
    if known.shape != y.shape:
        raise ValueError(f"offsets must be of shape {y.shape}, as the labels are, got {known.shape}")
    figures = (
        _accuracy(y, p),
        _auc(y, p),
        _log_loss(y, p),
        _brier(y, p),
        _recall(y, p),
        _median(known),
        _near(known),
    )
    values = _evaluated(figures, np.ones((1, y.size)))[0]
    drawn = np.concatenate([_evaluated(figures, w) for w in _resamples(y.size, n_resamples, rng)])
    row: dict[str, float] = {"n": int(y.size)}
    for key, value, scatter in zip(KEYS, values, drawn.T):
        lo, hi = _bounds(scatter)
        row |= {key: float(value), f"{key}_lo": lo, f"{key}_hi": hi}
    return row


def roc_curve(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Array, Array]:
    """Return the false alarm rate and the recall, as the threshold goes from above 1 down to 0.

    Parameters
    ----------
    labels, probabilities : (n,) arrays
        As for `score`.

    Returns
    -------
    false_alarm_rate, recall : (n_thresholds + 1,) float64 arrays
        From 0 to 1; nan when one kind of sky is missing.
    """
    y, p = _checked(labels, probabilities)
    hits, alarms = _from_the_top(y, p, np.ones((1, y.size)))
    return np.append(0.0, _ratio(alarms[0], np.sum(1 - y))), np.append(0.0, _ratio(hits[0], np.sum(y)))


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Array, Array]:
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if y.ndim != 1 or y.shape != p.shape:
        raise ValueError(f"labels and probabilities must be 1-d and equally long, got {y.shape} and {p.shape}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError(f"labels must be 0 or 1, got {np.unique(y)[:5]}")
    return y, p


def _value(figure: Figure, labels: ArrayLike) -> float:
    return float(figure(np.ones((1, np.size(labels))))[0])


def _evaluated(figures: tuple[Figure, ...], weights: Array) -> Array:
    return np.stack([figure(weights) for figure in figures], axis=1)


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    a, b = np.broadcast_arrays(np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64))
    ratio = np.full(a.shape, np.nan)
    np.divide(a, b, out=ratio, where=b > 0)
    return ratio


def _mean_of(values: Array) -> Figure:
    return lambda weights: _ratio(weights @ values, weights.sum(axis=1))


def _accuracy(y: Array, p: Array) -> Figure:
    return _mean_of(((p >= 0.5) == (y == 1)).astype(np.float64))


def _log_loss(y: Array, p: Array) -> Figure:
    q = np.clip(p, CLIP, 1 - CLIP)
    return _mean_of(-np.where(y == 1, np.log(q), np.log1p(-q)))


def _brier(y: Array, p: Array) -> Figure:
    return _mean_of((p - y) ** 2)


def _from_the_top(y: Array, p: Array, weights: Array) -> tuple[Array, Array]:
    """Count lenses, and others, at or above each distinct probability: two ``(n_resamples, n_distinct)``."""
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), p.size - 1) if p.size else np.zeros(0, dtype=np.int64)
    in_order = weights[:, order]
    return np.cumsum(in_order * y[order], axis=1)[:, last], np.cumsum(in_order * (1 - y[order]), axis=1)[:, last]


def _auc(y: Array, p: Array) -> Figure:
    def figure(weights: Array) -> Array:
        hits, alarms = _from_the_top(y, p, weights)
        steps = np.diff(alarms, axis=1, prepend=0.0)
        middles = hits - np.diff(hits, axis=1, prepend=0.0) / 2
        return _ratio((steps * middles).sum(axis=1), (weights @ y) * (weights @ (1 - y)))

    return figure


def _recall(y: Array, p: Array) -> Figure:
    def figure(weights: Array) -> Array:
        hits, alarms = _from_the_top(y, p, weights)
        others = weights @ (1 - y)
        allowed = alarms <= FALSE_ALARM_RATE * others[:, None]
        found = np.max(np.where(allowed, hits, 0.0), axis=1, initial=0.0)
        return np.where(others > 0, _ratio(found, weights @ y), np.nan)

    return figure


def _near(offsets: Array) -> Figure:
    known = np.isfinite(offsets)
    near = (offsets[known] <= NEAR_PX).astype(np.float64)
    return lambda weights: _mean_of(near)(weights[:, known])


def _median(offsets: Array) -> Figure:
    order = np.argsort(offsets)[: np.isfinite(offsets).sum()]  # nan sorts last

    def figure(weights: Array) -> Array:
        reached = np.cumsum(weights[:, order], axis=1)
        if order.size == 0:
            return np.full(len(weights), np.nan)
        half = reached[:, -1:] / 2
        below, above = np.argmax(reached >= half, axis=1), np.argmax(reached > half, axis=1)
        middle = (offsets[order][below] + offsets[order][above]) / 2
        return np.where(half[:, 0] > 0, middle, np.nan)

    return figure


def _resamples(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield how often each of n rows is drawn, in blocks of resamples."""
    step = max(1, MAX_WEIGHTS // max(n, 1))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        if n == 0:
            yield np.empty((size, 0))
        else:
            yield rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def _bounds(scatter: Array) -> tuple[float, float]:
    defined = scatter[np.isfinite(scatter)]
    if defined.size == 0:
        return float("nan"), float("nan")
    lo, hi = np.quantile(defined, BOUNDS)
    return float(lo), float(hi)
