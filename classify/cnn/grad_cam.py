"""Grad-CAM of the networks: the cells that raise the log-odds of a lens."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.cnn.batch import Batch
from classify.cnn.device import one_thread
from classify.cnn.inputs import FieldInput
from classify.cnn.network import LensNet
from classify.cnn.stage import CnnStage
from classify.cnn.weights import from_bytes

Array = NDArray[np.float64]


def grad_cam(stage: CnnStage, sky: FieldInput) -> Array:
    """Return the Grad-CAM of a sky, the mean over the networks.

    Parameters
    ----------
    stage : CnnStage
        Stage whose networks are explained.
    sky : FieldInput
        Input of the networks.

    Returns
    -------
    (n_rows, n_columns) float64 array
        Contribution of each cell to the log-odds of a lens up to a factor, 0 or more.

    Notes
    -----
    For the log-odds ``y`` and the maps ``A_k`` from which the last layer makes them,

        L = relu(sum_k a_k A_k),  a_k = mean over the cells of dy / dA_k   (Eqs. 1 and 2 of the reference).

    As the last layer is linear, each a_k is its weight times the mean slope of the evidence.

    References
    ----------
    Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based localization,
    doi:10.1109/ICCV.2017.74
    """
    n_rows, n_columns = sky.maps.shape[1:]
    with one_thread():
        maps = [_of_network(from_bytes(member, stage.config), Batch.of([sky])) for member in stage.members]
    return np.asarray(np.mean(maps, axis=0)[:n_rows, :n_columns], dtype=np.float64)


def _of_network(network: LensNet, batch: Batch) -> NDArray[np.float32]:
    with _recorded(network.cell_maps) as outputs:
        log_odds, _, _ = network(batch)
        log_odds.sum().backward()
    (maps,) = outputs
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    cam: NDArray[np.float32] = (weights * maps).sum(dim=1).clamp(min=0.0)[0].detach().numpy()
    return cam


@contextmanager
def _recorded(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Record the outputs of a layer with their gradients."""
    outputs: list[Tensor] = []

    def record(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    hook = layer.register_forward_hook(record)
    try:
        yield outputs
    finally:
        hook.remove()
