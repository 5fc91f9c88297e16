"""Kernels of background and noise against their slow twins."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.ndimage import maximum_filter, median_filter, uniform_filter
from scipy.stats import truncnorm

from darkmatter_features.galaxies.noisy import background
from darkmatter_features.galaxies.noisy.kernels import background as kernels
from darkmatter_features.galaxies.noisy.kernels import level as fits
from darkmatter_features.galaxies.noisy.kernels import noise
from darkmatter_features.galaxies.noisy.kernels.near_sources import near_sources


def slow_boxes(image, is_good, mesh):
    """Yield the good pixels of each box, their mean x and their mean y."""
    y, x = np.indices(image.shape)
    for top, bottom in zip(mesh.rows[:-1], mesh.rows[1:], strict=True):
        for left, right in zip(mesh.columns[:-1], mesh.columns[1:], strict=True):
            part = np.s_[top:bottom, left:right]
            good = is_good[part]
            yield image[part][good], x[part][good].mean(), y[part][good].mean()


@pytest.mark.parametrize("fraction", [0.0, 0.3])
def test_gather_boxes_matches_naive(rng, fraction):
    image = rng.normal(size=(37, 53)).astype(np.float32)
    is_good = rng.random(image.shape) >= fraction
    mesh = kernels.Mesh(np.array([0, 12, 25, 37]), np.array([0, 17, 35, 53]))
    boxes = kernels.BoxPixels(np.empty((9, 13 * 18 + 1), np.float32), np.empty(9, np.int64), *np.empty((2, 9)))
    kernels.gather_boxes(image, is_good, mesh, boxes)
    for k, (values, x, y) in enumerate(slow_boxes(image, is_good, mesh)):
        assert boxes.n_pixels[k] == values.size
        np.testing.assert_array_equal(boxes.values[k, : values.size], values)
        assert np.isinf(boxes.values[k, values.size :]).all()
        assert (boxes.x[k], boxes.y[k]) == pytest.approx((x, y), rel=1e-12)


def test_boxes_without_good_pixels_are_empty():
    mesh = kernels.Mesh(np.array([0, 2]), np.array([0, 3]))
    boxes = kernels.BoxPixels(np.empty((1, 7), np.float32), np.empty(1, np.int64), *np.empty((2, 1)))
    kernels.gather_boxes(np.ones((2, 3), np.float32), np.zeros((2, 3), bool), mesh, boxes)
    level, scatter = np.empty((2, 1))
    kernels.box_statistics(boxes, 1, level, scatter)
    assert boxes.n_pixels[0] == 0
    assert np.isnan([level[0], scatter[0]]).all()


def slow_spread(values):
    """Return equal values spread over the interval nearest to each."""
    distinct = np.unique(values)
    middles = 0.5 * (distinct[1:] + distinct[:-1])
    edges = np.concatenate([2 * distinct[:1] - middles[:1], middles, 2 * distinct[-1:] - middles[-1:]])
    spread = []
    for low, high, value in zip(edges[:-1], edges[1:], distinct, strict=True):
        n = np.count_nonzero(values == value)
        spread += [value] if n == 1 else list(low + (np.arange(n) + 0.5) / n * (high - low))
    return np.array(spread)


@pytest.mark.parametrize("step", [1.0, 0.25, 3.0])
def test_spread_ties_matches_naive(rng, step):
    values = np.sort(step * np.round(rng.normal(20.0, 2.5, 300))).astype(np.float32)
    expected = slow_spread(values.astype(np.float64))
    assert fits.spread_ties(values) == pytest.approx(step)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert (np.diff(values) > 0).all()


def test_spread_ties_leaves_real_numbers_and_constants_as_they_are(rng):
    for values in (np.sort(rng.normal(size=200)).astype(np.float32), np.full(50, 3.0, np.float32)):
        spread = values.copy()
        assert fits.spread_ties(spread) == 0.0
        np.testing.assert_array_equal(spread, values)


def slow_fit(values, level, sigma, cut, n_steps=400):
    """Return level and standard deviation by plain iteration, with SciPy's moments of the truncated Gaussian."""
    shift, variance = truncnorm(-fits.LOWER_CUT, cut).stats("mv")
    for _ in range(n_steps):
        inside = values[(values >= level - fits.LOWER_CUT * sigma) & (values <= level + cut * sigma)]
        sigma = inside.std() / np.sqrt(variance)
        level = inside.mean() - shift * sigma
    return level, sigma


def slow_level_and_noise(values):
    half = values.size // 2
    lengths = values[half:] - values[: values.size - half]
    k = lengths.argmin()
    level, sigma = 0.5 * (values[k] + values[k + half]), lengths[k] / 1.349
    level, sigma = slow_fit(values, level, sigma, fits.NARROW_CUT)
    excess = (values > level + fits.TAIL * sigma).mean() - (values < level - fits.TAIL * sigma).mean()
    excess -= fits.EXCESS_ERROR / np.sqrt(values.size)
    cut = np.clip(fits.WIDE_CUT - fits.CUT_SLOPE * excess, fits.NARROW_CUT, fits.WIDE_CUT)
    wide, _ = slow_fit(values, level, sigma, fits.WIDE_CUT)
    level, sigma = slow_fit(values, level, sigma, cut)
    weight = (fits.WIDE_CUT - cut) / (fits.WIDE_CUT - fits.NARROW_CUT)
    return level + fits.EXTRAPOLATION * weight * min(level - wide, 0.0), sigma


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.4])
def test_level_and_noise_matches_naive(rng, fraction):
    """Light of galaxies is added to a fraction of the pixels. Plain steps end closer, so that cuts differ."""
    for _ in range(20):
        light = rng.exponential(4.0, 1024) * (rng.random(1024) < fraction)
        values = np.sort(rng.normal(7.0, 1.0, 1024) + light)
        found = fits.level_and_noise(values.astype(np.float32), 0.0, np.empty((2, 1025)))
        assert found == pytest.approx(slow_level_and_noise(values), abs=0.1)


