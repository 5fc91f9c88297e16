"""Level and noise of the background beside known ones and photutils."""

import numpy as np
import pytest
from photutils.background import Background2D, MedianBackground, SExtractorBackground

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.background import background_of

SHAPE = (256, 288)
Y, X = np.indices(SHAPE)
NONE_BAD = np.zeros(SHAPE, dtype=bool)
LEVEL, NOISE = 100.0, 5.0

BOX_ERROR = 1.2 / 32
"""Error of the level of a box of 32 px without galaxies, over the noise: less than that of a median, 1.25 / 32."""


def white(rng, shape=SHAPE):
    return rng.normal(LEVEL, NOISE, shape)


def galaxy(x, y, peak, sigma, shape=SHAPE):
    y_all, x_all = np.indices(shape)
    return peak * np.exp(-0.5 * ((x_all - x) ** 2 + (y_all - y) ** 2) / sigma**2)


def scaled_errors(background, level, is_counted=True):
    """Return the errors of the level in units of the noise."""
    return ((background.level - level) / NOISE)[np.broadcast_to(is_counted, SHAPE)]


def test_level_and_noise_of_white_noise_are_those_it_was_drawn_with(rng):
    background = background_of(white(rng), NONE_BAD, 32)
    errors = scaled_errors(background, LEVEL)
    assert abs(errors.mean()) < 4 / np.sqrt(errors.size) + 0.003
    assert errors.std() < BOX_ERROR  # neighbours smooth it further
    assert background.noise == pytest.approx(NOISE, rel=0.12)
    assert background.noise.mean() == pytest.approx(NOISE, rel=0.01)


def test_results_are_read_only_arrays_in_single_precision(rng):
    background = background_of(white(rng), NONE_BAD, 32)
    for array in (background.level, background.noise):
        assert array.dtype == np.float32
        assert array.shape == SHAPE
        assert not array.flags.writeable


def test_same_image_gives_the_same_bits(rng):
    image = white(rng)
    first, second = (background_of(image.copy(), NONE_BAD, 24) for _ in range(2))
    assert first.level.tobytes() == second.level.tobytes()
    assert first.noise.tobytes() == second.noise.tobytes()


@pytest.mark.parametrize("box", [16, 32, 64])
@pytest.mark.parametrize("shape", [SHAPE, (250, 263), (100, 301)])
def test_slope_is_followed_to_the_border(box, shape):
    """A plane without noise is its own background, also where boxes are not of equal size.

    The error is below 2 per cent of the standard deviation of the level in a box.
    """
    y, x = np.indices(shape)
    plane = LEVEL + 0.4 * x - 0.7 * y
    background = background_of(plane, np.zeros(shape, dtype=bool), box)
    np.testing.assert_allclose(background.level, plane, atol=0.02 * np.hypot(0.4, 0.7) * box / np.sqrt(12) + 0.06)


def test_slope_does_not_count_as_noise(rng):
    """The slope changes the level by 2.2 standard deviations in a box of 32 px."""
    slope = 0.35 * X
    background = background_of(white(rng) + slope, NONE_BAD, 32)
    assert background.noise.mean() == pytest.approx(NOISE, rel=0.02)
    assert scaled_errors(background, LEVEL + slope).std() < 1.5 * BOX_ERROR


@pytest.mark.parametrize("box", [16, 32])
def test_halo_is_background(rng, box):
    """The light of a cluster: core of 100 px, 3 standard deviations at its centre."""
    halo = 3.0 * NOISE / (1.0 + ((X - 120) ** 2 + (Y - 140) ** 2) / 100.0**2)
    errors = scaled_errors(background_of(white(rng) + halo, NONE_BAD, box), LEVEL + halo)
    assert abs(errors.mean()) < 0.05
    assert errors.std() < 2 * BOX_ERROR * 32 / box
    assert np.abs(errors).max() < 0.5


