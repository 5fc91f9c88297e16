"""The plain way: a ResNet-18 (He et al. 2016) on the picture shrunk to 64 px, from scratch."""

from collections.abc import Sequence
from itertools import pairwise
from math import cos, pi
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from classify.cnn.device import best_device
from darkmatter_features.io.sky import read_sky

Array = NDArray[np.float64]

SIDE = 64
EPOCHS, BATCH, RATE, WEIGHT_DECAY, SEED = 16, 32, 1e-3, 1e-2, 1


class Block(nn.Module):
    """Two convolutions and a way past them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, after, 3, stride)
        self.second = _convolution(after, after, 3, 1)
        changes = stride > 1 or before != after
        self.past = _convolution(before, after, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.past(x))


def _convolution(before: int, after: int, width: int, stride: int) -> nn.Sequential:
    kernel = nn.Conv2d(before, after, width, stride, padding=width // 2, bias=False)
    return nn.Sequential(kernel, nn.BatchNorm2d(after))


def resnet18() -> nn.Sequential:
    """Eight blocks, 11 million weights, one answer: log-odds."""
    stem = [_convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    widths = (64, 64, 128, 256, 512)
    pairs = [(Block(a, b, 2 if a != b else 1), Block(b, b, 1)) for a, b in pairwise(widths)]
    blocks = [block for pair in pairs for block in pair]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1))


def shrunk(paths: Sequence[Path], *, n_jobs: int) -> NDArray[np.float32]:
    """Pictures of SIDE px, each the mean of the pixels it stands for, (n, 3, SIDE, SIDE), about 0."""
    each = joblib.Parallel(n_jobs=n_jobs, batch_size=32)(joblib.delayed(_shrunk)(path) for path in paths)
    pictures = np.stack(list(each))
    return (pictures - pictures.mean(axis=(0, 2, 3), keepdims=True)) / pictures.std(axis=(0, 2, 3), keepdims=True)


def _shrunk(path: Path) -> NDArray[np.float32]:
    pixels = read_sky(path).pixels
    n_rows, n_columns = (side // SIDE for side in pixels.shape[:2])
    cells = pixels[: n_rows * SIDE, : n_columns * SIDE].reshape(SIDE, n_rows, SIDE, n_columns, -1)
    return cells.mean(axis=(1, 3)).transpose(2, 0, 1).astype(np.float32)


def judged_by_resnet(
    training: Sequence[Path], labels: Array, others: Sequence[Path], *, n_jobs: int, epochs: int = EPOCHS
) -> Array:
    """Train on labelled pictures, each time in one of its eight symmetries, and return log-odds of others."""
    torch.manual_seed(SEED)
    rng, device = np.random.default_rng(SEED), best_device()
    pictures, y = torch.from_numpy(shrunk(training, n_jobs=n_jobs)), torch.tensor(labels, dtype=torch.float32)
    network = resnet18().to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    for epoch in range(epochs):
        loss = _learn(network, optimiser, pictures, y, epoch / epochs, rng, device)
        print(f"ResNet-18, pass {epoch + 1} of {epochs}: training log loss {loss:.4f}", flush=True)
    network.eval()
    with torch.no_grad():
        told = [
            network(part.to(device))[:, 0].cpu() for part in torch.from_numpy(shrunk(others, n_jobs=n_jobs)).split(64)
        ]
    return torch.cat(told).double().numpy()


def _learn(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    pictures: Tensor,
    labels: Tensor,
    done: float,
    rng: np.random.Generator,
    device: torch.device,
) -> float:
    network.train()
    for group in optimiser.param_groups:
        group["lr"] = RATE * (1.0 + cos(pi * done)) / 2.0
    total = 0.0
    for chosen in np.array_split(rng.permutation(len(labels)), max(len(labels) // BATCH, 1)):
        batch, wanted = _turned(pictures[chosen], rng).to(device), labels[chosen].to(device)
        loss = functional.binary_cross_entropy_with_logits(network(batch)[:, 0], wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(chosen) / len(labels)
    return total


def _turned(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    swap, flip_x, flip_y = rng.integers(0, 2, 3).astype(bool)
    pictures = pictures.transpose(-1, -2) if swap else pictures
    dims = [dim for dim, wanted in ((-1, flip_x), (-2, flip_y)) if wanted]
    return pictures.flip(dims) if dims else pictures
