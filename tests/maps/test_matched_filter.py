"""The matched filter: equal to its definition, unit noise, the S/N of the best amplitude."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import shear_maps
from tests.support import naive
from tests.support.drawing import catalog_of, lensed_catalog

CENTRE = (300.0, 200.0)


def _gamma(radius):
    """Return the default shear profile at a radius."""
    profile = LensTemplate.default().shear_profile[0]
    return np.interp(radius, NODE_SPACING * np.arange(profile.size), profile, right=0.0)


def test_matched_filter_matches_naive(rng):
    """With another bias and scatter of partial galaxies, and the mean of two profiles."""
    shear = LensTemplate.default().shear_profile[0]
    template = replace(
        LensTemplate.default(),
        shear_profile=np.stack([shear, shear[::-1]]),
        amplitude_exponent=np.ones((2, shear.size)),
        weights=np.repeat([[0.6], [0.4]], 8, axis=1) / 8,
        mean_e1=np.array([0.1, -0.2]),
        mean_e2=np.array([0.0, 0.1]),
        sigma_e=np.array([0.2, 0.4]),
    )
    catalog = lensed_catalog(rng, n=60, centre=CENTRE, gamma=0.2, shape=(300, 700))
    catalog = replace(catalog, flags=(rng.random(60) < 0.4).astype(np.uint8))
    assert 0 < catalog.is_partial.sum() < 60
    config = MeasureConfig(grid_spacing=90)
    maps = shear_maps(catalog, template, config)
    expected = naive.matched_filter(catalog, template, NODE_SPACING, maps.rows, maps.columns)
    np.testing.assert_allclose(matched_filter(catalog, template, config), expected, atol=1e-4)


def test_lens_is_a_peak_and_leaves_the_cross_map_empty(rng):
    catalog = lensed_catalog(rng, n=300, centre=CENTRE, gamma=_gamma)
    snr, snr_cross = matched_filter(catalog)
    row, column = np.unravel_index(snr.argmax(), snr.shape)
    maps = shear_maps(catalog)
    assert snr.shape == snr_cross.shape == maps.snr.shape[1:]
    assert np.hypot(maps.rows[row] - CENTRE[1], maps.columns[column] - CENTRE[0]) < 20
    assert snr.max() > maps.snr.max()
    assert snr_cross.max() < 4.5 < snr.max()


def test_noise_has_unit_variance(rng):
    """2,704 centres of 30 skies are some 20 independent ones each: 600 measure a standard deviation to 3 %."""
    template = LensTemplate.default()
    catalogs = [
        catalog_of(*rng.uniform(0, 511, (2, 180)), *rng.normal(0, template.sigma_e[0], (2, 180))) for _ in range(30)
    ]
    snr = np.array([matched_filter(catalog, template) for catalog in catalogs])
    assert snr.std(axis=(0, 2, 3)) == pytest.approx([1, 1], abs=0.12)
    assert snr.mean(axis=(0, 2, 3)) == pytest.approx([0, 0], abs=0.16)


def test_bias_of_the_template_is_subtracted(rng):
    e1, e2 = np.full(50, 0.3), np.full(50, -0.1)
    catalog = catalog_of(*rng.uniform(0, 511, (2, 50)), e1, e2)
    np.testing.assert_allclose(matched_filter(catalog, LensTemplate.default(mean_e1=0.3, mean_e2=-0.1)), 0, atol=1e-12)


def test_map_is_zero_beyond_the_profile():
    """One galaxy in a corner of an image that is larger than the profile."""
    snr, _ = matched_filter(catalog_of([10.0], [10.0], [0.3], [0.2], shape=(800, 800)), LensTemplate.default())
    assert snr[-20:, -20:].any() == 0
    assert np.abs(snr[:10, :10]).max() > 1
