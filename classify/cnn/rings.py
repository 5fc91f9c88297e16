"""Sums over the galaxies about every cell, by Fourier transforms: the layer that sees the whole field."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SUBCELLS = 2
"""Cells of the field along a cell of the evidence: they are 8 px wide where that is 16 px."""


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
        phases = phases.reshape(m, -1, side, side)
        sums: Tensor = RingSums.apply(phases, self.profiles, *self._transforms_of(side))  # type: ignore[no-untyped-call]
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
    each = [
        functional.avg_pool2d(kernels[..., SUBCELLS - 1 - row :, SUBCELLS - 1 - column :], SUBCELLS)
        for row in range(SUBCELLS) for column in range(SUBCELLS)
    ]  # fmt: skip
    phases = torch.stack(each, dim=2).flatten(1, 2).roll((-side, -side), dims=(-2, -1))
    transforms: Tensor = torch.fft.rfft2(phases)
    return transforms


class RingSums(torch.autograd.Function):
    """Convolution with the kernels of `Rings` by Fourier transforms, and its gradient by transforms of real maps.

    Autograd would take complex transforms for the gradient, which cost twice as much.
    """

    @staticmethod
    def forward(ctx: Any, phases: Tensor, profiles: Tensor, spin2: Tensor, spin0: Tensor) -> Tensor:
        """Return the sums (m, n, s, s) for phases (m, k, s, s), profiles (n, n_nodes) and the transforms of nodes."""
        side, size = phases.shape[-1], (2 * phases.shape[-1],) * 2  # padding keeps it from wrapping round
        n_spin2 = phases.shape[1] // SUBCELLS**2 - len(profiles)
        own = profiles.tensor_split([n_spin2])
        kernels = torch.cat([_weighted(*each) for each in zip(own, (spin2, spin0), strict=True)])
        fields = torch.fft.rfft2(phases, s=size)
        ctx.save_for_backward(fields, kernels, spin2, spin0)
        ctx.n_spin2 = n_spin2
        sums2, sums0 = _by_spin(fields * kernels, n_spin2)
        sums: Tensor = torch.fft.irfft2(torch.cat([sums2.sum(dim=2), sums0.sum(dim=2)], dim=1), s=size)
        return sums[..., :side, :side]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Return the gradients of phases and kernels: their correlations with the gradient of the sums."""
        (fields, kernels, spin2, spin0), side = ctx.saved_tensors, gradients[0].shape[-1]
        size = (2 * side, 2 * side)
        of_sums = torch.fft.rfft2(gradients[0], s=size)[:, :, None].tensor_split([ctx.n_spin2], dim=1)

        def times(factors: Tensor) -> Tensor:
            parts = zip(of_sums, _by_spin(factors.conj(), ctx.n_spin2), strict=True)
            return torch.cat([(own * factor).flatten(1, 2) for own, factor in parts], dim=1)

        of_phases = torch.fft.irfft2(times(kernels[None]), s=size)[..., :side, :side]
        weight = torch.full((side + 1,), 2.0 / (4 * side**2), dtype=of_phases.dtype, device=fields.device)
        weight[::side] /= 2.0  # the other columns stand for two of the full transform
        of_kernels = (times(fields).sum(dim=0) * weight).tensor_split([2 * SUBCELLS**2 * ctx.n_spin2])
        of_profiles = [_projected(*each) for each in zip(of_kernels, (spin2, spin0), strict=True)]
        return of_phases, torch.cat(of_profiles), None, None


def _weighted(profiles: Tensor, transforms: Tensor) -> Tensor:
    """Return the sums over the nodes of the transforms (n_nodes, k, ...) for some profiles (n, n_nodes), (n k, ...)."""
    weighted = _product(profiles, _as_rows(transforms))
    return torch.view_as_complex(weighted.view(-1, *transforms.shape[2:], 2))


def _projected(of_kernels: Tensor, transforms: Tensor) -> Tensor:
    """Return the gradient of the profiles (n, n_nodes) for that of their kernels (n k, ...)."""
    rows = _as_rows(transforms)
    return _product(torch.view_as_real(of_kernels).reshape(-1, rows.shape[1]), rows.T)


def _as_rows(transforms: Tensor) -> Tensor:
    """Return the real and imaginary parts of transforms (n_nodes, ...) as one row for each node."""
    return torch.view_as_real(transforms).flatten(1)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Return a matrix product in single precision.

    Given its output, PyTorch leaves it in single precision in training on a GPU, where it would be in half precision.
    """
    return torch.mm(first, second, out=first.new_empty(len(first), second.shape[1]))


def _by_spin(maps: Tensor, n_spin2: int) -> tuple[Tensor, Tensor]:
    """Return maps (m, k, ...) as (m, n_spin2, 2 n_phases, ...) and (m, n_spin0, n_phases, ...)."""
    n_phases = SUBCELLS**2
    spin2, spin0 = maps.tensor_split([2 * n_phases * n_spin2], dim=1)
    (n, _, *sides), n_spin0 = maps.shape, spin0.shape[1] // n_phases
    return spin2.reshape(n, n_spin2, 2 * n_phases, *sides), spin0.reshape(n, n_spin0, n_phases, *sides)
