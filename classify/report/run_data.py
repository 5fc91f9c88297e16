"""What the folder of a run holds, read for its report."""

import csv
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from classify.cnn import MODES
from classify.cnn.config import CnnConfig
from classify.evaluate import JUDGED_COLUMNS
from classify.model import LensModel
from classify.model.bundle import digest_of_model
from classify.report.measured import MeasuredTables, read_measured
from classify.report.oracle import Oracle, read_oracle
from classify.run_folder import RECORD
from darkmatter_features.errors import ConfigError, DatasetError, ModelError, shown
from darkmatter_features.io.layouts import image_files

PREDICTIONS = "validation-predictions.csv"
CONTRIBUTIONS = "validation-contributions.csv"
METRICS, HISTORY, CNN_HISTORY = "metrics.json", "history.csv", "cnn/history.csv"
TEXTS = ("sky", "decided_by")
"""Columns of text in the table of verdicts."""
AGAIN = "make the run again with `darkmatter train`"


@dataclass(frozen=True)
class RunData:
    """A run, as it was written.

    Attributes
    ----------
    path : Path
        Folder of the run.
    model : LensModel
        Its model, without the CNN stage.
    digest : str
        Digest of the model.
    has_cnn_stage : bool
        Whether the model has a CNN stage.
    metrics : dict
        Metrics on the validation split with their bounds.
    judged : pandas.DataFrame
        Verdicts on the validation skies with the truth.
    contributions : pandas.DataFrame or None
        Contributions to their log-odds, by the name of the sky.
    history, cnn_history : pandas.DataFrame or None
        Losses of the trees by round, and of the networks by epoch.
    dataset, features : Path
        Folders of the data set and of the features of the training.
    failures : tuple of (str, str)
        Skies that could not be measured, with the reasons.
    cnn : str or None
        Use of the CNN stage in the training, "off", "auto" or "on"; None where it is not recorded.
    cnn_config : CnnConfig or None
        Settings of the networks; None where there are none, or they are not recorded.
    versions : dict of str to str
        Versions of Python and the libraries at the training; empty where they are not recorded.
    """

    path: Path
    model: LensModel
    digest: str
    has_cnn_stage: bool
    metrics: dict[str, Any]
    judged: pd.DataFrame
    contributions: pd.DataFrame | None
    history: pd.DataFrame | None
    cnn_history: pd.DataFrame | None
    dataset: Path
    features: Path
    failures: tuple[tuple[str, str], ...] = field(default=())
    cnn: str | None = None
    cnn_config: CnnConfig | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, run: str | Path, *, data: str | Path | None = None) -> "RunData":
        """Return the content of the folder of a run.

        Parameters
        ----------
        run : str or Path
            Folder of a training run.
        data : str or Path, optional
            Folder of the data set where it has moved; that of the training by default.

        Raises
        ------
        ModelError
            If there is no usable run.
        """
        path = Path(run)
        model = LensModel.load(path)
        if not (path / PREDICTIONS).exists() and not (path / METRICS).exists():
            remedy = f"look at images with it: `darkmatter view IMAGES --run {path}`"
            raise ModelError(f"{path} has a model but no validation skies, as an adapted run; {remedy}")
        record = _read_json(path / RECORD)
        features = Path(_text(path / RECORD, record, "features"))
        cnn, cnn_config = _networks(path / RECORD, record, model, (path / CNN_HISTORY).exists())
        return cls(
            path, model.without_cnn_stage(), digest_of_model(path), model.cnn_stage is not None,
            _read_json(path / METRICS), _judged(path / PREDICTIONS),
            _optional(path / CONTRIBUTIONS), _optional(path / HISTORY), _optional(path / CNN_HISTORY),
            Path(data) if data is not None else Path(_text(path / RECORD, record, "dataset")), features,
            _failures(features / "failures.csv"), cnn, cnn_config, _versions(path / RECORD, record),
        )  # fmt: skip

    def images(self) -> list[Path]:
        """Return the images of the validation skies, in their order.

        Raises
        ------
        DatasetError
            If none of them exists: the data set has moved.
        """
        files: list[Path] = image_files(self.dataset, self.judged["sky"])
        if files and not any(file.is_file() for file in files):
            where = self.dataset if self.dataset.is_dir() else f"{self.dataset} (no such folder)"
            raise DatasetError(
                f"{where}: no image of the run exists there; give the folder of the data set by --data DIR"
            )
        return files

    @cached_property
    def oracle(self) -> Oracle:
        """The oracle of the same skies."""
        return read_oracle(self.dataset, self.judged)

    @cached_property
    def measured(self) -> MeasuredTables:
        """What the features of the training still give for the validation skies."""
        return read_measured(self.features, self.model, self.dataset, set(self.judged["sky"]))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, error) from error
    if not isinstance(read, dict):
        raise _unusable(path, "it holds no entries by name")
    return read


def _text(path: Path, entries: dict[str, Any], name: str) -> str:
    if not isinstance(entries.get(name), str):
        raise _unusable(path, f"it has no {name!r}")
    return str(entries[name])


def _networks(
    path: Path, record: dict[str, Any], model: LensModel, has_history: bool
) -> tuple[str | None, CnnConfig | None]:
    """Return use and settings of the networks, those of a run of an earlier version as far as its model has them."""
    if "cnn" not in record:
        config = None if model.cnn_stage is None else model.cnn_stage.config
        return "on" if config is not None else "auto" if has_history else None, config
    if record["cnn"] not in MODES:
        raise _unusable(path, f"'cnn' is none of {', '.join(MODES)}")
    given = record.get("cnn_config")
    if given is None:
        return record["cnn"], None
    try:
        return record["cnn"], CnnConfig.from_dict(dict(given), source="cnn_config")
    except (ConfigError, TypeError, ValueError) as error:
        raise _unusable(path, error) from error


def _versions(path: Path, record: dict[str, Any]) -> dict[str, str]:
    found = record.get("versions", {})
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise _unusable(path, "'versions' holds no versions by name")
    return {str(name): str(number) for name, number in found.items()}


def _judged(path: Path) -> pd.DataFrame:
    kinds = {name: "str" if name in TEXTS else "float64" for name in JUDGED_COLUMNS}
    try:
        table = pd.read_csv(path, usecols=list(JUDGED_COLUMNS), dtype=kinds, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if table[["sky", "probability"]].isna().any(axis=None):
        raise _unusable(path, "a sky or its probability is missing")
    return table


def _optional(path: Path) -> pd.DataFrame | None:
    """Return a table that a run may lack."""
    if not path.is_file():
        return None
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def _failures(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the failures of the measurement; none where the features are gone."""
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return tuple((line["sky"], line["error"]) for line in csv.DictReader(lines))
    except (OSError, KeyError, ValueError, csv.Error):
        return ()


def _unusable(path: Path, reason: object) -> ModelError:
    return ModelError(f"{path} cannot be used ({shown(reason)}); {AGAIN}")
