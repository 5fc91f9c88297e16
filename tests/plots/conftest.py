"""Fixtures of the tests of plots."""

import pytest

from darkmatter_features.maps.shear import shear_maps
from tests.plots.figures import lensed_catalog, sky_of


@pytest.fixture
def lensed(rng):
    """A sky, its catalogue, its maps, and row and column of its lens."""
    shape, lens = (300, 400), (120.0, 260.0)
    catalog = lensed_catalog(rng, shape, lens)
    return sky_of(shape), catalog, shear_maps(catalog), lens
