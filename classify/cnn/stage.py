"""The CNN stage as a part of the model bundle. torch is imported when the first uncertain sky is evaluated."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from classify.cnn import need_torch
from classify.cnn.config import CnnConfig
from classify.cnn.inputs import FieldInput
from classify.cnn.layout import check_weights
from classify.cnn.stacking import Stacker
from darkmatter_features.errors import ModelError

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CnnStage:
    """Networks for the uncertain skies, stacked with the trees.

    Attributes
    ----------
    limit : float
        Modulus of the calibrated log-odds of the trees up to which a sky is uncertain.
    stacker : Stacker
        Weights of the log-odds of the trees and of the mean log-odds of the networks.
    config : CnnConfig
        Settings of the networks.
    members : tuple of bytes
        Weights of each network, as safetensors.
    record : dict
        Best epoch and gain in training, for the record.
    """

    limit: float
    stacker: Stacker
    config: CnnConfig
    members: tuple[bytes, ...]
    record: dict[str, Any]

    def is_uncertain(self, log_odds: Array) -> NDArray[np.bool_]:
        """Return whether each sky, (n,), is uncertain, by the calibrated log-odds (n,) of the trees."""
        return np.abs(log_odds) <= self.limit

    def stacked(self, log_odds: Array, inputs: Sequence[FieldInput]) -> Array:
        """Return the stacked log-odds of uncertain skies.

        Parameters
        ----------
        log_odds : (n,) float64 array
            Calibrated log-odds of the trees.
        inputs : (n,) sequence of FieldInput
            Inputs of the networks.

        Returns
        -------
        (n,) float64 array

        Raises
        ------
        ConfigError
            If PyTorch is missing.
        """
        return self.stacker(log_odds, self.network_log_odds(inputs))

    def network_log_odds(self, inputs: Sequence[FieldInput], device: "torch.device | None" = None) -> Array:
        """Return the log-odds of a lens by the networks alone, (n,): the mean over the networks.

        Parameters
        ----------
        inputs : (n,) sequence of FieldInput
            Inputs of the networks.
        device : torch.device, optional
            Device that runs them; the fastest available one by default.

        Raises
        ------
        ConfigError
            If PyTorch is missing.
        """
        if not inputs:
            return np.empty(0)
        need_torch()
        from classify.cnn.device import best_device, one_thread
        from classify.cnn.network import batches_of, log_odds_of
        from classify.cnn.weights import from_bytes

        device = device or best_device()
        networks = [from_bytes(member, self.config).to(device) for member in self.members]
        with one_thread():
            return np.asarray(np.mean(log_odds_of(networks, batches_of(inputs, device), device), axis=0))

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights to a folder, and return the entry of the stage in the description of the bundle."""
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
    def read(cls, folder: Path, entry: dict[str, Any]) -> Self:
        """Return the stage that `write` wrote.

        Parameters
        ----------
        folder : Path
            Folder of the bundle.
        entry : dict
            Entry of the stage in its description.

        Raises
        ------
        ModelError
            If a file of weights is missing or damaged, or does not fit the settings.
        ConfigError
            If a setting is unknown or wrong.
        """
        config, stacker = CnnConfig(**entry["config"]), Stacker(**entry["stacker"])
        members = tuple(_weights(folder, name, digest, config) for name, digest in entry["members"].items())
        return cls(float(entry["limit"]), stacker, config, members, entry["record"])


def _weights(folder: Path, name: str, digest: str, config: CnnConfig) -> bytes:
    """Return the weights of a network of these settings."""
    data = checked(folder, name, digest)
    try:
        check_weights(data, config)
    except ValueError as error:
        raise ModelError(f"{folder / name} is damaged: {error}; run `darkmatter train` again") from None
    return data


def digest_of(data: bytes) -> str:
    """Return the checksum of a file of the bundle: SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def checked(folder: Path, name: str, digest: str) -> bytes:
    """Return the content of a file of the bundle.

    Parameters
    ----------
    folder : Path
        Folder of the bundle.
    name : str
        Name of the file.
    digest : str
        Expected checksum.

    Raises
    ------
    ModelError
        If it is missing or damaged.
    ValueError
        If the name leads out of the folder.
    """
    if Path(name).name != name:
        raise ValueError(f"{name} is not a file of the bundle")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder / name} is missing; run `darkmatter train` again") from error
    if digest_of(data) != digest:
        raise ModelError(f"{folder / name} is damaged (its checksum is not model.json's); run `darkmatter train` again")
    return data
