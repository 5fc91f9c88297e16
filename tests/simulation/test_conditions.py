"""Properties that differ from sky to sky: their distributions, their effects on images, and presets with others."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from darkmatter_features.io.truth import CONDITION_COLUMNS, read_sky_truth
from darkmatter_features.simulation import Preset, lensing, seed, simulate_dataset
from darkmatter_features.simulation.conditions import SkyConditions, SkyDistribution, Spread
from darkmatter_features.simulation.seed import DISTRIBUTION, seed_sky

CONSTANT = SkyDistribution(**{
    field.name: Spread(getattr(DISTRIBUTION, field.name).median)
    for field in fields(SkyDistribution) if field.name not in ("colorfulness", "amplitude")
})  # fmt: skip
"""The distribution without scatter."""


def sky_with(number, **changes):
    return seed_sky(np.random.default_rng(number), replace(CONSTANT, **changes))


def test_spread_is_lognormal_within_two_and_a_half_standard_deviations(rng):
    logs = np.log([Spread(5.0, 0.3).draw(rng) for _ in range(20_000)])
    # The standard deviation of a normal variable that is clipped at 2.5 is 0.985.
    assert logs.mean() == pytest.approx(np.log(5.0), abs=0.01)
    assert logs.std() == pytest.approx(0.3 * 0.985, rel=0.03)
    assert np.abs(logs - np.log(5.0)).max() == pytest.approx(0.75)
    assert {Spread(7.0).draw(rng) for _ in range(9)} == {7.0}


@pytest.mark.parametrize("name", CONDITION_COLUMNS)
def test_each_property_of_a_sky_has_its_own_distribution(rng, name):
    distribution = replace(CONSTANT, **{name: Spread(40.0, 0.2)})
    drawn = [distribution.draw_conditions(rng) for _ in range(300)]
    assert np.log([getattr(each, name) for each in drawn]).mean() == pytest.approx(np.log(40.0), abs=0.05)
    for other in set(CONDITION_COLUMNS) - {name}:
        assert {getattr(each, other) for each in drawn} == {getattr(CONSTANT, other).median}


def test_halos_have_their_distributions(rng):
    halos = [SkyDistribution().draw_halo(rng) for _ in range(2000)]
    logs = np.log([halo.amplitude for halo in halos])
    low, high = np.log(DISTRIBUTION.amplitude)
    assert low <= logs.min() < logs.max() <= high
    assert logs.mean() == pytest.approx(0.5 * (low + high), abs=0.02)
    spreads = ("halo_slope", "core_radius", "halo_radius")
    for name, spread in zip(("slope", "core", "max_radius"), spreads):
        expected = getattr(DISTRIBUTION, spread)
        logs = np.log([getattr(halo, name) for halo in halos])
        assert logs.mean() == pytest.approx(np.log(expected.median), abs=0.1 * expected.scatter)
        assert logs.std() == pytest.approx(expected.scatter, rel=0.08)


def test_elongations_raise_axis_ratios_to_a_power_along_the_same_axes():
    moments = seed.shape_bank().moments
    for exponent in (0.5, 1.0, 1.3):
        stretch = seed.elongations(moments, exponent)
        changed = stretch @ moments @ stretch.transpose(0, 2, 1)
        np.testing.assert_allclose(np.linalg.det(stretch), 1.0)
        before, after = (e1 + 1j * e2 for e1, e2 in (lensing.ellipticity(each) for each in (moments, changed)))
        ratio_before, ratio_after = ((1 - np.abs(e)) / (1 + np.abs(e)) for e in (before, after))
        np.testing.assert_allclose(ratio_after, ratio_before**exponent, rtol=1e-6)
        np.testing.assert_allclose(np.angle(after * np.conj(before)), 0.0, atol=1e-6)


def test_true_ellipticities_of_a_sky_grow_with_its_elongation():
    scatter = [np.std(sky_with(1, elongation=Spread(k)).e2) for k in (0.6, 1.0, 1.4)]
    assert scatter[0] < 0.8 * scatter[1] < 0.8 * 0.9 * scatter[2]


def test_alignment_sets_the_mean_e1():
    e1 = {a: np.concatenate([sky_with(i, alignment=Spread(a)).e1 for i in range(12)]) for a in (0.0, 1.0)}
    error = 0.23 / np.sqrt(len(e1[0.0]))
    assert e1[0.0].mean() == pytest.approx(0.0, abs=3.5 * error)
    assert e1[1.0].mean() == pytest.approx(0.08, abs=0.02)


def test_density_sets_the_number_of_galaxies():
    for density in (80.0, 200.0):
        counts = [len(sky_with(i, density=Spread(density)).x) for i in range(12)]
        assert np.mean(counts) == pytest.approx(density, abs=3.5 * np.sqrt(density / 12) + 0.05 * density)


def test_area_brightness_and_psf_change_the_light():
    """The galaxies are the same; the areas of the largest ones have a limit, and larger ones are fainter per pixel."""
    plain = sky_with(3)
    larger, brighter, smoother = (
        sky_with(3, **{name: Spread(factor * getattr(CONSTANT, name).median)})
        for name, factor in (("area", 1.5), ("brightness", 0.5), ("psf_sigma", 2.0))
    )
    light = plain.pixels.sum(dtype=float)
    assert 1.1 < larger.pixels.sum(dtype=float) / light < 1.5
    assert brighter.pixels.sum(dtype=float) / light == pytest.approx(0.5, abs=0.02)
    assert smoother.pixels.sum(dtype=float) / light == pytest.approx(1.0, abs=0.03)
    steps = [np.abs(np.diff(sky.pixels.astype(float), axis=0)).sum() for sky in (plain, smoother)]
    assert steps[1] < 0.8 * steps[0]


def test_colorfulness_is_the_distance_of_the_colours_from_grey():
    conditions = CONSTANT.draw_conditions(np.random.default_rng(0))
    galaxies = seed.draw_galaxies(np.random.default_rng(0), seed.shape_bank(), conditions)
    grey, half, full = (seed.colors(galaxies, factor) for factor in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(grey, np.repeat(galaxies.brightness[:, None], 3, axis=1))
    for colors in (half, full):
        np.testing.assert_allclose(colors.max(axis=1), galaxies.brightness)
    shares = [colors / colors.sum(axis=1, keepdims=True) - 1 / 3 for colors in (half, full)]
    # The fractions of the light in the three bands add up to 1 within 0.2 %.
    np.testing.assert_allclose(shares[0], 0.5 * shares[1], rtol=2e-3)
    assert np.ptp(sky_with(4, colorfulness=0.0).pixels, axis=2).max() == 0
    assert np.ptp(sky_with(4).pixels, axis=2).max() > 50


def test_a_sky_holds_its_conditions():
    sky = seed_sky(np.random.default_rng(5))
    assert isinstance(sky.conditions, SkyConditions)
    assert sky.conditions == DISTRIBUTION.draw_conditions(np.random.default_rng(5))


def test_preset_object_is_simulated_and_its_conditions_are_written(tmp_path):
    distribution = replace(CONSTANT, density=Spread(60.0), colorfulness=0.0)
    preset = Preset("sparse", partial(seed_sky, distribution=distribution), ".png")
    simulate_dataset(tmp_path, n_training=2, n_validation=1, preset=preset, seed=2, n_jobs=1)
    truth = read_sky_truth(tmp_path)
    assert list(truth) == [f"{name}.png" for name in (
        "training/training-00000", "training/training-00001", "validation/validation-00000"
    )]  # fmt: skip
    expected = {name: getattr(distribution, name).median for name in CONDITION_COLUMNS}
    for file, own in truth.items():
        assert {name: own[name] for name in CONDITION_COLUMNS} == pytest.approx(expected, abs=1e-4)
        assert np.ptp(np.asarray(Image.open(tmp_path / file)), axis=2).max() == 0


def test_conditions_of_the_default_preset_are_written_and_those_of_survey_are_empty(tmp_path):
    for preset in ("seed", "survey"):
        simulate_dataset(tmp_path / preset, n_training=2, n_validation=0, preset=preset, seed=2, n_jobs=1)
    written, empty = (
        [[sky[name] for name in CONDITION_COLUMNS] for sky in read_sky_truth(tmp_path / preset).values()]
        for preset in ("seed", "survey")
    )
    assert np.isnan(empty).all()
    drawn = (seed_sky(np.random.default_rng(np.random.SeedSequence(2, spawn_key=(0, i)))) for i in range(2))
    expected = [[getattr(sky.conditions, name) for name in CONDITION_COLUMNS] for sky in drawn]
    np.testing.assert_allclose(written, expected, atol=5.01e-5)
