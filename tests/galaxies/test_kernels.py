from itertools import pairwise

import numpy as np
import pytest

from darkmatter_features.galaxies.detection import BRIGHT_PERCENTILE, bright_level, brightest_band
from darkmatter_features.galaxies.kernels import colors, footprints, moments, pixels, watershed
from darkmatter_features.galaxies.kernels import deblending as deblended
from darkmatter_features.galaxies.kernels import segments as segments
from darkmatter_features.galaxies.kernels import symmetry as hidden
from darkmatter_features.io.sky import Sky
from darkmatter_features.maps import kernels as maps
from tests.support import naive


@pytest.fixture
def patchy(rng):
    """An image whose upper values percolate into pieces of many shapes."""
    return rng.random((60, 80)).astype(np.float32)


@pytest.mark.parametrize("shape", [(20, 30, 3), (33, 17, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("background", [(3, 7, 0), (0, 0, 0)])
def test_brightest_band_matches_naive(rng, shape, dtype, background):
    """Most pixels are dark, as on the sky: all eight of many blocks, and some below the background."""
    levels = np.array(background[: shape[2]], dtype=dtype)
    drawn = rng.integers(0, 256, shape).astype(dtype)
    values = np.where(
        rng.random((shape[0], shape[1] // 6 + 1, 1)).repeat(6, axis=1)[:, : shape[1]] < 0.7, levels, drawn
    )
    image, foreground, light = brightest_band(Sky("drawn", values), levels)
    expected = naive.brightest_band(values, levels.astype(float))
    assert image.dtype == light.dtype == dtype
    np.testing.assert_array_equal(image.reshape(expected.shape), expected)
    np.testing.assert_array_equal(foreground, np.flatnonzero(expected))
    np.testing.assert_array_equal(light, expected.flat[foreground])


def test_pixels_that_are_no_whole_words_in_memory_are_read(rng):
    """A picture cut out of another, and one whose memory starts at an odd place."""
    values = rng.integers(0, 256, (40, 41, 3)).astype(np.uint8)
    odd = np.frombuffer(b"x" + values.tobytes(), dtype=np.uint8, offset=1).reshape(values.shape)
    for part in (values[3:, 5:], odd):
        image, _, _ = brightest_band(Sky("part", part), np.zeros(3, dtype=np.uint8))
        np.testing.assert_array_equal(image, naive.brightest_band(part, np.zeros(3)).ravel())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("n", [1, 2, 150, 1001])
def test_bright_level_is_the_percentile(rng, dtype, n):
    light = rng.integers(1, 256, n).astype(dtype)
    assert bright_level(light) == pytest.approx(np.percentile(light, BRIGHT_PERCENTILE), rel=1e-12)


def test_values_are_counted_in_each_band(rng):
    values, counts = rng.integers(0, 256, (9, 7, 2)).astype(np.uint8), np.zeros((2, 256), dtype=np.int64)
    pixels.count_values(values[::2], counts)
    for band in range(2):
        np.testing.assert_array_equal(counts[band], np.bincount(values[::2, :, band].ravel(), minlength=256))


def test_pixels_are_counted_that_are_equal_in_all_bands(rng):
    values, levels = rng.integers(0, 3, (9, 7, 2)).astype(np.uint8), np.array([1, 2], dtype=np.uint8)
    assert pixels.count_equal(values, levels) == (values == levels).all(axis=2).sum() > 0


def _segments(image, threshold, n_pixels):
    """What :func:`connected_segments` leaves: the flat image with its margin, places and starts."""
    padded = np.pad(image, 1).ravel()
    places, starts = np.empty(padded.size, dtype=np.int32), np.empty(padded.size, dtype=np.int64)
    foreground = np.flatnonzero(padded).astype(np.int32)
    n = segments.connected_segments(padded, image.shape[1] + 2, foreground, threshold, n_pixels, places, starts)
    return padded, places, starts[: n + 1]


def _flat(places, shape):
    """Flat indices into the picture of places in its image with a margin."""
    rows, columns = np.divmod(places, shape[1] + 2)
    return (rows - 1) * shape[1] + columns - 1


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 2.0])
def test_connected_pieces_match_naive(patchy, threshold):
    image, places, starts = _segments(patchy, threshold, 4)
    expected = naive.connected_segments(patchy, threshold, 4)
    flat = _flat(places[: starts[-1]], patchy.shape)
    assert [sorted(flat[start:stop].tolist()) for start, stop in pairwise(starts)] == expected
    assert not (image > threshold).any()


def test_grown_pieces_match_naive(patchy):
    """Pixels that two pieces reach at once may go to either; all others go where the naive twin puts them."""
    image, places, starts = _segments(patchy, 0.8, 4)
    n, threshold = starts.size - 1, 0.5
    assert n > 3
    owners = np.where(np.pad(patchy, 1).ravel() > 0.8, -1, 0)  # of pieces too small to keep
    for k, (start, stop) in enumerate(pairwise(starts)):
        owners[places[start:stop]] = k + 1
    before = owners.reshape(patchy.shape[0] + 2, -1)[1:-1, 1:-1]
    expected = naive.dilate_segments(patchy, threshold, 2, before)
    dilated, dilated_starts = np.empty_like(places), np.empty(n + 1, dtype=np.int64)
    segments.dilate_segments(image, patchy.shape[1] + 2, threshold, 2, places, starts, dilated, dilated_starts)
    found = before.copy()
    for k in range(n):
        own = dilated[dilated_starts[k] : dilated_starts[k + 1]]
        np.testing.assert_array_equal(own[: starts[k + 1] - starts[k]], places[starts[k] : starts[k + 1]])
        assert np.unique(own).size == own.size
        found.flat[_flat(own, patchy.shape)] = k + 1
    np.testing.assert_array_equal(found > 0, expected > 0)
    assert (found > 0).sum() == dilated_starts[n] > starts[n]
    assert (found == expected).mean() > 0.9


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


def test_galaxy_on_a_centre_has_no_tangential_shear():
    one, centre = np.ones(1), np.zeros(1)
    sums = np.zeros((4, 1, 1, 1))
    maps.shear_sums(centre, centre, one, one, one, centre, centre, np.ones((1, 1)), np.ones((1, 1)), sums)
    np.testing.assert_array_equal(sums[:2], 0.0)


def test_color_residual_matches_naive(rng):
    values = rng.random((50, 3)) * 100
    assert colors.color_residual(values, values.sum(axis=1)) == pytest.approx(naive.color_residual(values))


def test_two_shares_match_least_squares(rng):
    for _ in range(20):
        value, a, b = drawn = rng.random((3, 3))
        found = deblended._two_fluxes(value, drawn, deblended._products(drawn), 1, 2)
        np.testing.assert_allclose(found, naive.two_fluxes(value, a, b), rtol=1e-6, atol=1e-9)


def _blob(rng, side=14):
    """A ragged piece: its local grid, rows and columns."""
    inside = np.pad(rng.random((side, side)) < 0.85, 1)
    rows, columns = np.nonzero(inside)
    grid = np.zeros(inside.shape, dtype=np.int32)
    grid[rows, columns] = np.arange(1, rows.size + 1)
    return grid, rows, columns


def test_find_colors_matches_naive(rng):
    """Two galaxies of a colour each, a seam between them, and pixels of no colour that recurs."""
    own = np.array([[0.55, 0.33, 0.12], [0.25, 0.29, 0.46]])
    for seam in (0, 2):
        grid, rows, columns = _blob(rng)
        share = np.clip((columns - 7) / max(seam, 0.1) + 0.5, 0, 1)[:, None]
        values = (share * own[0] + (1 - share) * own[1]) * rng.uniform(100, 300, (rows.size, 1))
        values += rng.normal(0, 0.2, values.shape)
        odd = rng.choice(rows.size, 10, replace=False)
        values[odd] = rng.dirichlet(np.ones(3), 10) * 200
        found, patch = np.empty((colors.MAX_COLORS, 3)), np.zeros(rows.size, dtype=np.int64)
        n = colors.find_colors(values, values.sum(axis=1), grid, rows, columns, 0.3, 0.012, found, patch)
        expected, expected_patch = naive.find_colors(
            values, rows, columns, 0.3, 0.012,
            reach=colors.REACH, core=colors.CORE, n_shifts=colors.N_SHIFTS, max_colors=colors.MAX_COLORS,
        )  # fmt: skip
        np.testing.assert_allclose(found[:n], expected, atol=1e-9)
        np.testing.assert_array_equal(patch, expected_patch)
        assert n == 2


def test_pixels_too_faint_to_know_their_color_change_none(rng):
    grid, rows, columns = _blob(rng)
    values = np.tile([110.0, 66.0, 24.0], (rows.size, 1))
    patch = np.where(rng.random(rows.size) < 0.1, -1, 0)
    values[patch < 0] += [0.4, 0.0, 0.0]  # within reach
    found = np.empty((colors.MAX_COLORS, 3))
    assert colors.find_colors(values, values.sum(axis=1), grid, rows, columns, 0.3, 0.012, found, patch) == 1
    np.testing.assert_allclose(found[0], [0.55, 0.33, 0.12], atol=1e-12)
    assert set(patch) == {-1, 1}


def test_piece_residuals_are_those_of_each_piece(rng):
    values, starts = rng.random((60, 3)) * 100, np.array([0, 12, 13, 60])
    residuals = np.empty(3)
    footprints.segment_residuals(values, values.sum(axis=1), starts, residuals)
    parts = [values[start:stop] for start, stop in pairwise(starts)]
    np.testing.assert_allclose(residuals, [naive.color_residual(part) for part in parts], atol=1e-12)


@pytest.mark.parametrize("by_color", [True, False])
def test_split_pieces_keeps_the_light_and_the_order(rng, by_color):
    """A piece of one galaxy leaves as it came, whatever splits it."""
    _, rows, columns = _blob(rng)
    own = rows * 80 + columns
    totals = rng.uniform(100, 200, own.size)
    starts, residuals = np.array([0, own.size]), np.array([0.0])
    out, flux = np.empty(8 * own.size, dtype=np.int64), np.empty(8 * own.size)
    ends, blended = np.empty(own.size, dtype=np.int64), np.empty(own.size, dtype=bool)
    n = footprints.split_segments(
        np.outer(totals, [0.5, 0.3, 0.2]), totals, rows, columns, starts, residuals, 80,
        by_color, 0.3, 0.012, 0.9, 1.0, 8, out, flux, ends, blended,
    )  # fmt: skip
    assert (n, blended[0]) == (1, False)
    np.testing.assert_array_equal(out[: ends[1]], own)
    np.testing.assert_allclose(flux[: ends[1]], totals)


def test_share_light_matches_naive(rng):
    grid, rows, columns = _blob(rng)
    own = np.array([[0.55, 0.33, 0.12], [0.25, 0.29, 0.46], [0.38, 0.31, 0.31]])
    patch = np.where(columns < 6, rng.integers(0, 4, rows.size), 0)  # too far from some of the mixed pixels
    values = rng.dirichlet(np.ones(3), rows.size) @ own * 200 + rng.normal(0, 0.3, (rows.size, 3))
    found = np.empty((rows.size, 3))
    deblended.deblend_flux(values, values.sum(axis=1), grid.shape, rows, columns, 0.3, own, patch, found)
    expected = naive.deblend_flux(values, rows, columns, own, patch, colors.REACH * 0.3, deblended.DEBLENDING_RADIUS)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_complete_hidden_matches_naive(rng):
    grid, rows, columns = _blob(rng)
    for _ in range(5):
        visible = rng.random(rows.size) * 50
        visible[np.hypot(rows - rng.uniform(0, 15), columns - 10) < 4] = 0
        whole = np.empty(rows.size)
        hidden.fill_by_symmetry(grid, rows, columns, 0.3, visible, whole)
        np.testing.assert_array_equal(whole, naive.fill_by_symmetry(rows, columns, 0.3, visible, hidden.OCCLUSION_COST))


def test_smoothing_matches_the_mean_of_neighbours(rng):
    grid, rows, columns = _blob(rng)
    brightness, smoothed = rng.random(rows.size), np.empty(rows.size)
    watershed.smooth(brightness, grid, rows, columns, smoothed)
    for p, (i, j) in enumerate(zip(rows, columns, strict=True)):
        near = (abs(rows - i) <= 1) & (abs(columns - j) <= 1)
        assert smoothed[p] == pytest.approx(brightness[near].mean())


@pytest.mark.parametrize(("contrast", "depth"), [(0.0, 0.0), (0.2, 0.0), (0.5, 0.0), (0.0, 0.1)])
def test_split_saddles_match_naive(rng, contrast, depth):
    grid, rows, columns = _blob(rng, side=20)
    rough, brightness = rng.random(rows.size), np.empty(rows.size)
    watershed.smooth(rough, grid, rows, columns, brightness)
    patch = np.empty(rows.size, dtype=np.int64)
    n = watershed.split_saddles(brightness, grid, rows, columns, contrast, depth, 3, patch)
    found = sorted(np.flatnonzero(patch == k + 1).tolist() for k in range(n))
    assert found == naive.split_saddles(brightness, rows, columns, contrast, depth, 3)


def test_pixels_of_pieces_have_the_background_taken_off():
    bands = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    places = np.array([7, 13], dtype=np.int32)  # in rows of 5, the first of which is margin
    rows, columns, values, totals = (np.empty(size) for size in (2, 2, (2, 3), 2))
    footprints.gather_pixels(bands, np.array([4.0, 0.0, 100.0]), places, rows, columns, values, totals)
    np.testing.assert_array_equal((rows, columns), [[0, 1], [1, 2]])
    np.testing.assert_array_equal(values, [[0.0, 4.0, 0.0], [11.0, 16.0, 0.0]])
    np.testing.assert_array_equal(totals, [4.0, 27.0])
