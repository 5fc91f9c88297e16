"""Metrics of verdicts with bootstrap bounds: point values by scikit-learn, all resamples at once by weights.

A resample is a row of weights: how often each sky is drawn. A weighted metric evaluates all resamples in one pass;
1,000 resamples of 600 skies take 0.27 s, those of scikit-learn, one after the other, 15 s.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit
from sklearn import metrics as sklearn_metrics

Array = NDArray[np.float64]
Weighted = Callable[[Array], Array]
"""Metric of weighted skies: from weights ``(n_resamples, n)`` to ``(n_resamples,)``; nan where undefined."""

BOUNDS = (0.025, 0.975)
"""Quantiles of the bootstrap that bound a 95 % interval."""
NEAR_PX = 40.0
"""Maximum offset of a position that counts as found, pixels; the shear has dropped to about half there."""
FALSE_ALARM_RATE = 0.01
"""Maximum false alarm rate of the recall."""
CLIP = 1e-15
"""Distance of probabilities from 0 and 1 in the log loss, which thus stays finite."""
WITHHELD_PROBABILITY = 0.5
"""Probability for which a withheld verdict, nan, counts in all metrics but the accuracy, where it is not right."""
THRESHOLD = 0.5
"""Lowest probability of the verdict "lens"."""
N_RESAMPLES = 1000
"""Default number of bootstrap resamples."""
MAX_WEIGHTS = 4_000_000
"""Maximum number of weights in memory: 32 MB."""

KEYS = ("accuracy", "auc", "log_loss", "brier", "recall_at_1pct_fpr", "median_offset_px", "within_40px")


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the fraction of skies with the right verdict, see :func:`is_right`."""
    y, p = _checked_verdicts(labels, probabilities)
    return float(is_right(y, p).mean()) if y.size else float("nan")


def is_right(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.bool_]:
    """Return which verdicts, (n,), are right: the label at a threshold of one half; a withheld one, nan, is not."""
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    right: NDArray[np.bool_] = np.isfinite(p) & ((p >= THRESHOLD) == (y == 1))
    return right


def counted(probabilities: ArrayLike) -> Array:
    """Return probabilities with `WITHHELD_PROBABILITY` where the verdict is withheld, nan."""
    p = np.asarray(probabilities, dtype=np.float64)
    return np.where(np.isnan(p), WITHHELD_PROBABILITY, p)


def auc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the area under the ROC curve; nan unless both labels occur."""
    y, p = _checked(labels, probabilities)
    return float(sklearn_metrics.roc_auc_score(y, p)) if np.unique(y).size == 2 else float("nan")


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean of ``-log p(label)``."""
    y, p = _checked(labels, probabilities)
    q = np.clip(p, CLIP, 1 - CLIP)
    return float(sklearn_metrics.log_loss(y, q, labels=[0, 1])) if y.size else float("nan")


def log_losses(labels: ArrayLike, log_odds: ArrayLike) -> Array:
    """Return ``-log p(label)`` of each sky from its log-odds: two ``(n,)`` arrays to ``(n,)``."""
    signs = np.where(np.asarray(labels) == 1, 1.0, -1.0)
    return np.asarray(-log_expit(signs * np.asarray(log_odds)), dtype=np.float64)


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean squared difference of probability and label."""
    y, p = _checked(labels, probabilities)
    return float(sklearn_metrics.brier_score_loss(y, p, pos_label=1)) if y.size else float("nan")


def recall_at_1pct_fpr(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the largest recall at a false alarm rate of at most `FALSE_ALARM_RATE`; nan unless both labels occur."""
    rates, recalls = roc_curve(labels, probabilities)
    return float(np.max(recalls[rates <= FALSE_ALARM_RATE], initial=0.0)) if np.isfinite(rates).all() else float("nan")


def roc_curve(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Array, Array]:
    """Return the ROC curve, a point for each distinct probability.

    Parameters
    ----------
    labels, probabilities : (n,) arrays
        As in `score`.

    Returns
    -------
    false_alarm_rate, recall : (n_thresholds + 1,) float64 arrays
        From 0 to 1; nan unless both labels occur.
    """
    y, p = _checked(labels, probabilities)
    if np.unique(y).size < 2:
        undefined = np.full(np.unique(p).size + 1, np.nan)
        return undefined, undefined
    rates, recalls, _ = sklearn_metrics.roc_curve(y, p, drop_intermediate=False)
    return rates, recalls


