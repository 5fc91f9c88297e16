"""A plain network: a ResNet-18 on the image shrunk to 64 px, trained from scratch.

References
----------
He, Zhang, Ren & Sun 2016, CVPR, arXiv:1512.03385
"""

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
"""Side of the shrunk images, pixels."""

N_EPOCHS = 16
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
"""Learning rate of the first epoch; it falls to 0 along a cosine."""

WEIGHT_DECAY = 1e-2
SEED = 1


class Block(nn.Module):
    """Two convolutions and a shortcut past them."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(n_in, n_out, 3, stride)
        self.second = _convolution(n_out, n_out, 3, 1)
        changes = stride > 1 or n_in != n_out
        self.shortcut = _convolution(n_in, n_out, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


def _convolution(n_in: int, n_out: int, width: int, stride: int) -> nn.Sequential:
    kernel = nn.Conv2d(n_in, n_out, width, stride, padding=width // 2, bias=False)
    return nn.Sequential(kernel, nn.BatchNorm2d(n_out))


def resnet18() -> nn.Sequential:
    """Return the network: eight blocks, 11 million weights, one output, the log-odds."""
    stem = [_convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    widths = (64, 64, 128, 256, 512)
    pairs = [(Block(a, b, 2 if a != b else 1), Block(b, b, 1)) for a, b in pairwise(widths)]
    blocks = [block for pair in pairs for block in pair]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1))


def shrunk_images(paths: Sequence[Path], *, n_jobs: int) -> NDArray[np.float32]:
    """Return images of SIDE px, (n, 3, SIDE, SIDE), of mean 0 and standard deviation 1 in each channel."""
    each = joblib.Parallel(n_jobs=n_jobs, batch_size=32)(joblib.delayed(shrunk)(path) for path in paths)
    images = np.stack(list(each))
    return (images - images.mean(axis=(0, 2, 3), keepdims=True)) / images.std(axis=(0, 2, 3), keepdims=True)


def shrunk(path: Path) -> NDArray[np.float32]:
    """Return an image (3, SIDE, SIDE) whose pixels are the means of the pixels that they cover."""
    pixels = read_sky(path).pixels
    n_rows, n_columns = (side // SIDE for side in pixels.shape[:2])
    cells = pixels[: n_rows * SIDE, : n_columns * SIDE].reshape(SIDE, n_rows, SIDE, n_columns, -1)
    return cells.mean(axis=(1, 3)).transpose(2, 0, 1).astype(np.float32)


def resnet_log_odds(
    training: Sequence[Path], labels: Array, others: Sequence[Path], *, n_jobs: int, n_epochs: int = N_EPOCHS
) -> Array:
    """Train on labelled images, each time in a random one of its eight symmetries, and return log-odds of others."""
    torch.manual_seed(SEED)
    rng, device = np.random.default_rng(SEED), best_device()
    images, y = torch.from_numpy(shrunk_images(training, n_jobs=n_jobs)), torch.tensor(labels, dtype=torch.float32)
    network = resnet18().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for epoch in range(n_epochs):
        loss = _train_epoch(network, optimizer, images, y, epoch / n_epochs, rng, device)
        print(f"ResNet-18, epoch {epoch + 1} of {n_epochs}: training log loss {loss:.4f}", flush=True)
    network.eval()
    batches = torch.from_numpy(shrunk_images(others, n_jobs=n_jobs)).split(64)
    with torch.no_grad():
        log_odds = [network(batch.to(device))[:, 0].cpu() for batch in batches]
    return torch.cat(log_odds).double().numpy()


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    done: float,
    rng: np.random.Generator,
    device: torch.device,
) -> float:
    """Train for one epoch, `done` being the fraction of the epochs before it, and return the mean log loss."""
    network.train()
    for group in optimizer.param_groups:
        group["lr"] = LEARNING_RATE * (1.0 + cos(pi * done)) / 2.0
    total = 0.0
    for chosen in np.array_split(rng.permutation(len(labels)), max(len(labels) // BATCH_SIZE, 1)):
        batch, target = _turned(images[chosen], rng).to(device), labels[chosen].to(device)
        loss = functional.binary_cross_entropy_with_logits(network(batch)[:, 0], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen) / len(labels)
    return total


def _turned(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the images in a random one of the eight symmetries of a square."""
    swap, flip_x, flip_y = rng.integers(0, 2, 3).astype(bool)
    images = images.transpose(-1, -2) if swap else images
    dims = [dim for dim, is_flipped in ((-1, flip_x), (-2, flip_y)) if is_flipped]
    return images.flip(dims) if dims else images
