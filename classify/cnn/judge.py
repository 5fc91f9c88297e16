"""The CNN stage at uncertain skies, as a part of the model bundle. torch is imported at the first look."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from classify.cnn import need_torch
from classify.cnn.config import CnnConfig
from classify.cnn.inputs import FieldInput
from classify.cnn.stacking import Stacker
from darkmatter_features.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CnnStage:
    """Which skies are hard, the networks that look at them again, and how both answers are weighed.

    Attributes
    ----------
    limit : float
        Calibrated log-odds of the trees up to which, either way, a sky is hard.
    stacker : Stacker
        Of the trees' log-odds and the mean of the networks'.
    config : CnnConfig
        How the networks are built.
    members : tuple of bytes
        Their weights, as safetensors.
    record : dict
        How the training went, for the record.
    """

    limit: float
    stacker: Stacker
    config: CnnConfig
    members: tuple[bytes, ...]
    record: dict[str, Any]

    def is_uncertain(self, log_odds: Array) -> NDArray[np.bool_]:
        """Say which skies, (n,), are to be looked at again, by the trees' calibrated log-odds (n,)."""
        return np.abs(log_odds) <= self.limit

    def stacked(self, log_odds: Array, inputs: Sequence[FieldInput]) -> Array:
        """Return the log-odds (n,) of uncertain skies, of the trees' (n,) and what the networks see."""
        return self.stacker(log_odds, self.network_log_odds(inputs))

    def network_log_odds(self, inputs: Sequence[FieldInput]) -> Array:
        """Return the mean of what the networks say of skies, (n,).

        Raises
        ------
        ConfigError
            If PyTorch is missing.
        """
        if not inputs:
            return np.empty(0)
        need_torch()
        from classify.cnn.device import best_device, one_thread
        from classify.cnn.training import log_odds_of
        from classify.cnn.weights import from_bytes

        device = best_device()
        networks = [from_bytes(member, self.config).to(device) for member in self.members]
        with one_thread():
            return np.asarray(np.mean([log_odds_of(network, inputs, device) for network in networks], axis=0))

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights into a folder, and return what the bundle's description says of the CNN stage."""
        names = [f"cnn-{k}.safetensors" for k in range(len(self.members))]
        for name, member in zip(names, self.members, strict=True):
            (folder / name).write_bytes(member)
        return {
            "limit": self.limit,
            "stacker": self.stacker.to_dict(),
            "config": self.config.to_dict(),
            "members": {name: digest_of(member) for name, member in zip(names, self.members, strict=True)},
            "record": self.record,
        }

    @classmethod
    def read(cls, folder: Path, told: dict[str, Any]) -> Self:
        """Read what `write` wrote; raises ModelError, KeyError, TypeError or ValueError on anything else."""
        members = tuple(checked(folder, name, digest) for name, digest in told["members"].items())
        config, stacker = CnnConfig(**told["config"]), Stacker(**told["stacker"])
        return cls(float(told["limit"]), stacker, config, members, told["record"])


def digest_of(data: bytes) -> str:
    """Return the checksum that a bundle's description has of a file."""
    return hashlib.sha256(data).hexdigest()


def checked(folder: Path, name: str, digest: str) -> bytes:
    """Read a file of a bundle; raises ModelError where it is missing or damaged, ValueError where it lies elsewhere."""
    if Path(name).name != name:
        raise ValueError(f"{name} is not a file of the bundle")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder / name} is missing; run `darkmatter train` again") from error
    if digest_of(data) != digest:
        raise ModelError(f"{folder / name} is damaged (its checksum is not model.json's); run `darkmatter train` again")
    return data
