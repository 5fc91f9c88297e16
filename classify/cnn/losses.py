"""What the network is trained for: the label, the place of a known lens, and the shear of the galaxies about it."""

import torch
from torch import Tensor
from torch.nn import functional

from classify.cnn.batch import Batch
from classify.cnn.config import CnnConfig
from darkmatter_features.lens.template import NODE_SPACING

SHEAR_UNIT = 0.1
"""Of the shear that the network tells."""


def loss_of(
    told: tuple[Tensor, Tensor, Tensor], batch: Batch, labels: Tensor, profile: Tensor, cell: float, config: CnnConfig
) -> tuple[Tensor, Tensor]:
    """Return the loss to be made small, and the log loss of the labels alone.

    Parameters
    ----------
    told : tuple of tensors
        Of `LensNet`.
    batch : Batch
        With the known lenses.
    labels : (m,) float32 tensor
        1 for a lens, 0 for none.
    profile : (n_nodes,) float32 tensor
        Mean shear about a lens, nodes 4 px apart.
    cell : float, pixels
        Side of a cell.
    config : CnnConfig
        The weights.

    Notes
    -----
    One label for two hundred galaxies teaches little about any of them. Where the lens is known, so is, in the mean,
    the shear at each galaxy; to tell it is to learn how much the shape of each kind of galaxy says of it.
    """
    log_odds, cells, shear = told
    of_labels = functional.binary_cross_entropy_with_logits(log_odds.float(), labels)
    total = of_labels
    known = torch.isfinite(batch.lens).all(dim=0)
    if known.any():
        total = total + config.position_weight * _of_places(cells, batch, known)
        about = known[batch.sky]
        wanted = shear_about(batch, profile, cell)[about] / SHEAR_UNIT
        total = total + config.shear_weight * functional.mse_loss(shear[about].float(), wanted)
    return total, of_labels


def _of_places(cells: Tensor, batch: Batch, known: Tensor) -> Tensor:
    """Return minus the mean log posterior of the cells where the lenses are."""
    column, row = batch.lens[:, known].floor().long().clamp(0, batch.side - 1)
    posterior = cells[known].flatten(1).log_softmax(dim=1)
    return -posterior.gather(1, (row * batch.side + column)[:, None]).mean()


def shear_about(batch: Batch, profile: Tensor, cell: float) -> Tensor:
    """Return the mean shear (n, 2) at each galaxy: tangential about the lens of its sky, nan where there is none."""
    dx, dy = torch.stack([batch.x, batch.y]) - batch.lens[:, batch.sky]
    square = dx**2 + dy**2
    node = (square.sqrt() * cell / NODE_SPACING).nan_to_num().clamp(max=len(profile) - 1.001)
    low = node.floor().long()
    g = profile[low] + (profile[low + 1] - profile[low]) * (node - low)
    spin = torch.stack([dx**2 - dy**2, 2.0 * dx * dy], dim=1) / square.clamp(min=1e-6)[:, None]
    tangential: Tensor = -g[:, None] * spin
    return tangential
