"""One network in training: its data, its optimiser, and its epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.cnn.batch import Batch, mirrored
from classify.cnn.config import CnnConfig
from classify.cnn.device import mixed, upload
from classify.cnn.inputs import FieldInput
from classify.cnn.losses import loss_of
from classify.cnn.network import LensNet, log_odds_of, skies_per_batch
from classify.cnn.weights import optimiser_tensors, restore_optimiser

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WARM_UP = 0.2
"""Fraction of the steps in which the learning rate rises."""
FIRST_RATE = 0.01
"""Learning rate of the first step, in units of the highest."""
MAX_GRADIENT_NORM = 5.0
"""Norm to which longer gradients are clipped."""
MIN_SCALAR_STD = 1e-3
"""Lower bound of the standard deviation that scalars are divided by."""


@dataclass(frozen=True)
class Skies:
    """n skies with their labels.

    Attributes
    ----------
    inputs : (n,) sequence of FieldInput
        Inputs of the network.
    labels : (n,) float64 array
        1 for a lens, 0 for none, nan for unknown.
    lens_rows, lens_columns : (n,) float64 arrays, pixels
        Position of the lens; nan without a lens, or if its position is unknown.
    """

    inputs: Sequence[FieldInput]
    labels: Array
    lens_rows: Array
    lens_columns: Array

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, chosen: Index) -> Batch:
        """Return the batch of the skies with these indices."""
        inputs = [self.inputs[i] for i in chosen]
        lenses = [self.inputs[i].in_cells(self.lens_rows[i], self.lens_columns[i]) for i in chosen]
        return Batch.of(inputs, lenses)


class Member:
    """One network with its optimiser.

    Parameters
    ----------
    skies : Skies
        All training skies.
    own : (m,) int64 array
        Indices of those that the network trains on.
    profile : (n_nodes,) float64 array
        Mean shear about a lens, at nodes 4 px apart.
    number : int
        Index of the network, part of its seed.
    config : CnnConfig
        Settings of the networks.
    device : torch.device
        Device that runs the network.
    """

    def __init__(
        self, skies: Skies, own: Index, profile: Array, number: int, config: CnnConfig, device: torch.device
    ) -> None:
        self.skies, self.own, self.number, self.config, self.device = skies, own, number, config, device
        self.profile = torch.tensor(profile, dtype=torch.float32, device=device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed * 1000 + number)
            network = LensNet(config)
        scalars = np.concatenate([skies.inputs[i].scalars for i in own], axis=1)
        network.galaxies.scalar_mean.copy_(torch.from_numpy(scalars.mean(axis=1)))
        network.galaxies.scalar_std.copy_(torch.from_numpy(np.maximum(scalars.std(axis=1), MIN_SCALAR_STD)))
        self.network = network.to(device)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )  # fmt: skip

    def train_epoch(self, epoch: int) -> tuple[float, float]:
        """Train on all own skies once, each batch in one of the eight symmetries; return log loss and accuracy."""
        self.network.train()
        rng = np.random.default_rng([self.config.seed, self.number, epoch])
        order, size = rng.permutation(self.own), self.config.batch_size
        starts = range(0, len(order), size)
        results, sizes = [], np.diff([*starts, len(order)])
        for step, start in enumerate(starts):
            self._set_rate((epoch + step / len(starts)) / self.config.epochs)
            results.append(self._step(order[start : start + size], rng.integers(0, 2, 3).astype(bool)))
        losses, n_correct = torch.stack(results).cpu().double().numpy().T
        return float(losses @ sizes / len(order)), float(n_correct.sum() / len(order))

    def _set_rate(self, done: float) -> None:
        """Set the learning rate for a fraction of the training: linear warm-up, then a cosine to 0."""
        rising, falling = done / WARM_UP, (1.0 + cos(pi * max(done - WARM_UP, 0.0) / (1.0 - WARM_UP))) / 2.0
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * min(rising + FIRST_RATE, 1.0) * falling

    def _step(self, chosen: Index, mirrors: NDArray[np.bool_]) -> Tensor:
        """Take a step of the optimiser; return the mean log loss and the number of correct labels, (2,).

        They stay on the device: a GPU is not waited for.
        """
        swap, flip_x, flip_y = mirrors.tolist()
        batch = mirrored(self.skies.batch(chosen).to(self.device), swap=swap, flip_x=flip_x, flip_y=flip_y)
        labels = upload(torch.tensor(self.skies.labels[chosen], dtype=torch.float32), self.device)
        with mixed(self.device):
            outputs = self.network(batch)
        loss, label_loss = loss_of(outputs, batch, labels, self.profile, self.config)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
        self.optimiser.step()
        n_correct = ((outputs[0] > 0) == (labels > 0.5)).sum()
        return torch.stack([label_loss.detach(), n_correct.float()])

    def log_odds(self, skies: Skies, chosen: Index) -> Array:
        """Return the log-odds of the skies with these indices."""
        size = skies_per_batch(self.device)
        parts = (chosen[start : start + size] for start in range(0, len(chosen), size))
        batches = (skies.batch(part).to(self.device) for part in parts)
        return np.asarray(log_odds_of([self.network], batches, self.device)[0])

    def state(self) -> dict[str, Tensor]:
        """Return weights and optimiser, as tensors by name."""
        weights = {f"network/{name}": value.detach().cpu() for name, value in self.network.state_dict().items()}
        optimiser = optimiser_tensors(self.network, self.optimiser)
        return {**weights, **{f"optimiser/{name}": value for name, value in optimiser.items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore weights and optimiser from the tensors of `state`."""
        weights, optimiser = (
            {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            for prefix in ("network/", "optimiser/")
        )
        self.network.load_state_dict(weights)
        restore_optimiser(self.network, self.optimiser, optimiser)
