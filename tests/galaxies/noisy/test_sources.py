"""Sources of drawn images: positions, shapes, the shear of pairs, tiles, and flags."""

from dataclasses import fields

import numpy as np
import pytest
from bench_shear import SHEAR, noise_beside, own_estimate
from shear.scenes import noise_of, scene

from darkmatter_features.galaxies.noisy import sources as noisy_sources
from darkmatter_features.galaxies.noisy.sources import DEFECTS, SourceFlag, measure_sources
from darkmatter_features.galaxies.noisy.surroundings import LIGHT_RADIUS
from tests.galaxies.noisy.images import SIGMA, Canvas, measured, near, psf_at


@pytest.fixture(scope="module")
def field():
    """81 galaxies on a grid, with noise."""
    rng = np.random.default_rng(2)
    canvas = Canvas(450)
    for x in range(30, 450, 48):
        for y in range(30, 450, 48):
            dx, dy = rng.uniform(-9, 9, 2)
            canvas.galaxy(x + dx, y + dy, rng.uniform(800, 4000), rng.uniform(1.5, 4), *rng.normal(0, 0.15, 2))
    return canvas.noisy()


def arrays(sources):
    return {each.name: getattr(sources, each.name) for each in fields(sources) if each.name != "sigma"}


def test_positions_are_those_of_the_galaxies():
    """Noise is 1/4 of the drawn one: the faintest galaxy, S/N 150, then has an error of 0.12 px on its long axis."""
    drawn = scene(4, "isolated", n_cells=4, snr=(30.0, 100.0))
    sources = measured((drawn.image + 0.25 * noise_of(drawn, 9)).astype(np.float32), noise=0.25)
    assert len(sources) == len(drawn.truth)
    offsets = [np.hypot(sources.x - x, sources.y - y).min() for x, y in zip(drawn.truth["x"], drawn.truth["y"])]
    assert np.max(offsets) < 0.15
    assert np.sort(offsets)[:-2].max() < 0.05


def test_positions_without_noise_are_exact_to_a_hundredth_of_a_pixel():
    drawn = scene(4, "isolated", n_cells=4, snr=(30.0, 100.0))
    sources = measured(drawn.image.astype(np.float32), noise=0.05)
    for x, y in zip(drawn.truth["x"], drawn.truth["y"]):
        assert np.hypot(sources.x - x, sources.y - y).min() < 0.01


def pair_shear(seed, **conditions):
    """Return the shear by pairs of opposite shear, and of galaxies turned by 90 degrees, with the same noise."""
    odd, even, response = 0.0j, 0.0j, 0.0
    for rotated in (False, True):
        for sign in (1.0, -1.0):
            drawn = scene(seed, "isolated", (sign * SHEAR.real, sign * SHEAR.imag), rotated, n_cells=5, **conditions)
            image = drawn.image + noise_beside(drawn, seed + 99, rotated)
            e, own, _, _ = own_estimate(drawn, image)
            odd, even, response = odd + sign * e, even + e, response + own
    return odd / response, even / response


@pytest.mark.parametrize("conditions", [{}, {"noise": "correlated"}, {"psf": "aberrated"}])
def test_shear_of_pairs_is_recovered(conditions):
    """Two fields of 25 galaxies of S/N 20 to 100, four times each.

    Over ten seeds the shear of one field along the true one scatters by 3 % of it, across by 1.6 %; the mean of two by
    2.1 and 1.1 %. The tolerances are four times that. The mean without shear scatters by 0.0006 a component.
    """
    found, additive = np.mean([pair_shear(seed, snr=(20.0, 100.0), **conditions) for seed in (11, 12)], axis=0)
    assert (found / SHEAR).real == pytest.approx(1.0, abs=0.085)
    assert (found / SHEAR).imag == pytest.approx(0.0, abs=0.045)
    assert abs(additive) < 0.0025  # of a PSF of ellipticity 0.05


def test_tiles_give_the_same_as_the_whole(field):
    """Differences of the light over 1e-4 of it amplify rounding errors in the response."""
    whole, tiled = measured(field), measured(field, is_variable=True)
    assert len(whole) == len(tiled) == 81
    tolerance = {"response": 5e-3, "weight": 1e-4, "snr": 1e-3}
    for name, values in arrays(whole).items():
        np.testing.assert_allclose(getattr(tiled, name), values, rtol=1e-6, atol=tolerance.get(name, 5e-5))


def test_each_tile_has_the_psf_of_its_middle(field):
    places = []

    def psf(x, y):
        places.append((x, y))
        return psf_at(x, y)

    measured(field, psf=psf, is_variable=True)
    expected = {(x, y) for x in (74.5, 224.5, 374.5) for y in (74.5, 224.5, 374.5)}
    assert set(places) == expected


