"""From drawn galaxies to the shear planted in them: segmentation, shapes and maps together."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.galaxies.shapes import measure_shapes
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from tests.support.drawing import BLUE, ORANGE, PINK, disc
from tests.support.naive import shear_sums

SIDE = 480
CENTRE = 239.5
STAMP = 40
GAMMA = 0.1


def _drawn_sky(rng, turn):
    """Return a lattice of discs whose unlensed orientations are rotated by `turn`, radians.

    Unlensed ellipticities average to zero over four rotations by 45 degrees.
    """
    light = np.zeros((SIDE, SIDE, 3))
    for k, (i, j) in enumerate(np.ndindex(SIDE // STAMP, SIDE // STAMP)):
        x, y = STAMP * (j + 0.5) + rng.uniform(-4, 4), STAMP * (i + 0.5) + rng.uniform(-4, 4)
        unlensed = rng.uniform(0.1, 0.4) * np.exp(2j * (rng.uniform(0, np.pi) + turn))
        g = -GAMMA * np.exp(2j * np.arctan2(y - CENTRE, x - CENTRE))
        e = (unlensed + g) / (1 + np.conj(g) * unlensed)
        at = (slice(STAMP * i, STAMP * (i + 1)), slice(STAMP * j, STAMP * (j + 1)))
        image = disc((STAMP, STAMP), x - at[1].start, y - at[0].start, size=4.5, e1=e.real, e2=e.imag)
        image = gaussian_filter(image, MeasureConfig().psf_sigma)
        light[at] += 330 * image[..., None] * (ORANGE, BLUE, PINK)[k % 3]
    return Sky("planted.png", np.rint(light).astype(np.uint8))


@pytest.fixture(scope="module")
def catalogs():
    skies = [_drawn_sky(np.random.default_rng(11), turn) for turn in np.pi / 4 * np.arange(4)]
    return [measure_shapes(segment(sky)) for sky in skies]


def test_every_drawn_galaxy_is_measured(catalogs):
    assert [len(catalog) for catalog in catalogs] == [(SIDE // STAMP) ** 2] * 4


def test_planted_shear_is_recovered_within_three_percent(catalogs):
    """Each galaxy has four orientations, which cancels shape noise and leaves the error of the measurement."""
    maps = [shear_maps(catalog, LensTemplate.default()) for catalog in catalogs]
    i, j = abs(maps[0].rows - CENTRE).argmin(), abs(maps[0].columns - CENTRE).argmin()
    exact = [
        shear_sums(c.x, c.y, c.e1, c.e2, np.ones(len(c)), [CENTRE], [CENTRE], [maps[0].scales[-1]])[:, 0, 0, 0]
        for c in catalogs
    ]
    gamma_t, gamma_x, window, _ = np.mean(exact, axis=0)
    assert gamma_t / window == pytest.approx(GAMMA, rel=0.03)
    assert gamma_x / window == pytest.approx(0.0, abs=0.03 * GAMMA)
    # On the grid of the map, whose nearest point is not at the centre, it is slightly less.
    assert np.mean([m.gamma_t[-1, i, j] for m in maps]) == pytest.approx(GAMMA, rel=0.05)


def test_measured_ellipticities_have_unit_response_to_shear(catalogs):
    """The mean of e over orientations is g for any unlensed ellipticity.

    References
    ----------
    Seitz & Schneider (1997), arXiv:astro-ph/9601079
    """
    orders = [np.argsort(c.x // STAMP + SIDE * (c.y // STAMP)) for c in catalogs]
    mean = np.mean([(c.e1 + 1j * c.e2)[order] for c, order in zip(catalogs, orders, strict=True)], axis=0)
    x, y = catalogs[0].x[orders[0]], catalogs[0].y[orders[0]]
    g = -GAMMA * np.exp(2j * np.arctan2(y - CENTRE, x - CENTRE))
    response = (mean * np.conj(g)).real / GAMMA**2
    assert response.mean() == pytest.approx(1.0, abs=0.03)
    assert response.std() < 0.05