def score(
    labels: ArrayLike,
    probabilities: ArrayLike,
    offsets: ArrayLike,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, float]:
    """Return all metrics with their bootstrap bounds.

    Parameters
    ----------
    labels : (n,) array
        1 for a sky with a lens, 0 for a sky without.
    probabilities : (n,) array
        Probability of a lens; nan where the verdict is withheld.
    offsets : (n,) array, pixels
        Distance of the position from the true one; nan without a lens or where the true position is unknown.
    rng : numpy.random.Generator
        Source of the resamples.
    n_resamples : int
        Number of resamples.

    Returns
    -------
    dict
        ``n``; then each of `KEYS`, and the same with ``_lo`` and ``_hi``, the bounds of a 95 % interval. An
        undefined metric, such as the AUC without lenses, is nan.

    Raises
    ------
    ValueError
        If the arrays differ in length, or a label is neither 0 nor 1.
    """
    y, verdicts = _checked_verdicts(labels, probabilities)
    p = counted(verdicts)
    known = np.asarray(offsets, dtype=np.float64)
    if known.shape != y.shape:
        raise ValueError(f"offsets must be of shape {y.shape}, as the labels are, got {known.shape}")
    metrics = (
        weighted_accuracy(y, verdicts), weighted_auc(y, p), weighted_log_loss(y, p), weighted_brier(y, p),
        weighted_recall(y, p), weighted_median(known), weighted_fraction_near(known),
    )  # fmt: skip
    unit = np.ones((1, y.size))
    points = [metric(y, verdicts) for metric in (accuracy, auc, log_loss, brier, recall_at_1pct_fpr)]
    points += [float(metric(unit)[0]) for metric in metrics[len(points) :]]
    resamples = _resamples(y.size, n_resamples, rng)
    drawn = np.concatenate([np.stack([metric(weights) for metric in metrics], axis=1) for weights in resamples])
    row: dict[str, float] = {"n": int(y.size)}
    for key, value, scatter in zip(KEYS, points, drawn.T):
        lo, hi = _bounds(scatter)
        row |= {key: value, f"{key}_lo": lo, f"{key}_hi": hi}
    return row


def weighted_accuracy(y: Array, p: Array) -> Weighted:
    """Return the weighted `accuracy`."""
    return _weighted_mean(is_right(y, p).astype(np.float64))


def weighted_log_loss(y: Array, p: Array) -> Weighted:
    """Return the weighted `log_loss`."""
    q = np.clip(p, CLIP, 1 - CLIP)
    return _weighted_mean(-np.where(y == 1, np.log(q), np.log1p(-q)))


def weighted_brier(y: Array, p: Array) -> Weighted:
    """Return the weighted `brier`."""
    return _weighted_mean((p - y) ** 2)


def weighted_auc(y: Array, p: Array) -> Weighted:
    """Return the weighted `auc`: the trapezoidal rule on the counts of both labels."""

    def metric(weights: Array) -> Array:
        hits, alarms = _counts_above(y, p, weights)
        steps = np.diff(alarms, axis=1, prepend=0.0)
        middles = hits - np.diff(hits, axis=1, prepend=0.0) / 2
        return _ratio((steps * middles).sum(axis=1), (weights @ y) * (weights @ (1 - y)))

    return metric


def weighted_recall(y: Array, p: Array) -> Weighted:
    """Return the weighted `recall_at_1pct_fpr`."""

    def metric(weights: Array) -> Array:
        hits, alarms = _counts_above(y, p, weights)
        others = weights @ (1 - y)
        allowed = alarms <= FALSE_ALARM_RATE * others[:, None]
        found = np.max(np.where(allowed, hits, 0.0), axis=1, initial=0.0)
        return np.where(others > 0, _ratio(found, weights @ y), np.nan)

    return metric


def weighted_fraction_near(offsets: Array) -> Weighted:
    """Return the weighted fraction of known offsets up to `NEAR_PX`."""
    known = np.isfinite(offsets)
    near = (offsets[known] <= NEAR_PX).astype(np.float64)
    return lambda weights: _weighted_mean(near)(weights[:, known])


def weighted_median(offsets: Array) -> Weighted:
    """Return the weighted median of the known offsets."""
    order = np.argsort(offsets)[: np.isfinite(offsets).sum()]  # nan sorts last

    def metric(weights: Array) -> Array:
        reached = np.cumsum(weights[:, order], axis=1)
        if order.size == 0:
            return np.full(len(weights), np.nan)
        half = reached[:, -1:] / 2
        below, above = np.argmax(reached >= half, axis=1), np.argmax(reached > half, axis=1)
        middle = (offsets[order][below] + offsets[order][above]) / 2
        return np.where(half[:, 0] > 0, middle, np.nan)

    return metric


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Array, Array]:
    """Return labels, and probabilities as they count."""
    y, p = _checked_verdicts(labels, probabilities)
    return y, counted(p)


def _checked_verdicts(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Array, Array]:
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if y.ndim != 1 or y.shape != p.shape:
        raise ValueError(f"labels and probabilities must be 1-d and equally long, got {y.shape} and {p.shape}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError(f"labels must be 0 or 1, got {np.unique(y)[:5]}")
    return y, p


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Return a quotient; nan where the denominator is zero."""
    a, b = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.divide(a, np.where(b > 0, b, np.nan))


def _weighted_mean(values: Array) -> Weighted:
    return lambda weights: _ratio(weights @ values, weights.sum(axis=1))


def _counts_above(y: Array, p: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weights of both labels at or above each distinct probability: two ``(n_resamples, n_distinct)``."""
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), p.size - 1) if p.size else np.zeros(0, dtype=np.int64)
    in_order = weights[:, order]
    return np.cumsum(in_order * y[order], axis=1)[:, last], np.cumsum(in_order * (1 - y[order]), axis=1)[:, last]


def _resamples(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield the number of draws of each of n skies, in blocks of resamples."""
    step = max(1, MAX_WEIGHTS // max(n, 1))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=size) if n else np.empty((size, 0))
        yield counts.astype(np.float64)


def _bounds(scatter: Array) -> tuple[float, float]:
    defined = scatter[np.isfinite(scatter)]
    lo, hi = np.quantile(defined, BOUNDS) if defined.size else (np.nan, np.nan)
    return float(lo), float(hi)
