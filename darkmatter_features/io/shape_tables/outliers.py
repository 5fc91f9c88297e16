"""Rows whose position is far from all others, or whose one coordinate stands for none: they would stretch the field."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.shape_tables.positions import directions_of
from darkmatter_features.io.shape_tables.rows import MIN_HEAP, Rows, is_heaped

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_DISTANCE = 3.0
"""Minimum gap between galaxies and positions that are none, in widths of the field."""

MAX_FRACTION = 0.1
"""Maximum fraction of rows that are far from the others: more are a second field."""

CENTRAL = (10.0, 90.0)
"""Percentiles between which the width of the field is measured; it is 1.25 times their distance if uniform."""


def leave_out_far(rows: Rows, position: tuple[str, str]) -> None:
    """Leave out a few rows beyond a gap of several widths of the field, in x or y, or on the sky."""
    if len(rows):
        x, y = (rows.columns[key] for key in position)
        far = _far_on_sky(x, y) if position == ("ra", "dec") else _far(x) | _far(y)
        if far.mean() <= MAX_FRACTION:
            rows.leave_out(far, "far from the field of the others")


def leave_out_borders(rows: Rows, position: tuple[str, str]) -> None:
    """Leave out rows that repeat one coordinate outside the range of the others, as -1 or 0 for none."""
    for key in position:
        values = rows.columns[key]
        heaped = is_heaped(values)
        others = values[~heaped]
        if MIN_HEAP <= heaped.sum() <= MAX_FRACTION * len(rows) and others.size:
            outside = heaped & ((values < others.min()) | (values > others.max()))
            rows.leave_out(outside, f"at one {key} outside the field")


def _far(values: Array) -> Mask:
    """Return which values lie beyond a gap on either side of the median."""
    low, high = np.percentile(values, CENTRAL)
    width = (high - low) * 100.0 / (CENTRAL[1] - CENTRAL[0])
    ordered = np.sort(values)
    gaps = np.flatnonzero(np.diff(ordered) > MIN_DISTANCE * width)
    middle = values.size // 2
    below, above = gaps[gaps < middle], gaps[gaps >= middle]
    if width == 0.0 or not gaps.size:
        return np.zeros(values.shape, dtype=bool)
    least = ordered[below[-1] + 1] if below.size else -np.inf
    return np.asarray((values < least) | (values > (ordered[above[0]] if above.size else np.inf)))


def _far_on_sky(ra: Array, dec: Array) -> Mask:
    """Return which directions are none, or lie beyond a gap from the median direction."""
    none = (np.abs(ra) > 360.0) | (np.abs(dec) > 90.0)
    if none.mean() > MAX_FRACTION:
        return np.zeros(ra.shape, dtype=bool)
    directions = directions_of(np.where(none, 0.0, ra), np.where(none, 0.0, dec))
    distance = np.linalg.norm(directions - np.median(directions[~none], axis=0), axis=1)
    ordered, width = np.sort(distance[~none]), 2.0 * float(np.percentile(distance[~none], CENTRAL[1]))
    gaps = np.flatnonzero(np.diff(ordered) > MIN_DISTANCE * width)
    gaps = gaps[gaps >= ordered.size // 2]
    return np.asarray(none | (distance > (ordered[gaps[0]] if gaps.size and width > 0.0 else np.inf)))
