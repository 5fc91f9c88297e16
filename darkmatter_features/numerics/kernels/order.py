"""A stable order of numbers, a search in it, and copies. Numba's own generic ones take seconds to compile."""

from typing import Any

import numpy as np

from darkmatter_features.numerics.jit import compiled
from darkmatter_features.numerics.kernels.records import Array


@compiled
def copy_into(target: Any, source: Any) -> None:
    """Copy the elements of `source` (n,) into `target` (n,), which must not overlap."""
    for i in range(source.size):
        target[i] = source[i]


@compiled
def n_below(values: Any, limit: Any) -> Any:
    """Return the number of ascending `values` (n,) that are less than a limit."""
    first, end = 0, values.size
    while first < end:
        middle = (first + end) // 2
        if values[middle] < limit:
            first = middle + 1
        else:
            end = middle
    return first


@compiled
def falling_order(values: Array) -> Any:
    """Return the indices (n,) that sort `values` (n,) from the highest; equal ones keep their order.

    A merge sort from runs of one element upwards.
    """
    n = values.size
    order, merged = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for k in range(n):
        order[k], merged[k] = k, k
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, end = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for k in range(start, end):
                if left < middle and (right >= end or values[order[left]] >= values[order[right]]):
                    merged[k] = order[left]
                    left += 1
                else:
                    merged[k] = order[right]
                    right += 1
        order, merged = merged, order
        width *= 2
    return order
