"""Search spaces: for each section of the configuration, the settings, their bounds and their loss.

A further section needs one entry in `SPACES`.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.config import TrainConfig
from classify.config_file import Config
from classify.metrics import log_losses
from classify.tables.columns import select_features
from classify.tables.feature_table import FeatureTable, labelled
from classify.trees.boosting import boost
from darkmatter_features.errors import ConfigError, TableError
from darkmatter_features.features.rebuild import TrainingSkies

Array = NDArray[np.float64]
Scorer = Callable[[Config], Array]
"""Function from settings to the out-of-fold log loss of each training sky."""

DIGITS = 3
"""Significant digits of the tried values."""


@dataclass(frozen=True)
class Span:
    """Bounds of a setting, sampled uniformly or log-uniformly."""

    low: float
    high: float
    is_log: bool = False

    def around(self, name: str, value: float) -> "Span":
        """Return the span, widened to include the initial value.

        Raises
        ------
        ConfigError
            If the span is logarithmic and the value is not positive.
        """
        if self.is_log and value <= 0:
            raise ConfigError(f"{name} = {value!r} cannot start a logarithmic search; start from a value above 0")
        return replace(self, low=min(self.low, value), high=max(self.high, value))


@dataclass(frozen=True)
class Space:
    """Search space of one section of the configuration.

    Attributes
    ----------
    spans : mapping of str to Span
        Bounds of the settings, by name.
    scorer : callable
        Function of the folder of the features and the number of jobs; returns a context with a `Scorer`. The folds
        follow the seed in ``[train]``; the validation split is not used.
    """

    spans: Mapping[str, Span]
    scorer: Callable[[Path, int], AbstractContextManager[Scorer]]


def rounded(value: Any) -> Any:
    """Return a value as it is tried: whole numbers unchanged, others to `DIGITS` digits."""
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


@contextmanager
def boosting_scorer(features: Path, n_jobs: int) -> Iterator[Scorer]:
    """Score settings of ``[train]`` by the out-of-fold log-odds of the trees."""
    rows, labels = _training_rows(features)
    yield lambda config: _held_out_losses(rows, labels, config.train)


@contextmanager
def maps_scorer(features: Path, n_jobs: int) -> Iterator[Scorer]:
    """Score settings of ``[measure]`` for the maps, which are made again from the catalogues."""
    table = FeatureTable.read(features).split("training")
    known = table["label"].notna().to_numpy()
    labels = table["label"][known].to_numpy(dtype=np.int64)
    with tempfile.TemporaryDirectory(prefix="darkmatter-tune-") as scratch:
        skies = TrainingSkies(features, scratch, n_jobs=n_jobs)
        yield lambda config: _held_out_losses(select_features(skies.rows(config.measure)[known]), labels, config.train)


SPACES: dict[str, Space] = {
    "train": Space(
        {
            "learning_rate": Span(0.005, 0.2, is_log=True),
            "num_leaves": Span(2, 31, is_log=True),
            "min_data_in_leaf": Span(5, 100, is_log=True),
            "feature_fraction": Span(0.05, 1.0),
            "bagging_fraction": Span(0.3, 1.0),
            "lambda_l2": Span(0.1, 100.0, is_log=True),
        },
        boosting_scorer,
    ),
    "measure": Space({"smallest_scale": Span(14.0, 56.0, is_log=True), "grid_spacing": Span(5.0, 20.0)}, maps_scorer),
}
"""Search spaces by section of the configuration."""


def _training_rows(features: Path) -> tuple[Array, NDArray[np.int64]]:
    rows, labels = labelled(FeatureTable.read(features).split("training"))
    if not len(labels):
        raise TableError(f"{features}: no labelled training skies; add labels and run `darkmatter features` again")
    return rows, labels


def _held_out_losses(rows: Array, labels: NDArray[np.int64], config: TrainConfig) -> Array:
    """Return the out-of-fold log loss of each training sky in use, (n_chosen,)."""
    boosted = boost(rows, labels, rows[:0], labels[:0], config=config)
    return log_losses(labels[boosted.chosen], boosted.held_out)
