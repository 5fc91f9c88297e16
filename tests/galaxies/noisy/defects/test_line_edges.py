"""Lines in very small images, where each pixel of a line counts."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.kernels.lines import block_means, line_sums, narrow_line, shifted_line


@pytest.mark.parametrize("block", [1, 2, 3])
def test_limited_means_of_whole_blocks_match_naive(rng, block):
    """Pixels beyond the last whole block do not count."""
    light, means = rng.normal(size=(7, 11)).astype(np.float32), np.full((7 // block, 11 // block), np.nan, np.float32)
    block_means(light, block, 0.8, means)
    for i, j in np.ndindex(means.shape):
        part = light[i * block : (i + 1) * block, j * block : (j + 1) * block]
        assert means[i, j] == pytest.approx(part.clip(-0.8, 0.8).mean(), abs=1e-6)


def slow_rows(slope, n):
    """Return the rows of a line that rises by `slope` over n columns, in halves of half of the slope each."""
    if n == 1:
        return [0]
    half = slow_rows(slope // 2, n // 2)
    return half + [row + slope - slope // 2 for row in half]


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_sums_along_lines_match_naive(rng, n):
    """Lines that start in any row and leave the image; both numbers of steps, even and odd."""
    columns = rng.integers(-9, 10, (n, 2 * n + 1)).astype(np.float32)
    original = columns.copy()
    line_sums(columns, np.full_like(columns, np.nan))
    for slope, start in np.ndindex(columns.shape):
        places = [(column, start + row) for column, row in enumerate(slow_rows(slope, n))]
        assert columns[slope, start] == sum(original[place] for place in places if place[1] <= 2 * n)


def slow_narrow_line(sums, shape, beside, n_least):
    n, n_starts = sums.shape
    best = (0.0, 0, 0)
    for s, h in np.ndindex(n, n_starts):
        if not beside <= h < n_starts - beside:
            continue
        start, slope = h - n, s / max(n - 1, 1)
        if slope > 0:
            length = min(shape[1] - 1, (shape[0] - 1 - start) / slope) - max(0, -start / slope) + 1
        else:
            length = shape[1] if 0 <= start < shape[0] else 0
        excess = sums[s, h].astype(float) - 0.5 * (sums[s, h - beside].astype(float) + sums[s, h + beside])
        if start < shape[0] and length >= n_least and excess / np.sqrt(1.5 * length) > best[0]:
            best = (excess / np.sqrt(1.5 * length), h, s)
    return best


@pytest.mark.parametrize("n", [1, 2, 4, 8])
@pytest.mark.parametrize("beside", [1, 2])
def test_the_line_of_most_significance_is_that_of_the_naive_search(rng, n, beside):
    best, n_found = np.empty(3), 0
    for n_rows, n_columns in {(n, n), (max(n // 2, 1), n), (n, max(n - 1, 1))}:
        for n_least in {1, 2, n_columns, n_columns + 1}:
            for _ in range(8):
                sums = rng.normal(0.0, 2.0, (n, 2 * n + rng.choice([0, beside, 2 * beside]))).astype(np.float32)
                narrow_line(sums, (n_rows, n_columns), beside, n_least, best)
                expected = slow_narrow_line(sums, (n_rows, n_columns), beside, n_least)
                assert best == pytest.approx(expected, rel=1e-5)
                n_found += best[0] > 0.0
    assert (n_found > 0) == (beside <= n)


def test_of_equally_significant_lines_the_first_is_taken():
    """Six pixels in a row with a variance of 9 are exact; the mean of the parallel lines is 0."""
    sums, best = np.zeros((8, 18), np.float32), np.empty(3)
    sums[0, [10, 13]] = 4.0
    narrow_line(sums, (8, 6), 1, 1, best)
    assert best.tolist() == [4.0 / 3.0, 10.0, 0.0]


def slow_shifts(light, ends, shifts, limit):
    """Return the first pair of shifts of the largest sum."""
    (x, right), (y, bottom) = ends
    length, best = np.hypot(right - x, bottom - y), None
    n = int(length) + 1
    for first in shifts:
        for second in shifts:
            total = 0.0
            for k in range(n):
                t = k / max(n - 1, 1)
                shift = (first + (second - first) * t) / length
                i = round(y + (bottom - y) * t + (right - x) * shift)
                j = round(x + (right - x) * t - (bottom - y) * shift)
                if 0 <= i < light.shape[0] and 0 <= j < light.shape[1]:
                    total += min(max(float(light[i, j]), -limit), limit)
            if best is None or total > best[0]:
                best = total, first, second
    return best[1:]


@pytest.mark.parametrize("shape", [(5, 6), (3, 4), (1, 3)])
def test_shifts_of_short_lines_match_naive(rng, shape):
    """Lines that leave the image on all sides; whole numbers, so that many sums are equal."""
    best = np.empty(2)
    for limit in (1.5, 9.0):
        for n_shifts in (1, 2, 3, 4) * 6:
            light = rng.integers(-3, 4, shape).astype(np.float32)
            ends = rng.uniform(-1.3, np.array([[shape[1]], [shape[0]]]) + 0.3, (2, 2))
            shifts = rng.permutation(np.arange(-1.0, n_shifts - 1))
            shifted_line(light, ends, shifts, limit, best)
            assert tuple(best) == slow_shifts(light, ends, shifts, limit)


def test_without_light_the_first_shifts_are_taken():
    best = np.empty(2)
    shifted_line(np.zeros((4, 4), np.float32), np.array([[0.0, 3.0], [0.0, 2.0]]), np.array([0.5, 0.0, 1.0]), 1.0, best)
    assert best.tolist() == [0.5, 0.5]
