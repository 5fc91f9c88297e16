"""Weights of networks: the layout that is checked without PyTorch is that of the network."""

import json

import numpy as np
import pytest

from classify.cnn.config import CnnConfig
from classify.cnn.layout import check_weights, shapes_of

pytest.importorskip("torch")

from classify.cnn.network import LensNet
from classify.cnn.weights import to_bytes

SMALL = CnnConfig(width=3, n_spin2=1, n_spin0=4, reach=5, channels=7)


@pytest.fixture(scope="module")
def weights() -> bytes:
    return to_bytes(LensNet(SMALL))


@pytest.mark.parametrize("config", [CnnConfig(), SMALL], ids=["default", "small"])
def test_the_shapes_are_those_of_the_network(config):
    network = LensNet(config)
    assert shapes_of(config) == {name: tuple(value.shape) for name, value in network.state_dict().items()}
    check_weights(to_bytes(network), config)


def described(data: bytes, change) -> bytes:
    """Return weights with another description."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    text = json.dumps(change(header) or header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["slope_intercept"].update(shape=[1]),
        lambda header: header["slope_intercept"].update(shape=[2, 1]),
        lambda header: header["slope_intercept"].update(dtype="F64"),
        lambda header: header["slope_intercept"].update(data_offsets=[0, 2**62]),
        lambda header: header["slope_intercept"].update(data_offsets=[0]),
        lambda header: header["slope_intercept"].update(data_offsets=None),
        lambda header: header.update(odd=header["slope_intercept"]),
        lambda header: header.pop("slope_intercept") and None,
        lambda header: [header],
        lambda header: dict.fromkeys(header, 1),
    ],
)
def test_another_description_is_refused(weights, change):
    with pytest.raises(ValueError, match=r"slope_intercept|odd|no safetensors|rings|network|bytes"):
        check_weights(described(weights, change), SMALL)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0\0\0\0",
        lambda data: data[:-4] + np.float32(np.nan).tobytes(),
        lambda data: (2**63).to_bytes(8, "little") + data[8:],
        lambda data: (200_000).to_bytes(8, "little") + b"[" * 200_000,
    ],
)
def test_damaged_bytes_are_refused(weights, damage):
    with pytest.raises(ValueError, match=r"safetensors|bytes of weights|not finite"):
        check_weights(damage(weights), SMALL)
