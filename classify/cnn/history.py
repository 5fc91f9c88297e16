"""History of the training of the networks: one line for each epoch, as CSV and as TensorBoard events."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from classify.metrics import accuracy, log_loss
from classify.trees.calibration import LIMIT
from darkmatter_features.io.labels import write_records

Array = NDArray[np.float64]

EVENTS = "tensorboard"
"""Name of the folder of TensorBoard's events in a run, with a folder for each network and one for their ensemble."""


@dataclass(frozen=True)
class EpochLine:
    """Losses and accuracies of the networks after an epoch, a pass over the training skies.

    Attributes
    ----------
    epoch : int
        Number of epochs so far.
    training_loss, training_accuracy : float
        Log loss and accuracy on the skies that a network trains on, during the epoch; mean over the networks.
    held_out_loss, held_out_accuracy : float
        Out of fold: on each training sky by the network that left it out; nan in an epoch without an evaluation, or if
        a network has diverged. The loss decides when training stops.
    validation_loss, validation_accuracy : float
        On the validation skies by the mean of all networks; nan if none of them is labelled, or without an evaluation.
    networks : tuple of tuple of float
        The same six figures for each network; out of fold, on the skies that it left out.
    """

    epoch: int
    training_loss: float
    training_accuracy: float
    held_out_loss: float
    held_out_accuracy: float
    validation_loss: float
    validation_accuracy: float
    networks: tuple[tuple[float, ...], ...] = field(default=(), kw_only=True)

    @property
    def is_evaluated(self) -> bool:
        """Whether the networks were evaluated after the epoch and had not diverged."""
        return not np.isnan(self.held_out_loss)

    @property
    def figures(self) -> tuple[float, ...]:
        """Losses and accuracies, in the order of `FIGURES`."""
        return tuple(getattr(self, name) for name in FIGURES)

    @classmethod
    def of_json(cls, values: Sequence[Any]) -> Self:
        """Return the line for the list that `dataclasses.astuple` and JSON make of it."""
        *own, networks = values
        return cls(*own, networks=tuple(tuple(each) for each in networks))


FIGURES = tuple(each.name for each in fields(EpochLine) if each.type is float)
"""Names of the losses and accuracies of a line."""


def line_of(
    epoch: int,
    trained: Sequence[tuple[float, float]],
    labels: Array,
    held_out: Array | None,
    fold: NDArray[np.int64],
    validation_labels: Array,
    validation_log_odds: Array | None,
) -> EpochLine:
    """Return the line of an epoch.

    Parameters
    ----------
    epoch : int
        Number of the epoch, from 1.
    trained : (n_networks,) sequence of (float, float)
        Log loss and accuracy of each network during the epoch.
    labels, held_out, fold : (n,) arrays
        Labels of the training skies, their log-odds by the network that left them out (None without an evaluation), and
        its index.
    validation_labels : (m,) float64 array
        Labels of the validation skies; nan for unknown.
    validation_log_odds : (n_networks, m) float64 array
        Log-odds of the validation skies by each network; None without an evaluation.
    """
    if held_out is None or validation_log_odds is None:
        unknown = (float("nan"),) * (len(FIGURES) - 2)
        means: list[float] = [*np.mean(trained, axis=0).tolist(), *unknown]
        return EpochLine(epoch, *means, networks=tuple((*own, *unknown) for own in trained))
    known = np.isfinite(validation_labels)
    y, log_odds = validation_labels[known], validation_log_odds[:, known]
    networks = tuple(
        (*own, *_loss_and_accuracy(labels[fold == k], held_out[fold == k]), *_loss_and_accuracy(y, log_odds[k]))
        for k, own in enumerate(trained)
    )
    ensemble = _loss_and_accuracy(y, validation_log_odds.mean(axis=0)[known])
    figures = np.array([*np.mean(trained, axis=0), *_loss_and_accuracy(labels, held_out), *ensemble]).tolist()
    return EpochLine(epoch, *figures, networks=networks)


def _loss_and_accuracy(labels: Array, log_odds: Array) -> tuple[float, float]:
    """Return log loss and accuracy; nan for networks that diverged, whose log-odds are no numbers."""
    if np.isnan(log_odds).any():
        return float("nan"), float("nan")
    probability = expit(np.clip(log_odds, -LIMIT, LIMIT))
    return log_loss(labels, probability), accuracy(labels, probability)


class HistoryWriter:
    """Writer of ``history.csv``, complete after each line, and of TensorBoard's events if it is installed.

    A context manager: its start removes the events of an earlier training, its end closes the files. A resumed training
    writes the lines of its checkpoint again.

    Parameters
    ----------
    folder : Path
        Folder of ``history.csv``.
    events : Path
        Folder of TensorBoard's events.
    report : callable, optional
        Called with each line after it is written.
    """

    def __init__(self, folder: Path, events: Path, report: Callable[[EpochLine], None] | None = None) -> None:
        self._folder, self._events, self._report = folder, events, report
        self._lines: list[EpochLine] = []
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        shutil.rmtree(self._events, ignore_errors=True)
        return self

    def __exit__(self, *raised: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def __call__(self, line: EpochLine) -> None:
        """Append a line."""
        self._lines.append(line)
        rows = ([str(each.epoch), *map(_decimal, each.figures)] for each in self._lines)
        write_records(self._folder / "history.csv", ("epoch", *FIGURES), rows)
        if find_spec("tensorboard") is not None:
            self._write_events(line)
        if self._report is not None:
            self._report(line)

    def _write_events(self, line: EpochLine) -> None:
        of_networks = {f"network-{k}": figures for k, figures in enumerate(line.networks, start=1)}
        for name, figures in {"all": line.figures, **of_networks}.items():
            writer = self._writer(name)
            for column, value in zip(FIGURES, figures, strict=True):
                split, figure = column.rsplit("_", 1)
                if not np.isnan(value):
                    writer.add_scalar(f"{figure}/{split}", value, line.epoch)
            writer.flush()

    def _writer(self, name: str) -> Any:
        """Return the writer of a folder: one file for the whole training."""
        if name not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            make: Any = SummaryWriter
            self._writers[name] = make(log_dir=str(self._events / name))
        return self._writers[name]


def _decimal(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
