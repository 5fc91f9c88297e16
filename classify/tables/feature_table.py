"""The feature table of `darkmatter features`, as read for training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from classify.tables.columns import FEATURE_NAMES, select_features
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig, release_series
from darkmatter_features.errors import ConfigError, TableError, shown
from darkmatter_features.io.table import read_table
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]


_TEXTS = ("split", "sky")
_NUMBERS = ("label", "lens_row", "lens_column")


class _Origin(BaseModel):
    """Metadata of a feature table."""

    model_config = ConfigDict(strict=True)

    dataset: str
    config: dict[str, Any]
    config_fingerprint: str
    template_fingerprint: str


@dataclass(frozen=True)
class FeatureTable:
    """Labelled feature rows and their measurement.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row for each sky: ``split, sky, label, lens_row, lens_column`` and the features.
    config : MeasureConfig
        Settings of the measurement.
    template : LensTemplate
        Template of the lensing signal.
    dataset : Path
        Folder of the data set.
    """

    frame: pd.DataFrame
    config: MeasureConfig
    template: LensTemplate
    dataset: Path

    @classmethod
    def read(cls, folder: str | Path) -> "FeatureTable":
        """Return the feature table of a folder of `darkmatter features`.

        Raises
        ------
        TableError
            If a file is missing, or the files belong to other features or another version.
        """
        path = Path(folder) / "features.parquet"
        frame, metadata = read_table(path, kind="features", texts=_TEXTS)
        if release_series(metadata.get("version")) != release_series(__version__):
            _check(path, "version", metadata.get("version"), __version__)
        _check_origin(path, metadata)
        try:
            config = MeasureConfig.from_dict(metadata.get("config", {}), source=str(path))
        except ConfigError as error:
            raise TableError(f"{path}: made by another version ({error}); run `darkmatter features` again") from None
        template = LensTemplate.read(Path(folder) / "template.json")
        _check(path, "config", metadata.get("config_fingerprint"), config.fingerprint())
        _check(path, "template.json", metadata.get("template_fingerprint"), template.fingerprint())
        _check_rows(path, frame)
        return cls(frame, config, template, Path(metadata["dataset"]))

    def split(self, name: str) -> pd.DataFrame:
        """Return the rows of a split, "training" or "validation"."""
        return self.frame[self.frame["split"] == name]


def labelled(frame: pd.DataFrame) -> tuple[Array, NDArray[np.int64]]:
    """Return the input columns ``(n, n_inputs)`` and the labels ``(n,)`` of the labelled rows."""
    known = np.isfinite(labels_of(frame))
    return select_features(frame.loc[known, list(FEATURE_NAMES)]), labels_of(frame)[known].astype(np.int64)


def labels_of(frame: pd.DataFrame) -> Array:
    """Return the labels of rows, ``(n,)``; nan where unknown."""
    return np.asarray(frame["label"].to_numpy(dtype=np.float64, na_value=np.nan))


def _check(path: Path, name: str, found: object, expected: str) -> None:
    if found != expected:
        raise TableError(f"{path}: made with {name} {shown(found)}, not {expected}; run `darkmatter features` again")


def _check_origin(path: Path, metadata: dict[str, Any]) -> None:
    try:
        _Origin.model_validate(metadata)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        found = f"{shown(first['loc'][0])}: {shown(first['msg'])}"
        raise TableError(f"{path} has damaged metadata, {found}; run `darkmatter features` again") from None


def _check_rows(path: Path, frame: pd.DataFrame) -> None:
    """Check that all columns are there, and that each label is 0, 1 or unknown."""
    missing = [name for name in (*_TEXTS, *_NUMBERS, *FEATURE_NAMES) if name not in frame.columns]
    if missing:
        raise TableError(f"{path}: no column {missing[0]!r}; run `darkmatter features` again")
    labels = labels_of(frame)
    odd = labels[~(np.isin(labels, (0.0, 1.0)) | np.isnan(labels))]
    if odd.size:
        raise TableError(f"{path}: a label is {odd[0]:g}, neither 0 nor 1; run `darkmatter features` again")
