"""Saturated stars, bleeding columns and spikes are left out, and cores of galaxies are not."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.defects.find import find_defects
from darkmatter_features.galaxies.noisy.defects.kinds import Count, Defect, Defects
from darkmatter_features.galaxies.noisy.kernels.plateaus import PlateauLimits, flat_tops, flood
from darkmatter_features.galaxies.noisy.kernels.polar import sample_circles
from darkmatter_features.io.sky import read_sky
from tests.galaxies.noisy.defects.scenes import noisy_sky, star

LEVEL = 2000.0
NOTHING = np.zeros((256, 256), bool)


def defects_of(light, saturation=np.nan):
    light = light.astype(np.float32)
    return find_defects(light + 100, light, 1.0, NOTHING, saturation)


@pytest.fixture
def sky(rng):
    return noisy_sky(rng)[0].astype(np.float64)


@pytest.mark.parametrize("roughness", [0.0, 0.05])
@pytest.mark.parametrize("saturation", [np.nan, LEVEL])
def test_a_clipped_star_and_its_halo_are_left_out(rng, sky, roughness, saturation):
    sky += star(sky.shape, 120, 140, 10 * LEVEL)
    is_clipped = sky > LEVEL
    sky[is_clipped] = LEVEL * (1 + roughness * rng.normal(size=is_clipped.sum()))
    defects = defects_of(sky, saturation)
    assert (defects.kinds[is_clipped] & Defect.SATURATED).all()
    assert defects.counts()[Defect.SATURATED].n_objects == 1
    y, x = np.indices(sky.shape)
    radius = np.hypot(y - 120, x - 140)
    assert defects.mask[radius < 8].all()
    assert not defects.mask[radius > 40].any()


@pytest.mark.parametrize("is_row", [False, True])
def test_bleeding_columns_and_rows_are_left_out(sky, is_row):
    sky += star(sky.shape, 120, 140, 10 * LEVEL)
    sky[sky > LEVEL] = LEVEL
    sky[40:220, 139:142] = 0.9 * LEVEL
    defects = defects_of(sky.T if is_row else sky)
    kinds = defects.kinds.T if is_row else defects.kinds
    assert (kinds[40:220, 139:142] != 0).all()
    assert defects.mask.mean() < 0.06


@pytest.mark.parametrize("n_arms", [4, 6])
@pytest.mark.parametrize("degrees", [10.0, 33.0])
def test_spikes_of_a_star_are_left_out(sky, n_arms, degrees):
    sky += star(sky.shape, 120, 130, 1500.0)
    y, x = np.indices(sky.shape)
    is_spike = np.zeros(sky.shape, bool)
    for k in range(n_arms):
        angle = np.radians(degrees) + 2 * np.pi * k / n_arms
        along = (x - 130) * np.cos(angle) + (y - 120) * np.sin(angle)
        across = (y - 120) * np.cos(angle) - (x - 130) * np.sin(angle)
        is_spike |= (along > 6) & (along < 60) & (np.abs(across) < 1.0)
        sky += np.where((along > 0) & (along < 70), 30 * np.exp(-along / 40 - 0.5 * across**2), 0)
    defects = defects_of(sky)
    assert (defects.kinds[is_spike] & Defect.SPIKE != 0).mean() > 0.95
    assert defects.line().startswith("1 star with spikes")
    assert defects.mask.mean() < 0.05


def test_cores_of_bright_galaxies_are_kept(sky):
    y, x = np.indices(sky.shape)
    radius = np.hypot(1.4 * (y - 120), x - 130)
    for profile in (
        (1 + (radius / 8) ** 2) ** -1.0,  # the flat core of a cD galaxy
        np.exp(-radius / 5),
        np.exp(-0.5 * (radius / 4) ** 2),
        np.exp(-7.67 * ((radius + 1) / 20) ** 0.25),
    ):
        assert not defects_of(sky + 1000 * profile / profile.max()).mask.any()


def test_a_nucleus_on_a_bright_disc_is_kept(sky):
    disc = 400 * np.exp(-(np.hypot(*(np.indices(sky.shape) - 128)) ** 4) / 20**4)
    assert not defects_of(sky + disc + star(sky.shape, 128, 128, 2000)).mask.any()


def test_stars_that_are_not_clipped_are_kept(sky):
    for alpha in (1.5, 3.0, 5.0):
        assert not defects_of(sky + star(sky.shape, 101.3, 140.4, LEVEL, alpha=alpha)).mask.any()


def test_the_level_of_the_header_is_used(sky):
    sky += star(sky.shape, 120, 140, 1000.0)
    assert not defects_of(sky).mask.any()
    assert defects_of(sky, 900.0).kinds[120, 140] & Defect.SATURATED


def test_two_stars_bleed_in_abell_370(real_skies):
    values = read_sky(real_skies / "a370_cfht_I.fits.gz").pixels[..., 0]
    light = values - np.float32(1993)
    defects = find_defects(values, light, 10.4, np.zeros(values.shape, bool))
    assert (defects.kinds[[30, 300, 500, 1000, 1150], [875, 875, 875, 907, 909]] != 0).all()
    assert defects.mask.mean() < 0.03
    assert not defects.mask[[780, 781, 733], [948, 948, 771]].any()  # the brightest galaxies


def test_the_hubble_deep_field_south_has_no_saturated_star(real_skies):
    values = read_sky(real_skies / "hdfs_wfpc2_F606W.fits").pixels[..., 0]
    noise = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    assert find_defects(values, values, noise, np.zeros(values.shape, bool)).line() == ""


@pytest.mark.parametrize("levels", [(1.0, 5.0, 5.5, 9.0), (4.0, 5.0), (4.5, 5.0, 5.5)])
def test_flat_tops_match_naive(rng, levels):
    for shape in ((9, 8), (3, 10), (6, 3)):
        light = rng.choice(levels, shape).astype(np.float32)
        bright = np.flatnonzero(light > 2)
        kinds = np.full(bright.size, 7, np.uint8)
        n = flat_tops(light, bright, PlateauLimits(0.8, 3, 5.5), kinds)
        for index, kind in zip(bright, kinds, strict=True):
            i, j = divmod(int(index), shape[1])
            part = light[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            is_equal = (part == light[i, j]).sum() > 3 and light[i, j] == part.max()
            is_rough = part.min() >= 0.8 * part.max()
            expected = 2 if is_equal else 1 if is_rough else 3 if light[i, j] >= 5.5 else 0
            assert kind == (expected if part.size == 9 else 0)
        assert n == (kinds > 0).sum()


@pytest.mark.parametrize("shape", [(12, 9), (1, 7), (5, 1)])
def test_flood_matches_scipy(rng, shape):
    from scipy.ndimage import label

    for _ in range(6):
        light = rng.choice([4.0, 5.0, 9.0], shape, p=[0.6, 0.2, 0.2]).astype(np.float32)
        light.flat[[0, -1]] = 5.0
        labels, _ = label(light >= 5, np.ones((3, 3)))
        for start in (0, light.size - 1):
            inside, stack = np.zeros(shape, bool), np.full(light.size, -1)
            n = flood(light, start, 5.0, inside, stack)
            np.testing.assert_array_equal(inside, labels == labels.flat[start])
            assert sorted(stack[:n]) == np.flatnonzero(inside).tolist()


def test_flood_ends_at_marked_pixels_and_where_the_stack_is_full():
    light, inside = np.full((3, 5), 5.0, np.float32), np.zeros((3, 5), bool)
    inside[:, 3] = True
    assert flood(light, 0, 5.0, inside.copy(), np.empty(15, np.int64)) == 9
    assert flood(light, 0, 5.0, inside, np.empty(4, np.int64)) == 4
    assert inside.sum() == 3 + 4


def test_circles_match_naive(rng):
    light, mask = rng.normal(size=(30, 40)).astype(np.float32), rng.random((30, 40)) < 0.1
    angles, polar = np.linspace(0, 6, 7), np.empty((25, 7))
    sample_circles(light, mask, (12.0, 20.0), 3.0, angles, polar)
    for n, k in np.ndindex(polar.shape):
        i, j = (round(c + (3 + n) * f(angles[k])) for c, f in ((12, np.sin), (20, np.cos)))
        is_known = 0 <= i < 30 and 0 <= j < 40 and not mask[i, j]
        assert polar[n, k] == light[i, j] if is_known else np.isnan(polar[n, k])


def test_counts_and_line():
    kinds = np.zeros((10, 10), np.uint8)
    kinds[0] = Defect.BLEED | Defect.HALO
    kinds[1, :3] = Defect.COSMIC_RAY
    defects = Defects(kinds, {Defect.BLEED: 2, Defect.COSMIC_RAY: 1})
    assert defects.counts() == {
        Defect.BLEED: Count(10, 2), Defect.HALO: Count(10, 0), Defect.COSMIC_RAY: Count(3, 1),
    }  # fmt: skip
    assert defects.mask.sum() == 10
    assert defects.line() == "2 bleeding columns, 1 cosmic ray: 10.0 % of the pixels left out"