def test_peak_of_a_halo_is_kept_where_sources_are_known(rng):
    """A cluster of 10 standard deviations, with a core of two boxes, and no filter that flattens it."""
    halo = 10.0 * NOISE / (1.0 + ((X - 120) ** 2 + (Y - 140) ** 2) / 60.0**2)
    image, light = white(rng) + halo, galaxy(200, 60, 20 * NOISE, 3.0)
    first = scaled_errors(background_of(image + light, NONE_BAD, 32), LEVEL + halo)
    second = scaled_errors(background_of(image + light, NONE_BAD, 32, light > 0.02 * NOISE), LEVEL + halo)
    assert np.abs(second).max() < 1.0
    assert second.std() < 0.6 * first.std()


def test_noise_that_changes_across_the_image_is_followed(rng):
    """Exposure doubles from left to right."""
    noise = NOISE / np.sqrt(1.0 + X / X.max())
    background = background_of(LEVEL + noise * rng.normal(size=SHAPE), NONE_BAD, 32)
    np.testing.assert_allclose(background.noise, noise, rtol=0.12)


def crowded(fraction=0.4):
    """Return a galaxy in each box of 32 px that is brighter than half the noise in a fraction of its pixels."""
    sigma = np.sqrt(fraction * 32**2 / (2 * np.pi * np.log(16.0)))
    return np.tile(galaxy(15.5, 15.5, 8 * NOISE, sigma, (32, 32)), (8, 9))


def test_galaxies_in_four_tenths_of_each_box_move_the_level_less_than_a_median_or_a_mode(rng):
    light = crowded()
    assert (light > 0.5 * NOISE).mean() == pytest.approx(0.4, abs=0.02)
    image = white(rng) + light
    background = background_of(image, NONE_BAD, 32)
    bias = scaled_errors(background, LEVEL).mean()
    for estimator, most in ((MedianBackground(), 0.5), (SExtractorBackground(), 0.95)):
        theirs = Background2D(image, 32, bkg_estimator=estimator)
        assert bias < most * np.mean((theirs.background - LEVEL) / NOISE)
    assert bias < 0.25
    assert background.noise.mean() == pytest.approx(NOISE, rel=0.1)
    assert theirs.background_rms.mean() > 1.4 * NOISE


def test_known_sources_are_left_out(rng):
    light = crowded()
    background = background_of(white(rng) + light, NONE_BAD, 32, light > 0.02 * NOISE)
    errors = scaled_errors(background, LEVEL)
    assert abs(errors.mean()) < 0.02
    assert background.noise.mean() == pytest.approx(NOISE, rel=0.02)


def test_box_full_of_a_galaxy_is_replaced_by_its_neighbours(rng):
    """At its centre, a galaxy of 80 standard deviations and a half-axis of 12 px covers a box of 32 px."""
    light = galaxy(144, 112, 80 * NOISE, 12.0)
    is_far = light < 0.01 * NOISE
    background = background_of(white(rng) + light, NONE_BAD, 32)
    assert np.abs(scaled_errors(background, LEVEL)).max() < 2.0
    assert np.abs(scaled_errors(background, LEVEL, is_far)).max() < 0.6


@pytest.mark.parametrize("box", [16, 32])
def test_clean_image_agrees_with_photutils(rng, box):
    """The same boxes: both have the errors of the same pixels, so the difference is below the error of either."""
    image = white(rng)
    ours = background_of(image, NONE_BAD, box)
    theirs = Background2D(image, box, bkg_estimator=MedianBackground())
    difference = (ours.level - theirs.background) / NOISE
    assert difference.std() < 0.8 * BOX_ERROR * 32 / box
    assert abs(difference.mean()) < 0.3 * BOX_ERROR * 32 / box
    assert np.mean(ours.noise / theirs.background_rms) == pytest.approx(1.0, abs=0.03)


