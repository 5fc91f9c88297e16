"""The network: a look at every galaxy, laid on the field, and what that adds to the evidence cell by cell."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from classify.cnn.batch import Batch
from classify.cnn.config import CnnConfig
from classify.cnn.inputs import CUT_OUT, MAPS, N_BANDS, SCALARS

FINER = 2
"""Cells of the field along a cell of the evidence: 8 px."""
EVIDENCE_UNIT, SHEAR_UNIT, MEAN_E_UNIT = 10.0, 0.2, 0.1
"""What is about 1 to the network: of log evidence, of an ellipticity, of a mean one."""
DARK = 0.2
"""Taken off the cut-outs, whose mean it is about."""


class GalaxyNet(nn.Module):
    """From the cut-out and the numbers of a galaxy to what it tells of the shear (pairs) and else (singles)."""

    middle: Tensor
    spread: Tensor

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        c, self.n_pairs, self.n_singles = config.width, config.n_spin2, config.n_spin0
        self.picture = nn.Sequential(
            nn.Conv2d(N_BANDS, c, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(c, 2 * c, 4, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(2 * c * (CUT_OUT // 4) ** 2, 3 * c), nn.ReLU(),
        )  # fmt: skip
        n_numbers = len(SCALARS) + 4
        self.joined = nn.Sequential(
            nn.Linear(3 * c + n_numbers, 4 * c), nn.ReLU(), nn.Linear(4 * c, 4 * c), nn.ReLU(),
            nn.Linear(4 * c, 3 * self.n_pairs + self.n_singles),
        )  # fmt: skip
        self.register_buffer("middle", torch.zeros(len(SCALARS)))
        self.register_buffer("spread", torch.ones(len(SCALARS)))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the pairs (n, n_pairs, 2) and the singles (n, n_singles).

        A pair is its ellipticity with a weight that the network gives, and what the cut-out says beyond.
        """
        scalars = (batch.scalars - self.middle[:, None]) / self.spread[:, None]
        numbers = torch.cat([scalars, batch.e / SHEAR_UNIT, batch.mean_e / MEAN_E_UNIT]).T
        seen = self.picture(batch.cut_outs.float() / 255.0 - DARK)
        told = self.joined(torch.cat([seen, numbers], dim=1))
        beyond, weight, n_spin0 = told.split([2 * self.n_pairs, self.n_pairs, self.n_singles], dim=1)
        e = batch.e.T[:, None, :] / SHEAR_UNIT
        return beyond.reshape(-1, self.n_pairs, 2) + weight[:, :, None] * e, n_spin0


class Rings(nn.Module):
    """Sums over the galaxies about every cell: of tangential pairs and of singles, weighed by profiles of the radius.

    A convolution whose kernels are ``-R(r) (cos 2 phi, sin 2 phi)`` for pairs and ``R(r)`` for singles: what is learnt
    is R alone, linear between nodes a cell apart (circular harmonics, as in Worrall et al. 2017).
    """

    def __init__(self, n_pairs: int, n_singles: int, reach: int) -> None:
        super().__init__()
        self.n_pairs, self.reach = n_pairs, reach
        r = torch.arange(reach + 1.0)
        pair, single = 0.6 * r / (r**2 + 1.0), 0.1 * torch.exp(-((r / 3.0) ** 2) / 2.0)
        self.profiles = nn.Parameter(torch.cat([pair.repeat(n_pairs, 1), single.repeat(n_singles, 1)]))

    def forward(self, field: Tensor) -> Tensor:
        """Return (m, n_pairs + n_singles, s, s) for a field (m, 2 n_pairs + n_singles, s, s)."""
        side, n = field.shape[-1], 2 * self.n_pairs
        size = (2 * side, 2 * side)  # room beside the picture, so that what leaves it does not come in again
        product = torch.fft.rfft2(field.float(), s=size) * torch.fft.rfft2(self._kernels(side), s=size)
        tangential = product[:, :n:2] + product[:, 1:n:2]
        whole: Tensor = torch.fft.irfft2(torch.cat([tangential, product[:, n:]], dim=1), s=size)
        return whole[..., :side, :side]

    def _kernels(self, side: int) -> Tensor:
        """Return the kernels, their middle in the corner, (2 n_pairs + n_singles, 2 side, 2 side)."""
        step = torch.arange(2 * side, device=self.profiles.device)
        offset = torch.where(step < side, step, step - 2 * side).float()
        dy, dx = offset[:, None], offset[None, :]
        square = dx**2 + dy**2
        spin = -torch.stack([dx**2 - dy**2, 2.0 * dx * dy]) / square.clamp(min=1.0)
        profile = self._at(square.sqrt() / FINER)
        pair, single = profile[: self.n_pairs], profile[self.n_pairs :]
        return torch.cat([(pair[:, None] * spin).flatten(0, 1), single])

    def _at(self, r: Tensor) -> Tensor:
        """Return the profiles at radii in cells of the evidence; beyond the reach they are 0."""
        low = r.floor().long().clamp(max=self.reach - 1)
        share = r - low
        value = self.profiles[:, low] * (1.0 - share) + self.profiles[:, low + 1] * share
        return value * (r < self.reach)


class LensNet(nn.Module):
    """Log-odds of a lens: the log of the mean, over the cells, of the evidence times what the network adds to it.

    Before it has learnt anything it adds nothing, and tells the log evidence.
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
        self.seen = nn.Identity()  # where a hook sees all that is weighed for each cell
        self.added = nn.Conv2d(config.channels + n_rings, 1, 1)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)  # type: ignore[arg-type]
        self.line = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the log-odds (m,), the log evidence of each cell (m, side, side) and the shear, over 0.1, (n, 2)."""
        n_spin2, n_spin0 = self.galaxies(batch)
        told = torch.cat([n_spin2.flatten(1), n_spin0, torch.ones_like(n_spin0[:, :1])], dim=1)
        field = on_grid(batch, told)
        rings = functional.avg_pool2d(self.rings(field[:, :-1]), FINER)
        count = FINER**2 * functional.avg_pool2d(field[:, -1:], FINER)
        inside = batch.inside[:, None].float()
        maps = inside * torch.cat([batch.maps / EVIDENCE_UNIT, rings, count, inside], dim=1)
        added = self.added(self.seen(torch.cat([self.field(maps), rings], dim=1)))[:, 0].float()
        cells = (batch.maps[:, 0] + added).masked_fill(~batch.inside, -torch.inf)
        mean = cells.flatten(1).logsumexp(dim=1) - batch.inside.flatten(1).sum(dim=1).log()
        return self.line[0] * mean + self.line[1], cells, n_spin2[:, 0]


def on_grid(batch: Batch, values: Tensor) -> Tensor:
    """Lay values (n, k) of galaxies on the field, (m, k, FINER side, FINER side), each on the four cells about it."""
    m, side = len(batch.maps), FINER * batch.side
    x, y = FINER * batch.x - 0.5, FINER * batch.y - 0.5
    left, top = x.floor(), y.floor()
    grid = values.new_zeros(m * side * side, values.shape[1])
    for right in (0, 1):
        for down in (0, 1):
            share = (1.0 - (x - left - right).abs()) * (1.0 - (y - top - down).abs())
            row, column = (top + down).long().clamp(0, side - 1), (left + right).long().clamp(0, side - 1)
            grid = grid.index_add(0, (batch.sky * side + row) * side + column, (share[:, None] * values).to(grid.dtype))
    return grid.view(m, side, side, -1).permute(0, 3, 1, 2)
