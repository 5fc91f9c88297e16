"""The curves of a run, as the page draws them: arithmetic on its tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from classify.explain.contributions import CUT, INPUT_NAMES, START, meaning
from classify.metrics import NEAR_PX, auc, counted, roc_curve
from classify.report.encoding import rounded
from classify.report.run_data import RunData
from classify.verdicts.outcomes import UNCERTAIN, is_uncertain, probabilities_of
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]
Figure = dict[str, Any]

N_BINS = 10
"""Bins of the predicted probability, for reliability."""
N_FINE = 20
"""Bins of a distribution."""
N_IMPORTANT = 15
"""Number of columns in the figure of importance."""
DECIMALS = 4


def figures_of(run: RunData) -> dict[str, Figure]:
    """Return all figures of a run by name; those without data are left out."""
    known = run.judged[run.judged["label"].notna()]
    labels, probabilities = known["label"].to_numpy(dtype=np.float64), probabilities_of(known)
    figures = _of_verdicts(labels, probabilities) if labels.size else {}
    if len(run.judged):
        figures["likeness"] = likeness(run.judged)
    if known["offset_px"].notna().any():
        figures["offsets"] = offsets(known["offset_px"].dropna().to_numpy(dtype=np.float64))
    if run.history is not None and len(run.history):
        figures["history"] = history(run.history, "round", "log_loss", "Trees: log loss by round")
    if run.cnn_history is not None and len(run.cnn_history):
        figures["cnn"] = history(run.cnn_history, "epoch", "loss", "Networks: log loss by epoch")
    if run.contributions is not None and len(run.contributions):
        figures["importance"] = importance(run.contributions)
    figures["template"] = template_profile(run.model.template)
    return figures


def _of_verdicts(labels: Array, probabilities: Array) -> dict[str, Figure]:
    figures = {"reliability": reliability(labels, probabilities), "scores": scores(labels, probabilities)}
    if np.unique(labels).size == 2:
        figures |= {"roc": roc(labels, probabilities), "precision": precision(labels, probabilities)}
    return figures


def line(label: str, x: Any, y: Any, *, kind: str = "line", color: str = "main", **errors: Any) -> dict[str, Any]:
    """Return a curve: its kind is line, step, points or bars; ``low`` and ``high`` are the ends of error bars."""
    arrays = {name: rounded(values) for name, values in {"x": x, "y": y, **errors}.items()}
    return {"label": label, "kind": kind, "color": color, **arrays}


def figure(title: str, x: str, y: str, series: list[dict[str, Any]], caption: str, **options: Any) -> Figure:
    """Return a figure: title, labels of the axes, curves, a caption in words, and options of the axes."""
    return {"title": title, "x": x, "y": y, "series": series, "caption": caption, **options}


def reliability(labels: Array, probabilities: Array) -> Figure:
    """Return the fraction of lenses in bins of the predicted probability, with binomial errors.

    The error is that of :func:`classify.plots.performance.reliability`: the fraction in it has Laplace's rule of
    succession, so that a bin of one class has an error above 0.
    """
    labels, probabilities = (values[np.isfinite(probabilities)] for values in (labels, probabilities))
    bins = np.minimum((probabilities * N_BINS).astype(np.int64), N_BINS - 1)
    count = np.bincount(bins, minlength=N_BINS)
    filled = count > 0
    n = count[filled]
    mean, fraction = (np.bincount(bins, v, N_BINS)[filled] / n for v in (probabilities, labels))
    smooth = (fraction * n + 1) / (n + 2)
    error = np.sqrt(smooth * (1 - smooth) / n)
    low, high = np.maximum(fraction - error, 0), np.minimum(fraction + error, 1)
    points = line("fraction of lenses", mean, fraction, kind="points", low=low, high=high) | {"n": n.tolist()}
    gap = float(np.abs(np.bincount(bins, probabilities - labels, N_BINS)).sum()) / max(labels.size, 1)
    caption = (
        f"Probability and fraction differ by {gap:.3f} in the mean over {labels.size} skies; bins of {1 / N_BINS:g}."
    )
    diagonal = line("perfect", [0, 1], [0, 1], color="faint")
    return figure(
        "Reliability", "predicted probability", "fraction of lenses", [diagonal, points], caption, range=[0, 1, 0, 1]
    )


def roc(labels: Array, probabilities: Array) -> Figure:
    """Return the ROC curve; at each false positive rate, the largest true positive rate."""
    rate, recall = _highest(*roc_curve(labels, probabilities))
    curve = [line("chance", [0, 1], [0, 1], color="faint"), line("true positive rate", rate, recall, kind="step")]
    caption = f"The area under the curve is {auc(labels, probabilities):.{DECIMALS}f}."
    return figure("ROC curve", "false positive rate", "true positive rate", curve, caption, range=[0, 1, 0, 1])


def precision(labels: Array, probabilities: Array) -> Figure:
    """Return the precision at each recall."""
    values, recall, _ = precision_recall_curve(labels, counted(probabilities))
    recall, values = _highest(recall[::-1], values[::-1])
    caption = f"At a recall of 0.9 the precision is {values[np.searchsorted(recall, 0.9)]:.3f}."
    curve = [line("precision", recall, values)]
    return figure("Precision and recall", "recall", "precision", curve, caption, range=[0, 1, 0, 1])


def scores(labels: Array, probabilities: Array) -> Figure:
    """Return the distribution of the predicted probability for both labels."""
    edges = np.linspace(0, 1, N_FINE + 1)
    counts = [np.histogram(probabilities[labels == k], edges)[0] for k in (1, 0)]
    x = 0.5 * (edges[1:] + edges[:-1])
    # Bars on a logarithmic axis begin at one half, so that one sky has a bar.
    series = [
        line(name, x, np.where(each, each, np.nan), kind="bars", color=color)
        for name, each, color in zip(("skies with a lens", "skies without"), counts, ("second", "main"), strict=True)
    ]
    n, n_withheld = int(is_uncertain(probabilities).sum()), int(np.isnan(probabilities).sum())
    withheld = f"; {n_withheld} have none" if n_withheld else ""
    caption = f"{n} of {labels.size} skies have a probability from {UNCERTAIN[0]:g} to {UNCERTAIN[1]:g}{withheld}."
    return figure("Predicted probabilities", "predicted probability", "skies", series, caption, log=True)


def likeness(judged: pd.DataFrame) -> Figure:
    """Return the distribution of the likeness, which is uniform for skies like the training skies."""
    values = judged["likeness"].dropna().to_numpy(dtype=np.float64)
    edges = np.linspace(0, 1, N_BINS + 1)
    counts = np.histogram(values, edges)[0]
    expected = line("expected", [0, 1], [values.size / N_BINS] * 2, color="faint")
    bars = line("skies", 0.5 * (edges[1:] + edges[:-1]), counts, kind="bars")
    n_unlike = int((judged["unlike"] == 1).sum())
    caption = f"{n_unlike} of {len(judged)} skies are unlike the training skies."
    return figure("Likeness to the training skies", "likeness", "skies", [bars, expected], caption)


def offsets(values: Array) -> Figure:
    """Return the fraction of lenses within each distance of the best-fit position."""
    ordered = np.sort(values)
    fraction = np.arange(1, ordered.size + 1) / ordered.size
    end = max(NEAR_PX, float(np.quantile(ordered, 0.98)))
    shown = ordered <= end
    x, y = np.append(0.0, ordered[shown]), np.append(0.0, fraction[shown])
    near = float((values <= NEAR_PX).mean())
    half = f"Half of the {values.size} lenses are within {np.median(values):.1f} px"
    caption = f"{half}, {100 * near:.1f} % within {NEAR_PX:g} px."
    curve = [line("fraction of lenses", *_highest(x, y), kind="step")]
    return figure("Error of the position", "distance from the true lens, px", "fraction", curve, caption, bottom=0)


def history(table: pd.DataFrame, step: str, loss: str, title: str) -> Figure:
    """Return the losses of a training by round or epoch."""
    names = {"training_loss": "training", "held_out_loss": "out of fold", f"validation_{loss}": "validation"}
    colors = ("faint", "main", "second")
    series = [
        line(name, table[step][table[column].notna()], table[column].dropna().astype(np.float64), color=color)
        for (column, name), color in zip(names.items(), colors, strict=True) if column in table
    ]  # fmt: skip
    best = table.loc[table["held_out_loss"].astype(np.float64).idxmin()]
    caption = f"The out-of-fold loss is lowest, {best['held_out_loss']:.4f}, at {step} {best[step]:.0f}."
    return figure(title, step, "log loss", series, caption)


def importance(contributions: pd.DataFrame) -> Figure:
    """Return the columns with the largest mean absolute contributions in the trees."""
    parts = contributions.drop(columns="image").abs().mean()
    of_trees = parts[[name for name in INPUT_NAMES if name in parts.index]]
    largest = of_trees[of_trees > 0].sort_values(ascending=False, kind="stable")[:N_IMPORTANT]
    rows = [[described(str(name)), float(f"{value:.4g}")] for name, value in largest.items()]
    caption = (
        "Mean absolute contribution of each column in the trees to the log-odds of the validation skies. The log "
        f"evidence before any tree contributes {parts.get(START, np.nan):.2f}."
    )
    return {"title": "Importance of the columns", "rows": rows, "caption": caption}


def described(name: str) -> str:
    """Return the description of a column of contributions, such as that of a feature."""
    return "limit of the calibration" if name == CUT else meaning(name)


def template_profile(template: LensTemplate) -> Figure:
    """Return the mean tangential shear of the lens template about a lens, and the measured one."""
    mean = template.weights.sum(axis=1) @ template.shear_profile
    series = [line("profile in use", template.nodes, mean)]
    if template.bin_radii.size:
        shear, error = template.bin_shear, template.bin_errors
        points = line("measured", template.bin_radii, shear, kind="points", low=shear - error, high=shear + error)
        series.append(points | {"color": "second"})
    caption = f"Fitted to the lenses of the training skies; the highest mean shear is {float(mean.max()):.2f}."
    return figure("Lens template", "distance from the lens, px", "reduced shear", series, caption)


def _highest(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the distinct values of ascending x, each with the highest of its y."""
    distinct, first = np.unique(x, return_index=True)
    return distinct, np.maximum.reduceat(y, first)


