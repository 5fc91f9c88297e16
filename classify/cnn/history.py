"""How the training of the networks goes, pass by pass."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from classify.calibration import LIMIT
from classify.metrics import accuracy, log_loss
from darkmatter_features.table import written_whole

Array = NDArray[np.float64]

EVENTS = "events.out.tfevents.*"
"""The files that TensorBoard reads."""


@dataclass(frozen=True)
class EpochLine:
    """Where the networks stand after some passes over the training skies.

    Attributes
    ----------
    epoch : int
        Passes so far.
    training_loss, training_accuracy : float
        Log loss and accuracy on the skies that a network learns from, while it does; their mean.
    held_out_loss, held_out_accuracy : float
        On each training sky by the network that left it out; the loss decides when to stop.
    validation_loss, validation_accuracy : float
        Of the mean of all networks; nan without labelled validation skies.
    """

    epoch: int
    training_loss: float
    training_accuracy: float
    held_out_loss: float
    held_out_accuracy: float
    validation_loss: float
    validation_accuracy: float


def line_of(
    epoch: int, learnt: Sequence[tuple[float, float]], labels: Array, held_out: Array, others: Array, told: Array
) -> EpochLine:
    """Return the line of a pass, of what each network learnt at and of the log-odds told."""
    known = np.isfinite(others)
    figures = [*np.mean(learnt, axis=0), *_figures(labels, held_out), *_figures(others[known], told[known])]
    return EpochLine(epoch, *(float(value) for value in figures))


def _figures(labels: Array, log_odds: Array) -> tuple[float, float]:
    probability = expit(np.clip(log_odds, -LIMIT, LIMIT))
    return log_loss(labels, probability), accuracy(labels, probability)


class HistoryWriter:
    """Writes each line to ``history.csv``, whole at every moment, and to TensorBoard's events where it is installed.

    Events of an earlier training are taken away: those that one goes on with are told again.
    """

    def __init__(self, folder: Path, report: Callable[[EpochLine], None] | None = None) -> None:
        self._folder, self._report = folder, report
        self._lines: list[EpochLine] = []
        for events in folder.glob(EVENTS):
            events.unlink()

    def __call__(self, line: EpochLine) -> None:
        """Take a line."""
        self._lines.append(line)
        with (
            written_whole(self._folder / "history.csv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(each.name for each in fields(EpochLine))
            writer.writerows(_told(each) for each in self._lines)
        _write_events(self._folder, line)
        if self._report is not None:
            self._report(line)


def _told(line: EpochLine) -> list[str]:
    epoch, *values = astuple(line)
    return [str(epoch), *("" if np.isnan(value) else f"{value:.6f}" for value in values)]


def _write_events(folder: Path, line: EpochLine) -> None:
    if find_spec("tensorboard") is None:
        return
    from torch.utils.tensorboard import SummaryWriter

    make: Any = SummaryWriter
    with make(log_dir=str(folder)) as events:
        for each in fields(EpochLine)[1:]:
            kind, figure = each.name.rsplit("_", 1)
            events.add_scalar(f"{figure}/{kind}", getattr(line, each.name), line.epoch)
