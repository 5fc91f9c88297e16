"""Straight tracks across an image are left out; edge-on galaxies, arcs and rows of galaxies are not."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.defects.find import find_defects
from darkmatter_features.galaxies.noisy.defects.kinds import Defect
from darkmatter_features.galaxies.noisy.defects.tracks import find_tracks
from darkmatter_features.galaxies.noisy.kernels.lines import block_means, line_sums, narrow_line, shifted_line
from tests.galaxies.noisy.defects.scenes import noisy_sky


def line(shape, degrees, offset, width=1.5, first=-np.inf, last=np.inf):
    """Return a line of unit light at an angle, with ends along it counted from the middle."""
    y, x = np.indices(shape) - np.array([shape[0] / 2, shape[1] / 2])[:, None, None]
    angle = np.radians(degrees)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle) - offset
    return np.where((along > first) & (along < last), np.exp(-0.5 * (across / width) ** 2), 0.0)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 77.0, 90.0, 130.0, 170.0])
@pytest.mark.parametrize("peak", [2.0, 50.0])
def test_tracks_are_left_out(rng, degrees, peak):
    sky, _ = noisy_sky(rng, side=384)
    track = line(sky.shape, degrees, 23.0)
    light = (sky + peak * track).astype(np.float32)
    defects = find_defects(light, light, 1.0, np.zeros(sky.shape, bool))
    assert (defects.kinds[track > 0.4] & Defect.TRACK != 0).mean() > 0.97
    assert defects.mask[track < 1e-9].mean() < 0.05
    assert defects.line().startswith("1 track")


def test_two_tracks_and_one_that_ends_in_the_image_are_left_out(rng):
    sky, _ = noisy_sky(rng, side=384)
    tracks = [line(sky.shape, 30.0, -40.0), line(sky.shape, 110.0, 20.0, first=-80.0)]
    light = (sky + 10 * tracks[0] + 4 * tracks[1]).astype(np.float32)
    defects = find_defects(light, light, 1.0, np.zeros(sky.shape, bool))
    assert defects.counts()[Defect.TRACK].n_objects == 2
    for track in tracks:
        assert defects.mask[track > 0.4].mean() > 0.95


def test_tracks_in_images_of_any_shape_are_found(rng):
    sky = rng.normal(size=(201, 530)).astype(np.float32)
    track = line(sky.shape, 12.0, 5.0)
    (found,) = find_tracks((sky + 2 * track).astype(np.float32), 1.0, None)
    assert found.y[1] - found.y[0] == pytest.approx(np.tan(np.radians(12.0)) * (found.x[1] - found.x[0]), abs=2)


def test_edge_on_galaxies_and_arcs_are_kept(rng):
    sky, _ = noisy_sky(rng, side=384)
    y, x = np.indices(sky.shape)
    edge_on = line(sky.shape, 33.0, 10.0) * np.exp(-np.hypot(x - 192, y - 192) / 20)
    arc = np.exp(-0.5 * ((np.hypot(x - 192, y - 192) - 60) / 1.5) ** 2) * (x > 214)
    light = (sky + 100 * edge_on + 10 * arc).astype(np.float32)
    assert find_tracks(light, 1.0, None) == []


def test_skies_without_track_have_none(rng):
    for _ in range(6):
        assert find_tracks(noisy_sky(rng, side=384, n=150)[0], 1.0, None) == []


def test_block_means_match_naive(rng):
    light, means = rng.normal(size=(18, 23)).astype(np.float32), np.empty((4, 5), np.float32)
    block_means(light, 4, 1.0, means)
    expected = light[:16, :20].clip(-1, 1).reshape(4, 4, 5, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(means, expected, rtol=1e-5, atol=1e-6)


def slow_sums(columns, slope, n):
    """Return the rows of a line that rises by `slope` over n columns, split in halves as the transform does."""
    if n == 1:
        return [0]
    near, far = slow_sums(columns, slope // 2, n // 2), slow_sums(columns, slope // 2, n // 2)
    return near + [row + slope - slope // 2 for row in far]


def test_line_sums_match_naive(rng):
    n = 8
    columns = np.zeros((n, 2 * n), np.float32)
    columns[:, n:] = rng.normal(size=(n, n))
    original, work = columns.copy(), np.empty_like(columns)
    line_sums(columns, work)
    for slope, start in np.ndindex(n, 2 * n):
        rows = [start + row for row in slow_sums(original, slope, n)]
        expected = sum(original[column, row] for column, row in enumerate(rows) if row < 2 * n)
        assert columns[slope, start] == pytest.approx(expected, abs=1e-5)


def test_the_most_significant_line_is_that_of_the_naive_search(rng):
    n, shape = 16, (14, 12)
    sums = rng.normal(size=(n, 2 * n)).astype(np.float32)
    best = np.empty(3)
    narrow_line(sums, shape, 2, 6, best)
    expected = (0.0, 0, 0)
    for slope, h in np.ndindex(n, 2 * n):
        if not 2 <= h < 2 * n - 2:
            continue
        columns = np.linspace(0, shape[1] - 1, 10_001)
        rows = h - n + slope / (n - 1) * columns
        inside = columns[(rows >= -1e-9) & (rows <= shape[0] - 1 + 1e-9)]
        length = np.ptp(inside) + 1 if inside.size else 0.0
        z = (sums[slope, h] - 0.5 * (sums[slope, h - 2] + sums[slope, h + 2])) / np.sqrt(1.5 * max(length, 1))
        if length >= 6 and z > expected[0]:
            expected = (z, h, slope)
    assert best[0] == pytest.approx(expected[0], rel=1e-2)
    assert tuple(best[1:]) == expected[1:]


def test_shifts_of_a_line_are_those_of_the_naive_search(rng):
    light = rng.normal(size=(40, 50)).astype(np.float32)
    ends, shifts, best = np.array([[3.0, 47.0], [5.0, 31.0]]), np.arange(-3.0, 4.0), np.empty(2)
    shifted_line(light, ends, shifts, 1.5, best)
    length = np.hypot(44, 26)
    t = np.linspace(0, 1, int(length) + 1)
    totals = {}
    for pair in ((first, second) for first in shifts for second in shifts):
        shift = pair[0] + (pair[1] - pair[0]) * t
        rows, columns = np.rint(5 + 26 * t + 44 * shift / length), np.rint(3 + 44 * t - 26 * shift / length)
        inside = (rows >= 0) & (rows < 40) & (columns >= 0) & (columns < 50)
        totals[pair] = light[rows[inside].astype(int), columns[inside].astype(int)].clip(-1.5, 1.5).sum()
    assert totals[tuple(best)] == pytest.approx(max(totals.values()), abs=1e-4)
