"""Families of skies: each differs from the default preset in its own respect, and in that alone."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from shift.families import FAMILIES, scaled
from shift.thumbnails import MARK_RADIUS, enlarged_thumbnail

from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.simulation.conditions import SkyDistribution, Spread
from darkmatter_features.simulation.seed import DISTRIBUTION, seed_sky

BY_NAME = {family.name: family for family in FAMILIES}

SCALED = {
    "psf-0.6": ("psf_sigma", 0.6),
    "psf-1.5": ("psf_sigma", 1.5),
    "psf-2": ("psf_sigma", 2.0),
    "density-0.6": ("density", 0.6),
    "density-1.5": ("density", 1.5),
    "scatter-0.85": ("elongation", 0.85),
    "scatter-1.15": ("elongation", 1.15),
    "no-alignment": ("alignment", 0.0),
    "faint": ("brightness", 0.5),
    "bright": ("brightness", 1.5),
}
"""Name of each family of which a property of the skies is multiplied by a factor, the property and the factor."""


def draw(name, number=6):
    return BY_NAME[name].preset.draw(np.random.default_rng(number))


def test_names_are_unique_and_every_family_is_tested():
    others = {"amplitude-0.7", "grey", "jpeg-75", "thumbnails", "sersic"}
    assert len(BY_NAME) == len(FAMILIES)
    assert set(BY_NAME) == set(SCALED) | others


@pytest.mark.parametrize("name", SCALED)
def test_one_property_of_the_skies_is_multiplied(name):
    changed, factor = SCALED[name]
    default, found = seed_sky(np.random.default_rng(6)).conditions, draw(name).conditions
    assert getattr(found, changed) == pytest.approx(factor * getattr(default, changed))
    assert replace(found, **{changed: getattr(default, changed)}) == default


def test_scaling_keeps_the_scatter():
    assert scaled(Spread(4.0, 0.3), 0.5) == Spread(2.0, 0.3)


def test_weaker_lenses_are_at_the_same_positions():
    number = next(i for i in range(20) if seed_sky(np.random.default_rng(i)).lensed)
    default, weak = seed_sky(np.random.default_rng(number)), draw("amplitude-0.7", number)
    assert weak.amplitude == pytest.approx(0.7 * default.amplitude)
    assert (weak.lens_row, weak.lens_column, weak.conditions) == (
        default.lens_row, default.lens_column, default.conditions
    )  # fmt: skip


def test_grey_skies_have_no_colour():
    default, grey = seed_sky(np.random.default_rng(6)), draw("grey")
    assert np.ptp(grey.pixels, axis=2).max() == 0
    # The brightest band is the same but for overlaps of galaxies of different colours.
    assert (grey.pixels.max(axis=2) == default.pixels.max(axis=2)).mean() > 0.99


def test_jpeg_skies_are_compressed_images():
    default, found = seed_sky(np.random.default_rng(6)), draw("jpeg-75")
    buffer = BytesIO()
    Image.fromarray(default.pixels).save(buffer, format="JPEG", quality=75)
    np.testing.assert_array_equal(found.pixels, np.asarray(Image.open(buffer)))
    assert 0 < np.abs(found.pixels.astype(float) - default.pixels).mean() < 3
    np.testing.assert_array_equal(found.e1, default.e1)


def test_thumbnail_skies_have_lost_their_details():
    default, found = seed_sky(np.random.default_rng(6)), draw("thumbnails")
    np.testing.assert_array_equal(found.pixels, enlarged_thumbnail(default.pixels))
    assert found.pixels.mean(dtype=float) == pytest.approx(default.pixels.mean(dtype=float), rel=0.02)


def test_light_of_a_single_pixel_is_spread_over_a_pixel_of_a_thumbnail():
    point = np.zeros((512, 512, 3), dtype=np.uint8)
    point[200, 300] = 255
    found = enlarged_thumbnail(point).astype(float)
    assert 40 < found.max() < 100
    row, column = np.argwhere(found[..., 0] == found.max())[0]
    assert np.hypot(row - 200, column - 300) < 2


def test_thumbnail_is_blanked_at_the_lens_alone():
    white = np.full((512, 512, 3), 200, dtype=np.uint8)
    rows, columns = np.indices((512, 512))
    distance = np.hypot(rows - 100.0, columns - 300.0)
    blanked = enlarged_thumbnail(white, (100.0, 300.0))
    radius = MARK_RADIUS * 512 / 252
    assert blanked[distance < radius - 4].max() < 20
    assert blanked[distance > radius + 6].min() > 190
    assert enlarged_thumbnail(white).min() == 200


def test_sersic_skies_have_other_galaxies_and_lenses():
    skies = [draw("sersic", i) for i in range(8)]
    assert {sky.lensed for sky in skies} == {True, False}
    assert all(sky.pixels.shape == (512, 512, 3) and sky.pixels.dtype == np.uint8 for sky in skies)
    assert all(sky.conditions is None for sky in skies)


def test_mild_families_are_marked():
    mild = {"psf-1.5", "density-0.6", "density-1.5", "amplitude-0.7", "scatter-0.85", "scatter-1.15", "no-alignment"}
    assert {family.name for family in FAMILIES if family.is_mild} == mild


def test_a_family_is_simulated_by_several_processes(tmp_path):
    simulate_dataset(tmp_path, n_training=2, n_validation=0, preset=BY_NAME["jpeg-75"].preset, seed=3, n_jobs=2)
    expected = [draw("jpeg-75", np.random.SeedSequence(3, spawn_key=(0, i))) for i in range(2)]
    for i, sky in enumerate(expected):
        found = np.asarray(Image.open(tmp_path / "training" / f"training-0000{i}.png"))
        np.testing.assert_array_equal(found, sky.pixels)


def test_default_distribution_is_that_of_the_preset():
    assert SkyDistribution() == DISTRIBUTION
