"""Names and shapes of the weights of a network, and the check of a file of weights against them. No torch here."""

import json
import math
from typing import Any

import numpy as np

from classify.cnn.config import CnnConfig
from classify.cnn.inputs import CUT_OUT, MAPS, N_BANDS, SCALARS

PREFIX = 8
"""Bytes of a safetensors file that give the length of its description."""


def shapes_of(config: CnnConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a network with these settings, by its name."""
    c, n_rings, maps = config.width, config.n_spin2 + config.n_spin0, config.channels
    layers = {
        "galaxies.cut_out.0": (c, N_BANDS, 4, 4),
        "galaxies.cut_out.2": (2 * c, c, 4, 4),
        "galaxies.cut_out.5": (3 * c, 2 * c * (CUT_OUT // 4) ** 2),
        "galaxies.head.0": (4 * c, 3 * c + len(SCALARS) + 4),
        "galaxies.head.2": (4 * c, 4 * c),
        "galaxies.head.4": (3 * config.n_spin2 + config.n_spin0, 4 * c),
        "field.0": (maps, len(MAPS) + n_rings + 2, 3, 3),
        "field.2": (maps, maps, 3, 3),
        "correction": (1, maps + n_rings, 1, 1),
    }
    return {
        **{f"{name}.weight": shape for name, shape in layers.items()},
        **{f"{name}.bias": shape[:1] for name, shape in layers.items()},
        **dict.fromkeys(("galaxies.scalar_mean", "galaxies.scalar_std"), (len(SCALARS),)),
        "rings.profiles": (n_rings, config.reach + 1),
        "slope_intercept": (2,),
    }


def check_weights(data: bytes, config: CnnConfig) -> None:
    """Check the content of a safetensors file.

    Parameters
    ----------
    data : bytes
        Content of the file.
    config : CnnConfig
        Settings of the network.

    Raises
    ------
    ValueError
        If it has other tensors than the network, or numbers that are not finite.
    """
    tensors, values = _described(data)
    expected = shapes_of(config)
    if odd := tensors.keys() ^ expected.keys():
        raise ValueError(f"it holds not the weights of this network (differing: {min(odd)[:40]})")
    for name, entry in tensors.items():
        if (entry.get("dtype"), entry.get("shape")) != ("F32", list(expected[name])):
            raise ValueError(f"{name} is no float32 array of the shape {expected[name]}")
    end = 0
    for start, stop, name in sorted(_span(name, entry) for name, entry in tensors.items()):
        if start != end or stop - start != 4 * math.prod(expected[name]):
            raise ValueError(f"{name} has another length than its shape")
        end = stop
    if end != len(values):
        raise ValueError(f"it has {len(values)} bytes of weights, not {end}")
    if not np.isfinite(np.frombuffer(values, dtype="<f4")).all():
        raise ValueError("it has weights that are not finite")


def _described(data: bytes) -> tuple[dict[str, dict[str, Any]], bytes]:
    """Return the description of each tensor by name, and the bytes of all."""
    start = PREFIX + int.from_bytes(data[:PREFIX], "little")
    try:
        described = json.loads(data[PREFIX:start])
    except (ValueError, RecursionError):
        raise ValueError("it is no safetensors file") from None
    if not isinstance(described, dict) or not all(isinstance(entry, dict) for entry in described.values()):
        raise ValueError("it is no safetensors file")
    described.pop("__metadata__", None)
    return described, data[start:]


def _span(name: str, entry: dict[str, Any]) -> tuple[int, int, str]:
    """Return first and last byte of a tensor, and its name."""
    match entry.get("data_offsets"):
        case [int(start), int(stop)]:
            return start, stop, name
    raise ValueError(f"{name} has no range of bytes")
