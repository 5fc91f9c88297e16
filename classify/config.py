"""Settings of the training: defaults, ranges and descriptions."""

from dataclasses import replace
from typing import Any, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from darkmatter_features.config import Number, Settings

LIGHTGBM = (
    "learning_rate", "num_leaves", "min_data_in_leaf", "feature_fraction", "bagging_fraction", "lambda_l2",
)  # fmt: skip
"""Settings that LightGBM has under the same name."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """Settings of the boosted trees; the defaults suit about a thousand skies and forty columns.

    Raises
    ------
    ConfigError
        If a setting is unknown, has a wrong type or lies out of range.
    """

    n_folds: int = Field(default=5, ge=2, le=100, description="folds of the cross-validation")
    n_repeats: int = Field(
        default=2, ge=1, le=100, description="repeats of the cross-validation; members = folds x repeats"
    )
    subset: Number = Field(default=100.0, gt=0, le=100, description="training skies in use, per cent of each label")
    max_rounds: int = Field(default=800, ge=1, le=100_000, description="maximum number of trees of a member")
    block: int = Field(default=20, ge=1, le=100_000, description="rounds between two lines of the history")
    patience: int = Field(
        default=100, ge=1, le=100_000, description="rounds without a lower out-of-fold loss before a stop"
    )
    learning_rate: Number = Field(default=0.03, ge=1e-4, le=1, description="weight of a tree")
    num_leaves: int = Field(default=7, ge=2, le=1024, description="leaves of a tree")
    min_data_in_leaf: int = Field(default=20, ge=1, le=100_000, description="minimum number of skies in a leaf")
    feature_fraction: Number = Field(default=0.3, ge=0.01, le=1, description="fraction of the columns used by a tree")
    bagging_fraction: Number = Field(default=0.8, ge=0.01, le=1, description="fraction of the skies used by a tree")
    lambda_l2: Number = Field(default=5.0, ge=0, le=1e6, description="L2 regularization of the leaf values")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="seed of the subset, the folds and the trees")

    def fast(self) -> Self:
        """Return the settings of a quick trial: half of the skies, three members, a larger learning rate."""
        return replace(self, n_folds=3, n_repeats=1, subset=50.0, max_rounds=200, patience=40, learning_rate=0.06)

    def lightgbm_parameters(self, seed: int) -> dict[str, Any]:
        """Return the LightGBM parameters of one member; one thread makes the trees reproducible."""
        return {
            "objective": "binary",
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
            **{name: getattr(self, name) for name in LIGHTGBM},
        }
