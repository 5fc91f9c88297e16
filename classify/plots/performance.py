"""Curves of how a model does: ROC, reliability, and the losses over the rounds of training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from classify.metrics import auc, roc_curve
from classify.plots.samples import INK, blank_figure
from classify.trees.boosting import HistoryLine

LINE, PALE, SECOND = "#20639b", "#d7e3ee", "#d1722f"
N_BINS = 10
"""Of probability, for reliability."""


def performance(judged: pd.DataFrame, history: Sequence[HistoryLine]) -> Figure:
    """Draw the ROC curve, the reliability of the probability, and the losses over the rounds of training.

    Parameters
    ----------
    judged : pandas.DataFrame
        Verdicts beside the truth; rows without a label are left out.
    history : sequence of HistoryLine
        Of the training.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labelled = judged[judged["label"].notna()]
    labels, probabilities = (labelled[name].to_numpy(dtype=np.float64) for name in ("label", "probability"))
    figure = blank_figure(11.0, 3.9)
    panels = figure.subplots(1, 3, gridspec_kw={
        "left": 0.055, "right": 0.985, "bottom": 0.14, "top": 0.9, "wspace": 0.24,
    })  # fmt: skip
    roc(labels, probabilities, axes=panels[0])
    reliability(labels, probabilities, axes=panels[1])
    losses(history, axes=panels[2])
    return figure


def roc(labels: NDArray[Any], probabilities: NDArray[Any], *, axes: Axes) -> Axes:
    """Draw the ROC curve of labels ``(n,)`` and probabilities ``(n,)``, and return the axes."""
    rate, recall = roc_curve(labels, probabilities)
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle="--")
    axes.plot(rate, recall, color=LINE, linewidth=1.8, drawstyle="steps-post", clip_on=False)
    axes.text(0.96, 0.06, f"AUC {auc(labels, probabilities):.4f}", ha="right", color=LINE, weight="bold")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="false alarm rate", ylabel="recall", title="Receiver operating curve")
    return plain(axes)


def reliability(labels: NDArray[Any], probabilities: NDArray[Any], *, axes: Axes) -> Axes:
    """Draw the share of lenses among skies of like probability, with binomial errors, and return the axes."""
    bins = np.minimum((probabilities * N_BINS).astype(np.int64), N_BINS - 1)
    count = np.bincount(bins, minlength=N_BINS)
    filled = count > 0
    mean, share = (np.bincount(bins, v, N_BINS)[filled] / count[filled] for v in (probabilities, labels))
    # Laplace's rule keeps the error of a bin that is all of one kind from being nothing.
    smooth = (share * count[filled] + 1) / (count[filled] + 2)
    error = np.sqrt(smooth * (1 - smooth) / count[filled])
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle="--")
    axes.bar(
        (np.arange(N_BINS) + 0.5) / N_BINS,
        count / max(count.max(), 1),
        width=0.9 / N_BINS,
        color=PALE,
        zorder=0,
    )
    error = np.stack([np.minimum(error, share), np.minimum(error, 1 - share)])
    axes.errorbar(mean, share, error, fmt="o", color=LINE, markersize=4.5, linewidth=1.2, clip_on=False)
    axes.text(0.5, 0.93, f"bars: skies, of {labels.size}", ha="center", color="0.45", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability told", ylabel="share of lenses", title="Reliability")
    return plain(axes)


def losses(history: Sequence[HistoryLine], *, axes: Axes) -> Axes:
    """Draw the losses over the rounds, mark the round that was kept, and return the axes."""
    rounds = [line.round for line in history]
    for name, told, color in (
        ("training_loss", "training", "0.6"),
        ("held_out_loss", "out of fold", LINE),
        ("validation_log_loss", "validation", SECOND),
    ):
        axes.plot(rounds, [getattr(line, name) for line in history], color=color, linewidth=1.6, label=told)
    best = min(history, key=lambda line: line.held_out_loss)
    axes.axvline(best.round, color="0.75", linewidth=0.8, linestyle="--", label=f"kept: {best.round} rounds")
    axes.set(xlabel="round", ylabel="log loss", title="Training")
    axes.set_ylim(bottom=0)
    axes.legend(facecolor="white", edgecolor="none", framealpha=1.0, fontsize=8)
    return plain(axes)


def plain(axes: Axes) -> Axes:
    """Give axes the look of the house, and return them."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.title.set(fontsize=10, weight="bold", color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    axes.xaxis.label.set(fontsize=9, color=INK)
    axes.yaxis.label.set(fontsize=9, color=INK)
    return axes
