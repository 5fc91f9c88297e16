from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from darkmatter_features.features.statistics import ANNULI, FEATURES, MIN_SEPARATION, feature_row
from darkmatter_features.galaxies.shapes import Flag, ImageProperties
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from tests.support.drawing import catalog_of, lensed_catalog

CENTRE = (300.0, 200.0)


def _row(catalog, template=None):
    values = feature_row(catalog, shear_maps(catalog, template), lens_evidence(catalog, template), template)
    assert values.shape == (len(FEATURES),)
    return dict(zip((feature.name for feature in FEATURES), values, strict=True))


def test_names_are_unique_and_described():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert all(feature.description for feature in FEATURES)
    assert [feature.name for feature in FEATURES if feature.role == "position"] == ["row", "column"]


def test_row_has_the_position_and_significance_of_the_lens(rng):
    row = _row(lensed_catalog(rng, centre=CENTRE, gamma=0.2))
    assert np.hypot(row["column"] - CENTRE[0], row["row"] - CENTRE[1]) < 10
    assert row["peak_snr"] == max(row[f"snr_max_{k}"] for k in range(1, 7))
    assert row["border"] == pytest.approx(200, abs=10)
    assert abs(row["peak_cross"]) < 4


def test_profile_about_the_peak_is_the_planted_one(rng):
    """At a constant shear of 0.2 with scatter 0.22, an annulus of n galaxies has S/N 0.2 n^(1/2) / 0.22."""
    catalog = lensed_catalog(rng, centre=CENTRE, gamma=0.2, n=8000)
    row = _row(catalog, LensTemplate.default())
    radius = np.hypot(catalog.x - row["column"], catalog.y - row["row"])
    for k, (inner, outer) in enumerate(pairwise(ANNULI[1:6]), 2):
        n = ((radius >= inner) & (radius < outer)).sum()
        assert row[f"profile_{k}"] == pytest.approx(0.2 * np.sqrt(n) / 0.22, rel=0.1)


def test_counts_are_one_in_a_uniform_field_and_low_in_a_hole(rng):
    catalog = lensed_catalog(rng, centre=CENTRE, gamma=0.3, n=8000)
    even = _row(catalog)
    # The annuli hold from 45 galaxies (15 % scatter) upwards.
    assert all(even[f"counts_{k}"] == pytest.approx(1, abs=0.35) for k in range(1, 8))
    kept = np.hypot(catalog.x - CENTRE[0], catalog.y - CENTRE[1]) > 60
    hole = _row(catalog_of(catalog.x[kept], catalog.y[kept], catalog.e1[kept], catalog.e2[kept]))
    assert hole["counts_1"] < 0.2
    assert hole["counts_3"] > 0.8


def test_near_size_measures_magnification(rng):
    catalog = lensed_catalog(rng, centre=CENTRE, gamma=0.3)
    near = np.hypot(catalog.x - CENTRE[0], catalog.y - CENTRE[1]) < 90
    magnified = catalog_of(catalog.x, catalog.y, catalog.e1, catalog.e2, size=np.where(near, 3.0, 2.0))
    assert _row(magnified)["near_size"] == pytest.approx(np.log(1.5), abs=0.1)
    assert _row(catalog)["near_size"] == pytest.approx(0, abs=1e-12)


def test_second_peak_is_away_from_the_first(rng):
    catalog = lensed_catalog(rng, centre=CENTRE, gamma=0.3)
    maps = shear_maps(catalog)
    row = _row(catalog)
    peak = maps.peak_of(2)
    distance = np.hypot(maps.rows[:, None] - peak.row, maps.columns - peak.column)
    # The first peak is interpolated between centres, by half a step at most.
    beyond = maps.snr[2][distance >= MIN_SEPARATION * maps.scales[2] + 5]
    assert beyond.max() <= row["snr_second_3"] < row["snr_max_3"]


def test_row_without_galaxies_near_the_peak_has_nan():
    x, y = np.array([10.0, 500.0] * 6), np.linspace(0, 511, 12)
    row = _row(catalog_of(x, y, np.full(12, 0.1), np.zeros(12)))
    assert row["n_galaxies"] == 12
    assert np.isnan([row[f"profile_{k}"] for k in range(1, 8)]).any()


def test_sky_is_summarised(rng):
    row = _row(lensed_catalog(rng, bias=0.07, gamma=0.0, n=5000))
    assert row["n_galaxies"] == 5000
    assert row["mean_e1"] == pytest.approx(0.07, abs=0.015)
    assert row["mean_e2"] == pytest.approx(0.0, abs=0.015)
    assert row["partial"] == 0


