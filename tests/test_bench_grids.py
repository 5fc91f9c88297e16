"""What the benchmarks lay out is the grid that they say, whatever the default comes to be."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import bench_scaling
import memory_probe

from darkmatter_features.config import MeasureConfig
from darkmatter_features.shear import centres, shear_maps
from darkmatter_features.template import LensTemplate


def test_fields_have_as_many_centres_as_are_told(rng):
    for n in (7, 20):
        maps = shear_maps(bench_scaling.galaxies(30, n, rng), LensTemplate.default())
        assert (maps.rows.size, maps.columns.size) == (n, n)


def test_others_are_given_our_centres_and_fewest_pixels():
    assert MeasureConfig().n_pixels == memory_probe.N_PIXELS
    ours, _ = centres((512, 512), MeasureConfig())
    np.testing.assert_array_equal(memory_probe.grid(512), ours)
