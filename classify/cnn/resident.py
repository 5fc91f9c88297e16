"""Skies that stay in the memory of a GPU, from which batches are gathered there."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from classify.cnn.batch import GALAXY_FIELDS, Batch
from classify.cnn.device import free_memory, upload
from classify.cnn.member import Skies

Index = NDArray[np.int64]

MAX_FILLED = 0.5
"""Maximum fraction of the free memory that the skies fill; the rest is for the networks."""


def resident(skies: Skies, device: torch.device) -> Skies:
    """Return the skies in the memory of a GPU if they fill at most half of it, else the skies as given."""
    if not len(skies) or size_of(skies) > MAX_FILLED * free_memory(device):
        return skies
    return ResidentSkies.of(skies, device)


def size_of(skies: Skies) -> int:
    """Return the bytes that some skies take on a device, where all maps have the side of the largest."""
    side = max(max(each.maps.shape[1:]) for each in skies.inputs)
    galaxies = sum(getattr(each, name).nbytes for each in skies.inputs for name in (*GALAXY_FIELDS, "cut_outs"))
    maps = sum(each.maps.itemsize * len(each.maps) + 1 for each in skies.inputs) * side**2
    return int(galaxies + maps)


@dataclass(frozen=True)
class ResidentSkies(Skies):
    """The same skies, of which a batch is gathered on a device.

    For a batch one array of indices is uploaded, instead of cut-outs and maps.

    Attributes
    ----------
    whole : Batch
        All n skies, on the device.
    n_galaxies, first : (n,) int64 arrays
        Number of galaxies of each sky, and index of its first one.
    is_known : (n,) bool array
        Whether the position of the lens is known.
    """

    whole: Batch
    n_galaxies: Index
    first: Index
    is_known: NDArray[np.bool_]

    @classmethod
    def of(cls, skies: Skies, device: torch.device) -> Self:
        """Return some skies, one at least, on a device."""
        whole, n_galaxies = skies.batch(np.arange(len(skies))), np.array([len(each) for each in skies.inputs])
        is_known = np.isin(np.arange(len(skies)), whole.known.numpy())
        return cls(**vars(skies), whole=whole.to(device), n_galaxies=n_galaxies,
                   first=np.cumsum(n_galaxies) - n_galaxies, is_known=is_known)  # fmt: skip

    def batch(self, chosen: Index) -> Batch:
        """Return the batch of the skies with these indices, on the device."""
        skies, galaxies, sky, known, about = self._indices(chosen)
        side = max(max(self.inputs[i].maps.shape[1:]) for i in chosen)
        return Batch(
            sky=sky,
            cut_outs=self.whole.cut_outs[galaxies],
            maps=self.whole.maps[skies][..., :side, :side],
            inside=self.whole.inside[skies][..., :side, :side],
            lens=self.whole.lens[:, skies],
            cell=self.whole.cell[skies],
            known=known,
            about=about,
            **{name: getattr(self.whole, name)[..., galaxies] for name in GALAXY_FIELDS},
        )

    def _indices(self, chosen: Index) -> tuple[torch.Tensor, ...]:
        """Return the indices of skies and galaxies among all, and `sky`, `known` and `about` of the batch."""
        n, is_known = self.n_galaxies[chosen], self.is_known[chosen]
        sky = np.repeat(np.arange(len(chosen)), n)
        galaxies = np.arange(len(sky)) + np.repeat(self.first[chosen] - np.cumsum(n) + n, n)
        parts = (chosen, galaxies, sky, np.flatnonzero(is_known), np.flatnonzero(is_known[sky]))
        joined = upload(torch.from_numpy(np.concatenate(parts)), self.whole.x.device)
        return torch.split(joined, [len(part) for part in parts])
