"""Hot pixels, dead pixels and tracks of cosmic rays."""

import numpy as np
import pytest
from scipy.special import ndtr

from darkmatter_features.galaxies.artifacts import (
    MAX_PAIR_STEP_FRACTION,
    MAX_PASSES,
    MAX_STEP_FRACTION,
    MIN_SIGNIFICANCE,
    PAIRS,
    SINGLE,
    artifacts_in_noise,
    find_artifacts,
    repaired,
    without_narrow_gaps,
)
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.galaxies.shapes import measure_shapes
from darkmatter_features.io.sky import Sky
from darkmatter_features.simulation.seed import seed_sky


def artifacts_of(image, noise=0.3, fractions=PAIRS):
    """Return the artefacts of an image without background (n_rows, n_columns)."""
    padded = np.pad(image, 1)
    found = find_artifacts(padded.ravel(), padded.shape[1], np.flatnonzero(padded).astype(np.int32), noise, fractions)
    return np.zeros(image.shape, dtype=bool) if found is None else found.reshape(padded.shape)[1:-1, 1:-1]


def point_source(size, sigma, offset):
    """Return a Gaussian PSF integrated over pixels, its centre `offset` px from that of the middle pixel."""
    edges = np.arange(size + 1) - size // 2 - 0.5
    profiles = [np.diff(ndtr((edges - own) / sigma)) for own in offset]
    return np.outer(*profiles)


def naive_artifacts(image, noise):
    """Return the pixels that stand out along a row or a column, in four passes, one by one."""
    padded = np.pad(image.astype(float), 2)
    found = np.zeros(padded.shape, dtype=bool)
    for _ in range(MAX_PASSES):
        for i, j in np.argwhere(padded > 10 * noise):
            found[i, j] |= any(
                stands_out(np.where(found, 0.0, padded), *own, noise)
                or stands_out(np.where(found, 0.0, padded).T, *own[::-1], noise)
                for own in [(i, j)]
            )
    return found[2:-2, 2:-2]


def stands_out(light, i, j, noise):
    """Return whether a pixel, or a pair with one of its neighbours in its row, has dark neighbours in the row."""
    for fraction, pairs in ((MAX_STEP_FRACTION, [(-1, 1)]), (MAX_PAIR_STEP_FRACTION, [(-1, 2), (-2, 1)])):
        limit = fraction * light[i, j] - MIN_SIGNIFICANCE * noise
        narrow = any(light[i, j + left] < limit and light[i, j + right] < limit for left, right in pairs)
        if limit > 0 and narrow:
            edges = light[[i - 1, i + 1], j - 1 : j + 2] >= limit
            return not edges.all(axis=1).any()
    return False


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_artifacts_match_naive(rng, dtype):
    image = (200 * rng.random((40, 50)) ** 6).astype(dtype)
    found = artifacts_of(image)
    assert 10 < found.sum() < 1000
    np.testing.assert_array_equal(found, naive_artifacts(image, 0.3))


@pytest.mark.parametrize("sigma", [0.5, 0.92, 3.0])
def test_a_point_source_is_no_artefact(rng, sigma):
    for offset in [(0.0, 0.0), *rng.uniform(-0.5, 0.5, (20, 2))]:
        assert not artifacts_of(1e4 * point_source(21, sigma, offset)).any()


def test_simulated_skies_have_no_artefacts(rng):
    sky = seed_sky(rng)
    light = sky.pixels.max(axis=2).astype(np.float32)
    assert not artifacts_of(light - light.min(), fractions=SINGLE).any()


@pytest.mark.parametrize("angle", np.linspace(0, np.pi / 2, 7))
def test_an_ellipse_with_sharp_edges_is_no_artefact(angle):
    """Drawn without a PSF, with steps of one pixel along its edges."""
    y, x = np.mgrid[-20:21, -20:21]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    image = 200.0 * ((along / 12) ** 2 + (across / 5) ** 2 <= 1)
    assert artifacts_of(image).sum() <= 2


