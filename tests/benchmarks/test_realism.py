"""Simulated skies beside the published ones: the comparison, and the default preset on few skies."""

from dataclasses import replace

import numpy as np
import pytest
from realism import comparison, measurement
from realism.published import GAMMA_T, GAMMA_T_ERRORS, QUANTITIES, TEMPLATE_SKIES, Quantity
from scipy.stats import kstest

from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.simulation.seed import DISTRIBUTION, seed_sky

N_SKIES = 40


@pytest.fixture(scope="module")
def skies():
    """Figures of skies of the default preset; the default template serves, for S/N and positions are not tested."""
    return measurement.simulated_figures(N_SKIES, LensTemplate.default(), seed=11, n_jobs=1)


@pytest.fixture(scope="module")
def compared(skies):
    return {each.name: each for each in comparison.compare(skies)}


def plain_skies(n, **columns):
    """Return figures of n skies with a lens and n without, with the given columns (2 n,)."""
    empty = np.zeros(8)
    blank = measurement.SkyFigures(True, 150.0, 4.0, 0.08, 0.23, 3.0, 10.0, 0.1, empty + 1.0, empty)
    return [
        replace(blank, is_lensed=i < n, **{name: float(values[i]) for name, values in columns.items()})
        for i in range(2 * n)
    ]


def test_numbers_and_light_of_the_skies_are_the_published_ones(compared):
    """Pulls are in errors of the 18 published skies, two thirds of which is the error of 40 simulated ones."""
    for quantity in QUANTITIES[:2]:
        for name in ("mean", "sd", "least", "most"):
            assert abs(compared[f"{quantity.name}: {name}"].pull) < 2.3


def test_mean_and_scatter_of_the_ellipticities_are_the_published_ones(compared):
    assert abs(compared["mean e1"].pull) < 2.3
    assert compared["e scatter per component"].simulated == pytest.approx(0.231, abs=0.008)


def test_shear_of_the_skies_is_the_published_one(skies, compared):
    """The errors of 20 lenses are 0.7 of the published ones."""
    for name in ("mean", "sd", "25 %", "median", "75 %"):
        assert abs(compared[f"mean gamma_t, 30-250 px: {name}"].pull) < 2.5
    found = [each for name, each in compared.items() if name.startswith("gamma_t, ")]
    assert [(each.published, each.error) for each in found] == list(zip(GAMMA_T, GAMMA_T_ERRORS))
    assert max(abs(each.pull) for each in found) < 3
    assert sum(each.pull**2 for each in found) < 24


def test_a_preset_with_stronger_lenses_and_more_galaxies_is_rejected():
    """The former preset, to which the template was fitted: the comparison sees the difference."""
    skies = measurement.simulated_figures(
        24, LensTemplate.default(), seed=11, distribution=TEMPLATE_SKIES, n_jobs=1
    )  # fmt: skip
    compared = {each.name: each.pull for each in comparison.compare(skies)}
    assert compared["galaxies: mean"] > 4
    assert compared["galaxies: sd"] < -2
    assert compared["mean gamma_t, 30-250 px: mean"] > 1.5


def test_figures_of_a_sky_are_those_of_its_treated_image(skies):
    sky = next(s for s in (seed_sky(np.random.default_rng((11, i))) for i in range(9)) if s.lensed)
    found = measurement.figures_of_sky(sky, LensTemplate.default())
    blanked = measurement.enlarged_thumbnail(sky.pixels, (sky.lens_row, sky.lens_column))
    assert found.light == pytest.approx(blanked.mean())
    assert found.n_galaxies == len(measurement.measure(measurement.Sky("a", blanked), measurement.CONFIG))
    assert found.is_lensed
    assert found.gamma_t > 0
    assert found.profile_counts.sum() <= found.n_galaxies
    without = next(each for each in skies if not each.is_lensed)
    assert np.isnan([without.gamma_t, without.offset]).all()
    assert without.profile_counts.sum() == 0


def test_samples_have_the_published_fraction_of_lenses():
    skies = plain_skies(30, n_galaxies=np.repeat([100.0, 200.0], 30))
    drawn = comparison.samples(skies, "n_galaxies", 12, 6)
    assert drawn.shape == (comparison.N_SAMPLES, 18)
    np.testing.assert_array_equal((drawn == 100.0).sum(axis=1), 12)


def test_pulls_are_in_errors_of_as_many_skies_as_were_published(rng):
    skies = plain_skies(2000, n_galaxies=rng.normal(147.0 + 27.0 / np.sqrt(18), 27.0, 4000))
    found = {each.name: each for each in comparison.compare(skies)}
    mean, spread, least = (found[f"galaxies: {name}"] for name in ("mean", "sd", "least"))
    assert mean.error == pytest.approx(27.0 / np.sqrt(18))
    assert spread.error == pytest.approx(27.0 / 6)
    assert mean.pull == pytest.approx(1.0, abs=0.1)
    assert spread.pull == pytest.approx(0.0, abs=0.15)
    # The least of 18 normal values is 1.82 standard deviations below the mean and scatters by 0.48 of these.
    assert least.simulated == pytest.approx(mean.simulated - 1.82 * 27, abs=3)
    assert least.error == pytest.approx(0.48 * 27, rel=0.12)


@pytest.mark.parametrize("published", [(-0.2, 4.0), (-3.0, 0.4), (0.9, 1.4), (-2.0, -1.5)])
def test_distribution_test_is_that_of_kolmogorov_and_smirnov(rng, published):
    """With all values of a small sample as quantiles, distance and p-value are those of the exact test."""
    skies = plain_skies(1000, light=rng.normal(0.3, 1.0, 2000))
    quantity = Quantity("light", "light", 1, 1, quantiles=((0.0, published[0]), (1.0, published[1])))
    found = comparison.distribution_test(quantity, skies)
    drawn = np.sort(comparison.samples(skies, "light", 1, 1), axis=None)
    expected = kstest(published, lambda x: np.searchsorted(drawn, x) / drawn.size, method="exact")
    assert found.distance == pytest.approx(expected.statistic, abs=2e-3)
    assert found.p_value == pytest.approx(expected.pvalue, abs=5e-3)


def test_distribution_test_rejects_another_distribution(rng):
    quantity = QUANTITIES[1]
    alike, brighter = (
        comparison.distribution_test(quantity, plain_skies(500, light=rng.normal(mean, 0.75, 1000)))
        for mean in (3.9, 6.0)
    )
    assert alike.p_value > 0.3
    assert brighter.p_value < 1e-4


def test_template_of_the_measurement_is_fitted_to_the_former_preset():
    template = measurement.template_of_measurement(60, seed=3, n_jobs=1)
    assert "lenses of known position" in template.source
    assert TEMPLATE_SKIES.density.scatter == 0
    assert TEMPLATE_SKIES.amplitude[1] > DISTRIBUTION.amplitude[1]
