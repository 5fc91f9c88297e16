"""Stamps of galaxies and their painting, beside the slow way to draw them."""

import numpy as np
import pytest

galsim = pytest.importorskip("galsim")

from darkmatter_features.simulation import drawing, seed  # noqa: E402
from darkmatter_features.simulation.drawing import OPAQUE_BRIGHTNESS, OVERSAMPLING  # noqa: E402


def stamp(profile, frame, centroid, box):
    """Draw a galaxy with the checked functions of GalSim."""
    c0, c1, r0, r1 = box
    image = galsim.ImageF((c1 - c0) * OVERSAMPLING, (r1 - r0) * OVERSAMPLING, scale=1.0 / OVERSAMPLING)
    position = galsim.PositionD(*(OVERSAMPLING * (z - low + 0.5) + 0.5 for z, low in zip(centroid, (c0, r0))))
    profile.transform(*frame.ravel()).drawImage(image=image, method="sb", center=position)
    return image.array.reshape(r1 - r0, OVERSAMPLING, c1 - c0, OVERSAMPLING).mean(axis=(1, 3))


def test_stamps_are_those_of_the_checked_functions():
    bank, rng = seed.shape_bank(), np.random.default_rng(3)
    for k in range(0, len(bank.profiles), 5):
        frame = rng.uniform(2.0, 6.0) * np.linalg.qr(rng.normal(size=(2, 2)))[0] @ np.diag([1.0, rng.uniform(0.5, 1.0)])
        c0, r0 = rng.integers(0, 400, 2)
        box = c0, c0 + rng.integers(3, 30), r0, r0 + rng.integers(3, 30)
        centroid = c0 + rng.uniform(-3.0, 30.0), r0 + rng.uniform(-3.0, 30.0)
        found, expected = (draw(bank.profiles[k], frame, centroid, box) for draw in (drawing._stamp, stamp))
        assert expected.shape == (box[3] - box[2], box[1] - box[0])
        np.testing.assert_array_equal(found, expected)


def test_a_galaxy_hides_the_light_behind_it_where_it_is_bright():
    bank, rng = seed.shape_bank(), np.random.default_rng(4)
    galaxies = seed.draw_galaxies(rng, bank, seed.DISTRIBUTION.draw_conditions(rng))
    galaxies = galaxies.select(galaxies.within(seed.SIDE)).select(slice(0, 12))
    found, colors = np.full((2, seed.SIDE, seed.SIDE), 5.0, dtype=np.float32), rng.uniform(10.0, 200.0, (12, 2))
    expected = found.copy()
    drawing.paint_galaxies(found, galaxies, colors, bank)
    box = 0, seed.SIDE, 0, seed.SIDE
    for i in range(12):
        light = stamp(bank.profiles[galaxies.profile[i]], galaxies.frame[i], (galaxies.x[i], galaxies.y[i]), box)
        expected *= 1.0 - np.minimum(light / OPAQUE_BRIGHTNESS, 1.0)
        expected += colors[i][:, None, None] * light
    assert (expected > 20.0).any()
    np.testing.assert_allclose(found, expected, atol=0.1)  # a stamp leaves out the faintest tail
