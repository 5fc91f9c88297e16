"""State of a training on disk, as safetensors and JSON: a stopped training resumes from it with the same results."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from classify.cnn.history import EpochLine
from darkmatter_features.errors import ModelError, OutputError, shown
from darkmatter_features.io.table import check_made, refusals_of

Best = tuple[tuple[bytes, ...], NDArray[np.float64]]
"""Weights of the networks after the best epoch, and their out-of-fold log-odds."""
State = tuple[list[EpochLine], list[dict[str, Tensor]], Best]
"""History, weights and optimiser of each network, and the best epoch."""

CHECKPOINT_FOLDER = "checkpoint"
"""Name of the folder of the state, inside that of the networks."""


class Checkpoint:
    """Newest state of a training, in a folder.

    Parameters
    ----------
    folder : Path or None
        Folder of the networks; None stores nothing.
    key : dict
        Identity of the training, of JSON types: the state of a training with another key is refused.
    """

    def __init__(self, folder: Path | None, key: dict[str, Any]) -> None:
        self._folder, self._key = None if folder is None else folder / CHECKPOINT_FOLDER, key

    def write(self, history: Sequence[EpochLine], states: Sequence[dict[str, Tensor]], best: Best) -> None:
        """Replace the stored state.

        Parameters
        ----------
        history : sequence of EpochLine
            One line for each epoch so far.
        states : (n_networks,) sequence of dict of str to Tensor
            Weights and optimiser of each network.
        best : (tuple of bytes, (n,) float64 array)
            Weights after the best epoch, and the out-of-fold log-odds that they give.
        """
        if self._folder is None:
            return
        check_made(self._folder.parent.parent)
        with refusals_of(self._folder):
            self._write(self._folder, history, states, best)

    def _write(
        self, folder: Path, history: Sequence[EpochLine], states: Sequence[dict[str, Tensor]], best: Best
    ) -> None:
        fresh = folder.with_name(f".{CHECKPOINT_FOLDER}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        tensors = {
            f"{k}/{name}": tensor.contiguous() for k, state in enumerate(states) for name, tensor in state.items()
        }
        members, held_out = best
        try:
            save_file({**tensors, "held_out": torch.from_numpy(held_out)}, fresh / "state.safetensors")
        except SafetensorError as error:  # of the system
            raise OutputError(f"{folder}: {shown(error)}; check its permissions and the free disk space") from error
        for k, member in enumerate(members):
            (fresh / f"best-{k}.safetensors").write_bytes(member)
        description = {"key": self._key, "history": [astuple(line) for line in history], "n_members": len(states)}
        (fresh / "state.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        self._replace_by(fresh)

    def read(self) -> State | None:
        """Return the stored state; None if there is none.

        Raises
        ------
        ModelError
            If it is damaged, or belongs to another training.
        """
        self._restore_old()
        if self._folder is None or not (self._folder / "state.json").is_file():
            return None
        try:
            description = json.loads((self._folder / "state.json").read_text(encoding="utf-8"))
            if description["key"] != self._key:
                raise ModelError(
                    f"{self._folder} belongs to another training (other skies or settings); run without --resume"
                )
            return _read_state(self._folder, description)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{self._folder} is damaged ({error}); run without --resume") from error

    def _replace_by(self, fresh: Path) -> None:
        assert self._folder is not None
        old = _old(self._folder)
        if self._folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            self._folder.rename(old)
        fresh.rename(self._folder)
        shutil.rmtree(old, ignore_errors=True)

    def _restore_old(self) -> None:
        """Restore the previous state if a kill during `write` left it set aside."""
        if self._folder is not None and not self._folder.exists() and _old(self._folder).is_dir():
            _old(self._folder).rename(self._folder)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{CHECKPOINT_FOLDER}.old")


def _read_state(folder: Path, description: dict[str, Any]) -> State:
    tensors = load((folder / "state.safetensors").read_bytes())
    held_out = tensors.pop("held_out").numpy().copy()
    states: list[dict[str, Tensor]] = [{} for _ in range(description["n_members"])]
    for name, tensor in tensors.items():
        number, rest = name.split("/", 1)
        states[int(number)][rest] = tensor
    members = tuple((folder / f"best-{k}.safetensors").read_bytes() for k in range(description["n_members"]))
    return [EpochLine.of_json(line) for line in description["history"]], states, (members, held_out)
