"""Position of a planted lens: error, invariances, weights and bias."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import darkmatter_features as dm
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.location.locate import POSTERIOR_CELLS, locate, log_bayes_factor
from tests.support.located import LENS, SIDE, THETA_E, N, catalog_of, galaxies, turned

DARK_WORLDS = Path(__file__).parents[3] / "shared" / "dark-worlds"
STRONG = (3, 5, 13, 19, 23)
"""Numbers of the skies with one halo that have the highest S/N."""


def test_planted_lens_is_found_within_its_error():
    """In four skies, the squared distances over the squared errors are 1 in the mean, rarely above 3."""
    found = [locate(galaxies(np.random.default_rng(seed), theta_e=THETA_E)) for seed in range(4)]
    square = [((each.x - LENS[0]) ** 2 + (each.y - LENS[1]) ** 2) / each.position_error**2 for each in found]
    assert np.mean(square) < 3
    assert np.median([each.position_error for each in found]) < 100
    assert all(each.snr > 6 and each.log_bayes_factor > 10 for each in found)
    assert max(abs(each.snr_cross) for each in found) < 4


def test_position_error_is_at_least_the_scatter_within_a_cell(rng):
    """For shapes without scatter the whole posterior is in one or two cells."""
    found = locate(galaxies(rng, theta_e=THETA_E, n=2000, scatter=0.01))
    assert found.posterior.max() > 0.3
    assert 0.9 < found.position_error / (SIDE / POSTERIOR_CELLS * np.sqrt(0.68 / np.pi)) < 2


def test_maps_and_posterior_agree_with_the_figures(rng):
    found = locate(galaxies(rng, theta_e=THETA_E))
    assert found.snr == found.snr_map.max()
    assert found.posterior.sum() == pytest.approx(1.0)
    mean = (found.posterior.sum(axis=0) @ found.columns, found.posterior.sum(axis=1) @ found.rows)
    assert_allclose((found.x, found.y), mean, atol=found.position_error)
    assert found.p_value is None
    with pytest.raises(ValueError, match="read-only"):
        found.posterior[0, 0] = 1.0


def test_rotating_each_galaxy_by_45_degrees_leaves_no_signal(rng):
    catalog = galaxies(rng, theta_e=THETA_E)
    cross = locate(turned(catalog, np.pi / 2))
    assert cross.log_bayes_factor < 2
    assert np.abs(cross.snr_cross_map).max() > 6  # the cross shear has the signal
    assert locate(turned(catalog, np.pi)).log_bayes_factor < 2  # radial shear, which no mass causes


def test_position_moves_and_scales_and_mirrors_with_the_field(rng):
    catalog = galaxies(rng, theta_e=THETA_E)
    z, e = catalog.x + 1j * catalog.y, catalog.e1 + 1j * catalog.e2
    one = locate(catalog)
    moved = locate(catalog_of(0.01 * z + (5 - 70j), e))
    assert_allclose((moved.x, moved.y), (0.01 * one.x + 5, 0.01 * one.y - 70), atol=1e-4)
    assert_allclose((moved.snr, moved.log_bayes_factor), (one.snr, one.log_bayes_factor), rtol=1e-6)
    mirrored = locate(catalog_of(z.conj(), e.conj()))
    assert_allclose((mirrored.x, mirrored.y), (one.x, -one.y), atol=0.1)


def test_a_lens_is_found_in_a_field_that_is_not_square(rng):
    catalog = galaxies(rng, theta_e=THETA_E)
    half = catalog.y > 1900
    z, e = (catalog.x + 1j * catalog.y)[half], (catalog.e1 + 1j * catalog.e2)[half]
    found = locate(catalog_of(z, e))
    assert found.columns.size > 1.5 * found.rows.size
    assert np.hypot(found.x - LENS[0], found.y - LENS[1]) < 3 * found.position_error


def test_low_weights_of_noisy_galaxies_save_the_lens(rng):
    """One half has random orientations and |e| up to 0.9: with low weights they do little harm."""
    n = 2 * N
    clean = galaxies(rng, theta_e=THETA_E, n=n)
    is_noise = rng.random(n) < 0.5
    noise = rng.uniform(0.5, 0.9, n) * np.exp(2j * np.pi * rng.random(n))
    z, e = clean.x + 1j * clean.y, np.where(is_noise, noise, clean.e1 + 1j * clean.e2)
    kept, plain = locate(catalog_of(z[~is_noise], e[~is_noise])), locate(catalog_of(z, e))
    weighted = locate(catalog_of(z, e, weight=np.where(is_noise, 1e-6, 3.0)))
    inverted = locate(catalog_of(z, e, weight=np.where(is_noise, 3.0, 1e-6)))
    # The bounds of the field differ a little.
    assert_allclose((weighted.x, weighted.y), (kept.x, kept.y), rtol=2e-2)
    assert weighted.log_bayes_factor == pytest.approx(kept.log_bayes_factor, rel=2e-2)
    assert weighted.log_bayes_factor > plain.log_bayes_factor + 5 > inverted.log_bayes_factor + 5


@pytest.mark.parametrize("factor", [1000.0, 1e-200, 1e300])
def test_a_common_factor_of_the_weights_changes_nothing(rng, factor):
    """The factor may be so large that its square overflows."""
    catalog = galaxies(rng, theta_e=THETA_E, weight=rng.uniform(0.5, 2.0, N))
    scaled = locate(replace(catalog, weight=factor * catalog.weight))
    one = locate(catalog)
    assert_allclose((scaled.x, scaled.log_bayes_factor, scaled.snr), (one.x, one.log_bayes_factor, one.snr), rtol=1e-9)


def test_an_additive_bias_is_reported_and_can_be_subtracted(rng):
    clean = galaxies(rng, theta_e=THETA_E)
    biased = replace(clean, e1=clean.e1 + 0.1)
    assert locate(clean).mean_snr < 4 < locate(biased).mean_snr
    a, b = (locate(each, subtract_mean=True) for each in (clean, biased))
    assert_allclose((a.x, a.y, a.log_bayes_factor), (b.x, b.y, b.log_bayes_factor), rtol=1e-6)
    assert log_bayes_factor(biased, subtract_mean=True) == pytest.approx(b.log_bayes_factor)


def test_equal_shapes_give_finite_figures_and_no_lens(rng):
    """The column may be zeros that stand for unmeasured shapes, or any constant."""
    catalog = galaxies(rng, n=50)
    for e1 in (0.0, 0.25):
        found = locate(replace(catalog, e1=np.full(50, e1), e2=np.zeros(50)), subtract_mean=True)
        assert found.log_bayes_factor < 0
        assert np.isfinite((found.x, found.y, found.position_error, found.log_bayes_factor)).all()
        assert abs(found.snr) < 1
    assert np.isnan(locate(replace(catalog, e1=np.zeros(50), e2=np.zeros(50))).mean_snr)


def test_locate_is_a_public_name():
    assert dm.locate is locate
    assert dm.read_catalog is read_catalog


@pytest.mark.skipif(not DARK_WORLDS.exists(), reason=f"no skies of Observing Dark Worlds in {DARK_WORLDS}")
@pytest.mark.parametrize("number", STRONG)
def test_strong_halos_of_dark_worlds_are_located_within_100_pixels(number):
    found = locate(read_catalog(DARK_WORLDS / "skies" / f"Training_Sky{number}.csv"))
    (row,) = [
        line.split(",")
        for line in (DARK_WORLDS / "Training_halos.csv").read_text().splitlines()
        if line.startswith(f"Sky{number},")
    ]
    assert np.hypot(found.x - float(row[4]), found.y - float(row[5])) < 100
    assert found.log_bayes_factor > 5
