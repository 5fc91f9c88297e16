"""Weights as bytes of safetensors, which hold numbers and no code."""

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from classify.cnn.config import CnnConfig
from classify.cnn.network import LensNet

DAMAGE = (SafetensorError, RuntimeError, KeyError, ValueError)
"""Errors that damaged or foreign bytes cause.

In 1,600 random changes of a file safetensors raised its own error for most, KeyError for types that torch lacks, and
torch raised RuntimeError for names and shapes of another network.
"""


def to_bytes(network: LensNet) -> bytes:
    """Return the weights of a network."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()})


def from_bytes(data: bytes, config: CnnConfig) -> LensNet:
    """Return the network that has these weights, in evaluation mode.

    Parameters
    ----------
    data : bytes
        Weights, as `to_bytes` returns them.
    config : CnnConfig
        Settings of the network.

    Raises
    ------
    ValueError
        If the bytes are damaged, or belong to a network of other settings.
    """
    network = LensNet(config)
    try:
        network.load_state_dict(load(data))
    except DAMAGE as error:
        raise ValueError(f"weights that do not fit: {' '.join(str(error).split())[:200]}") from error
    return network.eval()


def optimiser_tensors(network: LensNet, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser, one tensor for each quantity and weight, as ``quantity/weight``."""
    tensors = {}
    for name, weight in network.named_parameters():
        for quantity, value in optimiser.state.get(weight, {}).items():
            tensors[f"{quantity}/{name}"] = torch.as_tensor(value).detach().cpu().clone()
    return tensors


def restore_optimiser(network: LensNet, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state of an optimiser from the tensors of `optimiser_tensors`.

    A fused optimiser counts its steps on the device of the weights, any other one on the processor.
    """
    weights, is_fused = dict(network.named_parameters()), bool(optimiser.defaults.get("fused"))
    for key, value in tensors.items():
        quantity, name = key.split("/", 1)
        on_device = is_fused or quantity != "step"
        optimiser.state[weights[name]][quantity] = value.to(weights[name].device) if on_device else value
