from itertools import pairwise

import numpy as np
import pytest

from darkmatter_features.features.statistics import ANNULI, FEATURES, MIN_SEPARATION, feature_row
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
