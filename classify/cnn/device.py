"""Where the network runs: CUDA where there is one, MPS where there is one, the processor otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def best_device() -> torch.device:
    """Return the fastest device there is."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def mixed(device: torch.device) -> torch.autocast:
    """Return the context of mixed precision: bfloat16 where it is safe, on a GPU; as it is on the processor."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type != "cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let each operation on the processor use one thread: sums come out the same on any number of cores.

    Networks that train side by side fill the cores; operations this small would be slower on several threads each.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
