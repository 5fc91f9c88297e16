"""Every setting of the training, with its default and its meaning, in one place."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from darkmatter_features.config import check_settings, setting


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the classifier is trained. The defaults suit about a thousand rows of some forty columns.

    Raises
    ------
    ConfigError
        If a value has the wrong type or lies out of range.
    """

    n_folds: int = setting(5, "parts of the training rows; each member leaves one out", at_least=2, at_most=100)
    n_repeats: int = setting(
        2, "times the rows are parted anew; members are folds times repeats", at_least=1, at_most=100
    )
    subset: float = setting(
        100.0,
        "per cent of the training skies that are learnt from, drawn at random from each kind",
        above=0,
        at_most=100,
    )
    max_rounds: int = setting(800, "most trees of a member", at_least=1, at_most=100_000)
    block: int = setting(20, "rounds between two lines of the history", at_least=1, at_most=100_000)
    patience: int = setting(
        100, "rounds without a better out-of-fold loss after which training stops", at_least=1, at_most=100_000
    )
    learning_rate: float = setting(0.03, "weight of a tree", at_least=1e-4, at_most=1)
    num_leaves: int = setting(7, "leaves of a tree", at_least=2, at_most=1024)
    min_data_in_leaf: int = setting(20, "fewest rows in a leaf", at_least=1, at_most=100_000)
    feature_fraction: float = setting(0.3, "share of the columns that a tree sees", at_least=0.01, at_most=1)
    bagging_fraction: float = setting(0.8, "share of the rows that a tree sees", at_least=0.01, at_most=1)
    lambda_l2: float = setting(5.0, "shrinkage of the leaves' values", at_least=0, at_most=1e6)
    seed: int = setting(1, "seed of the subset, the parts and the trees", at_least=0, at_most=2**31 - 1)

    def __post_init__(self) -> None:
        check_settings(self)

    def fast(self) -> Self:
        """Return the settings of a quick trial: half of the rows, three members, larger steps."""
        return replace(self, n_folds=3, n_repeats=1, subset=50.0, max_rounds=200, patience=40, learning_rate=0.06)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)

    def lightgbm_parameters(self, seed: int) -> dict[str, Any]:
        """Return LightGBM's parameters for one member; one thread, so that each run gives the same trees."""
        shared = (
            "learning_rate",
            "num_leaves",
            "min_data_in_leaf",
            "feature_fraction",
            "bagging_fraction",
            "lambda_l2",
        )
        return {
            "objective": "binary",
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
            **{name: getattr(self, name) for name in shared},
        }