def described(catalog):
    """Return the features that describe the sky."""
    row = _row(catalog)
    return {feature.name: row[feature.name] for feature in FEATURES if feature.role == "sky"}


def test_density_sizes_and_brightness_describe_the_sky(rng):
    """Medians of 2000 log-normal values of scatter s are known to 1.25 s / 2000^(1/2) = 0.03 s."""
    n, size, brightness = 2000, rng.lognormal(0.8, 0.3, 2000), rng.lognormal(5.0, 0.5, 2000)
    fill_factor = rng.lognormal(0.01, 0.02, n)
    catalog = catalog_of(*rng.uniform(0, 511, (2, n)), *rng.normal(0, 0.2, (2, n)), size=size, fill_factor=fill_factor)
    row = described(replace(catalog, flux=40 * brightness))
    assert row["log_density"] == pytest.approx(np.log(n / 512**2))
    assert row["log_size"] == pytest.approx(0.8, abs=0.04)
    assert row["log_fill_factor"] == pytest.approx(0.01, abs=0.003)
    # the 20 and 80 % quantiles of a Gaussian are 1.683 standard deviations apart
    assert np.exp(row["log_size_spread"]) == pytest.approx(1.683 * 0.3, rel=0.1)
    assert np.exp(row["log_brightness_spread"]) == pytest.approx(1.683 * 0.5, rel=0.1)
    assert np.exp(row["log_fill_factor_spread"]) == pytest.approx(1.683 * 0.02, rel=0.1)
    # a Gaussian of two components has <e^4> / <e^2>^2 = 2; rank correlations of independent values scatter by 0.022
    assert row["shape_kurtosis"] == pytest.approx(2.0, abs=0.15)
    assert row["size_brightness"] == pytest.approx(0.0, abs=0.09)
    assert row["fill_factor_ellipticity"] == pytest.approx(0.0, abs=0.09)


def test_rank_correlations_are_one_where_one_quantity_follows_the_other(rng):
    size = rng.lognormal(0.8, 0.3, 300)
    e1 = 0.5 * rng.random(300)
    catalog = catalog_of(*rng.uniform(0, 511, (2, 300)), e1, np.zeros(300), size=size, fill_factor=1.2 - e1**3)
    row = described(replace(catalog, flux=size**4))
    assert row["size_brightness"] == pytest.approx(1.0)
    assert row["fill_factor_ellipticity"] == pytest.approx(-1.0)


def test_partial_galaxies_do_not_count_in_the_fill_factors(rng):
    catalog = lensed_catalog(rng, n=200, gamma=0.0)
    flags = np.where(np.arange(200) < 50, 0, Flag.EDGE).astype(np.uint8)
    cut = replace(catalog, fill_factor=np.where(flags > 0, 0.5, 1.0), flags=flags)
    assert described(cut)["log_fill_factor"] == 0.0


def test_the_image_describes_the_sky_and_an_unmeasured_one_has_nan(rng):
    catalog = lensed_catalog(rng, n=60, gamma=0.0)
    brightness = np.median(catalog.flux / catalog.n_pixels)
    row = described(replace(catalog, image=ImageProperties(0.9, 0.25 * brightness, 3)))
    assert row["log_psf_sigma"] == pytest.approx(np.log(0.9))
    assert row["log_noise"] == pytest.approx(np.log(0.25), abs=0.001)
    assert row["n_bands"] == 3
    unmeasured = described(catalog)
    assert np.isnan(unmeasured["log_psf_sigma"])
    assert np.isnan(unmeasured["log_noise"])


@pytest.mark.parametrize("factor", [1e-9, 1e6])
def test_the_description_does_not_depend_on_the_unit_of_the_light(rng, factor):
    """Counts, electrons, or erg/s/cm2: the galaxies are the same."""
    catalog = replace(lensed_catalog(rng, n=60, gamma=0.0), image=ImageProperties(0.9, 2.5, 3))
    scaled = replace(catalog, flux=factor * catalog.flux, image=ImageProperties(0.9, 2.5 * factor, 3))
    assert described(scaled) == pytest.approx(described(catalog))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_hardly_a_galaxy_is_described_by_finite_numbers(rng, n):
    row = described(replace(lensed_catalog(rng, n=n, gamma=0.0), image=ImageProperties(0.0, 0.5, 1)))
    assert np.isfinite(list(row.values())).all()
