"""The order of numbers is stable, and a copy is one."""

import numpy as np
import pytest

from darkmatter_features.numerics.kernels.order import copy_into, falling_order


@pytest.mark.parametrize("n", [0, 1, 2, 5, 64, 100])
def test_order_is_that_of_a_stable_sort(rng, n):
    values = rng.integers(0, 7, n).astype(np.float64)
    np.testing.assert_array_equal(falling_order(values), np.argsort(-values, kind="stable"))
    distinct = rng.normal(size=n)
    np.testing.assert_array_equal(falling_order(distinct), np.argsort(-distinct))


def test_copy_fills_a_column(rng):
    table, values = np.zeros((5, 3)), rng.normal(size=5)
    copy_into(table[:, 1], values)
    assert table[:, 1].tolist() == values.tolist()
    assert not table[:, ::2].any()