def test_stripes_and_corners_without_measurement_do_not_move_the_level(rng):
    """A third of the image is nan or masked, on a slope: the pixels left in a box lie on one of its sides."""
    plane = LEVEL + 0.2 * X + 0.1 * Y
    image = plane + rng.normal(0.0, NOISE, SHAPE)
    image[:, 100:118] = np.nan
    image[60:75] = np.inf
    is_bad = (X < 70) & (Y < 90)
    image[is_bad] = -1e6
    is_bad |= X > 270
    is_measured = np.isfinite(image) & ~is_bad
    background = background_of(image, is_bad, 32)
    errors = scaled_errors(background, plane, is_measured)
    assert abs(errors.mean()) < 0.01
    assert np.abs(errors).max() < 0.3
    assert np.isfinite(background.level).all()
    assert (background.noise > 0.8 * NOISE).all()


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.dtype(">i2"), np.uint16, np.float64])
def test_rounding_to_integers_does_not_move_the_level(rng, level, dtype):
    """Noise of 0.8 counts: a median of integers would be 20 everywhere."""
    sigma = 0.8
    image = np.round(rng.normal(20.0 + level, sigma, SHAPE)).astype(dtype)
    background = background_of(image, NONE_BAD, 32)
    assert background.level.mean() == pytest.approx(20.0 + level, abs=0.02)
    assert background.noise.mean() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.03)


@pytest.mark.parametrize("mean", [0.2, 0.5, 1.0, 3.0, 10.0])
def test_level_of_few_photons_is_a_quarter_of_a_count_below_their_mean_at_most(rng, mean):
    background = background_of(rng.poisson(mean, SHAPE), NONE_BAD, 32)
    assert -0.25 < background.level.mean() - mean < 0.05
    assert background.noise.mean() == pytest.approx(np.sqrt(mean), rel=0.2)


def test_black_caption_of_a_press_picture_does_not_hide_the_noise(rng):
    """An 8-bit picture with a black frame: pixels that are all equal do not show the noise."""
    image = np.clip(np.round(rng.normal(30.0, 3.0, SHAPE)), 0, 255).astype(np.uint8)
    image[192:] = 0
    background = background_of(image, NONE_BAD, 32)
    assert np.abs(background.level[:160] - 30.0).max() < 0.5
    assert np.abs(background.level[-30:]).max() < 1.0
    assert background.noise.min() > 2.5


def test_image_of_one_value_has_that_level_and_no_noise():
    background = background_of(np.full(SHAPE, 7, dtype=np.uint8), NONE_BAD, 32)
    assert (background.level == 7.0).all()
    assert (background.noise == 0.0).all()


@pytest.mark.parametrize(("shape", "box"), [((20, 30), 64), ((6, 200), 32), ((200, 1), 32), ((40, 40), 1000)])
def test_image_smaller_than_a_box_has_a_background(rng, shape, box):
    background = background_of(white(rng, shape), np.zeros(shape, dtype=bool), box)
    assert background.level == pytest.approx(LEVEL, abs=2.5 * NOISE)
    assert background.level.mean() == pytest.approx(LEVEL, abs=4 * NOISE / np.sqrt(background.level.size))
    assert background.level.shape == shape


def test_few_pixels_far_apart_give_one_level(rng):
    is_bad = rng.random(SHAPE) > 0.003
    background = background_of(white(rng), is_bad, 32)
    assert background.level == pytest.approx(LEVEL, abs=5 * NOISE / np.sqrt((~is_bad).sum()))


@pytest.mark.parametrize("n_left", [0, 5])
def test_image_without_measurements_is_refused_by_name(rng, n_left):
    is_bad = np.arange(256 * 288).reshape(SHAPE) >= n_left
    with pytest.raises(SkyError, match=rf"^field\.fits: only {n_left} of 73728 pixels are measured"):
        background_of(white(rng), is_bad, 32, name="field.fits")
    with pytest.raises(SkyError, match="without source"):
        background_of(white(rng), NONE_BAD, 32, is_bad)