def test_tracks_are_found_wholly():
    """Straight tracks of one pixel in all directions, corners of their pixels included."""
    image = np.zeros((200, 200), dtype=np.float32)
    for k, angle in enumerate(np.linspace(0, np.pi, 9)):
        along = np.arange(0, 15, 0.3)
        rows = 20 + 60 * (k // 3) + along * np.sin(angle)
        columns = 20 + 60 * (k % 3) + along * np.cos(angle)
        image[np.rint(rows).astype(int), np.rint(columns).astype(int)] = 900.0
    np.testing.assert_array_equal(artifacts_of(image), image > 0)


def test_blocks_and_tracks_of_two_pixels_are_found():
    image = np.zeros((60, 60), dtype=np.float32)
    image[10:12, 10:12] = image[20:50, 30:32] = image[40:42, 5:25] = 900.0
    np.testing.assert_array_equal(artifacts_of(image), image > 0)


def test_hot_and_dead_pixels_in_noise(rng):
    """A pixel at 10 standard deviations or more is found; at most one in 1e5 of the others is."""
    band = rng.normal(0, 3.0, (300, 300)).astype(np.float32)
    bad = rng.random(band.shape) < 0.002
    band[bad] = rng.choice([-32768.0, 60.0, 5000.0], bad.sum())
    found = artifacts_in_noise(band, 3.0)
    assert found[bad].mean() > 0.98
    assert found[~bad].mean() < 1e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_artefacts_are_replaced_by_the_mean_of_their_good_neighbours(rng, dtype):
    pixels = rng.integers(0, 200, (30, 40, 2)).astype(dtype)
    bad = np.zeros((30, 40), dtype=bool)
    bad[10, 20:22] = bad[0, 0] = True
    result = repaired(pixels, bad)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result[~bad], pixels[~bad])
    good = [(i, j) for i in (9, 10, 11) for j in (19, 20, 21) if not bad[i, j]]
    expected = np.mean([pixels[i, j] for i, j in good], axis=0)
    np.testing.assert_allclose(result[10, 20], expected, atol=0.51 if dtype != np.float32 else 1e-4)


def test_a_patch_without_good_pixels_is_dark():
    bad = np.zeros((30, 30), dtype=bool)
    bad[5:20, 5:20] = True
    assert repaired(np.full((30, 30, 1), 50, dtype=np.uint8), bad)[12, 12, 0] == 0


@pytest.mark.parametrize("noisy", [False, True])
def test_hot_pixels_change_no_galaxy(rng, noisy):
    """With 300 hot pixels, as many galaxies at the same places; those hit by none have the same shape."""
    pixels = seed_sky(rng).pixels.astype(np.float32)
    if noisy:
        pixels += rng.normal(50.0, 2.0, pixels.shape).astype(np.float32)
    hot = pixels.copy()
    hot[rng.integers(0, 512, 300), rng.integers(0, 512, 300)] = 5000.0
    clean, found = (measure_shapes(segment(Sky("sky", own.copy()))) for own in (pixels, hot))
    assert len(found) == pytest.approx(len(clean), abs=3)
    distance = np.hypot(found.x[:, None] - clean.x, found.y[:, None] - clean.y)
    nearest = distance.argmin(axis=1)
    change = np.hypot(found.e1 - clean.e1[nearest], found.e2 - clean.e2[nearest])
    assert np.median(distance.min(axis=1)) < 0.05
    assert np.median(change) < 0.005
    assert (change < 0.05).mean() > 0.8


def test_masked_pixels_make_no_holes_in_galaxies(rng):
    """Single pixels and a column of two, as in a map of bad pixels; a wide gap stays masked."""
    pixels = seed_sky(rng).pixels.astype(np.float32)
    bad = rng.random(pixels.shape[:2]) < 0.003
    bad[:, 300:302] = True
    gap = np.zeros_like(bad)
    gap[:, :20] = True
    sky = Sky("sky", np.where((bad | gap)[..., None], np.float32(0), pixels), bad | gap)
    filled = without_narrow_gaps(sky)
    np.testing.assert_array_equal(filled.mask, gap)
    clean, found = measure(Sky("sky", pixels.copy(), gap)), measure(sky)
    assert len(found) == pytest.approx(len(clean), abs=6)
    assert found.flux.sum() == pytest.approx(clean.flux.sum(), rel=0.03)


def test_a_sky_without_a_mask_stays_as_it_is(rng):
    sky = seed_sky(rng)
    own = Sky("sky", sky.pixels)
    assert without_narrow_gaps(own) is own