@pytest.mark.parametrize("n_turns", [1, 2, 3])
def test_a_turn_of_the_image_turns_positions_and_shapes(field, n_turns):
    plain = measured(field)
    turned = measured(np.rot90(field, n_turns).copy(), psf=lambda x, y: np.rot90(psf_at(x, y), n_turns))
    z = (plain.x - 224.5 + 1j * (plain.y - 224.5)) * (-1j) ** n_turns
    np.testing.assert_allclose(turned.x + 1j * turned.y, z + 224.5 * (1 + 1j), atol=1e-3)
    sign = (-1) ** n_turns
    for name in ("e1", "e2", "noise_bias"):
        np.testing.assert_allclose(getattr(turned, name), sign * getattr(plain, name), atol=1e-4)
    np.testing.assert_allclose(turned.weight, plain.weight, rtol=1e-3)


def test_a_mirror_image_has_the_opposite_e2(field):
    plain = measured(field)
    mirrored = measured(np.fliplr(field).copy(), psf=lambda x, y: np.fliplr(psf_at(x, y)))
    np.testing.assert_allclose(mirrored.x, 449 - plain.x, atol=1e-3)
    np.testing.assert_allclose(mirrored.e1, plain.e1, atol=1e-4)
    np.testing.assert_allclose(mirrored.e2, -plain.e2, atol=1e-4)


def test_the_unit_of_light_has_no_effect_on_shapes(field):
    plain, other = measured(field), measured(500.0 * field, noise=500.0)
    for name, values in arrays(plain).items():
        factor = 500.0 if name.startswith("flux") else 1.0
        np.testing.assert_allclose(getattr(other, name), factor * values, rtol=1e-3, atol=5e-3)


def test_sources_are_in_the_order_of_their_snr_and_read_only(field):
    sources = measured(field)
    assert (np.diff(sources.snr) <= 0).all()
    for values in arrays(sources).values():
        assert len(values) == len(sources)
        assert not values.flags.writeable


def test_flux_and_its_error_are_sums_over_the_pixels_of_the_source():
    light = Canvas(150).galaxy(75, 75, flux=3000.0, radius=2.5).noisy()
    sources = measured(light)
    assert sources.flux[0] == pytest.approx(3000.0, abs=4 * sources.flux_error[0])
    assert sources.flux_error[0] == pytest.approx(np.sqrt(sources.n_pixels[0]), rel=1e-6)


def test_snr_is_in_units_of_the_noise_of_the_place():
    canvas = Canvas(130, 260).galaxy(65, 65).galaxy(195, 65)
    noise = np.where(np.arange(260) < 130, 1.0, 3.0) * np.ones((130, 1))
    sources = measure_sources(canvas.image.array, noise.astype(np.float32), None, psf_at, SIGMA)
    left, right = near(sources, 65, 65), near(sources, 195, 65)
    assert sources.snr[left] == pytest.approx(3.0 * sources.snr[right], rel=1e-3)
    assert sources.e_error[right] == pytest.approx(3.0 * sources.e_error[left], rel=0.2)


def test_without_shapes_there_are_the_same_positions_and_no_weights(field):
    plain, found = measured(field), measured(field, with_shapes=False)
    np.testing.assert_allclose(found.x, plain.x)
    np.testing.assert_allclose(found.flux, plain.flux)
    assert not found.weight.any()
    assert not found.e1.any()


def test_galaxies_near_borders_are_flagged_and_have_no_weight():
    canvas = Canvas(200)
    places = {(5, 100): True, (100, 193): True, (197, 60): True, (100, 60): False, (160, 140): False}
    for x, y in places:
        canvas.galaxy(x, y)
    sources = measured(canvas.noisy())
    for (x, y), is_near in places.items():
        (own,) = near(sources, x, y)
        assert bool(sources.flags[own] & SourceFlag.EDGE) == is_near == (sources.weight[own] == 0.0)


def test_galaxies_near_masked_pixels_are_flagged_and_have_no_weight():
    canvas, mask = Canvas(200), np.zeros((200, 200), dtype=np.bool_)
    places = {(60, 60): 5, (140, 60): 9, (60, 140): 12, (140, 140): 25}
    for (x, y), distance in places.items():
        canvas.galaxy(x, y)
        mask[y, x + distance] = True
    sources = measured(canvas.noisy(), mask)
    for (x, y), distance in places.items():
        (own,) = near(sources, x, y)
        is_near = distance < LIGHT_RADIUS * sources.sigma
        assert bool(sources.flags[own] & SourceFlag.MASKED) == is_near == (sources.weight[own] == 0.0)


def test_a_galaxy_with_a_masked_pixel_in_its_middle_is_one_source_without_weight():
    light, mask = Canvas(120).galaxy(60, 60).noisy(), np.zeros((120, 120), dtype=np.bool_)
    light[60, 60], mask[60, 60] = 1e6, True
    sources = measured(light, mask)
    assert len(near(sources, 60, 60)) == len(sources) == 1
    assert sources.flags[0] == SourceFlag.MASKED
    assert sources.weight[0] == 0.0


