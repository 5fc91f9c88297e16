"""Tables of catalogues and features, from the measurements of skies."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.galaxies.shapes import IMAGE_COLUMNS, GalaxyCatalog
from darkmatter_features.io.dataset import Dataset, Split

_NO_GALAXIES = GalaxyCatalog("", (0, 0), *(np.empty(0),) * 9, np.empty(0, dtype=np.int32), np.empty(0, dtype=np.uint8))
Mapped = tuple[tuple[int, int], NDArray[np.float64]]
"""Shape of an image, and its feature row."""


def catalog_table(catalogs: Mapping[str, GalaxyCatalog]) -> pd.DataFrame:
    """Return one table of all catalogues, each galaxy with the name and shape of its sky."""
    number = [len(catalog) for catalog in catalogs.values()]
    n_rows, n_columns = np.array([catalog.shape for catalog in catalogs.values()], dtype=np.int32).reshape(-1, 2).T
    measured = [_NO_GALAXIES.columns(), *(catalog.columns() for catalog in catalogs.values())]
    columns = {
        "sky": pd.array(np.repeat(list(catalogs), number), dtype="str"),
        "n_rows": np.repeat(n_rows, number),
        "n_columns": np.repeat(n_columns, number),
    }
    for name in IMAGE_COLUMNS:
        columns[name] = np.repeat([getattr(catalog.image, name) for catalog in catalogs.values()], number)
    return pd.DataFrame({**columns, **{name: np.concatenate([own[name] for own in measured]) for name in measured[0]}})


def feature_table(dataset: Dataset, rows: dict[str, Mapped]) -> pd.DataFrame:
    """Return the table of all splits of a data set: a row for each sky, with its label, lens and features."""
    return pd.concat([_split_table(dataset, split, rows) for split in dataset.splits], ignore_index=True)


def _split_table(dataset: Dataset, split: Split, rows: dict[str, Mapped]) -> pd.DataFrame:
    names = [dataset.relative(file) for file in split.files]
    kept = [k for k, name in enumerate(names) if name in rows]
    labels = pd.array([pd.NA] * len(kept) if split.labels is None else split.labels[kept], dtype="Int8")
    lenses = np.array([split.lens_position(k, rows[names[k]][0]) for k in kept]).reshape(len(kept), 2)
    columns = {"split": split.name, "sky": [names[k] for k in kept], "label": labels}
    values = np.array([rows[names[k]][1] for k in kept]).reshape(len(kept), len(FEATURES))
    return pd.concat(
        [
            pd.DataFrame(columns),
            pd.DataFrame(lenses, columns=["lens_row", "lens_column"]),
            pd.DataFrame(values, columns=[feature.name for feature in FEATURES]),
        ],
        axis=1,
    )
