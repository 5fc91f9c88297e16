"""Small skies, networks and settings for the tests of the CNN stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from classify.cnn.config import CnnConfig
from classify.cnn.inputs import CUT_OUT, MAPS, N_BANDS, SCALARS, FieldInput
from classify.config import TrainConfig
from darkmatter_features.io.dataset import image_path, write_labels
from tests.support.synthetic import SIDE

if TYPE_CHECKING:
    from classify.cnn.network import LensNet

QUICK = TrainConfig(n_folds=2, n_repeats=1, max_rounds=20)
"""Settings of the trees."""
SMALL = CnnConfig(
    n_folds=2, epochs=2, evaluate_every=1, batch_size=8, width=2, n_spin2=1, n_spin0=1, reach=4, channels=3
)  # fmt: skip
"""Settings of the networks."""
HALF_UNCERTAIN = replace(SMALL, uncertain_fraction=0.5)
"""The same, with half of the training skies uncertain."""
CELL = 16.0
"""Side of a cell of the evidence, pixels."""
N_CELLS = SIDE // 16
"""Number of cells along a side."""


def random_input(
    rng: np.random.Generator, *, n: int = 30, shape: tuple[int, int] = (N_CELLS, N_CELLS), cell: float = CELL
) -> FieldInput:
    """Return the input of a sky of noise."""
    single = np.float32
    return FieldInput(
        x=rng.uniform(0, shape[1], n).astype(single),
        y=rng.uniform(0, shape[0], n).astype(single),
        e=rng.normal(0, 0.2, (2, n)).astype(single),
        mean_e=rng.normal(0.07, 0.02, (2, n)).astype(single),
        scalars=rng.normal(0, 1, (len(SCALARS), n)).astype(single),
        cut_outs=rng.integers(0, 255, (n, N_BANDS, CUT_OUT, CUT_OUT)).astype(np.uint8),
        maps=rng.normal(0, 3, (len(MAPS), *shape)).astype(single),
        cells_per_pixel=(1.0 / cell, 1.0 / cell),
    )


def sheared_input(rng: np.random.Generator, label: int, *, g: float = 0.25) -> tuple[FieldInput, float, float]:
    """Return the input of a sky, with tangential shear about a lens if the label is 1, and the lens's row and column.

    The position is in pixels, and nan without a lens.
    """
    sky = random_input(rng, n=60)
    row, column = rng.uniform(0.3, 0.7, 2) * N_CELLS
    phi = np.arctan2(sky.y - row, sky.x - column)
    tangential = -g * label * np.stack([np.cos(2 * phi), np.sin(2 * phi)])
    fields = {**vars(sky), "e": (sky.e * 0.5 + tangential).astype(np.float32), "maps": 0 * sky.maps}
    pixels = (CELL * row - 0.5, CELL * column - 0.5) if label else (np.nan, np.nan)
    return FieldInput(**fields), *pixels


def use_ellipticities_alone(network: LensNet) -> LensNet:
    """Set the last layer so that the spin-2 quantity of a galaxy is its ellipticity and the spin-0 quantity is 0."""
    last = network.galaxies.head[-1]
    last.weight.data.zero_()
    last.bias.data.copy_(last.bias.new_tensor([0.0, 0.0, 1.0, 0.0]))
    return network


def write_lensed(root: Path, split: str, n: int, seed: int) -> None:
    """Write images and labels of one split; in half of the skies many galaxies are tangential about a lens.

    Labels alternate, and change their phase every fourth sky, so that each fold of the templates has both.
    """
    rng, labels = np.random.default_rng(seed), (np.arange(n) + np.arange(n) // 4) % 2
    rows, columns = rng.uniform(0.4, 0.6, (2, n)) * SIDE
    for i in range(n):
        _draw(image_path(root, split, i), rng, rows[i], columns[i], aligned=0.6 * labels[i])
    scale = 512 / SIDE
    write_labels(root, split, labels, scale * rows, scale * columns)


def _draw(path: Path, rng: np.random.Generator, row: float, column: float, *, aligned: float) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for _ in range(40):
        centre, angle = rng.uniform(4, SIDE - 4, 2), rng.uniform(0, np.pi)
        if rng.random() < aligned:
            angle = np.arctan2(centre[0] - row, centre[1] - column) + np.pi / 2
        dy, dx = y - centre[0], x - centre[1]
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        pixels[(along / 4.5) ** 2 + (across / 2.5) ** 2 <= 1] = rng.integers(120, 255, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
