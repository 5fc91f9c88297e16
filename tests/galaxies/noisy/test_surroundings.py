"""Distance of sources from the border of an image and from masked pixels."""

import numpy as np

from darkmatter_features.galaxies.noisy.surroundings import LIGHT_RADIUS, Surroundings


def test_light_is_lacking_near_the_border_and_near_masked_pixels():
    mask = np.zeros((60, 80), dtype=np.bool_)
    mask[30, 40] = True
    around = Surroundings.of(mask.shape, mask)
    rows, columns = np.array([5, 30, 30, 30, 54]), np.array([30, 5, 34, 33, 74])
    sigma = 6.5 / LIGHT_RADIUS
    assert around.near_border(rows, columns, sigma).tolist() == [True, True, False, False, True]
    assert around.near_mask(rows, columns, sigma).tolist() == [False, False, True, False, False]
    assert around.lack_light(rows, columns, sigma).tolist() == [True, True, True, False, True]


def test_mask_without_masked_pixels_is_as_none():
    blank = np.zeros((20, 20), dtype=np.bool_)
    for mask in (None, blank):
        around = Surroundings.of(blank.shape, mask)
        assert around.distance is None
        assert not around.near_mask(np.array([10]), np.array([10]), 100.0).any()