def headline(metrics: Mapping[str, Any], oracle: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics with their bounds and those of the oracle, as the page shows them; no unknown ones."""
    shown = []
    for key, name, kind, note in HEADLINE:
        value = metrics.get(key)
        if isinstance(value, int | float) and np.isfinite(value):
            low, high = (metrics.get(f"{key}_{end}") for end in ("lo", "hi"))
            bounds = _bounds(_text(low, kind), _text(high, kind))
            limit = _with_bounds(oracle, key, kind) if key in oracle else None
            shown.append({"name": name, "note": note, "value": _text(value, kind), "bounds": bounds, "oracle": limit})
    return shown


def _with_bounds(metrics: Mapping[str, Any], key: str, kind: str) -> tuple[str, str]:
    """Return a metric and its bounds as text."""
    value, low, high = (_text(metrics.get(f"{key}{end}"), kind) for end in ("", "_lo", "_hi"))
    return value, _bounds(low, high)


HEADLINE = (
    ("accuracy", "Accuracy", "percent", "skies with the right verdict"),
    ("auc", "AUC", "number", "area under the ROC curve"),
    ("recall_at_1pct_fpr", "Recall at 1 % FPR", "percent", "lenses found with 1 % false alarms"),
    ("log_loss", "Log loss", "number", "0 is perfect, 0.693 a coin"),
    ("brier", "Brier score", "number", "mean squared error of the probability"),
    ("median_offset_px", "Median offset", "pixels", "distance of best-fit and true position"),
    ("within_40px", f"Within {NEAR_PX:g} px", "percent", "lenses located so well"),
)
"""Metrics of the first screen: key, name, kind of number, meaning."""


def _text(value: Any, kind: str) -> str:
    if not isinstance(value, int | float) or not np.isfinite(value):
        return "unknown"
    return {"percent": f"{100 * value:.1f} %", "pixels": f"{value:.1f} px"}.get(kind, f"{value:.4f}")


def _bounds(low: str, high: str) -> str:
    """Return a range, with the unit once."""
    number, _, unit = low.partition(" ")
    return f"{number} to {high}" if unit and high.endswith(unit) else f"{low} to {high}"
