"""Device that runs the network: CUDA if available, else MPS, else the processor."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor


def best_device() -> torch.device:
    """Return the fastest available device."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def mixed(device: torch.device) -> torch.autocast:
    """Return the context of mixed precision, for training: bfloat16 on a GPU, no change on the processor."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type != "cpu")


def single(device: torch.device) -> AbstractContextManager[None]:
    """Return the context of single precision, for inference: on CUDA, convolutions without TF32.

    Probabilities are then those of the processor to 1e-3, which bfloat16 does not reach.
    """
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def free_memory(device: torch.device) -> int:
    """Return the free memory of a CUDA device in bytes; 0 for devices that share the memory of the processor."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on a device; a copy to CUDA is queued, and the processor does not wait for it."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit each operation on the processor to one thread, so that sums are the same on any number of cores.

    Networks that train side by side use all cores; several threads would slow operations as small as theirs.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
