"""Skies of one batch as tensors, and the eight symmetries of the square."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from classify.cnn.device import upload
from classify.cnn.inputs import MAPS, FieldInput

GALAXY_FIELDS = ("x", "y", "e", "mean_e", "scalars")
"""Fields of `FieldInput` whose last axis counts galaxies."""


@dataclass(frozen=True)
class Batch:
    """The n galaxies of m skies one after another, and their maps, padded to squares of the largest.

    Attributes
    ----------
    sky : (n,) int64 tensor
        Index of the sky of each galaxy.
    x, y, e, mean_e, scalars, cut_outs
        Galaxies, as in `FieldInput`.
    maps : (m, len(MAPS), side, side) float32 tensor
        Maps of the evidence; 0 outside the image.
    inside : (m, side, side) bool tensor
        Whether a cell lies in the image.
    lens : (2, m) float32 tensor, cells
        Column and row of the lens from the corner of the image; nan without a lens, or if its position is unknown.
    cell : (m,) float32 tensor, pixels
        Side of a cell, which differs between images of different sizes.
    known : (k,) int64 tensor
        Indices of the skies whose lens has a known position.
    about : (l,) int64 tensor
        Indices of the galaxies in these skies. Both are found on the processor: a mask on a GPU would have to be read
        back to find how many are chosen.
    """

    sky: Tensor
    x: Tensor
    y: Tensor
    e: Tensor
    mean_e: Tensor
    scalars: Tensor
    cut_outs: Tensor
    maps: Tensor
    inside: Tensor
    lens: Tensor
    cell: Tensor
    known: Tensor
    about: Tensor

    @property
    def side(self) -> int:
        """Number of cells along a side of the padded maps."""
        return int(self.maps.shape[-1])

    @classmethod
    def of(cls, inputs: Sequence[FieldInput], lenses: Sequence[tuple[float, float]] | None = None) -> Self:
        """Return the batch of some skies.

        Parameters
        ----------
        inputs : (m,) sequence of FieldInput
            Inputs of the skies.
        lenses : (m,) sequence of (float, float), cells, optional
            Column and row of the lens of each sky; nan without a lens.
        """
        n_galaxies = [len(each) for each in inputs]
        joined = {name: np.concatenate([getattr(each, name) for each in inputs], axis=-1) for name in GALAXY_FIELDS}
        maps, inside = _padded(inputs)
        lens = np.full((len(inputs), 2), np.nan) if lenses is None else np.asarray(lenses, dtype=np.float64)
        sky, is_known = np.repeat(np.arange(len(inputs)), n_galaxies), np.isfinite(lens).all(axis=1)
        return cls(
            sky=torch.from_numpy(sky),
            cut_outs=torch.from_numpy(np.concatenate([each.cut_outs for each in inputs])),
            maps=torch.from_numpy(maps),
            inside=torch.from_numpy(inside),
            lens=torch.from_numpy(lens.astype(np.float32).T),
            cell=torch.tensor([each.cell for each in inputs], dtype=torch.float32),
            known=torch.from_numpy(np.flatnonzero(is_known)),
            about=torch.from_numpy(np.flatnonzero(is_known[sky])),
            **{name: torch.from_numpy(values) for name, values in joined.items()},
        )

    def to(self, device: torch.device) -> Self:
        """Return the same batch on a device."""
        return type(self)(**{field.name: upload(getattr(self, field.name), device) for field in fields(self)})


def _padded(inputs: Sequence[FieldInput]) -> tuple[np.ndarray, np.ndarray]:
    side = max(max(each.maps.shape[1:]) for each in inputs)
    maps = np.zeros((len(inputs), len(MAPS), side, side), dtype=np.float32)
    inside = np.zeros((len(inputs), side, side), dtype=np.bool_)
    for k, each in enumerate(inputs):
        n_rows, n_columns = each.maps.shape[1:]
        maps[k, :, :n_rows, :n_columns] = each.maps
        inside[k, :n_rows, :n_columns] = True
    return maps, inside


def mirrored(batch: Batch, *, swap: bool = False, flip_x: bool = False, flip_y: bool = False) -> Batch:
    """Return the same skies in one of the eight symmetries of the square.

    Parameters
    ----------
    batch : Batch
        The skies.
    swap : bool
        Swap rows and columns before any flip. A swap and one flip make a quarter turn.
    flip_x, flip_y : bool
        Reverse the order of the columns, of the rows.

    Notes
    -----
    The swap maps an ellipse at the angle phi to pi/2 - phi, either flip to -phi. Thus the swap changes the sign of
    ``e1``, and each flip the sign of ``e2``.
    """
    if swap:
        batch = _mirror(
            batch, (-1.0, 1.0), lambda t: t.transpose(-1, -2), x=batch.y, y=batch.x, lens=batch.lens.flip(0)
        )
    if flip_x:
        lens = torch.stack([batch.side - batch.lens[0], batch.lens[1]])
        batch = _mirror(batch, (1.0, -1.0), lambda t: t.flip(-1), x=batch.side - batch.x, y=batch.y, lens=lens)
    if flip_y:
        lens = torch.stack([batch.lens[0], batch.side - batch.lens[1]])
        batch = _mirror(batch, (1.0, -1.0), lambda t: t.flip(-2), x=batch.x, y=batch.side - batch.y, lens=lens)
    return batch


def _mirror(
    batch: Batch, signs: tuple[float, float], pixels: Callable[[Tensor], Tensor], *, x: Tensor, y: Tensor, lens: Tensor
) -> Batch:
    e, mean_e = (torch.stack([signs[0] * each[0], signs[1] * each[1]]) for each in (batch.e, batch.mean_e))
    return replace(
        batch, x=x, y=y, lens=lens, e=e, mean_e=mean_e, cut_outs=pixels(batch.cut_outs), maps=pixels(batch.maps),
        inside=pixels(batch.inside),
    )  # fmt: skip