def test_level_and_noise_of_a_gaussian_are_unbiased(rng):
    """Mean of 400 boxes of 1024 pixels: their errors are 0.033 and 0.03."""
    found = np.array(
        [fits.level_and_noise(np.sort(each).astype(np.float32), 0.0, np.empty((2, 1025)))
         for each in rng.normal(0.0, 1.0, (400, 1024))]
    )  # fmt: skip
    assert found.mean(axis=0) == pytest.approx([0.0, 1.0], abs=0.01)


def test_median_of_nine_matches_scipy(rng):
    padded = rng.normal(size=(12, 9))
    medians = np.empty((10, 7))
    kernels.median_of_nine(padded, medians)
    np.testing.assert_array_equal(medians, median_filter(padded, 3)[1:-1, 1:-1])


@pytest.mark.parametrize(("side", "n"), [(64, 4), (61, 5), (40, 1), (30, 2)])
def test_interpolation_is_the_natural_spline_continued_as_a_line(rng, side, n):
    mesh = rng.normal(size=(n, 3))
    found = background._interpolated(
        background._spline_coefficients(mesh), [background._taps(k, m) for k, m in ((side, n), (6, 3))]
    )
    centres = [(np.arange(m) + 0.5) * k / m - 0.5 for k, m in ((side, n), (6, 3))]
    expected = natural(centres[0], natural(centres[1], mesh.T, 6).T, side)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def natural(centres, values, side):
    """Return a natural cubic spline through rows of values at all pixels, as a line beyond the ends."""
    pixels = np.arange(side)
    if centres.size == 1:
        return np.repeat(values, side, axis=0)
    spline = CubicSpline(centres, values, bc_type="natural")
    inside = np.clip(pixels, centres[0], centres[-1])
    return spline(inside) + (pixels - inside)[:, None] * spline(inside, 1)


def slow_pair_sums(pixels, reach, rows):
    n_rows, n_columns = pixels.shape
    sums = np.zeros((reach + 1, 2 * reach + 1))
    for dy in range(reach + 1):
        for dx in range(-reach, reach + 1):
            for i in rows:
                for j in range(n_columns):
                    if i + dy < n_rows and 0 <= j + dx < n_columns:
                        sums[dy, dx + reach] += float(pixels[i, j]) * float(pixels[i + dy, j + dx])
    return sums


@pytest.mark.parametrize("shape", [(11, 14), (2, 20), (9, 2), (1, 1)])
def test_pair_sums_match_naive(rng, shape):
    pixels, reach, rows = rng.normal(size=shape).astype(np.float32), 3, np.arange(0, shape[0], 2)
    sums = np.empty((reach + 1, 2 * reach + 1))
    noise.pair_sums(pixels, rows, sums)
    np.testing.assert_allclose(sums, slow_pair_sums(pixels, reach, rows), atol=1e-4)


def test_pair_counts_match_naive(rng):
    is_kept, reach, rows = (rng.random((700, 14)) < 0.8).astype(np.uint8), 2, np.arange(700)
    counts = np.empty((reach + 1, 2 * reach + 1))
    noise.pair_counts(is_kept, rows, counts)
    np.testing.assert_array_equal(counts, slow_pair_sums(is_kept, reach, rows))


def test_standardise_matches_numpy(rng):
    light, sigma = rng.normal(size=(2, 9, 13)).astype(np.float32)
    light[2, 3], sigma[4, 5], sigma[6, 7] = np.nan, 0.0, np.inf
    is_blank = rng.random(light.shape) > 0.2
    pixels, counts = np.empty(light.shape, np.float32), np.empty(light.shape, np.uint8)
    noise.standardise(light, sigma, is_blank, (0.25, 2.0), pixels, counts)
    with np.errstate(divide="ignore"):
        ratio = light / sigma - np.float32(0.25)
    is_kept = is_blank & (np.abs(ratio) <= 2.0)
    np.testing.assert_array_equal(counts, is_kept)
    np.testing.assert_allclose(pixels, np.where(is_kept, ratio, 0.0), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (37, 23)])
def test_near_sources_matches_scipy(rng, shape):
    light = rng.normal(size=shape).astype(np.float32)
    scatter = rng.uniform(0.5, 1.0, size=shape).astype(np.float32)
    found = np.full(shape, 7, dtype=np.uint8)
    near_sources(light, scatter, 8.0, 3, found)
    is_bright = 9.0 * uniform_filter(light.astype(float), 3, mode="nearest") > 8.0 * scatter
    np.testing.assert_array_equal(found, maximum_filter(is_bright.astype(np.uint8), 7))
    assert shape != (37, 23) or 0 < found.sum() < found.size
