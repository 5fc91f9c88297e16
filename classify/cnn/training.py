"""Training of the networks: each leaves out one fold of the skies, and all advance from evaluation to evaluation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from classify.cnn.checkpoint import Best, Checkpoint
from classify.cnn.config import CnnConfig
from classify.cnn.device import best_device, one_thread
from classify.cnn.history import EpochLine, line_of
from classify.cnn.member import Member, Skies
from classify.cnn.resident import resident
from classify.cnn.weights import to_bytes
from classify.trees.boosting import folds
from darkmatter_features.errors import TrainingError

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Trained = Future[tuple[float, float]]
"""Log loss and accuracy of a network during an epoch, when it is done."""

FOLD_STREAM = 7
"""Second word of the seed from which the folds are drawn."""


@dataclass(frozen=True)
class Networks:
    """Trained networks.

    Attributes
    ----------
    members : tuple of bytes
        Weights of each network after the best epoch.
    fold : (n,) int64 array
        Index of the network that left out each training sky.
    held_out : (n,) float64 array
        Log-odds of each training sky by that network.
    best_epoch : int
        Epoch with the lowest out-of-fold loss of those evaluated.
    history : tuple of EpochLine
        One line for each epoch.
    """

    members: tuple[bytes, ...]
    fold: Index
    held_out: Array
    best_epoch: int
    history: tuple[EpochLine, ...]


def train_networks(
    skies: Skies,
    validation: Skies,
    profile: Array,
    *,
    config: CnnConfig | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Callable[[EpochLine], None] | None = None,
    device: torch.device | None = None,
) -> Networks:
    """Train the networks.

    Parameters
    ----------
    skies : Skies
        Labelled skies of the training split.
    validation : Skies
        Skies of the validation split, for the history alone; may be empty.
    profile : (n_nodes,) float64 array
        Mean shear about a lens, at nodes 4 px apart.
    config : CnnConfig, optional
        Settings of the stage.
    checkpoint : Path, optional
        Folder in which the state is stored after each evaluation.
    resume : bool
        Resume from the stored state, if there is one.
    report : callable, optional
        Called with each line of the history, those of a resumed training included.
    device : torch.device, optional
        Device that runs the networks; the fastest available one by default.

    Raises
    ------
    TrainingError
        If the networks diverge: their loss was a number after no epoch.

    Notes
    -----
    On the processor the same skies, settings and seed give the same weights, on any number of cores and whether the
    training was stopped and resumed or not, because each epoch has a seed of its own. On a GPU sums over galaxies are
    added in any order, and two trainings differ by the rounding of bfloat16.
    """
    trainer = EnsembleTrainer(skies, validation, profile, config or CnnConfig(), checkpoint, resume, device)
    emit = report or (lambda line: None)
    for line in trainer.history:  # of the resumed training
        emit(line)
    with one_thread():
        while not trainer.is_done:
            for line in trainer.advance():
                emit(line)
    return trainer.result()


@dataclass
class EnsembleTrainer:
    """Networks that advance together until the out-of-fold loss stops falling.

    Attributes
    ----------
    skies, validation : Skies
        Labelled training skies, and the validation skies for the history.
    profile : (n_nodes,) float64 array
        Mean shear about a lens, at nodes 4 px apart.
    config : CnnConfig
        Settings of the stage.
    checkpoint : Path or None
        Folder in which the state is stored; None stores nothing.
    resume : bool
        Resume from the stored state, if there is one.
    device : torch.device or None
        Device that runs the networks; None for the fastest available one.
    history : list of EpochLine
        One line for each epoch so far.
    """

    skies: Skies
    validation: Skies
    profile: Array
    config: CnnConfig
    checkpoint: Path | None
    resume: bool
    device: torch.device | None = None
    history: list[EpochLine] = field(default_factory=list)

    def __post_init__(self) -> None:
        n, n_folds = len(self.skies), self.config.n_folds
        self.fold = folds(self.skies.labels, n_folds, rng=np.random.default_rng([self.config.seed, FOLD_STREAM]))
        device = self.device or best_device()
        self.skies, self.validation = resident(self.skies, device), resident(self.validation, device)
        self.members = [
            Member(self.skies, np.flatnonzero(self.fold != k), self.profile, k, self.config, device)
            for k in range(n_folds)
        ]
        self.store = Checkpoint(self.checkpoint, self._key())
        self.best: Best = (), np.zeros(n)
        if self.resume and (state := self.store.read()) is not None:
            self.history, states, self.best = state
            for member, own in zip(self.members, states, strict=True):
                member.restore(own)
        # Side by side on CUDA too: measured on an H200, an epoch takes 0.7 of the time of networks one after another.
        self.workers = 1 if device.type == "mps" else min(n_folds, cpu_count() or 1)
        # On a GPU `single` switches TF32 off for the whole process, so there the networks infer one after another.
        self.infers_in_turn = device.type != "cpu"

    def _key(self) -> dict[str, object]:
        """Return the identity of the training, for the checkpoint."""
        return {
            "config": self.config.to_dict(),
            "n_skies": len(self.skies),
            "n_galaxies": int(sum(len(each) for each in self.skies.inputs)),
            "evidence": float(np.sum([each.maps.sum(dtype=np.float64) for each in self.skies.inputs])),
        }

    @property
    def best_epoch(self) -> int:
        """Epoch with the lowest out-of-fold loss so far; 0 before the first."""
        evaluated = [line for line in self.history if line.is_evaluated]
        return min(evaluated, key=lambda line: line.held_out_loss).epoch if evaluated else 0

    @property
    def is_done(self) -> bool:
        """Whether all epochs are done, or `patience` epochs have passed since the best one."""
        done = len(self.history)
        return done >= self.config.epochs or done - self.best_epoch >= self.config.patience

    def advance(self) -> Iterator[EpochLine]:
        """Train every network up to the next evaluation and yield the line of each epoch.

        The state is stored before the last line, which alone has the figures of the evaluation.
        """
        first, every = len(self.history), self.config.evaluate_every
        epochs = range(first, min(first - first % every + every, self.config.epochs))
        # A new thread takes over the limit of `one_thread` when PyTorch is first used in it.
        with ThreadPoolExecutor(self.workers, initializer=torch.get_num_threads) as pool:
            try:
                *before, last = self._trained(pool, epochs)
                for epoch, trained in zip(epochs, before):
                    yield self._add(epoch, [each.result() for each in trained])
                results = [each.result() for each in last]
                line = self._add(epochs[-1], results, *self._log_odds(map if self.infers_in_turn else pool.map))
            finally:
                pool.shutdown(cancel_futures=True)
        self.store.write(self.history, [member.state() for member in self.members], self.best)
        yield line

    def _trained(self, pool: ThreadPoolExecutor, epochs: Iterable[int]) -> list[list[Trained]]:
        """Return loss and accuracy of each network in each epoch, as they will be.

        A network does not wait for the others: three networks on two cores keep both busy.
        """
        trained: list[list[Trained]] = []
        for epoch in epochs:
            earlier = trained[-1] if trained else [None] * len(self.members)
            trained.append([
                pool.submit(_train_after, own, member, epoch) for own, member in zip(earlier, self.members, strict=True)
            ])  # fmt: skip
        return trained

    def _add(
        self, epoch: int, trained: Sequence[tuple[float, float]], held_out: Array | None = None,
        others: Array | None = None,
    ) -> EpochLine:  # fmt: skip
        """Add the line of an epoch to the history, and keep the networks if they are the best."""
        line = line_of(epoch + 1, trained, self.skies.labels, held_out, self.fold, self.validation.labels, others)
        self.history.append(line)
        if held_out is not None and self.best_epoch == line.epoch:
            self.best = tuple(to_bytes(member.network) for member in self.members), held_out
        return line

    def _log_odds(self, over: Callable[..., Iterator[Array]]) -> tuple[Array, Array]:
        """Return the log-odds (n,) of the training skies out of fold, and (n_networks, m) of the validation skies."""
        left_out = [np.flatnonzero(self.fold == k) for k in range(len(self.members))]
        every = np.arange(len(self.validation))
        own = over(lambda m, i: m.log_odds(self.skies, i), self.members, left_out)
        others = over(lambda m: m.log_odds(self.validation, every), self.members)
        held_out = np.zeros(len(self.skies))
        for chosen, log_odds in zip(left_out, own, strict=True):
            held_out[chosen] = log_odds
        return held_out, np.array(list(others))

    def result(self) -> Networks:
        """Return the networks after the best epoch.

        Raises
        ------
        TrainingError
            If the loss was a number after no epoch.
        """
        members, held_out = self.best
        if not members:
            raise TrainingError(
                f"[cnn] learning_rate {self.config.learning_rate}: the out-of-fold log loss of the networks is not a "
                f"number after {len(self.history)} epochs; lower it, or use --cnn off"
            )
        return Networks(members, self.fold, held_out, self.best_epoch, tuple(self.history))


def _train_after(earlier: Trained | None, member: Member, epoch: int) -> tuple[float, float]:
    """Train a network for an epoch, once its epoch before is done."""
    if earlier is not None:
        earlier.result()
    return member.train_epoch(epoch)
