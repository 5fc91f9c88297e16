"""Level and noise of boxes, step by step: where only results are compared, small changes go unnoticed."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from darkmatter_features.galaxies.noisy.kernels import background as kernels
from darkmatter_features.galaxies.noisy.kernels import level as fits
from tests.support.plain import plain


def prefix_sums(values, origin):
    """Return the sums of the values less an origin, and of their squares, before each and at the end."""
    offsets = values.astype(np.float64) - origin
    return np.array([np.concatenate([[0.0], np.cumsum(each)]) for each in (offsets, offsets**2)])


def slow_fit(values, level, sigma, cut, tolerance):
    """Return the fit of a truncated Gaussian by the same steps, with the moments of SciPy and plain masks."""
    shift, variance = truncnorm(-fits.LOWER_CUT, cut).stats("mv")
    for _ in range(fits.MAX_STEPS):
        inside = values[(values >= level - fits.LOWER_CUT * sigma) & (values <= level + cut * sigma)]
        if inside.size == 0:
            break
        width = inside.std() / np.sqrt(variance)
        step, growth = inside.mean() - shift * width - level, width - sigma
        level += fits.RELAXATION * step
        sigma = max(sigma + fits.RELAXATION * growth, sigma / 2)
        if abs(step) + abs(growth) <= tolerance * sigma:
            break
    return level, sigma


def slow_level_and_noise(values, width):
    """Return level and noise as the docstrings of the kernel and of its constants say."""
    half = values.size // 2
    lengths = values[half:] - values[: values.size - half]
    k = lengths.argmin()
    level, sigma = 0.5 * (values[k] + values[k + half]), lengths[k] / 2 / fits.HALF_SIGMA
    if width >= lengths[k]:
        inside = values[np.abs(values - level) <= fits.SPARSE_CUT * width]
        return inside.mean(), np.sqrt(max(inside.var() - width**2 / 12, 0))
    coarseness = max(width / sigma - fits.FINE, 0)
    narrow = min(fits.NARROW_CUT + fits.COARSE_SLOPE * coarseness, fits.COARSE_CUT)
    level, sigma = slow_fit(values, level, sigma, narrow, fits.START_TOLERANCE)
    excess = (values >= level + fits.TAIL * sigma).mean() - (values < level - fits.TAIL * sigma).mean()
    excess -= fits.EXCESS_ERROR / np.sqrt(values.size)
    cut = np.clip(fits.WIDE_CUT - fits.CUT_SLOPE * excess, narrow, fits.WIDE_CUT)
    wide, _ = slow_fit(values, level, sigma, fits.WIDE_CUT, fits.START_TOLERANCE)
    level, sigma = slow_fit(values, level, sigma, cut, fits.CONVERGED)
    weight = (fits.WIDE_CUT - cut) / (fits.WIDE_CUT - fits.NARROW_CUT)
    return level + fits.EXTRAPOLATION * weight * min(level - wide, 0), np.sqrt(max(sigma**2 - width**2 / 12, 0))


@pytest.mark.parametrize("n", [40, 301])
@pytest.mark.parametrize("fraction", [0.0, 0.08, 0.4])
@pytest.mark.parametrize("width", [0.0, 0.35, 0.7, 1.2, 1.6, 4.0])
def test_level_and_noise_match_the_same_steps(rng, n, fraction, width):
    """Up to the rounding of single precision; from a width of some 1.35 on, half of the pixels count as equal."""
    for _ in range(4):
        light = rng.exponential(4.0, n) * (rng.random(n) < fraction)
        values = np.sort(rng.normal(7.0, 1.0, n) + light).astype(np.float32)
        found = fits.level_and_noise(values, width, np.empty((2, n + 1)))
        assert found == pytest.approx(slow_level_and_noise(values.astype(np.float64), width), abs=2e-6)


def test_pixels_of_a_step_as_wide_as_their_half_are_not_fitted(rng):
    """At equality of the width and the shortest half, to the last bit."""
    values = np.sort(rng.normal(7.0, 1.0, 60)).astype(np.float32)
    level, sigma = plain(fits._shortest_half)(values)
    width = 2.0 * fits.HALF_SIGMA * float(sigma)
    inside = values[np.abs(values - level) <= fits.SPARSE_CUT * width].astype(np.float64)
    expected = inside.mean(), np.sqrt(inside.var() - width**2 / 12)
    assert fits.level_and_noise(values, width, np.empty((2, 61))) == pytest.approx(expected, rel=1e-6)


def test_noise_that_is_narrower_than_the_steps_of_the_image_is_0():
    values = np.full(50, 3.0, dtype=np.float32)
    assert fits.level_and_noise(values, 1.0, np.empty((2, 51))) == (3.0, 0.0)
    assert fits.level_and_noise(values, 0.0, np.empty((2, 51))) == (3.0, 0.0)


def test_truncated_fit_matches_the_same_steps_from_any_start(rng):
    values = np.sort(rng.normal(-2.0, 3.0, 150)).astype(np.float32)
    exact = values.astype(np.float64)
    for origin, level, sigma, cut in (
        (-2.0, -1.0, 2.0, 1.0), (0.5, 3.0, 9.0, 2.5), (0.0, -2.0, 70.0, 1.7), (0.0, 2.0, 0.3, 2.0),
        (1.0, 60.0, 2.0, 1.0),
    ):  # fmt: skip
        for tolerance in (0.3, 1e-3):
            with np.errstate(invalid="ignore"):  # no pixel is left
                found = plain(fits._truncated_fit)(
                    values, prefix_sums(values, origin), origin, level, sigma, cut, tolerance
                )
            assert found == pytest.approx(slow_fit(exact, level, sigma, cut, tolerance), rel=1e-6)


def test_noise_of_equal_values_is_halved_until_the_last_step():
    """Their standard deviation of 0 is no missing value."""
    values = np.array([1.0, 5.0, 5.0, 5.0, 9.0], dtype=np.float32)
    found = plain(fits._truncated_fit)(values, prefix_sums(values, 5.0), 5.0, 5.1, 0.8, 1.0, 1e-3)
    assert found == pytest.approx(slow_fit(values.astype(np.float64), 5.1, 0.8, 1.0, 1e-3), rel=1e-9)
    assert 0.0 < found[1] < 1e-8


def test_moments_are_those_of_the_values_between_two_limits_which_count(rng):
    values = np.sort(rng.integers(0, 20, 60)).astype(np.float32)
    for low, high in ((3.0, 11.0), (-1.0, 30.0), (2.5, 2.6), (7.0, 7.0), (0.0, 19.0)):
        inside = values[(values >= low) & (values <= high)].astype(np.float64)
        with np.errstate(invalid="ignore"):
            found = plain(fits._moments)(values, prefix_sums(values, 5.0), 5.0, low, high)
        if inside.size:
            assert found == pytest.approx((inside.mean(), inside.std()), abs=1e-9)
        else:
            assert np.isnan(found).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 9])
def test_count_below_matches_numpy(n):
    values = np.arange(n, dtype=np.float32)
    for limit in np.arange(-1.0, n + 1.0, 0.5):
        assert plain(fits._count_below)(values, limit) == np.count_nonzero(values < limit)


def test_shortest_half_is_the_first_of_equal_ones():
    values = np.array([0.0, 4.0, 8.0, 9.0, 10.0, 12.0, 13.0, 14.0], dtype=np.float32)
    middle, sigma = plain(fits._shortest_half)(values)
    assert middle == 10.5  # from 8 to 13; from 9 to 14 is as long
    assert sigma == pytest.approx(5.0 / 2 / fits.HALF_SIGMA)


@pytest.mark.parametrize("n", [4, 5])
def test_shortest_half_may_be_the_last(n):
    values = np.array([-90.0, -50.0, -20.0, -9.0, 0.0], dtype=np.float32)[-n:]
    assert plain(fits._shortest_half)(values)[0] == 0.5 * values[n - 1 - n // 2]


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([1, 1, 2, 3, 4], 0.0, [0.75, 1.25, 2, 3, 4]),  # the median is 2, which occurs once: no width
        ([1, 2, 2, 2, 4], 1.5, [1, 1.75, 2.25, 2.75, 4]),
        ([1, 2, 4, 4, 4], 2.0, [1, 2, 10 / 3, 4, 14 / 3]),
        ([0, 0, 0, 0, 6], 6.0, [-2.25, -0.75, 0.75, 2.25, 6]),
        ([1, 2, 3, 5, 5], 0.0, [1, 2, 3, 4.5, 5.5]),
        ([1, 2, 2, 5], 2.0, [1, 2, 3, 5]),  # of an even number, the upper of the two in the middle
        ([1, 1, 2, 5], 0.0, [0.75, 1.25, 2, 5]),
    ],
)
def test_ties_are_spread_as_by_hand(values, width, expected):
    values = np.array(values, dtype=np.float32)
    assert fits.spread_ties(values) == width
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize(("n", "is_spread"), [(20, True), (21, False)])
def test_ties_are_spread_from_a_fraction_of_equal_neighbours_on(n, is_spread):
    values = np.arange(n, dtype=np.float32)
    values[5] = 4.0
    before = values.copy()
    fits.spread_ties(values)
    assert (values != before).any() == is_spread == (fits.MIN_TIES * n <= 1)


def test_box_statistics_are_those_of_the_first_pixels_of_each_box(rng):
    """Boxes with fewer pixels than the minimum have none; equal values are spread first."""
    n_pixels = np.array([30, 29, 12, 40])
    values = np.full((4, 40), np.inf, dtype=np.float32)
    for own, n in zip(values, n_pixels):
        own[:n] = np.sort(np.round(rng.normal(9.0, 2.0, n)))
    expected = []
    for own, n in zip(values.copy(), n_pixels):
        width = fits.spread_ties(own[:n])
        expected.append(fits.level_and_noise(own[:n], width, np.empty((2, 41))) if n >= 29 else (np.nan, np.nan))
    level, noise = np.zeros((2, 4))
    kernels.box_statistics(kernels.BoxPixels(values, n_pixels, *np.zeros((2, 4))), 29, level, noise)
    np.testing.assert_array_equal(np.transpose([level, noise]), expected)
    assert np.isnan(level).tolist() == [False, False, True, False]
