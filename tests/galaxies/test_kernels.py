"""Kernels of detection and measurement against their slow twins; those of deblending are in test_splitting.py."""

from itertools import pairwise

import numpy as np
import pytest

from darkmatter_features.galaxies.detection import BRIGHT_PERCENTILE, bright_level, brightest_band
from darkmatter_features.galaxies.kernels import footprints, moments, pixels, segments
from darkmatter_features.galaxies.kernels.records import FlatImage, SegmentIndices, SegmentPixels
from darkmatter_features.io.sky import Sky
from darkmatter_features.maps import kernels as maps
from tests.support import naive


@pytest.fixture
def patchy(rng):
    """An image whose pixels above a threshold form segments of many shapes."""
    return rng.random((60, 80)).astype(np.float32)


@pytest.mark.parametrize("shape", [(20, 30, 3), (33, 17, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("background", [(3, 7, 0), (0, 0, 0)])
def test_brightest_band_matches_naive(rng, shape, dtype, background):
    """Most pixels are at the background, as in a sky: all eight of many blocks. Some are below it."""
    levels = np.array(background[: shape[2]], dtype=dtype)
    drawn = rng.integers(0, 256, shape).astype(dtype)
    values = np.where(
        rng.random((shape[0], shape[1] // 6 + 1, 1)).repeat(6, axis=1)[:, : shape[1]] < 0.7, levels, drawn
    )
    image, indices, flux = brightest_band(Sky("drawn", values), levels)
    expected = naive.brightest_band(values, levels.astype(float))
    assert image.dtype == flux.dtype == dtype
    np.testing.assert_array_equal(image.reshape(expected.shape), expected)
    np.testing.assert_array_equal(indices, np.flatnonzero(expected))
    np.testing.assert_array_equal(flux, expected.flat[indices])


@pytest.mark.parametrize("levels", [(3, 7, 1), (7, 3, 1)])
def test_pixels_below_the_background_in_all_bands_are_dark(levels):
    image, indices, _ = brightest_band(
        Sky("dark", np.zeros((5, 9, 3), dtype=np.uint8)), np.array(levels, dtype=np.uint8)
    )
    assert not image.any()
    assert indices.size == 0


def test_brightest_band_does_not_depend_on_memory_layout(rng):
    """The image is a part of another, or its memory starts at an odd address."""
    values = rng.integers(0, 256, (40, 41, 3)).astype(np.uint8)
    odd = np.frombuffer(b"x" + values.tobytes(), dtype=np.uint8, offset=1).reshape(values.shape)
    for part in (values[3:, 5:], odd):
        image, _, _ = brightest_band(Sky("part", part), np.zeros(3, dtype=np.uint8))
        np.testing.assert_array_equal(image, naive.brightest_band(part, np.zeros(3)).ravel())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("n", [1, 2, 150, 1001])
def test_bright_level_is_a_percentile(rng, dtype, n):
    flux = rng.integers(1, 256, n).astype(dtype)
    assert bright_level(flux) == pytest.approx(np.percentile(flux, BRIGHT_PERCENTILE), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("fraction", [0.005, 0.03, 0.08])
def test_saturated_pixels_do_not_move_the_bright_level(rng, dtype, fraction):
    """Galaxies of 20 to 200 counts, and pixels at the end of the scale, or of a star above 10,000."""
    flux = rng.uniform(20, 200, 5000).astype(dtype)
    n_bad = int(fraction * flux.size)
    for bad in (np.full(n_bad, 65535), rng.uniform(10_000, 60_000, n_bad)):
        found = bright_level(np.concatenate([flux, bad.astype(dtype)]))
        assert found == pytest.approx(bright_level(flux), rel=0.02)


def test_faint_wings_are_no_reason_to_leave_out_bright_pixels(rng):
    """The flux of a Gaussian galaxy falls to 1e-300: its pixels are uniform in the logarithm."""
    flux = np.exp(-rng.uniform(0, 600, 5000))
    assert bright_level(flux) == np.percentile(flux, BRIGHT_PERCENTILE)


def test_pixels_of_one_value_have_that_level():
    assert bright_level(np.full(50, 7, dtype=np.uint8)) == 7.0


def test_count_values_matches_bincount(rng):
    values, counts = rng.integers(0, 256, (9, 7, 2)).astype(np.uint8), np.zeros((2, 256), dtype=np.int64)
    pixels.count_values(values[::2], counts)
    for band in range(2):
        np.testing.assert_array_equal(counts[band], np.bincount(values[::2, :, band].ravel(), minlength=256))


def test_count_equal_requires_equality_in_all_bands(rng):
    values, levels = rng.integers(0, 3, (9, 7, 2)).astype(np.uint8), np.array([1, 2], dtype=np.uint8)
    assert pixels.count_equal(values, levels) == (values == levels).all(axis=2).sum() > 0


def _connected_segments(image, threshold, n_pixels):
    """Return what :func:`connected_segments` leaves: the flat image with its margin, and the segments."""
    flat = FlatImage(np.pad(image, 1).ravel(), image.shape[1] + 2)
    found = SegmentIndices(np.empty(flat.values.size, dtype=np.int32), np.empty(flat.values.size, dtype=np.int64))
    foreground = np.flatnonzero(flat.values).astype(np.int32)
    n = segments.connected_segments(flat, foreground, threshold, n_pixels, found)
    return flat, found._replace(starts=found.starts[: n + 1])


def _positions(found, width):
    """Return the row and column of each pixel of each segment, in the order of the list."""
    rows, columns = np.divmod(found.indices[: found.starts[-1]], width)
    pixels = list(zip((rows - 1).tolist(), (columns - 1).tolist(), strict=True))
    return [pixels[start:stop] for start, stop in pairwise(found.starts)]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 2.0])
def test_connected_segments_match_naive(patchy, threshold):
    flat, found = _connected_segments(patchy, threshold, 4)
    assert [sorted(segment) for segment in _positions(found, flat.width)] == naive.connected_segments(
        patchy, threshold, 4
    )
    assert not (flat.values > threshold).any()


@pytest.mark.parametrize("n_rings", [0, 1, 2, 5])
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_dilated_segments_match_naive(patchy, threshold, n_rings):
    """All pixels and their order are equal, ties between segments included."""
    flat, found = _connected_segments(patchy, 0.8, 4)
    remaining = flat.values.reshape(-1, flat.width)[1:-1, 1:-1].copy()
    expected = naive.dilate_segments(remaining, threshold, n_rings, _positions(found, flat.width))
    dilated = SegmentIndices(np.empty_like(found.indices), np.empty_like(found.starts))
    segments.dilate_segments(flat, threshold, n_rings, found, dilated)
    assert len(expected) > 3
    assert (dilated.starts[-1] > found.starts[-1]) == (n_rings > 0)
    assert _positions(dilated, flat.width) == expected


def test_pixel_between_two_segments_goes_to_that_listed_first():
    """Both segments touch the middle column; the list starts with the left one."""
    image = np.zeros((5, 5), dtype=np.float32)
    image[:, :2], image[1:, 3:], image[:, 2] = 1.0, 1.0, 0.5
    flat, found = _connected_segments(image, 0.8, 4)
    dilated = SegmentIndices(np.empty_like(found.indices), np.empty_like(found.starts))
    segments.dilate_segments(flat, 0.3, 1, found, dilated)
    left, right = _positions(dilated, flat.width)
    assert set(left) >= {(i, 2) for i in range(5)}
    assert len(right) == 8


def _footprints(rng, n=30):
    starts = np.concatenate([[0], np.cumsum(rng.integers(1, 40, n))])
    return starts, rng.integers(0, 60 * 80, starts[-1]), rng.random(starts[-1]) + 0.1


def test_moments_match_naive(rng):
    starts, pixels, flux = _footprints(rng)
    found, extents = np.empty((starts.size - 1, 7)), np.empty((starts.size - 1, 4), dtype=np.int64)
    moments.footprint_moments(starts, pixels, flux, 80, found, extents)
    np.testing.assert_allclose(found, naive.footprint_moments(starts, pixels, flux, 80), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(extents, naive.footprint_extents(starts, pixels, 80))


def test_shear_sums_match_naive(rng):
    x, y = rng.uniform(0, 100, (2, 40))
    e1, e2 = rng.normal(0, 0.2, (2, 40))
    weight = rng.uniform(5, 25, 40)
    rows, columns, scales = np.linspace(0, 90, 7), np.linspace(0, 110, 9), 10 * np.sqrt(2) ** np.arange(4)
    sums = np.zeros((4, 4, 7, 9))
    windows = (np.exp(-0.5 * ((at[:, None] - centres) / scales[-1]) ** 2) for at, centres in ((y, rows), (x, columns)))
    maps.shear_sums(x, y, e1, e2, weight, columns, rows, *windows, sums)
    expected = naive.shear_sums(x, y, e1, e2, weight, columns, rows, scales)
    np.testing.assert_allclose(sums, expected, rtol=1e-10, atol=1e-10)


def test_galaxy_at_a_centre_has_no_tangential_shear():
    one, centre = np.ones(1), np.zeros(1)
    sums = np.zeros((4, 1, 1, 1))
    maps.shear_sums(centre, centre, one, one, one, centre, centre, np.ones((1, 1)), np.ones((1, 1)), sums)
    np.testing.assert_array_equal(sums[:2], 0.0)


def test_gathered_pixels_have_the_background_subtracted():
    bands = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    indices = np.array([7, 13], dtype=np.int32)  # in rows of 5, the first of which is margin
    found = SegmentPixels(np.empty((2, 3)), np.empty(2), np.empty(2), np.empty(2), np.array([0, 2]))
    footprints.gather_pixels(bands, np.array([4.0, 0.0, 100.0]), indices, found)
    np.testing.assert_array_equal((found.rows, found.columns), [[0, 1], [1, 2]])
    np.testing.assert_array_equal(found.values, [[0.0, 4.0, 0.0], [11.0, 16.0, 0.0]])
    np.testing.assert_array_equal(found.totals, [4.0, 27.0])
