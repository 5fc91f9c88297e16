from importlib import import_module
from itertools import pairwise

import naive
import numpy as np
import pytest

from darkmatter_features import kernels
from darkmatter_features.kernels import colors, footprints, hidden, maps, moments, pieces, watershed
from darkmatter_features.segmentation import brightest_band


@pytest.fixture
def patchy(rng):
    """An image whose upper values percolate into pieces of many shapes."""
    return rng.random((60, 80)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("background", [(3.0, 7.0, 0.0), (0.0, 0.0, 0.0)])
def test_brightest_band_matches_naive(rng, dtype, background):
    pixels = rng.integers(0, 256, (20, 30, 3)).astype(dtype) - dtype(2) * (dtype is np.float32)
    brightest = brightest_band(pixels, np.array(background))
    assert brightest.dtype == dtype
    np.testing.assert_array_equal(brightest, naive.brightest_band(pixels, background))


def _flat(places, shape):
    return np.ravel_multi_index(tuple(places.T), shape, mode="clip")


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 2.0])
def test_connected_pieces_match_naive(patchy, threshold):
    labels = np.zeros(patchy.shape, dtype=np.int32)
    found, starts = np.empty((patchy.size, 2), dtype=np.int32), np.empty(patchy.size, dtype=np.int64)
    n = pieces.connected_pieces(patchy, threshold, 4, labels, found, starts)
    expected = naive.connected_pieces(patchy, threshold, 4)
    flat = _flat(found, patchy.shape)
    assert [sorted(flat[starts[k] : starts[k + 1]].tolist()) for k in range(n)] == expected
    for k, piece in enumerate(expected):
        assert (labels.flat[piece] == k + 1).all()
    assert (labels > 0).sum() == sum(map(len, expected))


def test_grown_pieces_match_naive(patchy):
    """Pixels that two pieces reach at once may go to either; all others go where the naive twin puts them."""
    labels = np.zeros(patchy.shape, dtype=np.int32)
    found, starts = np.empty((patchy.size, 2), dtype=np.int32), np.empty(patchy.size, dtype=np.int64)
    n = pieces.connected_pieces(patchy, 0.8, 4, labels, found, starts)
    assert n > 3
    threshold = 0.5
    expected = naive.grow_pieces(patchy, threshold, 2, labels)
    grown, grown_starts = np.empty_like(found), np.empty(n + 1, dtype=np.int64)
    pieces.grow_pieces(patchy, threshold, 2, labels, found, starts[: n + 1], grown, grown_starts)
    np.testing.assert_array_equal(labels > 0, expected > 0)
    assert (expected > 0).sum() > starts[n]
    assert (labels == expected).mean() > 0.9
    for k in range(n):
        own = grown[grown_starts[k] : grown_starts[k + 1]]
        np.testing.assert_array_equal(own[: starts[k + 1] - starts[k]], found[starts[k] : starts[k + 1]])
        np.testing.assert_array_equal(np.sort(_flat(own, patchy.shape)), np.flatnonzero(labels == k + 1))


def _footprints(rng, n=30):
    starts = np.concatenate([[0], np.cumsum(rng.integers(1, 40, n))])
    return starts, rng.integers(0, 60 * 80, starts[-1]), rng.random(starts[-1]) + 0.1


def test_moments_match_naive(rng):
    starts, pixels, flux = _footprints(rng)
    found = np.empty((starts.size - 1, 7))
    moments.footprint_moments(starts, pixels, flux, 80, found)
    np.testing.assert_allclose(found, naive.footprint_moments(starts, pixels, flux, 80), rtol=1e-12, atol=1e-12)


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
    assert colors.color_residual(values) == pytest.approx(naive.color_residual(values))


def test_two_shares_match_least_squares(rng):
    for _ in range(20):
        value, a, b = rng.random((3, 3))
        np.testing.assert_allclose(colors._two_shares(value, a, b), naive.two_shares(value, a, b), rtol=1e-6, atol=1e-9)


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
        n = colors.find_colors(values, grid, rows, columns, 0.3, 0.012, found, patch)
        expected, expected_patch = naive.find_colors(
            values, rows, columns, 0.3, 0.012,
            reach=colors.REACH, core=colors.CORE, n_shifts=colors.N_SHIFTS, max_colors=colors.MAX_COLORS,
        )  # fmt: skip
        np.testing.assert_allclose(found[:n], expected, atol=1e-9)
        np.testing.assert_array_equal(patch, expected_patch)
        assert n == 2


