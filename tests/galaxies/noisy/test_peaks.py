"""Basins of peaks: kernels against slow twins, and which peaks count."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from darkmatter_features.galaxies.kernels.records import SaddleSettings
from darkmatter_features.galaxies.noisy.kernels.basins import Basins, basin_sums, flood_basins, number_basins, renumber
from darkmatter_features.galaxies.noisy.peaks import MIN_CONTRAST, MIN_DEPTH, MIN_PIXELS, MIN_SNR, falling, find_peaks
from tests.support import naive, naive_noisy


def random_snr(rng, side=48):
    """Return smoothed noise with many peaks and saddles."""
    noise = gaussian_filter(rng.normal(size=(side, side + 7)), 2.0)
    return (5.0 * noise / noise.std()).astype(np.float32)


def expected_basins(snr, threshold, settings):
    """Return the basins (lists of pixels) by segments and saddles of the slow twins."""
    basins = []
    for segment in naive.connected_segments(snr, threshold, settings.n_pixels):
        rows, columns = np.array(segment).T
        split = naive.split_saddles(snr[rows, columns].astype(float), rows, columns, *settings)
        basins += [sorted(segment[p] for p in own) for own in split]
    return sorted(basins)


def as_lists(labels):
    return sorted(sorted(map(tuple, np.argwhere(labels == k).tolist())) for k in range(1, labels.max() + 1))


@pytest.mark.parametrize(("contrast", "depth"), [(0.0, 0.0), (0.1, 3.0), (0.5, 1.0)])
def test_flooded_basins_match_naive(rng, contrast, depth):
    snr, settings = random_snr(rng), SaddleSettings(contrast, depth, 5)
    padded = np.pad(snr, 1)
    brightness, width = padded.ravel(), padded.shape[1]
    order = np.flatnonzero(brightness > 2.0)
    order = order[np.argsort(-brightness[order], kind="stable")]
    labels, basins = np.zeros(padded.size, dtype=np.int32), Basins(*np.empty((5, order.size), dtype=np.int64))
    n_maxima = flood_basins(brightness, width, order, settings, labels, basins)
    roots = np.arange(n_maxima)
    for _ in range(n_maxima):
        roots = basins.parents[roots]
    is_root = basins.parents[:n_maxima] == np.arange(n_maxima)
    totals = np.bincount(roots, basins.n_pixels[:n_maxima], n_maxima)
    np.testing.assert_array_equal(basins.sizes[:n_maxima][is_root], totals[is_root])
    numbers, segments = np.empty((2, n_maxima), dtype=np.int64)
    n = number_basins(n_maxima, settings.n_pixels, basins, numbers, segments)
    renumber(order, numbers, labels)
    assert as_lists(labels.reshape(padded.shape)[1:-1, 1:-1]) == expected_basins(snr, 2.0, settings)
    assert n == labels.max() > 3
    listed = naive.connected_segments(padded, 2.0, 5)
    own = [next(i for i, s in enumerate(listed) if divmod(peak, width) in s) for peak in basins.peaks[:n].tolist()]
    np.testing.assert_array_equal(segments[:n, None] == segments[:n], np.equal.outer(own, own))
    for k in range(n):
        assert labels[basins.peaks[k]] == k + 1
        assert brightness[basins.peaks[k]] == brightness[labels == k + 1].max()


def test_pixels_of_equal_brightness_are_flooded_in_their_order():
    snr = np.array([[5.0, 3.0, 7.0, 1.0, 3.0, 5.0]], dtype=np.float32)
    assert (falling(snr, 2.0)[1] - 9).tolist() == [2, 0, 5, 1, 4]


def test_bright_pixels_match_naive(rng):
    snr = np.round(rng.normal(0.0, 3.0, (13, 21)), 1).astype(np.float32)  # some are equal
    padded, order = falling(snr, 2.0)
    expected, indices = naive_noisy.bright_pixels(snr, 2.0)
    np.testing.assert_array_equal(padded, expected)
    assert order.tolist() == indices


def test_basin_sums_match_numpy(rng):
    labels = rng.integers(0, 6, 500).astype(np.int32)
    light, noise = rng.normal(size=500).astype(np.float32), rng.uniform(1, 2, 500).astype(np.float32)
    flux, variance, n_pixels = np.zeros(5), np.zeros(5), np.zeros(5, dtype=np.int64)
    basin_sums(labels, light, noise, flux, variance, n_pixels)
    np.testing.assert_allclose(flux, np.bincount(labels, light)[1:])
    np.testing.assert_allclose(variance, np.bincount(labels, noise.astype(float) ** 2)[1:], rtol=1e-6)
    np.testing.assert_array_equal(n_pixels, np.bincount(labels)[1:])


def test_peaks_are_the_bright_basins_in_the_order_of_their_height(rng):
    snr = random_snr(rng)
    peaks = find_peaks(snr, 8.0)
    heights = snr[peaks.rows, peaks.columns]
    assert (np.diff(heights) <= 0).all()
    assert heights.min() >= 8.0
    basins = expected_basins(snr, MIN_SNR, SaddleSettings(MIN_CONTRAST, MIN_DEPTH, MIN_PIXELS))
    bright = [own for own in basins if snr[tuple(np.transpose(own))].max() >= 8.0]
    assert sorted(as_lists(np.where(peaks.labels <= heights.size, peaks.labels, 0))) == bright
    assert as_lists(peaks.labels) == basins
    np.testing.assert_array_equal(peaks.labels[peaks.rows, peaks.columns], np.arange(1, heights.size + 1))


def test_blended_peaks_are_those_that_share_a_segment_with_another(rng):
    snr = random_snr(rng)
    peaks = find_peaks(snr, 8.0)
    segments = naive.connected_segments(snr, MIN_SNR, MIN_PIXELS)
    own = [next(k for k, s in enumerate(segments) if place in s) for place in zip(peaks.rows, peaks.columns)]
    np.testing.assert_array_equal(peaks.is_blended, [own.count(k) > 1 for k in own])
    assert 0 < peaks.is_blended.sum() < len(own)


def blobs(*placed):
    y, x = np.indices((60, 60))
    return sum(h * np.exp(-0.5 * ((x - c) ** 2 + (y - r) ** 2) / s**2) for r, c, h, s in placed).astype(np.float32)


@pytest.mark.parametrize(
    ("placed", "n"),
    [
        ([(30, 30, 20.0, 3.0)], 1),
        ([(30, 20, 20.0, 3.0), (30, 34, 20.0, 3.0)], 2),  # a deep saddle
        ([(30, 27, 20.0, 3.0), (30, 31, 20.0, 3.0)], 1),  # no saddle
        ([(30, 30, 200.0, 6.0), (30, 50, 12.0, 2.0)], 2),  # a satellite: its own height counts
        ([(30, 30, 4.0, 3.0)], 0),  # too faint
        ([(30, 30, 90.0, 0.3)], 0),  # fewer than five pixels
    ],
)
def test_peaks_are_split_at_deep_saddles(placed, n):
    peaks = find_peaks(blobs(*placed))
    assert peaks.rows.size == n
    assert peaks.is_blended.tolist() == [n > 1] * n


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 2), (30, 30)])
def test_images_without_a_peak_have_none(shape):
    for level in (0.0, -3.0, 1.9):
        peaks = find_peaks(np.full(shape, level, dtype=np.float32))
        assert peaks.rows.size == peaks.columns.size == peaks.is_blended.size == 0
        assert not peaks.labels.any()


def test_a_flat_plateau_is_one_source():
    peaks = find_peaks(np.pad(np.full((9, 9), 50.0, dtype=np.float32), 6))
    assert peaks.rows.size == 1
    assert (peaks.labels > 0).sum() == 81


def test_peaks_on_the_border_are_found():
    snr = blobs((0, 0, 20.0, 3.0), (59, 30, 15.0, 3.0))
    peaks = find_peaks(snr)
    assert peaks.rows.tolist() == [0, 59]
    assert peaks.columns.tolist() == [0, 30]
