"""Training: networks that each leave out another part of the skies, advanced together pass by pass."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import cos, pi
from os import cpu_count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.cnn.batch import Batch, turned
from classify.cnn.checkpoint import Checkpoint
from classify.cnn.config import CnnConfig
from classify.cnn.device import best_device, mixed, one_thread
from classify.cnn.history import EpochLine, line_of
from classify.cnn.inputs import FieldInput
from classify.cnn.losses import loss_of
from classify.cnn.network import LensNet
from classify.cnn.weights import optimiser_tensors, restore_optimiser, to_bytes
from classify.trees.boosting import folds

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""
LONGEST_STEP = 5.0
"""Gradients are cut to this length."""
JUDGED_AT_ONCE = 24
"""Skies."""


@dataclass(frozen=True)
class Skies:
    """n skies to learn from or to judge.

    Attributes
    ----------
    inputs : (n,) sequence of FieldInput
        What the network sees.
    labels : (n,) float64 array
        1 for a lens, 0 for none, nan for unknown.
    lens_rows, lens_columns : (n,) float64 arrays, pixels
        Where the lens is; nan where there is none or its place is unknown.
    """

    inputs: Sequence[FieldInput]
    labels: Array
    lens_rows: Array
    lens_columns: Array

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, chosen: Index) -> Batch:
        """Return some of them side by side."""
        inputs = [self.inputs[i] for i in chosen]
        lenses = [
            ((self.lens_columns[i] + 0.5) / self.inputs[i].cell, (self.lens_rows[i] + 0.5) / self.inputs[i].cell)
            for i in chosen
        ]
        return Batch.of(inputs, lenses)


@dataclass(frozen=True)
class Networks:
    """Trained networks.

    Attributes
    ----------
    members : tuple of bytes
        Their weights after the best pass.
    part : (n,) int64 array
        Which of them left out each training sky.
    held_out : (n,) float64 array
        Log-odds of each training sky by the one that left it out.
    best_epoch : int
        The pass after which the out-of-fold loss was lowest.
    history : tuple of EpochLine
        One for each pass.
    """

    members: tuple[bytes, ...]
    part: Index
    held_out: Array
    best_epoch: int
    history: tuple[EpochLine, ...]


def train_networks(
    skies: Skies,
    others: Skies,
    profile: Array,
    *,
    config: CnnConfig | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Callable[[EpochLine], None] | None = None,
) -> Networks:
    """Train the networks.

    Parameters
    ----------
    skies : Skies
        Of the training split, labelled.
    others : Skies
        Of the validation split: reported on and nothing else; there may be none.
    profile : (n_nodes,) float64 array
        Mean shear about a lens, nodes 4 px apart.
    config : CnnConfig, optional
        The settings.
    checkpoint : Path, optional
        Folder where everything is kept after each pass.
    resume : bool
        Go on from there, if there is something.
    report : callable, optional
        Called with each line of the history as it is made.

    Notes
    -----
    On the processor the same skies, settings and seed give the same weights, on any number of cores and whether the
    training was stopped and resumed or not: each pass draws from a seed of its own.
    """
    race = EnsembleTrainer(skies, others, profile, config or CnnConfig(), checkpoint, resume)
    tell = report or (lambda line: None)
    for line in race.history:  # of the training that is gone on with
        tell(line)
    with one_thread():
        while race.goes_on:
            tell(race.advance())
    return race.result()


class _Member:
    """One network, its optimiser, and what it says of the skies it leaves out."""

    def __init__(self, skies: Skies, own: Index, profile: Array, number: int, config: CnnConfig, device: torch.device):
        self.skies, self.own, self.number, self.config, self.device = skies, own, number, config, device
        self.profile = torch.tensor(profile, dtype=torch.float32, device=device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed * 1000 + number)
            network = LensNet(config)
        scalars = np.concatenate([skies.inputs[i].scalars for i in own], axis=1)
        network.galaxies.middle.copy_(torch.from_numpy(scalars.mean(axis=1)))
        network.galaxies.spread.copy_(torch.from_numpy(np.maximum(scalars.std(axis=1), 1e-3)))
        self.network = network.to(device)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def learn(self, epoch: int) -> tuple[float, float]:
        """Go over the skies once, each batch in one of its eight symmetries; return log loss and accuracy."""
        self.network.train()
        rng = np.random.default_rng([self.config.seed, self.number, epoch])
        order, size = rng.permutation(self.own), self.config.batch_size
        n_steps, total = -(-len(order) // size), np.zeros(2)
        for step in range(n_steps):
            chosen = order[step * size : (step + 1) * size]
            self._set_rate((epoch + step / n_steps) / self.config.epochs)
            total += self._step(chosen, rng.integers(0, 2, 3).astype(bool))
        loss, n_right = total / len(order)
        return float(loss), float(n_right)

    def _set_rate(self, done: float) -> None:
        rising, falling = done / WARM_UP, (1.0 + cos(pi * max(done - WARM_UP, 0.0) / (1.0 - WARM_UP))) / 2.0
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * min(rising + 0.01, 1.0) * falling

    def _step(self, chosen: Index, mirrors: NDArray[np.bool_]) -> tuple[float, float]:
        swap, flip_x, flip_y = mirrors.tolist()
        batch = turned(self.skies.batch(chosen).to(self.device), swap=swap, flip_x=flip_x, flip_y=flip_y)
        labels = torch.tensor(self.skies.labels[chosen], dtype=torch.float32, device=self.device)
        with mixed(self.device):
            told = self.network(batch)
        cell = self.skies.inputs[chosen[0]].cell
        loss, of_labels = loss_of(told, batch, labels, self.profile, cell, self.config)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_STEP)
        self.optimiser.step()
        right = ((told[0] > 0) == (labels > 0.5)).sum()
        return of_labels.item() * len(chosen), float(right.item())

    def judge(self, skies: Skies, chosen: Index) -> Array:
        """Return the log-odds of some skies."""
        return log_odds_of(self.network, [skies.inputs[i] for i in chosen], self.device)

    def state(self) -> dict[str, Tensor]:
        """Return weights and optimiser, as tensors by name."""
        weights = {f"network/{name}": value.detach().cpu() for name, value in self.network.state_dict().items()}
        return {
            **weights,
            **{f"optimiser/{name}": t for name, t in optimiser_tensors(self.network, self.optimiser).items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        weights, optimiser = (
            {name.removeprefix(kind): value for name, value in state.items() if name.startswith(kind)}
            for kind in ("network/", "optimiser/")
        )
        self.network.load_state_dict(weights)
        restore_optimiser(self.network, self.optimiser, optimiser)


def log_odds_of(network: LensNet, inputs: Sequence[FieldInput], device: torch.device) -> Array:
    """Return what a network says of skies, (n,)."""
    network.eval()
    found = [np.empty(0)]
    with torch.no_grad(), mixed(device):
        for start in range(0, len(inputs), JUDGED_AT_ONCE):
            batch = Batch.of(inputs[start : start + JUDGED_AT_ONCE]).to(device)
            found.append(network(batch)[0].double().cpu().numpy())
    return np.concatenate(found)


@dataclass
class EnsembleTrainer:
    """Networks that advance together until the out-of-fold loss gets no better."""

    skies: Skies
    others: Skies
    profile: Array
    config: CnnConfig
    checkpoint: Path | None
    resume: bool
    history: list[EpochLine] = field(default_factory=list)

    def __post_init__(self) -> None:
        n, n_folds = len(self.skies), self.config.n_folds
        self.part = folds(self.skies.labels, n_folds, rng=np.random.default_rng([self.config.seed, 7]))
        device = best_device()
        self.members = [
            _Member(self.skies, np.flatnonzero(self.part != k), self.profile, k, self.config, device)
            for k in range(n_folds)
        ]
        self.kept = Checkpoint(self.checkpoint, self._key())
        self.best: tuple[tuple[bytes, ...], Array] = (), np.zeros(n)
        if self.resume and (found := self.kept.read()) is not None:
            self.history, states, self.best = found
            for member, state in zip(self.members, states, strict=True):
                member.restore(state)
        # Side by side on the processor; on a GPU one after another.
        self.workers = min(n_folds, cpu_count() or 1) if device.type == "cpu" else 1

    def _key(self) -> dict[str, object]:
        return {
            "config": self.config.to_dict(),
            "n_skies": len(self.skies),
            "n_galaxies": int(sum(len(each) for each in self.skies.inputs)),
            "evidence": float(np.sum([each.maps.sum(dtype=np.float64) for each in self.skies.inputs])),
        }

    @property
    def best_epoch(self) -> int:
        return min(self.history, key=lambda line: line.held_out_loss).epoch if self.history else 0

    @property
    def goes_on(self) -> bool:
        done = len(self.history)
        return done < self.config.epochs and done - self.best_epoch < self.config.patience

    def advance(self) -> EpochLine:
        """Take every network over its skies once, and look where that leads."""
        epoch = len(self.history)
        with ThreadPoolExecutor(self.workers) as pool:
            learnt = list(pool.map(lambda member: member.learn(epoch), self.members))
            held_out, told = self._judged(pool.map)
        line = line_of(epoch + 1, learnt, self.skies.labels, held_out, self.part, self.others.labels, told)
        self.history.append(line)
        if self.best_epoch == line.epoch:
            self.best = tuple(to_bytes(member.network) for member in self.members), held_out
        self.kept.write(self.history, [member.state() for member in self.members], self.best)
        return line

    def _judged(self, over: Callable[..., Iterator[Array]]) -> tuple[Array, Array]:
        """Return the log-odds (n,) of the skies left out, and those (n_networks, m) of the others."""
        left_out = [np.flatnonzero(self.part == k) for k in range(len(self.members))]
        held_out = np.zeros(len(self.skies))
        for chosen, own in zip(left_out, over(lambda m, i: m.judge(self.skies, i), self.members, left_out)):
            held_out[chosen] = own
        every = np.arange(len(self.others))
        return held_out, np.array(list(over(lambda m: m.judge(self.others, every), self.members)))

    def result(self) -> Networks:
        """Return the networks as they were after the best pass."""
        members, held_out = self.best
        return Networks(members, self.part, held_out, self.best_epoch, tuple(self.history))
