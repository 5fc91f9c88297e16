"""Single steps of the adaptive moments, beside NumPy, and the stamps that have none."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.kernels import adaptive_moments as kernels
from tests.support.plain import plain

Y, X = np.indices((21, 25), dtype=np.float64)


def gaussian(x=12.0, y=10.0, q_xx=4.0, q_yy=4.0, q_xy=0.0):
    """Return a Gaussian of these moments with a peak of 1."""
    dx, dy = X - x, Y - y
    return np.exp(-0.5 * (q_yy * dx**2 - 2 * q_xy * dx * dy + q_xx * dy**2) / (q_xx * q_yy - q_xy**2))


def moments_of(stamp, x=12.0, y=10.0, width=1.5):
    """Return the six moments of one stamp."""
    moments = np.zeros((1, 6))
    kernels.adaptive_moments(stamp[np.newaxis], np.array([[x, y, width]]), moments)
    return moments[0]


@pytest.mark.parametrize(
    "state",
    [(12.3, 9.6, 2.0, 3.0, 0.7), (1.2, 19.0, 0.6, 1.4, -0.3), (24.2, 0.7, 1.3, 0.5, 0.2), (12.0, 10.0, 1, 1, 0)],
)
def test_weighted_sums_match_numpy(rng, state):
    """The weight ends at an ellipse of five widths; with a square of the radius of 25 it is 0."""
    stamp, sums, (x, y, *q) = rng.normal(size=X.shape), np.full(7, np.nan), state
    plain(kernels._weighted)(stamp, np.array(state, dtype=float), sums)
    weight, (dx, dy) = gaussian(x, y, *q), (X - x, Y - y)
    weight[weight <= np.exp(-0.5 * kernels.CUTOFF) * (1 + 1e-12)] = 0.0
    assert 0 < np.count_nonzero(weight) < weight.size
    light = weight * stamp
    expected = [each.sum() for each in (weight**2, light, light * dx, light * dy, light * dx**2, light * dy**2)]
    np.testing.assert_allclose(sums, [*expected, (light * dx * dy).sum()], rtol=1e-10, atol=1e-13)


def test_the_next_state_is_that_of_the_inverse_moments():
    """Q^-1 is the inverse of the weighted moments about their centre, less that of the weight."""
    state, total, d, q = (
        np.array([5.0, 6.0, 3.0, 2.5, 0.4]),
        7.0,
        np.array([0.3, -0.2]),
        np.array([[1.2, 0.3], [0.3, 1]]),
    )
    weight = np.array([[3.0, 0.4], [0.4, 2.5]])
    second = q + np.outer(d, d)
    sums = total * np.array([9.0, 1.0, *d, second[0, 0], second[1, 1], second[0, 1]])
    assert plain(kernels._stepped)(state, sums)
    expected = np.linalg.inv(np.linalg.inv(q) - np.linalg.inv(weight))
    assert state == pytest.approx([5.6, 5.6, expected[0, 0], expected[1, 1], expected[0, 1]])


@pytest.mark.parametrize("q", [(3.5, 1.0, 0.0), (1.0, 2.6, 0.0), (2.9, 2.4, 1.2), (3.0, 2.0, 0.4)])
def test_a_weight_narrower_than_the_light_is_doubled(q):
    """The weighted moments are not below those of the weight along some direction."""
    state = np.array([5.0, 6.0, 3.0, 2.5, 0.4])
    assert plain(kernels._stepped)(
        state, np.array([9.0, 2.0, 0.2, 0.4, 2 * q[0] + 0.02, 2 * q[1] + 0.08, 2 * q[2] + 0.04])
    )
    assert state.tolist() == [5.0, 6.0, 6.0, 5.0, 0.8]


def test_a_weight_as_wide_as_the_light_along_one_axis_is_doubled():
    state = np.array([5.0, 6.0, 2.0, 2.0, 0.0])
    assert plain(kernels._stepped)(state, np.array([9.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0]))
    assert state.tolist() == [5.0, 6.0, 4.0, 4.0, 0.0]


@pytest.mark.parametrize(
    "sums",
    [
        (9.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0),
        (9.0, -2.0, 0.0, 0.0, -2.0, -2.0, 0.0),
        (9.0, np.nan, 0.0, 0.0, 1.0, 1.0, 0.0),
        (9.0, 1.0, 0.0, 0.0, -1.0, 1.0, 0.0),
        (9.0, 1.0, 0.0, 0.0, -1.0, -1.0, 0.0),
        (9.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0),
        (9.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0),
        (9.0, 1.0, 0.0, 0.0, 1.0, 1.0, -1.5),
    ],
    ids=["no light", "a hole", "nan", "negative", "both negative", "a point in x", "a line", "no ellipse"],
)
def test_light_without_moments_has_no_next_state(sums):
    state = np.array([5.0, 6.0, 3.0, 2.5, 0.4])
    assert not plain(kernels._stepped)(state, np.array(sums))
    assert state.tolist() == [5.0, 6.0, 3.0, 2.5, 0.4]


@pytest.mark.parametrize("width", [0.6, 1.5, 4.0])
def test_moments_of_a_gaussian_are_its_own_from_any_start(width):
    found = moments_of(3.0 * gaussian(12.4, 9.7, 3.0, 2.0, 0.5), width=width)
    flux = 3.0 * 2.0 * np.pi * np.sqrt(3.0 * 2.0 - 0.25)
    assert found == pytest.approx([12.4, 9.7, 3.0, 2.0, 0.5, flux], rel=2e-4)


def test_the_centre_is_counted_from_the_given_start():
    found = moments_of(gaussian(5.0, 14.0, 2.0, 2.0), x=6.5, y=13.0)
    assert found[:4] == pytest.approx([5.0, 14.0, 2.0, 2.0], rel=1e-4)


@pytest.mark.parametrize(
    "stamp",
    [
        np.ones(X.shape),
        np.exp(0.9 * X),
        np.exp(-0.9 * X),
        np.exp(0.9 * Y),
        np.exp(-0.9 * Y),
    ],
    ids=["constant", "right", "left", "down", "up"],
)
def test_stamps_without_a_solution_within_have_no_moments(stamp):
    assert np.isnan(moments_of(stamp)).all()


def test_moments_of_a_ring_are_the_same_from_any_start():
    """A narrow weight within the ring is doubled first."""
    ring = gaussian() - 0.9 * gaussian(q_xx=3.0, q_yy=3.0)
    assert moments_of(ring) == pytest.approx(moments_of(ring, width=4.0), rel=1e-4)


def test_stamps_do_not_change_each_other():
    good, bad = gaussian(11.6, 10.2, 3.0, 2.0), -np.ones(X.shape)
    stamps, starts, moments = np.stack([bad, good, bad, good]), np.tile([12.0, 10.0, 1.5], (4, 1)), np.zeros((4, 6))
    kernels.adaptive_moments(stamps, starts, moments)
    assert np.isnan(moments[::2]).all()
    np.testing.assert_array_equal(moments[1::2], np.tile(moments_of(good), (2, 1)))


def slow_moments(stamp, x, y, width):
    """Return the six moments by the same steps, each of them as by the kernel."""
    state, sums, (n_rows, n_columns) = np.array([x, y, width**2, width**2, 0.0]), np.empty(7), stamp.shape
    for _ in range(kernels.MAX_ITERATIONS):
        old = state.copy()
        plain(kernels._weighted)(stamp, state, sums)
        is_possible = plain(kernels._stepped)(state, sums) and state[2] + state[3] <= max(stamp.shape) ** 2
        if not is_possible or not abs(state[0] - (n_columns - 1) / 2) < n_columns / 2:
            break
        if not abs(state[1] - (n_rows - 1) / 2) < n_rows / 2:
            break
        size = 0.5 * (state[2] + state[3])
        if max(np.abs(state - old)[:2].max() / np.sqrt(size), np.abs(state - old)[2:].max() / size) < kernels.TOLERANCE:
            plain(kernels._weighted)(stamp, state, sums)
            return [*state, 2.0 * np.pi * sums[1] / sums[0] * np.sqrt(state[2] * state[3] - state[4] ** 2)]
    return [np.nan] * 6


def small(shape, x, y, q_xx, q_yy, q_xy):
    j, i = np.meshgrid(np.arange(shape[1]) - x, np.arange(shape[0]) - y)
    return np.exp(-0.5 * (q_yy * j**2 - 2 * q_xy * i * j + q_xx * i**2) / (q_xx * q_yy - q_xy**2))


@pytest.mark.parametrize("edge", [(0.4, 2.0), (4.6, 2.0), (2.0, 0.4), (2.0, 3.6)])
def test_an_iteration_that_leaves_the_stamp_ends(edge):
    """A weight wider than the light takes the centre beyond it, and out of the stamp from some of the starts."""
    n_found, n_starts, stamp = 0, 0, small((5, 6), *edge, 0.7, 0.7, 0.0)
    inwards = np.sign(np.array([2.0, 2.0]) - edge)
    for x, y in np.array(edge) + np.arange(1.2, 3.4, 0.1)[:, np.newaxis] * inwards:
        found, expected = moments_of(stamp, x, y, 2.0), slow_moments(stamp, x, y, 2.0)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        n_found, n_starts = n_found + np.isfinite(found[0]), n_starts + 1
    assert 0 < n_found < n_starts


def test_moments_of_random_light_match_naive(rng):
    """Many iterations leave the stamp."""
    n_found = 0
    for _ in range(30):
        stamp = rng.exponential(size=rng.integers(3, 6, 2)) ** 2
        x, y = rng.uniform(-0.5, np.array(stamp.shape[::-1]) - 0.5)
        found, expected = moments_of(stamp, x, y, 1.0), slow_moments(stamp, x, y, 1.0)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
        n_found += np.isfinite(found[0])
    assert 0 < n_found < 30


@pytest.mark.parametrize("q", [(0.4, 0.5, 0.1), (2.0, 0.6, -0.5), (1.0, 30.0, 2.0), (50.0, 1.5, 0.0), (0.6, 2.5, 0.0)])
@pytest.mark.parametrize("shape", [(9, 41), (41, 9), (15, 15), (9, 9)])
def test_moments_of_small_and_long_stamps_match_naive(shape, q):
    x, y = 0.5 * shape[1] - 0.3, 0.5 * shape[0] - 0.9
    for stamp in (small(shape, x, y, *q), small(shape, x, y, *q) ** 0.4):
        found, expected = moments_of(stamp, x + 0.2, y - 0.3), slow_moments(stamp, x + 0.2, y - 0.3, 1.5)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
