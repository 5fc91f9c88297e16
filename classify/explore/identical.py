"""Images that are in a data set more than once, as they are or turned, mirrored or encoded anew."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classify.explore.look import Looks

MIN_CORRELATION = 0.98
"""Minimum correlation of the thumbnails of near-identical images; that of different skies is below 0.7."""

BLOCK = 1024
"""Number of thumbnails that are compared with all others at once."""


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
    change of brightness matters.
    """
    flat = looks.thumbnails.reshape(len(looks.thumbnails), -1)
    digests = looks.skies["digest"].to_numpy()
    is_image = np.linalg.norm(flat, axis=1) > 0.0
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(flat), BLOCK):
        block = looks.thumbnails[start : start + BLOCK]
        for turned in _orientations(block):
            correlation = np.asarray(turned.reshape(len(block), -1) @ flat[start:].T)
            for i, j in np.argwhere(correlation > MIN_CORRELATION):
                pairs.add((start + min(int(i), int(j)), start + max(int(i), int(j))))
    return sorted((i, j) for i, j in pairs if i != j and is_image[i] and digests[i] != digests[j])


def _orientations(block: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
    turned = [np.rot90(block, k, axes=(1, 2)) for k in range(4)]
    return [np.ascontiguousarray(each) for base in turned for each in (base, base[:, :, ::-1])]


def in_both_splits(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> list[int]:
    """Return the validation images of groups that have training images, too."""
    split = skies["split"].to_numpy()
    mixed = [group for group in groups if len({split[k] for k in group}) > 1]
    return sorted({k for group in mixed for k in group if split[k] == "validation"})


def with_both_labels(skies: pd.DataFrame, groups: Sequence[Sequence[int]]) -> list[int]:
    """Return the images of groups whose labels differ."""
    label = skies["label"].to_numpy()
    return sorted({k for group in groups if len({v for v in label[list(group)] if v == v}) > 1 for k in group})
