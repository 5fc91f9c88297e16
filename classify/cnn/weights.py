"""Weights as bytes of safetensors, which hold numbers and nothing that could run."""

from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

from classify.cnn.config import CnnConfig
from classify.cnn.network import LensNet


def to_bytes(network: LensNet) -> bytes:
    """Return the weights of a network."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()})


def from_bytes(data: bytes, config: CnnConfig) -> LensNet:
    """Build a network of these weights; raises ValueError if they are another's."""
    try:
        network = LensNet(config)
        network.load_state_dict(load(data))
    except Exception as error:
        raise ValueError(f"weights that do not fit: {' '.join(str(error).split())[:200]}") from error
    return network.eval()


def optimiser_tensors(network: LensNet, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser, one tensor for each of its figures and each weight, by their names."""
    found = {}
    for name, weight in network.named_parameters():
        for figure, value in optimiser.state.get(weight, {}).items():
            found[f"{figure}/{name}"] = torch.as_tensor(value).detach().cpu().clone()
    return found


def restore_optimiser(network: LensNet, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave."""
    weights = dict(network.named_parameters())
    for key, value in tensors.items():
        figure, name = key.split("/", 1)
        on = value if figure == "step" else value.to(weights[name].device)
        optimiser.state[weights[name]][figure] = on
