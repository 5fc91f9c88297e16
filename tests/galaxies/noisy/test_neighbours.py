"""Isolation of sources, and its response to shear."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.neighbours import isolation, pairs_within
from darkmatter_features.galaxies.noisy.scales import no_shapes


def sources(x, y, light, responses=0.0):
    shapes = no_shapes(len(x))
    shapes.x[:], shapes.y[:], shapes.light[:] = x, y, light
    shapes.light1[:], shapes.light2[:] = responses
    return shapes


@pytest.mark.parametrize(
    ("distance", "light", "expected"),
    [(4.0, 0.1, (1.0, 0.0)), (4.0, 0.6, (0.0, 0.0)), (12.0, 1.0, (1.0, 1.0)), (4.0, -1.0, (1.0, 0.0))],
    ids=["faint", "comparable", "distant", "without light"],
)
def test_sources_with_comparable_neighbours_are_not_isolated(distance, light, expected):
    found = isolation(sources([0.0, distance], [0.0, 0.0], [1.0, light], np.zeros((2, 2))), 4.0).value
    assert found[0] == expected[0]
    if light > 0.0:
        assert found[1] == expected[1]


def test_single_source_is_isolated():
    found = isolation(sources([3.0], [4.0], [1.0], np.zeros((2, 1))), 4.0)
    assert found.value.tolist() == [1.0]
    assert not found.response.any()


def test_response_is_that_of_sheared_positions_and_light(rng):
    n, h = 200, 1e-5
    place, light, slopes = rng.uniform(0.0, 110.0, (2, n)), rng.uniform(0.5, 3.0, n), rng.normal(0.0, 1.0, (2, n))
    given = isolation(sources(*place, light, slopes), 3.0)
    assert np.count_nonzero((given.value > 0.0) & (given.value < 1.0)) > 5

    def sheared(g1, g2):
        x, y = place
        own = sources(x + g1 * x + g2 * y, y - g1 * y + g2 * x, light + g1 * slopes[0] + g2 * slopes[1], slopes)
        return isolation(own, 3.0).value

    for a, step in enumerate(h * np.eye(2)):
        np.testing.assert_allclose(given.response[a], (sheared(*step) - sheared(*-step)) / (2 * h), rtol=2e-3, atol=1e-4)


def test_pairs_are_those_of_naive_search(rng):
    x, y = rng.uniform(0.0, 20.0, (2, 60))
    first, second, dx, dy = pairs_within(x, y, 4.0)
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    expected = {(i, j) for i, j in zip(*np.nonzero(distance < 4.0), strict=True) if i != j}
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == expected
    np.testing.assert_array_equal(dx, x[second] - x[first])
    np.testing.assert_array_equal(dy, y[second] - y[first])
