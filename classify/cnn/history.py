"""How the training of the networks goes, pass by pass."""

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
"""Folder in a run: what TensorBoard reads, a folder for each network and one for all together."""


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
    networks : tuple of tuple of float
        The same six figures of each network, out of fold on the skies that it left out.
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
    def figures(self) -> tuple[float, ...]:
        """Losses and accuracies, in the order of `FIGURES`."""
        return tuple(getattr(self, name) for name in FIGURES)

    @classmethod
    def of_json(cls, values: Sequence[Any]) -> Self:
        """Return the line that JSON kept as a list."""
        *own, networks = values
        return cls(*own, networks=tuple(tuple(each) for each in networks))


FIGURES = tuple(each.name for each in fields(EpochLine) if each.type is float)


def line_of(
    epoch: int,
    learnt: Sequence[tuple[float, float]],
    labels: Array,
    held_out: Array,
    part: NDArray[np.int64],
    others: Array,
    told: Array,
) -> EpochLine:
    """Return the line of a pass.

    Parameters
    ----------
    epoch : int
        Its number, from 1.
    learnt : sequence of (float, float)
        Log loss and accuracy of each network while it learnt.
    labels, held_out, part : (n,) arrays
        Of the training skies: labels, log-odds by the network that left them out, and which one that was.
    others : (m,) float64 array
        Labels of the validation skies; nan for unknown.
    told : (n_networks, m) float64 array
        Their log-odds by each network.
    """
    known = np.isfinite(others)
    networks = tuple(
        (*own, *_figures(labels[part == k], held_out[part == k]), *_figures(others[known], told[k, known]))
        for k, own in enumerate(learnt)
    )
    together = _figures(others[known], told.mean(axis=0)[known])
    figures = np.array([*np.mean(learnt, axis=0), *_figures(labels, held_out), *together]).tolist()
    return EpochLine(epoch, *figures, networks=networks)


def _figures(labels: Array, log_odds: Array) -> tuple[float, float]:
    probability = expit(np.clip(log_odds, -LIMIT, LIMIT))
    return log_loss(labels, probability), accuracy(labels, probability)


class HistoryWriter:
    """Writes each line to ``history.csv``, whole at every moment, and to TensorBoard's events where it is installed.

    A context: at its end the events are closed. Those of an earlier training are taken away at its start; those that
    one goes on with are told again.

    Parameters
    ----------
    folder : Path
        Of ``history.csv``.
    events : Path
        Of TensorBoard's events.
    report : callable, optional
        Called with each line when it is written.
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
        """Take a line."""
        self._lines.append(line)
        rows = ([str(each.epoch), *map(_told, each.figures)] for each in self._lines)
        write_records(self._folder / "history.csv", ("epoch", *FIGURES), rows)
        if find_spec("tensorboard") is not None:
            self._write_events(line)
        if self._report is not None:
            self._report(line)

    def _write_events(self, line: EpochLine) -> None:
        of_networks = {f"network-{k}": figures for k, figures in enumerate(line.networks, start=1)}
        for name, figures in {"all": line.figures, **of_networks}.items():
            writer = self._writer(name)
            for told, value in zip(FIGURES, figures):
                kind, figure = told.rsplit("_", 1)
                writer.add_scalar(f"{figure}/{kind}", value, line.epoch)
            writer.flush()

    def _writer(self, name: str) -> Any:
        """Return what writes to a folder: one file for the whole training."""
        if name not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            make: Any = SummaryWriter
            self._writers[name] = make(log_dir=str(self._events / name))
        return self._writers[name]


def _told(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
