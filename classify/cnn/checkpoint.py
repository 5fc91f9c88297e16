"""The state of a training on disk, as safetensors and JSON: what is needed to go on as if it had never stopped."""

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
from darkmatter_features.errors import ModelError

Best = tuple[tuple[bytes, ...], NDArray[np.float64]]
Found = tuple[list[EpochLine], list[dict[str, Tensor]], Best]

FOLDER = "checkpoint"


class Checkpoint:
    """Keeps the newest state of a training in a folder.

    Parameters
    ----------
    folder : Path or None
        Where; None keeps nothing.
    key : dict
        What the training is of, as JSON holds it: another one is not gone on with.
    """

    def __init__(self, folder: Path | None, key: dict[str, Any]) -> None:
        self._folder, self._key = None if folder is None else folder / FOLDER, key

    def write(self, history: Sequence[EpochLine], states: Sequence[dict[str, Tensor]], best: Best) -> None:
        """Write the state in place of the one before."""
        if self._folder is None:
            return
        fresh = self._folder.with_name(f".{FOLDER}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        tensors = {
            f"{k}/{name}": tensor.contiguous() for k, state in enumerate(states) for name, tensor in state.items()
        }
        members, held_out = best
        save_file({**tensors, "held_out": torch.from_numpy(held_out)}, fresh / "state.safetensors")
        for k, member in enumerate(members):
            (fresh / f"best-{k}.safetensors").write_bytes(member)
        told = {"key": self._key, "history": [astuple(line) for line in history], "n_members": len(states)}
        (fresh / "state.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        old = self._old(self._folder)
        if self._folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            self._folder.rename(old)
        fresh.rename(self._folder)
        shutil.rmtree(old, ignore_errors=True)

    def read(self) -> Found | None:
        """Read the state; None if there is none.

        Raises
        ------
        ModelError
            If it is damaged, or of another training.
        """
        self._put_back()
        if self._folder is None or not (self._folder / "state.json").is_file():
            return None
        try:
            told = json.loads((self._folder / "state.json").read_text(encoding="utf-8"))
            if told["key"] != self._key:
                raise ModelError(f"{self._folder} is of another training (other skies or settings); leave --resume out")
            return self._read(told)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{self._folder} is damaged ({error}); leave --resume out") from error

    def _put_back(self) -> None:
        """Put the state back that a kill in the middle of `write` left aside."""
        if self._folder is not None and not self._folder.exists() and self._old(self._folder).is_dir():
            self._old(self._folder).rename(self._folder)

    @staticmethod
    def _old(folder: Path) -> Path:
        return folder.with_name(f".{FOLDER}.old")

    def _read(self, told: dict[str, Any]) -> Found:
        assert self._folder is not None
        tensors = load((self._folder / "state.safetensors").read_bytes())
        held_out = tensors.pop("held_out").numpy().copy()
        states: list[dict[str, Tensor]] = [{} for _ in range(told["n_members"])]
        for name, tensor in tensors.items():
            number, rest = name.split("/", 1)
            states[int(number)][rest] = tensor
        members = tuple((self._folder / f"best-{k}.safetensors").read_bytes() for k in range(told["n_members"]))
        return [EpochLine.of_json(line) for line in told["history"]], states, (members, held_out)
