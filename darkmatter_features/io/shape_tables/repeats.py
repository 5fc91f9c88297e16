"""Repeated galaxies: the same rows twice, and the same galaxies from overlapping exposures."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from darkmatter_features.io.shape_tables.rows import Rows

Array = NDArray[np.float64]
Columns = dict[str, Array]

MAX_DISTANCE = 0.02
"""Maximum distance of two rows of one galaxy, in units of the mean distance sqrt(area / n): 0.2 arcsec for 30 galaxies
per square arcmin. Galaxies at random positions have a neighbour as close with a probability of 0.0013."""

MIN_EXCESS = 5.0
"""Minimum excess of close pairs over those expected from the pairs at up to three times the distance, in Poisson
errors."""

MIN_REPEATED = 0.2
"""Minimum excess of pairs, per row, for a maximum distance of three times MAX_DISTANCE: rows that mostly repeat others,
where galaxies are so dense that the precision of positions exceeds MAX_DISTANCE."""

MAX_PASSES = 10
"""Maximum number of times that rows are merged."""

MAX_PAIRS = 50
"""Maximum number of close pairs per row: more are no repetitions but positions of low precision."""


def merge_repeats(rows: Rows, merge: bool | None) -> str | None:
    """Merge rows of one galaxy, and return a note where the choice may be another.

    Parameters
    ----------
    rows : Rows
        Rows with x and y; those merged are counted.
    merge : bool or None
        True merges all rows at close positions, None those at exactly one position, and those at close ones where they
        are more than by chance, False none.
    """
    same = np.unique(rows.columns["x"] + 1j * rows.columns["y"], return_inverse=True)[1]
    n_same = same.size - int(same.max() + 1)
    if merge is False:
        return f"{n_same} rows repeat a position, not merged" if n_same else None
    if n_same:
        _merge(rows, same)
    n_rows = len(rows)
    for k in range(MAX_PASSES):  # the mean distance, and with it the radius, grows when rows are merged
        pairs = _close_pairs(rows, at_any_number=merge is True and k == 0)
        if pairs is None:
            break
        group = connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(len(rows), len(rows))))[1]
        _merge(rows, group)
    if merge or len(rows) == n_rows:
        return None
    return f"{n_rows - len(rows)} of them close to another, not at its exact position (--no-merge)"


def _close_pairs(rows: Rows, *, at_any_number: bool) -> NDArray[np.intp] | None:
    """Return the pairs (m, 2) of rows that are close; None if there are none, or no more than by chance."""
    position = np.stack([rows.columns["x"], rows.columns["y"]], axis=1)
    radius = MAX_DISTANCE * float(np.sqrt(np.prod(np.ptp(position, axis=0)) / len(rows)))
    if radius == 0.0:
        return None
    tree = cKDTree(position)
    near, far, farthest = (tree.count_neighbors(tree, radius * np.array([1.0, 3.0, 9.0])) - len(rows)) / 2.0
    if near == 0 or near > MAX_PAIRS * len(rows):
        return None
    if not (at_any_number or _excess(near, far) > 0.0):
        if far > MAX_PAIRS * len(rows) or _excess(far, farthest) <= MIN_REPEATED * len(rows):
            return None
        radius *= 3.0
    return np.asarray(tree.query_pairs(radius, output_type="ndarray"), dtype=np.intp)


def _excess(near: float, far: float) -> float:
    """Return the excess of pairs over those expected from three times the distance, 0 if it may be by chance."""
    expected = (far - near) / 8.0  # the ring has eight times the area
    return near - expected if near - expected > MIN_EXCESS * np.sqrt(expected + 1.0) else 0.0


def _merge(rows: Rows, group: NDArray[np.intp]) -> None:
    """Replace the rows of each group by one: the first, with the weighted mean shape and the mean weight.

    Weights are not added: the scatter of shapes is mostly that of the galaxies themselves, which a second measurement
    does not reduce.
    """
    first, number, counts = np.unique(group, return_index=True, return_inverse=True, return_counts=True)[1:]
    columns, is_repeated = rows.columns, counts[number.ravel()] > 1
    weight = columns.get("weight", np.ones(len(rows)))
    total = np.bincount(number.ravel(), weight)
    merged = {key: np.bincount(number.ravel(), weight * columns[key]) / total for key in ("e1", "e2")}
    if "weight" in columns:
        merged["weight"] = total / counts
    for key, means in merged.items():
        columns[key] = np.where(
            is_repeated & ~_is_constant(columns[key], number.ravel(), first), means[number.ravel()], columns[key]
        )
    is_first = np.zeros(len(rows), dtype=bool)
    is_first[first] = True
    rows.n_merged += int((~is_first).sum())
    rows.keep(is_first)


def _is_constant(values: Array, number: NDArray[np.intp], first: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return where the values of a group are all the same, which rounding must not change."""
    differs = np.bincount(number, values != values[first][number]) > 0
    return np.asarray(~differs[number])
