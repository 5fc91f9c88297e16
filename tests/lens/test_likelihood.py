"""Pairs of galaxies and centres that are too far apart for a lens to connect them are left out of large images."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.lens import likelihood as module
from darkmatter_features.lens.likelihood import likelihoods, neighbourhoods
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from tests.support.drawing import lensed_catalog


@pytest.fixture
def prepared(rng):
    """Three hundred galaxies in a large image, whose counts do not return to the mean at the end of their table."""
    counted = replace(LensTemplate.default(), log_counts=np.linspace(-0.5, 0.2, 30)[None])
    return PreparedCatalog(lensed_catalog(rng, n=300, shape=(1500, 2000)), counted)


@pytest.mark.parametrize("cross", [False, True])
def test_likelihoods_in_tiles_are_those_of_all_pairs(rng, prepared, monkeypatch, cross):
    rows, columns = rng.uniform(-0.5, 1499.5, 200), rng.uniform(-0.5, 1999.5, 200)
    all_shear, all_counts = likelihoods(prepared, rows, columns, cross=cross)
    monkeypatch.setattr(module, "MAX_PAIRS", 0)
    log_shear, log_counts = likelihoods(prepared, rows, columns, cross=cross)
    assert log_shear.tobytes() == all_shear.tobytes()
    assert_allclose(log_counts, all_counts, rtol=0, atol=1e-11)


def test_a_tile_has_all_galaxies_within_reach_and_few_others(rng, prepared):
    rows, columns = rng.uniform(-0.5, 1499.5, 200), rng.uniform(-0.5, 1999.5, 200)
    x, y, seen = prepared.catalog.x, prepared.catalog.y, []
    for centres, near in neighbourhoods(prepared, rows, columns, reach=100.0):
        seen += centres.tolist()
        assert near.size < 0.15 * x.size
        for k in centres:
            assert set(np.flatnonzero(np.hypot(x - columns[k], y - rows[k]) < 100.0)) <= set(near)
    assert sorted(seen) == list(range(200))
