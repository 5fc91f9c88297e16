"""Places where a small change of a kernel went unnoticed by other tests; found by `benchmarks/bench_mutations.py`."""

from types import SimpleNamespace

import numpy as np
import pytest

from darkmatter_features.galaxies.kernels.records import SaddleSettings
from darkmatter_features.galaxies.noisy.kernels import background, basins, ellipticity, matching, noise, peak_shapes
from darkmatter_features.galaxies.noisy.kernels.near_sources import near_sources
from tests.galaxies.noisy import naive_shapes as naive
from tests.support import naive_noisy
from tests.support.plain import plain


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 4)])
def test_one_pixel_that_is_bad_or_good_is_noticed(shape):
    """Two boxes beside each other; in one of them all pixels but one are alike."""
    image = np.arange(2.0 * shape[0] * shape[1], dtype=np.float32).reshape(shape[0], -1)
    mesh = background.Mesh(np.array([0, shape[0]]), np.array([0, shape[1], 2 * shape[1]]))
    for row, column, most in np.ndindex(*image.shape, 2):
        is_good = np.full(image.shape, bool(most))
        is_good[row, column] ^= True
        boxes = background.BoxPixels(
            np.empty((2, image.size // 2 + 1), np.float32), np.empty(2, np.int64), *np.empty((2, 2))
        )
        background.gather_boxes(image, is_good, mesh, boxes)
        for k, own in enumerate((np.s_[:, : shape[1]], np.s_[:, shape[1] :])):
            i, j = np.nonzero(is_good[own])
            assert boxes.n_pixels[k] == i.size
            expected = np.full(boxes.values.shape[1], np.inf)
            expected[: i.size] = image[own][i, j]
            np.testing.assert_array_equal(boxes.values[k], expected)
            if i.size:
                assert (boxes.x[k], boxes.y[k]) == pytest.approx((j.mean() + k * shape[1], i.mean()))


def new_basins(peaks, parents, segments, sizes, n_pixels):
    return basins.Basins(*(np.array(each, dtype=np.int64) for each in (peaks, parents, segments, sizes, n_pixels)))


def root_of(parents, k):
    return k if parents[k] == k else root_of(parents, parents[k])


def test_labels_about_a_pixel_match_naive(rng):
    for _ in range(60):
        labels = (rng.integers(1, 4, (5, 6)) * (rng.random((5, 6)) < rng.choice([0.1, 0.3, 0.9]))).astype(np.int32)
        for row, column in ((1, 1), (3, 4), (2, 2)):
            about = labels[row - 1 : row + 2, column - 1 : column + 2]
            with np.errstate(over="ignore"):  # 0 less 1 is the largest number
                found = plain(basins._only_label)(labels.ravel(), 6, 6 * row + column)
            assert found == (about.max(), np.unique(about[about > 0]).size < 2)


def test_basins_about_a_pixel_are_listed_once_each(rng):
    parents = np.array([0, 0, 1, 3, 3, 5, 2, 7])
    for _ in range(40):
        labels, near = rng.integers(0, 9, (5, 6)) * (rng.random((5, 6)) < 0.5), np.full(8, -1)
        about = labels[1:4, 2:5].ravel()
        expected = list(dict.fromkeys(root_of(parents.tolist(), k - 1) for k in about if k > 0))
        n = plain(basins._list_near)(labels.ravel(), 6, 6 * 2 + 3, parents.copy(), near)
        assert near[:n].tolist() == expected


def test_ways_to_a_root_are_shortened():
    parents = np.array([2, 0, 4, 1, 4, 3])
    assert plain(basins._root)(parents, 5) == 4
    assert parents.tolist() == [4, 4, 4, 4, 4, 4]
    assert plain(basins._root)(parents, 4) == 4


def test_basins_that_meet_are_merged_as_stated(rng):
    """Of equally high ones, the first is the highest; a basin at the limits is kept."""
    for _ in range(60):
        peaks, n_near = rng.permutation(8), rng.integers(2, 5)
        near = rng.permutation(6)[:n_near]
        brightness = rng.integers(6, 10, 8).astype(np.float64)
        settings = SaddleSettings(rng.choice([0.0, 0.25, 0.5]), rng.choice([1.0, 2.0]), 4)
        segments = np.minimum(rng.integers(0, 6, 6), np.arange(6))  # no circle
        own = new_basins(peaks[:6], np.arange(6), segments, rng.integers(2, 7, 6), np.zeros(6))
        height = brightness[own.peaks]
        highest = max(near, key=lambda k: height[k])
        sizes, parents, joined = own.sizes.copy(), own.parents.copy(), {root_of(own.segments, k) for k in near}
        roots = [root_of(own.segments, k) for k in range(6)]
        for k in near:
            needed = max(settings.contrast * height[k], settings.depth)
            if k != highest and (own.sizes[k] < 4 or height[k] - 5.0 < needed):
                parents[k] = highest
                sizes[highest] += sizes[k]
        assert plain(basins._merge)(brightness, 5.0, settings, near, own) == highest
        np.testing.assert_array_equal(own.parents, parents)
        np.testing.assert_array_equal(own.sizes, sizes)
        after = [root_of(own.segments, k) for k in range(6)]
        expected = [roots[highest] if each in joined else each for each in roots]
        assert after == expected


@pytest.mark.parametrize("min_pixels", [3, 4, 5])
def test_basins_of_large_segments_are_numbered(min_pixels):
    """Segments of 4 pixels (basins 0 and 2, of which the last is merged into the first), 5 (1 and 4) and 3 (3)."""
    own = new_basins([70, 71, 72, 73, 74], [0, 1, 0, 3, 4], [2, 1, 2, 3, 1], [4, 3, 1, 3, 2], [3, 3, 1, 3, 2])
    numbers, segments = np.full((2, 5), 9)
    n = basins.number_basins(5, min_pixels, own, numbers, segments)
    is_kept = np.array([min_pixels <= 4, True, False, min_pixels <= 3, True])
    assert n == is_kept.sum()
    assert own.peaks[:n].tolist() == [70 + k for k in np.flatnonzero(is_kept)]
    assert segments[:n].tolist() == [(2, 1, 2, 3, 1)[k] for k in np.flatnonzero(is_kept)]
    expected = np.where(is_kept, np.cumsum(is_kept), 0)
    expected[2] = expected[0]
    assert numbers.tolist() == expected.tolist()


def test_the_last_basin_may_be_merged_into_an_earlier_one():
    own = new_basins([70, 71], [0, 0], [0, 0], [9, 2], [7, 2])
    numbers, segments = np.full((2, 2), 9)
    assert basins.number_basins(2, 9, own, numbers, segments) == 1
    assert numbers.tolist() == [1, 1]


def test_a_round_pixel_counts_whatever_was_measured_before():
    """With e1 = 0 exactly, and work space that holds other shapes."""
    smoothed = naive.model_of()
    work, model = ellipticity.shape_steps(smoothed.model, smoothed.steps), naive.with_window(smoothed.model)
    d = 30.0 * model.noise * np.array([1.0, 0, 0, -0.6, 0.1, -0.6, *[0.1] * 9])
    for stale in (0.0, 0.5):
        work.shapes[:] = stale
        sums = np.zeros(8)
        ellipticity.add_pixel(d, model, work, sums)
        np.testing.assert_allclose(sums, naive.pixel_sums(d, model), rtol=1e-6, atol=1e-7)
        assert sums[0] > 0.0
        assert sums[1] == 0.0
        work.shapes[:] = stale
        sums[:] = 0.0
        ellipticity.add_pixel(-d, model, work, sums)  # no peak
        assert not sums.any()


def test_position_is_within_a_pixel_of_the_peak(rng):
    """Light of many curvatures and slopes, beside the formulas."""
    model = SimpleNamespace(response=rng.normal(size=(2, 6, 15)), sigma=1.3)
    n_limited = 0
    for _ in range(60):
        d = np.concatenate([[2.0], rng.normal(0.0, 1.0, 2), rng.normal([-2.0, 0.0, -2.0], 1.0), rng.normal(size=9)])
        found = SimpleNamespace(**{name: np.zeros(2) for name in ellipticity.PeakShapes._fields})
        plain(peak_shapes._fill_position)(d, 20, 30, model, found, 1)
        gradient, matrix = naive.curvature(d)
        adjugate = np.array([[matrix[1, 1], -matrix[0, 1]], [-matrix[0, 1], matrix[0, 0]]])
        shift = model.sigma * adjugate @ gradient / max(np.linalg.det(matrix), 0.01)
        n_limited += (np.abs(shift) > 1.0).sum()
        expected = [30 + shift[0].clip(-1, 1), 20 + shift[1].clip(-1, 1), 2.0, 0.5 * np.trace(matrix)]
        expected += [np.hypot(0.5 * (matrix[0, 0] - matrix[1, 1]), matrix[0, 1]), *model.response[:, 0] @ d]
        names = ("x", "y", "light", "curvature", "stretch", "light1", "light2")
        assert [getattr(found, name)[1] for name in names] == pytest.approx(expected)
    assert 10 < n_limited < 110


def test_owners_at_the_limits_are_those_of_the_naive_search(rng):
    """On a grid of whole numbers, with many equal distances and brightnesses, and distances of just the radius."""
    for _ in range(10):
        sources = rng.integers(0, 12, (3, 20)).astype(float)
        sources = sources[:, np.argsort(sources[0], kind="stable")]
        sources[2] = sources[2] % 3
        places, found = rng.integers(-6, 18, (2, 40)).astype(float), np.empty(40, dtype=np.int64)
        matching.find_owners(sources, places, 5.0, found)
        assert found.tolist() == naive_noisy.owners(sources, places, 5.0)


@pytest.mark.parametrize("margin", [0, 1, 2])
@pytest.mark.parametrize("shape", [(1, 5), (6, 1), (7, 8)])
def test_light_of_just_the_limit_is_not_bright(rng, shape, margin):
    """Whole numbers: the sums are exact."""
    for _ in range(5):
        light, scatter = rng.integers(-1, 2, shape).astype(np.float32), rng.integers(1, 3, shape).astype(np.float32)
        padded, found = np.pad(light, 1, mode="edge"), np.full(shape, 7, dtype=np.uint8)
        is_bright = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).sum(axis=(2, 3)) > 2.0 * scatter
        wide = np.lib.stride_tricks.sliding_window_view(np.pad(is_bright, margin), (2 * margin + 1,) * 2)
        near_sources(light, scatter, 2.0, margin, found)
        np.testing.assert_array_equal(found, wide.any(axis=(2, 3)))


def test_light_at_just_the_maximum_distance_from_the_mean_is_kept():
    light, scatter = np.array([[-3.0, -2.0, 1.0, 6.0, 7.0]], dtype=np.float32), np.full((1, 5), 2.0, dtype=np.float32)
    pixels, is_kept = np.full((1, 5), 9.0, dtype=np.float32), np.full((1, 5), 9, dtype=np.uint8)
    noise.standardise(light, scatter, np.ones((1, 5), dtype=bool), (1.0, 2.0), pixels, is_kept)
    assert is_kept.tolist() == [[0, 1, 1, 1, 0]]
    assert pixels.tolist() == [[0.0, -2.0, -0.5, 2.0, 0.0]]
