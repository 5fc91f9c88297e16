"""What the benchmarks lay out is the grid that they say, whatever the default comes to be."""

import bench_scaling
import memory_probe
import numpy as np

from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import centres, shear_maps


def test_fields_have_as_many_centres_as_are_told(rng):
    for n in (7, 20):
        maps = shear_maps(bench_scaling.galaxies(30, n, rng), LensTemplate.default())
        assert (maps.rows.size, maps.columns.size) == (n, n)


def test_others_are_given_our_centres_and_fewest_pixels():
    assert MeasureConfig().n_pixels == memory_probe.N_PIXELS
    ours, _ = centres((512, 512), MeasureConfig())
    np.testing.assert_array_equal(memory_probe.grid(512), ours)
