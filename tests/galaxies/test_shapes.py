import numpy as np
import pytest
from photutils.segmentation import SegmentationImage, SourceCatalog
from scipy.ndimage import gaussian_filter

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.galaxies.shapes import MIN_HALF_AXIS, Flag, ellipticity, measure_shapes
from darkmatter_features.io.sky import Sky
from tests.support.drawing import BLUE, ORANGE, disc, gaussian, sky_of

SHAPE = (96, 96)
SHARP = MeasureConfig(psf_sigma=0.0)


@pytest.mark.parametrize(("e1", "e2"), [(0.0, 0.0), (0.4, 0.0), (-0.4, 0.0), (0.0, 0.4), (0.2, -0.5), (-0.1, 0.25)])
def test_ellipse_of_a_drawn_disc_is_measured(e1, e2):
    catalog = measure_shapes(segment(sky_of((disc(SHAPE, 47.3, 50.8, size=6, e1=e1, e2=e2), ORANGE, 400))), SHARP)
    assert catalog.e1[0] == pytest.approx(e1, abs=0.015)
    assert catalog.e2[0] == pytest.approx(e2, abs=0.015)
    assert catalog.x[0] == pytest.approx(47.3, abs=0.05)
    assert catalog.y[0] == pytest.approx(50.8, abs=0.05)
    assert catalog.size[0] == pytest.approx(6, rel=0.03)
    if e1 or e2:
        assert np.exp(2j * catalog.theta[0]) == pytest.approx((e1 + 1j * e2) / np.hypot(e1, e2), abs=0.05)


def test_shear_of_a_round_galaxy_is_its_ellipticity():
    """The mean of e over random orientations is g; the simplest case is one circle."""
    for g in (0.1, 0.3):
        sheared = disc(SHAPE, 48, 48, size=7, e1=g)
        assert measure_shapes(segment(sky_of((sheared, BLUE, 400)))).e1[0] == pytest.approx(g, abs=0.01)


def test_rotating_the_sky_rotates_e(rng):
    galaxies = [(gaussian(SHAPE, 30, 40, size=4, e1=0.3, e2=0.2), ORANGE, 500)]
    sky = sky_of(*galaxies)
    turned = Sky("turned.png", np.ascontiguousarray(np.rot90(sky.pixels)))
    before, after = (measure_shapes(segment(s)) for s in (sky, turned))
    np.testing.assert_allclose(after.e1, -before.e1, atol=1e-9)
    np.testing.assert_allclose(after.e2, -before.e2, atol=1e-9)
    np.testing.assert_allclose(after.size, before.size)


def test_flipping_the_sky_flips_e2():
    sky = sky_of((gaussian(SHAPE, 30, 40, size=4, e1=0.3, e2=0.2), ORANGE, 500))
    flipped = Sky("flipped.png", np.ascontiguousarray(sky.pixels[:, ::-1]))
    before, after = (measure_shapes(segment(s)) for s in (sky, flipped))
    np.testing.assert_allclose(after.e1, before.e1, atol=1e-9)
    np.testing.assert_allclose(after.e2, -before.e2, atol=1e-9)
    np.testing.assert_allclose(after.x, SHAPE[1] - 1 - before.x, atol=1e-9)


def _inclined(inclination, *, e1=0.0, size=9.0):
    """Return the image of an inclined disc and a round bulge at its centre, both sheared."""
    g = np.array([[1 + e1, 0.0], [0.0, 1 - e1]])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] - 47.7
    u, v = np.einsum("ij,jkl->ikl", np.linalg.inv(g), np.stack([x, y])) * np.sqrt(1 - e1**2)
    body = np.clip(2 * size - np.hypot(u, v / inclination) + 0.5, 0, 1)
    return 0.4 * body + 0.6 * np.exp(-(u**2 + v**2) / (2 * (0.2 * size) ** 2)) * (body > 0)


@pytest.mark.parametrize("axis_ratio", [1.0, 0.5])
def test_shear_does_not_change_the_fill_factor(axis_ratio):
    plain, *sheared = (
        measure_shapes(segment(sky_of((_inclined(axis_ratio, e1=e1), BLUE, 400)))).fill_factor[0]
        for e1 in (0.0, 0.2, -0.2)
    )
    np.testing.assert_allclose(sheared, plain, atol=0.01)


def test_fill_factor_measures_how_uniform_the_light_is():
    """It is 1 for a uniform disc, 9/8 at most; with a hole of half the radius, it is 3/4 / (5/4) = 0.6."""
    uniform = disc(SHAPE, 47.3, 50.8, size=9, e1=0.3)
    hollow = disc(SHAPE, 47.3, 50.8, size=9) - disc(SHAPE, 47.3, 50.8, size=4.5)
    rounded = gaussian(SHAPE, 47, 50, size=6)
    uniform, hollow, rounded = (
        measure_shapes(segment(sky_of((image, ORANGE, 600)))).fill_factor[0] for image in (uniform, hollow, rounded)
    )
    assert uniform == pytest.approx(1.0, abs=0.03)
    assert hollow == pytest.approx(0.6, abs=0.05)
    assert 1.0 < rounded < 9 / 8


@pytest.mark.parametrize("size", [2.0, 4.0])
@pytest.mark.parametrize(("e1", "e2"), [(0.3, 0.0), (-0.2, 0.35)])
def test_measured_shape_is_corrected_for_the_psf(size, e1, e2):
    """Second moments add under convolution: only with the correction are those of the galaxy measured."""
    blurred = gaussian_filter(disc(SHAPE, 47.3, 50.8, size=size, e1=e1, e2=e2), MeasureConfig().psf_sigma)
    segments = segment(sky_of((blurred, ORANGE, 400)))
    corrected, plain = measure_shapes(segments), measure_shapes(segments, SHARP)
    assert corrected.e1[0] + 1j * corrected.e2[0] == pytest.approx(e1 + 1j * e2, abs=0.02)
    assert corrected.size[0] == pytest.approx(size, rel=0.02)
    assert abs(plain.e1[0] + 1j * plain.e2[0]) < 0.97 * np.hypot(e1, e2)
    assert plain.size[0] > 1.02 * size


