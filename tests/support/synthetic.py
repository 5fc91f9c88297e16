"""Small synthetic feature tables, images and data sets for the tests of the classification."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from classify.config import TrainConfig
from classify.train import train
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.io.dataset import image_path, write_labels
from darkmatter_features.io.table import write_table
from darkmatter_features.lens.template import LensTemplate

SIDE = 128
"""Rows and columns of an image, pixels."""


def feature_rows(labels: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return features of which only peak_snr depends on the label: 4 +- 1 with a lens, 2 +- 1 without."""
    frame = pd.DataFrame({feature.name: rng.normal(size=labels.size) for feature in FEATURES})
    frame["peak_snr"] = rng.normal(2.0 + 2.0 * labels, 1.0)
    frame["row"], frame["column"] = rng.uniform(0, SIDE, (2, labels.size))
    return frame


def split_rows(split: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of a feature table; every other one has a lens, 5 px from its best-fit position."""
    labels = np.arange(n) % 2
    values = feature_rows(labels, rng)
    columns = pd.DataFrame(
        {
            "split": split,
            "sky": [image_path("", split, i).as_posix() for i in range(n)],
            "label": pd.array(labels, dtype="Int8"),
            "lens_row": np.where(labels == 1, values["row"] + 3.0, np.nan),
            "lens_column": np.where(labels == 1, values["column"] - 4.0, np.nan),
        }
    )
    return pd.concat([columns, values], axis=1)


def write_features(
    folder: Path,
    dataset: Path,
    *,
    n_training: int = 200,
    n_validation: int = 80,
    seed: int = 3,
    **metadata: object,
) -> Path:
    """Write a features folder, and return it; `metadata` overrides that of the table."""
    rng = np.random.default_rng(seed)
    frame = pd.concat(
        [split_rows("training", n_training, rng), split_rows("validation", n_validation, rng)],
        ignore_index=True,
    )
    return write_frame(folder, dataset, frame, **metadata)


def trained_run(root: Path, dataset: Path, *, n_training: int = 60, n_validation: int = 6) -> Path:
    """Train on a small feature table for a data set, which need not exist, and return the folder of the run."""
    features = write_features(root / "features", dataset, n_training=n_training, n_validation=n_validation)
    train(features, root / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=10))
    return root / "run"


def write_frame(folder: Path, dataset: Path, frame: pd.DataFrame, **metadata: object) -> Path:
    """Write a feature table and its template into a folder, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    template, config = LensTemplate.default(), MeasureConfig()
    template.write(folder / "template.json")
    default = {
        "dataset": str(dataset),
        "config": config.to_dict(),
        "config_fingerprint": config.fingerprint(),
        "template_fingerprint": template.fingerprint(),
        "version": __version__,
    }
    write_table(folder / "features.parquet", frame, kind="features", metadata={**default, **metadata})
    return folder


def draw_sky(path: Path, rng: np.random.Generator, *, n_galaxies: int = 40) -> Path:
    """Write an image of uniform elliptical galaxies on a black background, and return its path."""
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for _ in range(n_galaxies):
        row, column, angle = rng.uniform(4, SIDE - 4), rng.uniform(4, SIDE - 4), rng.uniform(0, np.pi)
        along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
        across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
        pixels[(along / 4.5) ** 2 + (across / 2.5) ** 2 <= 1] = rng.integers(120, 255, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_images(root: Path, *, split: str = "validation", n: int = 4, seed: int = 5) -> Path:
    """Write images and labels of one split; every other sky has a lens, at row 256, column 128 of 512."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        draw_sky(image_path(root, split, i), rng)
    write_labels(root, split, np.arange(n) % 2, np.full(n, 256.0), np.full(n, 128.0))
    return root
