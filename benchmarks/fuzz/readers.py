"""Readers of the inputs: each reads one, uses what was read as the next stage does, and returns a digest of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.seeds import feature_rows, sky_names

from classify.config_file import Config
from classify.model import LensModel
from classify.tables.feature_table import FeatureTable, labelled
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.io.labels import read_labels, read_lenses
from darkmatter_features.io.sky import read_sky
from darkmatter_features.location.field import field_of


def _read_image(path: Path) -> Any:
    sky = read_sky(path)
    return sky.shape, float(sky.pixels.astype(np.float64).sum())


def _read_catalog(path: Path) -> Any:
    field = field_of(read_catalog(path), subtract_mean=True)
    return field.grid(64)[0].size


def _read_labels(path: Path) -> Any:
    return read_labels(path, sky_names(), by_index=True)


def _read_lenses(path: Path) -> Any:
    return read_lenses(path, sky_names(), None, by_index=False)


def _read_settings(path: Path) -> Any:
    return Config.read(path).to_toml()


def _read_features(path: Path) -> Any:
    table = FeatureTable.read(path.parent)
    rows, labels = labelled(table.split("training"))
    np.asarray(table.frame[["lens_row", "lens_column"]], dtype=np.float64)
    return rows.shape, labels.sum(), sorted(map(str, table.frame["sky"]))[:1]


def _read_model(path: Path) -> Any:
    model, rows = LensModel.load(path.parent.parent), feature_rows()
    if model.cnn_stage is not None:
        from classify.cnn.weights import from_bytes

        for member in model.cnn_stage.members:
            from_bytes(member, model.cnn_stage.config)
    return model.verdicts([str(k) for k in range(len(rows))], rows)


READERS: dict[str, Callable[[Path], Any]] = {
    "image": _read_image,
    "catalog": _read_catalog,
    "labels": _read_labels,
    "lenses": _read_lenses,
    "settings": _read_settings,
    "features": _read_features,
    "model": _read_model,
}
"""Readers by the kind of input; each takes the mutated file."""