def test_piece_residuals_are_those_of_each_piece(rng):
    values, starts = rng.random((60, 3)) * 100, np.array([0, 12, 13, 60])
    residuals = np.empty(3)
    footprints.piece_residuals(values, starts, residuals)
    parts = [values[start:stop] for start, stop in pairwise(starts)]
    np.testing.assert_allclose(residuals, [naive.color_residual(part) for part in parts], atol=1e-12)


@pytest.mark.parametrize("by_color", [True, False])
def test_split_pieces_keeps_the_light_and_the_order(rng, by_color):
    """A piece of one galaxy leaves as it came, whatever splits it."""
    _, rows, columns = _blob(rng)
    pixels = np.sort(rows * 80 + columns)
    values = np.outer(rng.uniform(100, 200, pixels.size), [0.5, 0.3, 0.2])
    starts, residuals = np.array([0, pixels.size]), np.array([0.0])
    out, flux = np.empty(8 * pixels.size, dtype=np.int64), np.empty(8 * pixels.size)
    ends, blended = np.empty(pixels.size, dtype=np.int64), np.empty(pixels.size, dtype=bool)
    n = footprints.split_pieces(
        values, pixels, starts, residuals, 80, by_color, 0.3, 0.012, 0.9, 1.0, 8, out, flux, ends, blended
    )
    assert (n, blended[0]) == (1, False)
    np.testing.assert_array_equal(out[: ends[1]], pixels)
    np.testing.assert_allclose(flux[: ends[1]], values.sum(axis=1))


def test_share_light_matches_naive(rng):
    grid, rows, columns = _blob(rng)
    own = np.array([[0.55, 0.33, 0.12], [0.25, 0.29, 0.46], [0.38, 0.31, 0.31]])
    patch = rng.integers(0, 4, rows.size)
    values = rng.dirichlet(np.ones(3), rows.size) @ own * 200 + rng.normal(0, 0.3, (rows.size, 3))
    shares = np.empty((rows.size, 3))
    colors.share_light(values, grid, rows, columns, 0.3, own, patch, shares)
    expected = naive.share_light(values, rows, columns, own, patch, colors.REACH * 0.3, colors.SHARE_RADIUS)
    np.testing.assert_allclose(shares, expected, rtol=1e-6, atol=1e-6)


def test_complete_hidden_matches_naive(rng):
    grid, rows, columns = _blob(rng)
    for _ in range(5):
        visible = rng.random(rows.size) * 50
        visible[np.hypot(rows - rng.uniform(0, 15), columns - 10) < 4] = 0
        whole = np.empty(rows.size)
        hidden.complete_hidden(grid, rows, columns, 0.3, visible, whole)
        np.testing.assert_array_equal(whole, naive.complete_hidden(rows, columns, 0.3, visible, hidden.HIDDEN_COST))


def test_changed_kernels_forget_the_code_of_the_old_ones(tmp_path):
    """A kernel compiled into its callers in other files changes them too; Numba alone would not notice."""
    (tmp_path / "called.py").write_text("1")
    cache = tmp_path / "__pycache__"
    kernels.forget_stale_code(tmp_path)
    (cache / "caller.nbi").write_text("compiled")
    kernels.forget_stale_code(tmp_path)
    assert (cache / "caller.nbi").exists()
    (tmp_path / "called.py").write_text("2")
    kernels.forget_stale_code(tmp_path)
    assert not (cache / "caller.nbi").exists()


def test_a_kernel_is_kept_once_it_was_compiled(tmp_path, monkeypatch):
    source = "from darkmatter_features.kernels import compiled\n\n\n@compiled\ndef {}(x):\n    return 2 * x\n"
    (tmp_path / "passing.py").write_text(source.format("twice") + source.format("twice_too"))
    monkeypatch.syspath_prepend(tmp_path)
    passing = import_module("passing")
    assert not kernels.is_kept(passing.twice)
    passing.twice_too(1)
    assert not kernels.is_kept(passing.twice)
    assert passing.twice(3) == 6
    assert kernels.is_kept(passing.twice)


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


def test_piece_values_have_the_background_taken_off():
    bands = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    values = np.empty((2, 3))
    footprints.gather_values(bands, np.array([4.0, 0.0, 100.0]), np.array([1, 5]), values)
    np.testing.assert_array_equal(values, [[0.0, 4.0, 0.0], [11.0, 16.0, 0.0]])
