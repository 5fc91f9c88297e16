"""Loss of the network: the label, the position of a known lens, and the shear of the galaxies about it."""

import torch
from torch import Tensor
from torch.nn import functional

from classify.cnn.batch import Batch
from classify.cnn.config import CnnConfig
from classify.cnn.network import Outputs
from darkmatter_features.lens.template import NODE_SPACING

SHEAR_UNIT = 0.1
"""Unit of the shear that the network predicts, dimensionless."""


def loss_of(
    outputs: Outputs, batch: Batch, labels: Tensor, profile: Tensor, config: CnnConfig
) -> tuple[Tensor, Tensor]:
    """Return the total loss, and the log loss of the labels alone.

    Parameters
    ----------
    outputs : tuple of tensors
        Outputs of `LensNet`.
    batch : Batch
        The m skies with their known lenses.
    labels : (m,) float32 tensor
        1 for a lens, 0 for none.
    profile : (n_nodes,) float32 tensor
        Mean shear about a lens, at nodes 4 px apart.
    config : CnnConfig
        Weights of the terms.

    Notes
    -----
    The total is the log loss of the labels, plus minus the log posterior of the true position, plus the mean squared
    error of the shear, the latter two weighted and only for known lenses. One label for two hundred galaxies constrains
    each of them weakly; a known lens gives the mean shear at each galaxy, from which the network learns how
    strongly the shape of a galaxy depends on the shear.
    """
    log_odds, cells, shear = outputs
    label_loss = functional.binary_cross_entropy_with_logits(log_odds.float(), labels)
    total = label_loss
    if len(batch.known):
        total = total + config.position_weight * _position_loss(cells, batch)
        expected = shear_about(batch, profile)[batch.about] / SHEAR_UNIT
        total = total + config.shear_weight * functional.mse_loss(shear[batch.about].float(), expected)
    return total, label_loss


def _position_loss(cells: Tensor, batch: Batch) -> Tensor:
    """Return minus the mean log posterior of the cells of the known lenses."""
    column, row = batch.lens[:, batch.known].floor().long().clamp(0, batch.side - 1)
    posterior = cells[batch.known].flatten(1).log_softmax(dim=1)
    return -posterior.gather(1, (row * batch.side + column)[:, None]).mean()


def shear_about(batch: Batch, profile: Tensor) -> Tensor:
    """Return the mean shear at each galaxy: tangential about the lens of its sky, nan where there is none.

    Parameters
    ----------
    batch : Batch
        Skies of n galaxies with their lenses.
    profile : (n_nodes,) float32 tensor
        Mean shear about a lens, at nodes 4 px apart.

    Returns
    -------
    (n, 2) float32 tensor
        Components ``-g(r) cos 2 phi`` and ``-g(r) sin 2 phi``.
    """
    dx, dy = torch.stack([batch.x, batch.y]) - batch.lens[:, batch.sky]
    square = dx**2 + dy**2
    node = (square.sqrt() * batch.cell[batch.sky] / NODE_SPACING).nan_to_num().clamp(max=len(profile) - 1.001)
    low = node.floor().long()
    g = profile[low] + (profile[low + 1] - profile[low]) * (node - low)
    spin = torch.stack([dx**2 - dy**2, 2.0 * dx * dy], dim=1) / square.clamp(min=1e-6)[:, None]
    tangential: Tensor = -g[:, None] * spin
    return tangential
