"""Shear maps of images with noise: windows by density and field, galaxies weighted by their errors."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.config import MeasureConfig
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.maps.weighted import MAX_CENTRES, weighted_maps, window_scales
from tests.support.drawing import catalog_of, lensed_catalog


def with_errors(catalog, rng, error):
    """Return a catalogue with noise of given errors (n,) in its shapes, and fill factors by these errors."""
    e1, e2 = (e + error * rng.normal(size=len(catalog)) for e in (catalog.e1, catalog.e2))
    return replace(catalog, e1=e1, e2=e2, fill_factor=1.0 / (1.0 + (error / 0.25) ** 2))


def test_scales_of_a_usual_sky_are_those_of_the_features(rng):
    catalog = lensed_catalog(rng, n=150)
    np.testing.assert_allclose(window_scales(catalog), shear_maps(catalog).scales)
    config = MeasureConfig(smallest_scale=40.0)
    assert window_scales(catalog, config)[0] == pytest.approx(40.0)


@pytest.mark.parametrize(("n", "side", "smallest", "n_scales"), [(600, 512, 14.0, 8), (9600, 4096, 28.0, 12)])
def test_scales_follow_the_density_and_the_field(rng, n, side, smallest, n_scales):
    scales = window_scales(lensed_catalog(rng, n=n, shape=(side, side)))
    assert scales[0] == pytest.approx(smallest)
    assert len(scales) == n_scales
    assert 0.2 * side < scales[-1] < 0.4 * side
    np.testing.assert_allclose(scales[1:] / scales[:-1], np.sqrt(2.0))


def test_scales_of_few_galaxies_do_not_exceed_the_field(rng):
    assert window_scales(lensed_catalog(rng, n=2)).tolist() == pytest.approx([0.31 * 512])


def test_snr_of_noise_has_unit_scatter(rng):
    catalog = with_errors(lensed_catalog(rng, n=6000, gamma=0.0), rng, rng.uniform(0.05, 0.6, 6000))
    maps = weighted_maps(catalog)
    for snr in (maps.snr[0], maps.snr_cross[0]):
        assert snr.std() == pytest.approx(1.0, abs=0.15)


def test_weights_raise_the_snr_of_a_lens(rng):
    """With errors of 0.1 and 1 in equal numbers, shapes of equal weight have 0.4 of the S/N."""
    error = np.where(np.arange(4000) % 2, 0.1, 1.0)
    catalog = with_errors(lensed_catalog(rng, n=4000, gamma=0.05, scatter=0.25), rng, error)
    best = weighted_maps(catalog).peak
    equal = weighted_maps(replace(catalog, fill_factor=np.ones(4000))).peak
    assert best.snr > 1.5 * equal.snr
    assert np.hypot(best.column - 300.0, best.row - 200.0) < 30.0


def test_maps_of_huge_images_have_a_bounded_grid(rng):
    x, y = rng.uniform(0, 20_000, (2, 30))
    e1, e2 = rng.normal(0, 0.2, (2, 30))
    maps = weighted_maps(catalog_of(x, y, e1, e2, shape=(20_000, 20_000)), MeasureConfig(grid_spacing=1.0))
    assert maps.rows.size <= MAX_CENTRES + 1


def test_maps_without_galaxies_are_empty():
    maps = weighted_maps(catalog_of([], [], np.zeros(0), np.zeros(0)))
    assert not maps.snr.any()
