"""Images that are in a data set more than once, as they are or turned, mirrored or encoded anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classify.explore.look import Looks

MIN_CORRELATION = 0.98
"""Minimum correlation of the thumbnails of near-identical images; that of 1800 different skies is at most 0.24, of
images like a survey's 0.36."""

BLOCK = 1024
"""Number of thumbnails that are compared with all others at once."""

MAX_PAIRS = 100_000
"""Number of compared pairs of images at which the search ends, 10 s: a data set of copies has no use for more."""


@dataclass(frozen=True)
class NearPairs:
    """Pairs of near-identical images.

    Attributes
    ----------
    pairs : list of (int, int)
        Indices of both images, the smaller first.
    n_compared, n_images : int
        Number of images that were compared with all others, and number of different images. The first is smaller if
        the search ended early.
    """

    pairs: list[tuple[int, int]]
    n_compared: int
    n_images: int

    @property
    def n_left_out(self) -> int:
        """Number of images that were not compared with all others."""
        return self.n_images - self.n_compared


def identical_groups(looks: Looks) -> list[list[int]]:
    """Return the indices of the images of each group with the same pixels, in ascending order."""
    known = looks.skies[looks.skies["digest"] != ""]
    groups = known.groupby("digest", sort=False).groups.values()
    return sorted(sorted(map(int, group)) for group in groups if len(group) > 1)


def near_identical_pairs(looks: Looks, *, max_pairs: int = MAX_PAIRS) -> NearPairs:
    """Return the pairs of images that are alike but not identical, in any of the eight orientations of a square.

    Parameters
    ----------
    looks : Looks
        Skies of a data set. Of identical images, the first is compared.
    max_pairs : int
        Number of compared pairs at which the search ends.

    Returns
    -------
    NearPairs

    Notes
    -----
    Thumbnails without their local mean are compared by their correlation, so that neither a common background nor a
    change of brightness matters. Candidates are found by their means over the orientations, which differ by no more
    than the thumbnails do in the best of them.
    """
    is_first = ~looks.skies["digest"].duplicated().to_numpy()
    known = np.flatnonzero(is_first & (np.linalg.norm(looks.thumbnails, axis=(1, 2)) > 0.0))
    thumbnails, pairs, n_tried = looks.thumbnails[known], list[tuple[int, int]](), 0
    for k, others in _candidates(thumbnails):
        if n_tried >= max_pairs:
            return NearPairs(pairs, k, len(known))
        n_tried += others.size
        pairs += [(int(known[k]), int(known[j])) for j in others if _alike(*thumbnails[[k, j]])]
    return NearPairs(pairs, len(known), len(known))


def _candidates(thumbnails: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each image with the later ones whose mean over all orientations is near enough to its own."""
    means = np.asarray(sum(_orientations(thumbnails)), dtype=np.float32) / np.float32(8)
    side = (means.shape[1] + 1) // 2
    rows, columns = np.triu_indices(side)  # one of the pixels that are the same in a mean
    flat = means[:, rows, columns] * np.sqrt(np.where(rows == columns, 4.0, 8.0)).astype(np.float32)
    square = np.asarray((flat**2).sum(axis=1))
    for start in range(0, len(flat), BLOCK):
        block = slice(start, start + BLOCK)
        distance = square[block, None] + square[None, start:] - 2.0 * flat[block] @ flat[start:].T
        near = np.triu(distance < 2.0 - 2.0 * MIN_CORRELATION, 1)
        yield from ((start + k, start + np.flatnonzero(own)) for k, own in enumerate(near))


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Return whether two thumbnails are near-identical in any orientation."""
    return max(float((each[0] * other).sum()) for each in _orientations(one[None])) > MIN_CORRELATION


def _orientations(block: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
    """Return thumbnails (n, 32, 32) in the eight orientations of a square."""
    turned = [np.rot90(block, k, axes=(1, 2)) for k in range(4)]
    return [each for base in turned for each in (base, base[:, :, ::-1])]


def in_both_splits(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return the validation images of groups that have training images, too, with the first of these."""
    split = skies["split"].to_numpy()
    found = {k: j for group in reversed(groups) for k, j in _unlike(group, split) if split[k] == "validation"}
    return dict(sorted(found.items()))


def in_one_split(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return the images of groups that have an earlier image in the same split, with the first of these."""
    split, found = skies["split"].to_numpy(), dict[int, int]()
    for group in groups:
        first = dict[str, int]()
        for k in sorted(group):
            if first.setdefault(split[k], k) != k:
                found.setdefault(k, first[split[k]])
    return dict(sorted(found.items()))


def with_both_labels(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return the images of groups whose labels differ, with the first image of the other label."""
    label = skies["label"].to_numpy()
    known = [[k for k in group if label[k] == label[k]] for group in groups]
    return dict(sorted({k: j for group in reversed(known) for k, j in _unlike(group, label)}.items()))


def _unlike(group: Sequence[int], values: NDArray[np.generic]) -> Iterator[tuple[int, int]]:
    """Yield the members of a group of more than one value, each with the first member of another value."""
    first = dict[Any, int]()
    for k in sorted(group):
        first.setdefault(values[k], k)
    for k in group if len(first) > 1 else ():
        yield k, min(j for value, j in first.items() if value != values[k])
