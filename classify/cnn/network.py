"""The network: it measures every galaxy, sums over the field, and corrects the evidence cell by cell."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from classify.cnn.batch import Batch
from classify.cnn.config import CnnConfig
from classify.cnn.device import single
from classify.cnn.inputs import CUT_OUT, MAPS, N_BANDS, SCALARS, FieldInput
from classify.cnn.rings import SUBCELLS, Rings

Outputs = tuple[Tensor, Tensor, Tensor]
"""Log-odds (m,), log evidence of each cell (m, side, side) and shear (n, 2) in units of 0.1."""

EVIDENCE_UNIT = 10.0
"""Log evidence that is 1 in the input of the network."""
E_UNIT = 0.2
"""Ellipticity that is 1 in the input of the network."""
MEAN_E_UNIT = 0.1
"""Mean ellipticity that is 1 in the input of the network."""
CUT_OUT_MEAN = 0.2
"""Typical mean of the cut-outs in units of their maximum; subtracted from them."""
CUT_OUTS_STEP = 32
"""Numbers of cut-outs that are convolved are multiples of it."""
SKIES_PER_BATCH = 24
"""Skies in one batch of inference on a GPU."""
SKIES_PER_CPU_BATCH = 8
"""Skies in one batch of inference on the processor: as fast as 24, with a third of the memory."""


class GalaxyNet(nn.Module):
    """From the cut-out and the scalars of a galaxy to spin-2 estimates of the shear, and to spin-0 quantities."""

    scalar_mean: Tensor
    scalar_std: Tensor

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        c, self.n_spin2, self.n_spin0 = config.width, config.n_spin2, config.n_spin0
        self.cut_out = nn.Sequential(
            nn.Conv2d(N_BANDS, c, 4, stride=2, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(c, 2 * c, 4, stride=2, padding=1), nn.ReLU(inplace=True),
            nn.Flatten(), nn.Linear(2 * c * (CUT_OUT // 4) ** 2, 3 * c), nn.ReLU(inplace=True),
        )  # fmt: skip
        n_numbers = len(SCALARS) + 4
        self.head = nn.Sequential(
            nn.Linear(3 * c + n_numbers, 4 * c), nn.ReLU(), nn.Linear(4 * c, 4 * c), nn.ReLU(),
            nn.Linear(4 * c, 3 * self.n_spin2 + self.n_spin0),
        )  # fmt: skip
        self.register_buffer("scalar_mean", torch.zeros(len(SCALARS)))
        self.register_buffer("scalar_std", torch.ones(len(SCALARS)))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return spin-2 quantities (n, n_spin2, 2) and spin-0 quantities (n, n_spin0) of the galaxies.

        A spin-2 quantity is the ellipticity with a weight from the network, plus a correction from the cut-out.
        """
        scalars = (batch.scalars - self.scalar_mean[:, None]) / self.scalar_std[:, None]
        numbers = torch.cat([scalars, batch.e / E_UNIT, batch.mean_e / MEAN_E_UNIT]).T
        features = self.cut_out(_filled(batch.cut_outs).float().div_(255.0).sub_(CUT_OUT_MEAN))[: len(numbers)]
        outputs = self.head(torch.cat([features, numbers], dim=1))
        correction, weight, spin0 = outputs.split([2 * self.n_spin2, self.n_spin2, self.n_spin0], dim=1)
        e = batch.e.T[:, None, :] / E_UNIT
        return correction.reshape(-1, self.n_spin2, 2) + weight[:, :, None] * e, spin0


def _filled(cut_outs: Tensor) -> Tensor:
    """Return cut-outs with their bands last and empty ones after them, up to a multiple of `CUT_OUTS_STEP`.

    With their bands last they are convolved in 3/4 of the time. PyTorch compiles and keeps its convolutions for each
    number of cut-outs that occurs.
    """
    n = len(cut_outs)
    filled = cut_outs.new_zeros(n + -n % CUT_OUTS_STEP, *cut_outs.shape[1:])
    filled = filled.contiguous(memory_format=torch.channels_last)
    filled[:n] = cut_outs
    return filled


