"""Device that runs the network: CUDA if available, else MPS, else the processor."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def best_device() -> torch.device:
    """Return the fastest available device."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def mixed(device: torch.device) -> torch.autocast:
    """Return the context of mixed precision: bfloat16 on a GPU, no change on the processor."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type != "cpu")


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
