"""Where the network looks: Grad-CAM (Selvaraju et al. 2017), by a hook at the maps that it weighs for each cell."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.cnn.batch import Batch
from classify.cnn.device import one_thread
from classify.cnn.inputs import FieldInput
from classify.cnn.judge import CnnStage
from classify.cnn.network import LensNet
from classify.cnn.weights import from_bytes

Array = NDArray[np.float64]


def grad_cam(look: CnnStage, sky: FieldInput) -> Array:
    """Return how much each cell speaks for a lens, (n_rows, n_columns), the mean over the networks; 0 and more.

    Parameters
    ----------
    look : CnnStage
        The networks.
    sky : FieldInput
        What they see.

    Notes
    -----
    For maps A_k that the log-odds y are made from: ``relu(sum_k a_k A_k)`` with ``a_k`` the mean over the cells of
    ``dy / dA_k``. As the last layer is linear, each a_k is its weight times the mean slope of the evidence.
    """
    n_rows, n_columns = sky.maps.shape[1:]
    with one_thread():
        maps = [_of_network(from_bytes(member, look.config), Batch.of([sky])) for member in look.members]
    return np.asarray(np.mean(maps, axis=0)[:n_rows, :n_columns], dtype=np.float64)


def _of_network(network: LensNet, batch: Batch) -> NDArray[np.float32]:
    with _kept(network.seen) as kept:
        log_odds, _, _ = network(batch)
        log_odds.sum().backward()
    (maps,) = kept
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    found: NDArray[np.float32] = (weights * maps).sum(dim=1).clamp(min=0.0)[0].detach().numpy()
    return found


@contextmanager
def _kept(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Keep what comes out of a layer, and its gradient."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        out.retain_grad()
        kept.append(out)

    hook = layer.register_forward_hook(keep)
    try:
        yield kept
    finally:
        hook.remove()