class LensNet(nn.Module):
    """Log-odds of a lens: the log of the mean evidence over the cells, corrected in each cell.

    Before training the correction is 0, and the log-odds are the log evidence.

    Notes
    -----
    ``log_odds = a log(1/N sum_k exp(E_k + c_k)) + b`` over the N cells of the image, where E_k is the log evidence,
    c_k the correction, and a, b are learnt.
    """

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        n_rings = config.n_spin2 + config.n_spin0
        self.galaxies = GalaxyNet(config)
        self.rings = Rings(config.n_spin2, config.n_spin0, config.reach)
        self.field = nn.Sequential(
            nn.Conv2d(len(MAPS) + n_rings + 2, config.channels, 3, padding=1), nn.ReLU(),
            nn.Conv2d(config.channels, config.channels, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.cell_maps = nn.Identity()  # for a hook: its output is the input of the last layer
        self.correction = nn.Conv2d(config.channels + n_rings, 1, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]
        self.slope_intercept = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, batch: Batch) -> Outputs:
        """Return the log-odds (m,), the log evidence of each cell (m, side, side) and the shear (n, 2) over 0.1."""
        spin2, spin0 = self.galaxies(batch)
        quantities = torch.cat([spin2.flatten(1), spin0, torch.ones_like(spin0[:, :1])], dim=1)
        field = on_grid(batch, quantities)
        rings = self.rings(field[:, :-1])
        count = SUBCELLS**2 * functional.avg_pool2d(field[:, -1:], SUBCELLS)
        inside = batch.inside[:, None].float()
        maps = inside * torch.cat([batch.maps / EVIDENCE_UNIT, rings, count, inside], dim=1)
        correction = self.correction(self.cell_maps(torch.cat([self.field(maps), rings], dim=1)))[:, 0].float()
        cells = (batch.maps[:, 0] + correction).masked_fill(~batch.inside, -torch.inf)
        mean = cells.flatten(1).logsumexp(dim=1) - batch.inside.flatten(1).sum(dim=1).log()
        return self.slope_intercept[0] * mean + self.slope_intercept[1], cells, spin2[:, 0]


def on_grid(batch: Batch, values: Tensor) -> Tensor:
    """Sum values of galaxies on the cells of the field, each shared linearly among the four cells about the galaxy.

    Parameters
    ----------
    batch : Batch
        m skies of n galaxies.
    values : (n, k) tensor
        Quantities of the galaxies.

    Returns
    -------
    (m, k, SUBCELLS side, SUBCELLS side) tensor
    """
    m, side = len(batch.maps), SUBCELLS * batch.side
    x, y = SUBCELLS * batch.x - 0.5, SUBCELLS * batch.y - 0.5
    left, top = x.floor(), y.floor()
    grid = values.new_zeros(m * side * side, values.shape[1])
    for right in (0, 1):
        for down in (0, 1):
            weight = (1.0 - (x - left - right).abs()) * (1.0 - (y - top - down).abs())
            row, column = (top + down).long().clamp(0, side - 1), (left + right).long().clamp(0, side - 1)
            index = (batch.sky * side + row) * side + column
            grid = grid.index_add(0, index, (weight[:, None] * values).to(grid.dtype))
    return grid.view(m, side, side, -1).permute(0, 3, 1, 2)


def skies_per_batch(device: torch.device) -> int:
    """Return the number of skies in one batch of inference."""
    return SKIES_PER_CPU_BATCH if device.type == "cpu" else SKIES_PER_BATCH


def batches_of(inputs: Sequence[FieldInput], device: torch.device) -> Iterator[Batch]:
    """Return the batches of some skies on a device, each made when it is needed."""
    size = skies_per_batch(device)
    for start in range(0, len(inputs), size):
        yield Batch.of(inputs[start : start + size]).to(device)


def log_odds_of(networks: Sequence[LensNet], batches: Iterable[Batch], device: torch.device) -> NDArray[np.float64]:
    """Return the log-odds (n_networks, n) that each network gives for the n skies of some batches.

    The networks are in single precision. A GPU is waited for once, after the last batch.
    """
    for network in networks:
        network.eval()
    log_odds = [torch.empty(len(networks), 0, device=device)]
    with torch.no_grad(), single(device):
        log_odds += [torch.stack([network(batch)[0] for network in networks]) for batch in batches]
    return np.asarray(torch.cat(log_odds, dim=1).cpu().double().numpy())