def test_a_mask_without_masked_pixels_is_as_none(field):
    found, plain = measured(field, np.zeros(field.shape, dtype=np.bool_)), measured(field)
    for name, values in arrays(plain).items():
        np.testing.assert_array_equal(getattr(found, name), values)


@pytest.mark.parametrize("defect", ["border", "mask"])
@pytest.mark.parametrize("radius", [4.0, 9.0, 14.0])
def test_large_galaxies_without_part_of_their_light_have_no_false_shape(defect, radius):
    """Round galaxies; those too large for what is there have no weight, and a flag of the reason."""
    for distance in (11, 15, 20, 26, 40):
        row = distance if defect == "border" else 120
        mask = np.zeros((240, 240), dtype=np.bool_)
        mask[120 - distance] = defect == "mask"
        sources = measured(Canvas(240).galaxy(120, row, 30000.0, radius).noisy(), mask)
        (own,) = near(sources, 120, row)
        assert abs(sources.e1[own]) < 0.006  # twice the noise of the largest
        assert bool(sources.flags[own] & DEFECTS) == (sources.weight[own] == 0.0)
    assert sources.weight[own] > 0.5  # far from the defect


def test_neighbours_in_a_segment_are_blended():
    sources = measured(Canvas(200).galaxy(60, 100).galaxy(72, 100).galaxy(150, 100).noisy())
    for x, is_blended in ((60, True), (72, True), (150, False)):
        (own,) = near(sources, x, 100)
        assert bool(sources.flags[own] & SourceFlag.BLENDED) == is_blended


@pytest.mark.parametrize(("flux", "is_bright"), [(240.0, False), (2400.0, True)])
def test_wider_gaussians_measure_large_galaxies_that_are_bright(monkeypatch, flux, is_bright):
    """Noise in the shares of the Gaussians biases the shear of faint galaxies that have neighbours."""
    canvas = Canvas(200)
    canvas.galaxy(100, 100, flux, 9.0, 0.2, 0.1)
    both = measured(canvas.noisy())
    assert both.weight[0] > 0.0
    monkeypatch.setattr(noisy_sources, "SCALES", (1.0,))
    alone = measured(canvas.noisy())
    assert (both.e1[0] != pytest.approx(alone.e1[0], abs=0.001)) is is_bright


def test_stars_have_no_size_and_hardly_a_weight():
    """By noise, the size of about half of them is exactly 0: these are unresolved."""
    canvas = Canvas(300)
    for x in range(30, 300, 48):
        for y in range(30, 300, 48):
            canvas.star(x + 0.3, y, 2000.0)
    sources = measured(canvas.noisy())
    assert len(sources) == 36
    assert sources.size.max() < 0.7
    assert sources.weight.max() < 0.1
    is_unresolved = (sources.flags & SourceFlag.UNRESOLVED) != 0
    assert 8 <= is_unresolved.sum() <= 28
    np.testing.assert_array_equal(is_unresolved, sources.size == 0.0)


def test_a_stripe_of_nan_under_a_mask_changes_nothing_far_from_it(field):
    mask = np.zeros(field.shape, dtype=np.bool_)
    mask[:, 222:225] = True
    striped, noise = (np.where(mask, np.float32(np.nan), plane) for plane in (field, np.ones_like(field)))
    found, plain = measure_sources(striped, noise, mask, psf_at, SIGMA), measured(field)
    for values in arrays(found).values():
        assert np.isfinite(values).all()
    far = np.abs(found.x - 223) > 40  # 3 widths of the widest Gaussian
    assert far.sum() > 50
    for k in np.flatnonzero(far):
        (own,) = near(plain, found.x[k], found.y[k], 0.01)
        assert found.e1[k] == pytest.approx(plain.e1[own], abs=5e-3)  # the noise is 0.01 to 0.05
        assert found.weight[k] == pytest.approx(plain.weight[own], abs=0.02)
    assert (found.flags[np.abs(found.x - 223) < 8] & SourceFlag.MASKED).all()


@pytest.mark.parametrize("light", [np.zeros((90, 80), np.float32), np.full((90, 80), np.nan, np.float32)])
@pytest.mark.parametrize("with_shapes", [True, False])
def test_without_light_there_is_no_source(light, with_shapes):
    mask = np.isnan(light)
    sources = measured(light, mask if mask.any() else None, with_shapes=with_shapes)
    assert len(sources) == 0
    assert sources.noise_bias.shape == (0, 2)


def test_noise_alone_has_hardly_a_source(rng):
    """A peak of 4.5 sigma in 500 x 500 pixels of 15 independent ones each: 0.06 expected, and some more in peaks."""
    assert len(measured(rng.normal(size=(500, 500)).astype(np.float32))) <= 2


@pytest.mark.parametrize("shape", [(3, 200), (20, 20), (40, 12)])
def test_images_smaller_than_the_psf_are_measured(shape):
    light = np.zeros(shape, dtype=np.float32)
    light[shape[0] // 2, shape[1] // 2] = 500.0
    sources = measured(light)
    assert len(sources) == 1
    assert (sources.flags & DEFECTS).all()
