"""Every setting of the CNN stage, with its default and its meaning, in one place."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from darkmatter_features.config import check_settings, setting


@dataclass(frozen=True, kw_only=True)
class CnnConfig:
    """Which skies are looked at again, and how the network is built and trained. The defaults suit a thousand skies.

    Raises
    ------
    ConfigError
        If a value has the wrong type or lies out of range.
    """

    uncertain_fraction: float = setting(
        0.1, "share of the training skies that counts as hard: those least sure, out of fold", at_least=0.01, at_most=1
    )
    n_folds: int = setting(3, "parts of the training skies; each network leaves one out", at_least=2, at_most=20)
    epochs: int = setting(12, "most passes over the training skies", at_least=1, at_most=1000)
    patience: int = setting(
        4, "passes without a better out-of-fold loss after which training stops", at_least=1, at_most=1000
    )
    batch_size: int = setting(6, "skies a step", at_least=1, at_most=1024)
    learning_rate: float = setting(
        0.005, "at its highest; it warms up and then falls to nothing", at_least=1e-6, at_most=0.1
    )
    weight_decay: float = setting(0.001, "shrinkage of the weights", at_least=0, at_most=1)
    shear_weight: float = setting(
        20.0, "weight, in the loss, of telling the shear at each galaxy about a known lens", at_least=0, at_most=1000
    )
    position_weight: float = setting(
        0.3, "weight, in the loss, of telling the place of a known lens", at_least=0, at_most=1000
    )
    width: int = setting(16, "channels of the first look at a galaxy's cut-out", at_least=1, at_most=256)
    n_spin2: int = setting(2, "shears that the network tells of a galaxy", at_least=1, at_most=32)
    n_spin0: int = setting(2, "single values that it tells of a galaxy", at_least=1, at_most=32)
    reach: int = setting(20, "radius to which galaxies count for a place, cells of 16 px", at_least=2, at_most=64)
    channels: int = setting(16, "channels of the maps", at_least=1, at_most=256)
    seed: int = setting(1, "of the parts, the first weights, the order and the turns", at_least=0, at_most=2**31 - 1)

    def __post_init__(self) -> None:
        check_settings(self)

    def fast(self) -> Self:
        """Return the settings of a quick trial: two networks, fewer passes."""
        return replace(self, n_folds=2, epochs=5)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)
