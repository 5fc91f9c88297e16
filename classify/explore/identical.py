"""Images that are in a data set more than once, as they are or turned, mirrored or encoded anew."""

from collections.abc import Sequence

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
"""Maximum number of pairs that are looked for: a data set of copies has no use for more."""


def identical_groups(looks: Looks) -> list[list[int]]:
    """Return the indices of the images of each group with the same pixels, in ascending order."""
    known = looks.skies[looks.skies["digest"] != ""]
    groups = known.groupby("digest", sort=False).groups.values()
    return sorted(sorted(map(int, group)) for group in groups if len(group) > 1)


def near_identical_pairs(looks: Looks) -> list[tuple[int, int]]:
    """Return the pairs of images that are alike but not identical, in any of the eight orientations of a square.

    Notes
    -----
    Thumbnails without their local mean are compared by their correlation, so that neither a common background nor a
    change of brightness matters. Candidates are found by their means over the orientations, which differ by no more
    than the thumbnails do in the best of them.
    """
    thumbnails, digests = looks.thumbnails, looks.skies["digest"].to_numpy()
    return [(i, j) for i, j in _candidates(thumbnails) if digests[i] != digests[j] and _alike(*thumbnails[[i, j]])]


def _candidates(thumbnails: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the pairs whose means over all orientations are near enough for the minimum correlation."""
    known = np.flatnonzero(np.linalg.norm(thumbnails, axis=(1, 2)) > 0.0)
    means = np.asarray(sum(_orientations(thumbnails[known])), dtype=np.float32) / np.float32(8)
    side = (means.shape[1] + 1) // 2
    rows, columns = np.triu_indices(side)  # one of the pixels that are the same in a mean
    flat = means[:, rows, columns] * np.sqrt(np.where(rows == columns, 4.0, 8.0)).astype(np.float32)
    square, pairs = np.asarray((flat**2).sum(axis=1)), []
    for start in range(0, len(flat), BLOCK):
        block = slice(start, start + BLOCK)
        distance = square[block, None] + square[None, start:] - 2.0 * flat[block] @ flat[start:].T
        near = np.triu(distance < 2.0 - 2.0 * MIN_CORRELATION, 1)
        pairs += [(int(known[start + i]), int(known[start + j])) for i, j in np.argwhere(near)]
        if len(pairs) > MAX_PAIRS:
            break
    return pairs


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Return whether two thumbnails are near-identical in any orientation."""
    return max(float((each[0] * other).sum()) for each in _orientations(one[None])) > MIN_CORRELATION


def _orientations(block: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
    """Return thumbnails (n, 32, 32) in the eight orientations of a square."""
    turned = [np.rot90(block, k, axes=(1, 2)) for k in range(4)]
    return [each for base in turned for each in (base, base[:, :, ::-1])]


def in_both_splits(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> list[int]:
    """Return the validation images of groups that have training images, too."""
    split = skies["split"].to_numpy()
    mixed = [group for group in groups if len({split[k] for k in group}) > 1]
    return sorted({k for group in mixed for k in group if split[k] == "validation"})


def with_both_labels(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> list[int]:
    """Return the images of groups whose labels differ."""
    label = skies["label"].to_numpy()
    return sorted({k for group in groups if len({v for v in label[list(group)] if v == v}) > 1 for k in group})
