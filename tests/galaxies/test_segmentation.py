import numpy as np
import pytest

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.io.sky import Sky
from tests.support.drawing import BLUE, ORANGE, PINK, disc, gaussian, sky_of

SHAPE = (96, 128)
WIDE = (100, 128)


def _apart(n=12):
    """Return discs that do not touch, of alternating colours."""
    positions = [(20 + 28 * (k % 4), 18 + 28 * (k // 4)) for k in range(n)]
    return [(disc(SHAPE, x, y, size=3), (ORANGE, BLUE, PINK)[k % 3], 300) for k, (x, y) in enumerate(positions)]


def test_separate_galaxies_are_each_found_once():
    segments = segment(sky_of(*_apart()))
    assert len(segments) == 12
    assert not segments.blended.any()
    assert segments.labels.max() == 12


def test_footprints_have_the_flux_of_the_image():
    sky = sky_of(*_apart())
    segments = segment(sky)
    flux = np.bincount(segments.pixels, segments.flux, minlength=sky.pixels[..., 0].size)
    foreground = segments.labels.ravel() > 0
    np.testing.assert_allclose(flux[foreground], sky.pixels.reshape(-1, 3).sum(axis=1)[foreground])


def _crowd(*galaxies):
    """Return a sky of overlapping galaxies and of four isolated ones, whose pure colours set the noise."""
    return sky_of(*galaxies, *[(disc(WIDE, x, 80, size=3), PINK, 300) for x in (20, 50, 80, 110)])


def _flux_image(segments, k):
    own = slice(segments.starts[k], segments.starts[k + 1])
    image = np.zeros(segments.sky.shape)
    image.flat[segments.pixels[own]] = segments.flux[own]
    return image


def test_overlapping_galaxies_of_two_colours_are_separated():
    behind, before = disc(WIDE, 60, 40, size=5, e1=0.3), disc(WIDE, 66, 44, size=4, e2=-0.3)
    segments = segment(_crowd((behind, ORANGE, 250), (before, BLUE, 250)))
    assert segments.blended.tolist() == [True, True, False, False, False, False]
    for alone in (behind, before):
        k = int(segments.labels[40, 52] if alone is behind else segments.labels[44, 68]) - 1
        # A third of the one behind is covered, and filled from the opposite side.
        assert abs(_flux_image(segments, k) - 250 * alone).sum() < 0.15 * 250 * alone.sum()


def test_galaxy_divided_by_another_remains_one():
    crossed = [(disc(WIDE, 60, 40, size=5, e1=0.5), ORANGE, 250), (disc(WIDE, 60, 40, size=5, e1=-0.5), BLUE, 250)]
    segments = segment(_crowd(*crossed))
    assert segments.blended.sum() == 2
    left, right = _flux_image(segments, 0)[:, :60], _flux_image(segments, 0)[:, 61:]
    assert left.sum() == pytest.approx(right.sum(), rel=0.05)


def test_three_galaxies_in_a_chain_are_separated():
    chain = ((40, ORANGE), (52, PINK), (64, BLUE))
    assert segment(_crowd(*[(disc(WIDE, x, 40, size=3.5), color, 300) for x, color in chain])).blended.sum() == 3


def test_galaxy_with_texture_of_one_colour_is_not_split():
    image = disc(SHAPE, 60, 40, size=7) * (0.6 + 0.4 * np.cos(np.arange(SHAPE[1])) ** 2)
    assert len(segment(sky_of((image, PINK, 350)))) == 1


def test_grey_galaxies_are_split_at_the_saddle():
    image = gaussian(SHAPE, 50, 40, size=3) + gaussian(SHAPE, 64, 40, size=3)
    grey = Sky("grey.png", np.rint(200 * image)[..., None].astype(np.uint8))
    segments = segment(grey, MeasureConfig(threshold_fraction=0.02))
    assert len(segments) == 2
    unsplit = segment(grey, MeasureConfig(threshold_fraction=0.02, split_contrast=1.0))
    assert len(unsplit) == 1


def test_footprints_do_not_depend_on_exposure():
    sky = sky_of(*_apart())
    dim = Sky("dim.tif", (sky.pixels.astype(np.uint16) * 100))
    np.testing.assert_array_equal(segment(dim).pixels, segment(sky).pixels)


def test_flat_pedestal_is_subtracted():
    sky = sky_of(*_apart())
    raised = Sky("raised.png", sky.pixels + np.array([9, 5, 7], dtype=np.uint8))
    np.testing.assert_allclose(segment(raised).flux, segment(sky).flux)


def test_galaxies_are_found_in_noise_over_a_gradient(rng):
    image = sum(250 * gaussian((256, 256), 30 + 40 * i, 30 + 40 * j, size=2.5) for i in range(6) for j in range(6))
    noisy = image + rng.normal(0, 5, image.shape) + np.linspace(100, 160, 256)
    segments = segment(Sky("noisy.fits", noisy[..., None].astype(np.float32)))
    assert len(segments) == 36
    assert segments.noise == pytest.approx(5, rel=0.1)


def test_pure_noise_has_few_galaxies(rng):
    noise = rng.normal(0, 5, (512, 512, 1)).astype(np.float32)
    assert len(segment(Sky("noise.fits", noise))) < 10


def test_masked_pixels_have_no_galaxy(rng):
    image = 300 * gaussian((128, 128), 60, 60, size=4) + rng.normal(0, 3, (128, 128))
    mask = np.zeros((128, 128), dtype=bool)
    mask[40:80, 40:80] = True
    pixels = np.where(mask, 0, image)[..., None].astype(np.float32)
    assert len(segment(Sky("masked.fits", pixels, mask=mask))) == 0


def test_masked_pixels_do_not_count_as_a_flat_background(rng):
    """Half of the pixels are masked and hold 0."""
    image = sum(250 * gaussian((256, 256), 150 + 40 * i, 30 + 40 * j, size=2.5) for i in range(3) for j in range(6))
    mask = np.zeros(image.shape, dtype=bool)
    mask[:, :128] = True
    pixels = np.where(mask, 0, image + rng.normal(100, 5, image.shape))[..., None].astype(np.float32)
    segments = segment(Sky("half.fits", pixels, mask=mask))
    assert len(segments) == 18
    assert segments.noise == pytest.approx(5, rel=0.1)


def test_noisy_image_with_few_measured_pixels_is_rejected(rng):
    mask = rng.random((128, 128)) < 0.7
    pixels = np.where(mask, 0, rng.normal(100, 5, mask.shape))[..., None].astype(np.float32)
    with pytest.raises(SkyError, match=r"holes.fits: 70% of the pixels are masked"):
        segment(Sky("holes.fits", pixels, mask=mask))


def test_masked_pixels_on_a_flat_background_are_not_detected():
    pixels = np.full((96, 128, 1), -50.0, dtype=np.float32)
    mask = np.zeros((96, 128), dtype=bool)
    mask[40:60, 40:60] = True
    pixels[mask] = 0
    pixels[10:20, 10:20] = 150
    assert len(segment(Sky("flat.fits", pixels, mask=mask))) == 1


def test_footprint_has_no_masked_pixels():
    pixels = np.full((96, 128, 1), -50.0, dtype=np.float32)
    mask = np.zeros((96, 128), dtype=bool)
    mask[10:20, 20:30] = True
    pixels[mask] = 0
    pixels[10:20, 10:20] = 150
    assert np.diff(segment(Sky("flat.fits", pixels, mask=mask)).starts).tolist() == [100]


def test_flat_background_is_found_beneath_a_lattice_of_spots():
    """Every 16th pixel of every 16th row is bright: a sample of these alone has no background."""
    sky = sky_of(*_apart())
    pixels = sky.pixels + np.array([9, 5, 7], dtype=np.uint8)
    pixels[::16, ::16] = 255
    assert len(segment(Sky("spots.png", pixels))) == 12


def test_threshold_is_compared_in_double_precision():
    """0.29 x 100 is slightly less than 29 in double precision and 29 in single: borders of 29 exceed the threshold."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    for i, j in np.ndindex(8, 8):
        pixels[8 * i + 1 : 8 * i + 6, 8 * j + 1 : 8 * j + 6] = 29
        pixels[8 * i + 2 : 8 * i + 5, 8 * j + 2 : 8 * j + 5] = 100
    segments = segment(Sky("borders.png", pixels), MeasureConfig(threshold_fraction=0.29))
    assert np.diff(segments.starts).tolist() == [25] * 64


@pytest.mark.parametrize("shape", [(1, 1, 3), (512, 8, 1)])
def test_tiny_image_is_rejected(shape):
    with pytest.raises(SkyError, match=r"too few; give an image of at least 32 x 32"):
        segment(Sky("tiny.png", np.zeros(shape, dtype=np.uint8)))


def test_black_sky_is_rejected():
    with pytest.raises(
        SkyError, match=r"black.png: found 0 galaxies .* min_galaxies=10 needed; nearly all pixels have the same"
    ):
        measure(Sky("black.png", np.zeros((64, 64, 3), dtype=np.uint8)))


def test_one_large_galaxy_is_rejected():
    blob = disc((256, 256), 128, 128, size=50)
    with pytest.raises(SkyError, match=r"found 1 galaxies"):
        measure(sky_of((blob, PINK, 400), name="blob.png"))


def test_white_image_is_rejected():
    with pytest.raises(SkyError, match=r"found 0 galaxies"):
        measure(Sky("white.png", np.full((64, 64, 3), 255, dtype=np.uint8)))


def test_the_remedy_for_a_weight_map_is_another_image(rng):
    """Weights of good pixels are large, those of gaps and bad pixels small."""
    weight = rng.normal(40.0, 0.5, (64, 64, 1)).astype(np.float32)
    weight[20:24] = 0.0
    with pytest.raises(SkyError, match="dark on bright: a weight map or a negative"):
        measure(Sky("weight.fits", weight))


def test_the_remedy_for_a_faint_sky_is_a_lower_threshold(rng):
    noise = rng.normal(0.0, 1.0, (64, 64, 1)).astype(np.float32)
    with pytest.raises(SkyError, match="lower the threshold"):
        measure(Sky("noise.fits", noise))
