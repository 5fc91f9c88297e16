"""Figure of the performance of a model: ROC curve, reliability, and the losses in training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from classify.metrics import auc, roc_curve
from classify.trees.boosting import HistoryLine
from darkmatter_features.plots.page import blank_page, in_style

LINE = "#20639b"
"""Colour of the main curve."""
PALE = "#d7e3ee"
"""Colour of bands and bars behind it."""
SECOND = "#d1722f"
"""Colour of a second curve."""
N_BINS = 10
"""Bins of the predicted probability, for reliability."""


@in_style("light")
def performance(judged: pd.DataFrame, history: Sequence[HistoryLine]) -> Figure:
    """Return a figure of the ROC curve, the reliability of the probabilities, and the losses in training.

    Parameters
    ----------
    judged : pandas.DataFrame
        Verdicts with the truth, one row a sky; rows without a label are left out.
    history : sequence of HistoryLine
        History of the training.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labelled = judged[judged["label"].notna()]
    labels, probabilities = (labelled[name].to_numpy(dtype=np.float64) for name in ("label", "probability"))
    figure = blank_page(11.0, 3.9)
    panels = figure.subplots(1, 3)
    roc(labels, probabilities, axes=panels[0])
    reliability(labels, probabilities, axes=panels[1])
    losses(history, axes=panels[2])
    return figure


def roc(labels: NDArray[Any], probabilities: NDArray[Any], *, axes: Axes) -> Axes:
    """Draw the ROC curve of labels ``(n,)`` and predicted probabilities ``(n,)``, and return the axes."""
    false_positive_rate, recall = roc_curve(labels, probabilities)
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle="--")
    axes.step(false_positive_rate, recall, where="post", color=LINE, clip_on=False, zorder=3)  # in front of the frame
    axes.text(0.96, 0.06, f"AUC {auc(labels, probabilities):.4f}", ha="right", color=LINE, weight="bold")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="true positive rate", title="ROC curve")
    return axes


def reliability(labels: NDArray[Any], probabilities: NDArray[Any], *, axes: Axes) -> Axes:
    """Draw the fraction of lenses in bins of the predicted probability, with binomial errors, and return the axes.

    Parameters
    ----------
    labels, probabilities : (n,) arrays
        Labels, and predicted probabilities of a lens.
    axes : matplotlib.axes.Axes
        Axes to draw on.

    Notes
    -----
    The error of the fraction p of N skies is sqrt(p (1 - p) / N), with p by Laplace's rule of succession, so that a
    bin of one class has an error above 0.
    """
    bins = np.minimum((probabilities * N_BINS).astype(np.int64), N_BINS - 1)
    count = np.bincount(bins, minlength=N_BINS)
    filled = count > 0
    mean, fraction = (np.bincount(bins, v, N_BINS)[filled] / count[filled] for v in (probabilities, labels))
    smooth = (fraction * count[filled] + 1) / (count[filled] + 2)
    error = np.sqrt(smooth * (1 - smooth) / count[filled])
    error = np.stack([np.minimum(error, fraction), np.minimum(error, 1 - fraction)])
    centres = (np.arange(N_BINS) + 0.5) / N_BINS
    axes.bar(centres, count / max(count.max(), 1), width=0.9 / N_BINS, color=PALE, zorder=0)
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle="--")
    if mean.size:  # without a point, the layout would count one in the corner of the page
        style: dict[str, Any] = {"color": LINE, "markersize": 4.5, "linewidth": 1.2, "clip_on": False, "zorder": 3}
        axes.errorbar(mean, fraction, error, fmt="o", **style)
    xlabel = f"predicted probability (bars: {labels.size} skies)"
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=xlabel, ylabel="fraction of lenses", title="Reliability")
    return axes


def losses(history: Sequence[HistoryLine], *, axes: Axes) -> Axes:
    """Draw the losses over the rounds of training, mark the best round, and return the axes."""
    rounds = [line.round for line in history]
    for name, label, color in (
        ("training_loss", "training", "0.6"),
        ("held_out_loss", "out of fold", LINE),
        ("validation_log_loss", "validation", SECOND),
    ):
        axes.plot(rounds, [getattr(line, name) for line in history], color=color, label=label)
    best = min(history, key=lambda line: line.held_out_loss)
    axes.axvline(best.round, color="0.75", linewidth=0.8, linestyle="--", label=f"kept: {best.round} rounds")
    axes.set(xlabel="round", ylabel="log loss", title="Training")
    axes.set_ylim(bottom=0)
    axes.legend()
    return axes