def test_point_source_has_the_minimum_size():
    """It is round, with half-axes of MIN_HALF_AXIS."""
    point = gaussian_filter(disc(SHAPE, 47.0, 50.0, size=0.5), 0.8) * 3
    catalog = measure_shapes(segment(sky_of((point, ORANGE, 400))), MeasureConfig(psf_sigma=2.0))
    assert catalog.size[0] == pytest.approx(MIN_HALF_AXIS)
    assert np.hypot(catalog.e1[0], catalog.e2[0]) == pytest.approx(0.0, abs=1e-9)
    assert catalog.flags[0] == Flag.UNRESOLVED


@pytest.mark.parametrize(("psf_sigma", "is_resolved"), [(0.5, True), (2.0, False)])
def test_a_galaxy_much_smaller_than_the_psf_is_unresolved(psf_sigma, is_resolved):
    """At 2.0 px, some 0.6 px are left of the size of 2.1 px that is seen."""
    light = gaussian(SHAPE, 47.0, 50.0, size=2.1, e1=0.05, e2=0.0)
    catalog = measure_shapes(
        segment(sky_of((light, ORANGE, 400))), MeasureConfig(psf_sigma=psf_sigma, measure_psf=False)
    )
    assert catalog.is_resolved.tolist() == [is_resolved]
    assert not catalog.is_partial[0]


def test_moments_agree_with_photutils(rng):
    galaxies = [
        (gaussian(SHAPE, x, y, size=2.5, e1=e1, e2=e2), ORANGE, 500)
        for (x, y), (e1, e2) in zip(
            [(20, 20), (70, 25), (30, 70), (72, 75)], rng.uniform(-0.4, 0.4, (4, 2)), strict=True
        )
    ]
    sky = sky_of(*galaxies)
    segments = segment(sky)
    catalog = measure_shapes(segments, SHARP)
    reference = SourceCatalog(sky.pixels.astype(float).sum(axis=2), SegmentationImage(segments.labels))
    np.testing.assert_allclose(catalog.x, reference.x_centroid, atol=1e-9)
    np.testing.assert_allclose(catalog.y, reference.y_centroid, atol=1e-9)
    np.testing.assert_allclose(catalog.flux, reference.segment_flux, rtol=1e-12)
    covariance = np.array(reference.covariance.value)
    e1, e2 = ellipticity(covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1])
    np.testing.assert_allclose(catalog.e1, e1, atol=1e-9)
    np.testing.assert_allclose(catalog.e2, e2, atol=1e-9)


def test_blended_galaxies_keep_their_shapes():
    """A disc, and another that it half covers, have the ellipticities that each has alone."""
    one = (disc(SHAPE, 44, 34, size=6, e1=0.4), ORANGE, 300)
    other = (disc(SHAPE, 53, 42, size=5, e2=-0.4), BLUE, 300)
    crowd = [(disc(SHAPE, x, 80, size=3), ORANGE, 300) for x in (15, 45, 75)]
    together = measure_shapes(segment(sky_of(one, other, *crowd)))
    assert together.flags.tolist() == [Flag.BLENDED, Flag.BLENDED, 0, 0, 0]
    for k, galaxy in enumerate((one, other)):
        alone = measure_shapes(segment(sky_of(galaxy)))
        assert together.e1[k] == pytest.approx(alone.e1[0], abs=0.03)
        assert together.e2[k] == pytest.approx(alone.e2[0], abs=0.03)


def test_only_a_galaxy_at_the_border_is_flagged():
    sky = sky_of((disc(SHAPE, 1, 40, size=4), ORANGE, 300), (disc(SHAPE, 50, 40, size=4), ORANGE, 300))
    assert measure_shapes(segment(sky)).flags.tolist() == [Flag.EDGE, 0]


@pytest.mark.parametrize("edge", ["top", "bottom", "left", "right"])
def test_galaxy_at_any_border_is_flagged(edge):
    x, y = {"top": (50, 1), "bottom": (50, 94), "left": (1, 50), "right": (94, 50)}[edge]
    assert measure_shapes(segment(sky_of((disc(SHAPE, x, y, size=4), ORANGE, 300)))).flags.tolist() == [Flag.EDGE]


def test_sky_without_galaxies_has_an_empty_catalogue():
    empty = Sky("black.png", np.zeros((64, 64, 3), dtype=np.uint8))
    assert len(measure_shapes(segment(empty))) == 0


def test_galaxy_beside_masked_pixels_is_flagged(rng):
    pixels = 300 * gaussian(SHAPE, 50, 40, size=4) + rng.normal(0, 1, SHAPE)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, 52:60] = True
    sky = Sky("masked.fits", np.where(mask, 0, pixels)[..., None].astype(np.float32), mask=mask)
    assert (measure_shapes(segment(sky)).flags & Flag.MASKED).any()


def test_three_lines_of_pixels_have_a_finite_shape():
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[10:13, 10:30] = 200
    catalog = measure_shapes(segment(Sky("line.png", pixels)))
    assert 0.8 < catalog.e1[0] < 1
    assert catalog.size[0] > 0


def test_catalogue_arrays_are_read_only():
    catalog = measure_shapes(segment(sky_of((disc(SHAPE, 50, 40, size=4), ORANGE, 300))))
    for values in (catalog.e1, catalog.is_resolved, catalog.is_partial):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
