"""The grids of the benchmarks are those of the default settings."""

import bench_scaling
import numpy as np
from harness import memory_probe

from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import centres, shear_maps


def test_random_fields_have_the_requested_number_of_centres(rng):
    for n in (7, 20):
        maps = shear_maps(bench_scaling.galaxies(30, n, rng), LensTemplate.default())
        assert (maps.rows.size, maps.columns.size) == (n, n)


def test_competitors_get_the_default_centres_and_minimum_pixels():
    assert MeasureConfig().n_pixels == memory_probe.N_PIXELS
    rows, _ = centres((512, 512), MeasureConfig())
    np.testing.assert_array_equal(memory_probe.centres(512), rows)
