"""Ghosts of bright stars are found by their circular edges; galaxies and clusters are not taken for them."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.catalog import measure_image
from darkmatter_features.galaxies.noisy.defects.find import find_defects
from darkmatter_features.galaxies.noisy.defects.ghosts import find_ghosts
from darkmatter_features.galaxies.noisy.defects.kinds import Defect
from darkmatter_features.io.sky import Sky, read_sky
from tests.galaxies.noisy.defects.scenes import sources, star

SIDE = 400
SHAPE = (SIDE, SIDE)
STAR = (200, 200)
NOTHING = np.zeros(SHAPE, bool)
LEVEL = 4000.0


def field(rng):
    """Return galaxies and a saturated star on a background of 100, in noise of 1."""
    light = sources(rng, side=SIDE, n=90) + star(SHAPE, *STAR, 30000.0, alpha=3.0)
    return np.minimum(light, LEVEL) + 100.0 + rng.normal(size=SHAPE)


def radii(centre):
    return np.hypot(*(np.indices(SHAPE) - np.array(centre)[:, None, None]))


def step(centre, radius, soft):
    return 1.0 / (1.0 + np.exp((radii(centre) - radius) / soft))


def ghost(kind, centre, radius, soft=2.0):
    """Return a disc, or a ring of half the radius or of 12 px, of light 1."""
    inner = {"disc": None, "ring": 0.5 * radius, "thin": radius - 12.0}[kind]
    return step(centre, radius, soft) - (0.0 if inner is None else step(centre, inner, soft))


@pytest.mark.parametrize("kind", ["disc", "ring", "thin"])
@pytest.mark.parametrize(("radius", "centre"), [(50, (200, 200)), (50, (230, 150)), (90, (200, 200)), (90, (170, 240))])
@pytest.mark.parametrize("light", [1.5, 3.0])
def test_the_edge_of_a_ghost_is_found(rng, kind, radius, centre, light):
    image = (field(rng) + light * ghost(kind, centre, radius)).astype(np.float32)
    found = find_ghosts(image, 1.0, NOTHING, [STAR])
    assert any(np.hypot(own.row - centre[0], own.column - centre[1]) < 14 for own in found)
    assert any(abs(own.radius - radius) < 14 for own in found)


@pytest.mark.parametrize("kind", ["disc", "thin"])
def test_sources_along_the_edge_of_a_ghost_have_no_weight(rng, kind):
    image = field(rng) + 3.0 * ghost(kind, STAR, 60)
    catalog = measure_image(Sky("a.fits", image.astype(np.float32)[..., None]))
    distance = np.hypot(catalog.sources.y - STAR[0], catalog.sources.x - STAR[1])
    assert not catalog.weight[np.abs(distance - 54) < 6].any()
    counts = catalog.exposure.defects.counts()
    assert counts[Defect.GHOST].n_objects >= 1
    assert "ghost" in catalog.exposure.defects.line()
    assert catalog.exposure.mask.mean() < 0.15


def test_a_ghost_about_a_masked_star_is_found(rng):
    image = (field(rng) + 3.0 * ghost("disc", STAR, 70)).astype(np.float32)
    mask = radii(STAR) < 12
    image[mask] = 0.0
    defects = find_defects(image, image - np.float32(100), 1.0, mask)
    assert defects.counts()[Defect.GHOST].n_objects >= 1


@pytest.mark.parametrize("seed", range(6))
def test_a_star_without_a_ghost_has_none(seed):
    assert find_ghosts(field(np.random.default_rng(seed)).astype(np.float32), 1.0, NOTHING, [STAR]) == []


@pytest.mark.parametrize("q", [1.0, 0.7])
@pytest.mark.parametrize("n", [1.0, 4.0])
@pytest.mark.parametrize("scale", [15.0, 40.0])
def test_a_large_galaxy_near_a_star_is_no_ghost(rng, q, n, scale):
    y, x = np.indices(SHAPE)
    radius = np.hypot((y - 150) / q, x - 250)
    galaxy = 60.0 * np.exp(-((radius / scale) ** (1.0 / n)))
    image = (field(rng) + galaxy).astype(np.float32)
    assert find_ghosts(image, 1.0, NOTHING, [STAR]) == []


def test_a_gradient_and_a_step_of_the_sky_are_no_ghost(rng):
    image = field(rng)
    gradient = np.linspace(0, 30, SIDE) + np.zeros(SHAPE)
    chips = np.where(np.arange(SIDE) > 230, 3.0, 0.0) + np.zeros(SHAPE)
    for sky in (gradient, chips, chips.T + gradient):
        assert find_ghosts((image + sky).astype(np.float32), 1.0, NOTHING, [STAR]) == []


@pytest.mark.parametrize("name", ["a2218.jpg", "a370_cfht_I.fits.gz", "hdfs_wfpc2_F606W.fits"])
def test_clusters_and_the_deep_field_have_no_ghosts(real_skies, name):
    catalog = measure_image(read_sky(real_skies / name))
    assert Defect.GHOST not in catalog.exposure.defects.counts()
