"""Settings of the CNN stage: defaults, ranges and descriptions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from darkmatter_features.config import Number, Settings


@dataclass(frozen=True, kw_only=True)
class CnnConfig(Settings):
    """Settings of the networks and of the choice of uncertain skies; the defaults suit a thousand skies.

    Raises
    ------
    ConfigError
        If a setting is unknown, has a wrong type or lies out of range.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {
        "hard_share": "uncertain_fraction", "place_weight": "position_weight", "pairs": "n_spin2", "singles": "n_spin0",
    }  # fmt: skip

    uncertain_fraction: Number = Field(
        default=0.1, ge=0.01, le=1, description="fraction of the training skies that are uncertain"
    )
    n_folds: int = Field(default=3, ge=2, le=20, description="folds of the training skies; one network each")
    epochs: int = Field(default=12, ge=1, le=1000, description="maximum number of passes over the training skies")
    evaluate_every: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="epochs from one evaluation out of fold and on validation skies to the next",
    )
    patience: int = Field(default=8, ge=1, le=1000, description="epochs without a lower out-of-fold loss before a stop")
    batch_size: int = Field(default=6, ge=1, le=1024, description="skies in a batch")
    learning_rate: Number = Field(default=0.005, ge=1e-6, le=0.1, description="maximum learning rate")
    weight_decay: Number = Field(default=0.001, ge=0, le=1, description="weight decay")
    shear_weight: Number = Field(
        default=20.0, ge=0, le=1000, description="weight of the shear at the galaxies in the loss"
    )
    position_weight: Number = Field(default=0.3, ge=0, le=1000, description="weight of the lens position in the loss")
    width: int = Field(default=16, ge=1, le=256, description="channels of the first layer for galaxy cut-outs")
    n_spin2: int = Field(default=2, ge=1, le=32, description="spin-2 outputs (shears) of a galaxy")
    n_spin0: int = Field(default=2, ge=1, le=32, description="spin-0 outputs (scalars) of a galaxy")
    reach: int = Field(
        default=20, ge=2, le=64, description="radius of the galaxies that contribute to a position, cells of 16 px"
    )
    channels: int = Field(default=16, ge=1, le=256, description="channels of the maps")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="seed of folds, initial weights, order and rotations")

    def fast(self) -> Self:
        """Return the settings of a quick trial: two networks, fewer epochs."""
        return replace(self, n_folds=2, epochs=5)
