"""The network: it measures every galaxy, sums over the field, and corrects the evidence cell by cell."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from classify.cnn.batch import Batch
from classify.cnn.config import CnnConfig
from classify.cnn.device import single
from classify.cnn.inputs import CUT_OUT, MAPS, N_BANDS, SCALARS, FieldInput

Outputs = tuple[Tensor, Tensor, Tensor]
"""Log-odds (m,), log evidence of each cell (m, side, side) and shear (n, 2) in units of 0.1."""

SUBCELLS = 2
"""Cells of the field along a cell of the evidence: they are 8 px wide where that is 16 px."""
EVIDENCE_UNIT = 10.0
"""Log evidence that is 1 in the input of the network."""
E_UNIT = 0.2
"""Ellipticity that is 1 in the input of the network."""
MEAN_E_UNIT = 0.1
"""Mean ellipticity that is 1 in the input of the network."""
CUT_OUT_MEAN = 0.2
"""Typical mean of the cut-outs in units of their maximum; subtracted from them."""
SKIES_PER_BATCH = 24
"""Skies in one batch of `batches_of`."""


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
        cut_outs = batch.cut_outs.contiguous(memory_format=torch.channels_last).float()  # convolved in 3/4 of the time
        features = self.cut_out(cut_outs.div_(255.0).sub_(CUT_OUT_MEAN))
        outputs = self.head(torch.cat([features, numbers], dim=1))
        correction, weight, spin0 = outputs.split([2 * self.n_spin2, self.n_spin2, self.n_spin0], dim=1)
        e = batch.e.T[:, None, :] / E_UNIT
        return correction.reshape(-1, self.n_spin2, 2) + weight[:, :, None] * e, spin0


class Rings(nn.Module):
    """Sums over the galaxies about every cell of the evidence, weighted by learnt profiles of the radius.

    Notes
    -----
    A convolution with the kernels ``-R(r) (cos 2 phi, sin 2 phi)`` for spin-2 quantities, whose sum is tangential, and
    ``R(r)`` for spin-0 quantities, averaged over the cells of the field in a cell of the evidence. Only R is learnt:
    linear between nodes one cell of the evidence apart, and 0 from `reach` on. The cells of the field at each of the
    ``SUBCELLS**2`` places in a cell of the evidence, their phases, are convolved by themselves.

    References
    ----------
    Worrall et al. 2017, Harmonic networks: deep translation and rotation equivariance, arXiv:1612.04642 (kernels that
    are circular harmonics times a radial profile)
    """

    def __init__(self, n_spin2: int, n_spin0: int, reach: int) -> None:
        super().__init__()
        self.n_spin2, self.reach = n_spin2, reach
        r = torch.arange(reach + 1.0)
        spin2, spin0 = 0.6 * r / (r**2 + 1.0), 0.1 * torch.exp(-((r / 3.0) ** 2) / 2.0)
        self.profiles = nn.Parameter(torch.cat([spin2.repeat(n_spin2, 1), spin0.repeat(n_spin0, 1)]))
        self._transforms: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def forward(self, field: Tensor) -> Tensor:
        """Return the sums (m, n_spin2 + n_spin0, s, s) for a field (m, 2 n_spin2 + n_spin0, SUBCELLS s, SUBCELLS s)."""
        m, _, width, _ = field.shape
        side = width // SUBCELLS
        phases = field.float().view(m, -1, side, SUBCELLS, side, SUBCELLS).permute(0, 1, 3, 5, 2, 4)
        spin2, spin0 = self._transforms_of(side)
        kernels = torch.cat([
            _weighted(self.profiles[: self.n_spin2], spin2), _weighted(self.profiles[self.n_spin2 :], spin0)
        ])  # fmt: skip
        phases = phases.reshape(m, -1, side, side)
        sums: Tensor = RingSums.apply(phases, kernels, self.n_spin2)  # type: ignore[no-untyped-call]
        return sums

    def _transforms_of(self, side: int) -> tuple[Tensor, Tensor]:
        """Return the transforms of the kernels of each node, computed once for a side."""
        key = side, self.profiles.device
        if key not in self._transforms:
            self._transforms[key] = self._new_transforms(side)
        return self._transforms[key]

    @torch.no_grad()
    def _new_transforms(self, side: int) -> tuple[Tensor, Tensor]:
        """Return the transforms for spin 2, (n_nodes, 2 n_phases, 2 s, s + 1), and spin 0, (n_nodes, n_phases, ...)."""
        start, end = -SUBCELLS * side - SUBCELLS + 1, SUBCELLS * side
        offset = torch.arange(start, end, device=self.profiles.device).float()
        dy, dx = offset[:, None], offset[None, :]
        square = dx**2 + dy**2
        r, node = square.sqrt() / SUBCELLS, torch.arange(self.reach + 1, device=offset.device)[:, None, None]
        profile = (1.0 - (r - node).abs()).clamp(min=0.0) * (r < self.reach)
        spin = -torch.stack([dx**2 - dy**2, 2.0 * dx * dy]) / square.clamp(min=1.0)
        spin2, spin0 = profile[:, None] * spin, profile[:, None]
        return _transformed(spin2, side), _transformed(spin0, side)


def _transformed(kernels: Tensor, side: int) -> Tensor:
    """Return the transforms of the phases of some kernels (n, k, .., ..), as (n, k n_phases, 2 side, side + 1)."""
    phases = [
        functional.avg_pool2d(kernels[..., SUBCELLS - 1 - row :, SUBCELLS - 1 - column :], SUBCELLS)
        for row in range(SUBCELLS) for column in range(SUBCELLS)
    ]  # fmt: skip
    phases = torch.stack(phases, dim=2).flatten(1, 2)
    return torch.fft.rfft2(phases.roll((-side, -side), dims=(-2, -1)))


def _weighted(profiles: Tensor, transforms: Tensor) -> Tensor:
    """Return the sums over the nodes of the transforms (n_nodes, k, ...) for some profiles (n, n_nodes), (n k, ...)."""
    weighted = profiles @ torch.view_as_real(transforms).flatten(1)
    return torch.view_as_complex(weighted.view(-1, *transforms.shape[2:], 2))


class RingSums(torch.autograd.Function):
    """Convolution with the kernels of `Rings` by Fourier transforms, and its gradient by transforms of real maps.

    Autograd would take complex transforms for the gradient, which cost twice as much.
    """

    @staticmethod
    def forward(ctx: Any, phases: Tensor, kernels: Tensor, n_spin2: int) -> Tensor:
        """Return the sums (m, n, s, s) for phases (m, k, s, s) and the transforms of their kernels (k, 2 s, s + 1)."""
        side, size = phases.shape[-1], (2 * phases.shape[-1],) * 2  # padding keeps it from wrapping round
        fields = torch.fft.rfft2(phases, s=size)
        ctx.save_for_backward(fields, kernels)
        ctx.n_spin2 = n_spin2
        spin2, spin0 = _by_spin(fields * kernels, n_spin2)
        sums: Tensor = torch.fft.irfft2(torch.cat([spin2.sum(dim=2), spin0.sum(dim=2)], dim=1), s=size)
        return sums[..., :side, :side]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of phases and kernels: their correlations with the gradient of the sums."""
        (fields, kernels), side = ctx.saved_tensors, gradients[0].shape[-1]
        size = (2 * side, 2 * side)
        of_sums = torch.fft.rfft2(gradients[0], s=size)[:, :, None].tensor_split([ctx.n_spin2], dim=1)

        def times(factors: Tensor) -> Tensor:
            parts = zip(of_sums, _by_spin(factors.conj(), ctx.n_spin2), strict=True)
            return torch.cat([(own * factor).flatten(1, 2) for own, factor in parts], dim=1)

        of_phases = torch.fft.irfft2(times(kernels[None]), s=size)[..., :side, :side]
        weight = torch.full((side + 1,), 2.0 / (4 * side**2), dtype=of_phases.dtype, device=fields.device)
        weight[[0, side]] /= 2.0  # the other columns stand for two of the full transform
        return of_phases, times(fields).sum(dim=0) * weight, None


def _by_spin(maps: Tensor, n_spin2: int) -> tuple[Tensor, Tensor]:
    """Return maps (m, k, ...) as (m, n_spin2, 2 n_phases, ...) and (m, n_spin0, n_phases, ...)."""
    n_phases = SUBCELLS**2
    spin2, spin0 = maps.tensor_split([2 * n_phases * n_spin2], dim=1)
    return spin2.unflatten(1, (n_spin2, 2 * n_phases)), spin0.unflatten(1, (-1, n_phases))


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


def batches_of(inputs: Sequence[FieldInput], device: torch.device) -> Iterator[Batch]:
    """Return the batches of some skies on a device, each made when it is needed."""
    for start in range(0, len(inputs), SKIES_PER_BATCH):
        yield Batch.of(inputs[start : start + SKIES_PER_BATCH]).to(device)


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
