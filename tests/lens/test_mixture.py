"""Unlensed shapes of a mixture of skies: the shear of lenses is undone, by the probability of each."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.galaxies.shapes import Flag
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit_unlensed import fit_unlensed
from darkmatter_features.lens.mixture import (
    N_FOLDS,
    is_better_refitted,
    mean_log_density,
    unsheared,
    with_unlensed,
    without_folds,
)
from darkmatter_features.lens.template import LensTemplate
from tests.support.drawing import catalog_of, lensed_catalog, two_shape_bins, with_two_shape_bins

CENTRE = (300.0, 200.0)
"""Column and row of the planted lens, pixels."""


def planted(catalog, template, evidence):
    """Return the catalogue behind the lens of the template with the position and the amplitude of the evidence."""
    dx, dy = catalog.x - evidence.column, catalog.y - evidence.row
    weights = template.weights.sum(axis=1)
    radius = np.hypot(dx, dy)
    g = np.interp(radius, template.nodes, weights @ template.shear_profile, right=0.0)
    g = g * evidence.amplitude ** np.interp(radius, template.nodes, weights @ template.amplitude_exponent)
    g = -template.response[template.shape_bins(catalog)] * g * np.exp(2j * np.arctan2(dy, dx))
    e = catalog.e1 + 1j * catalog.e2
    e = (e + g) / (1 + np.conj(g) * e)
    return replace(catalog, e1=e.real.copy(), e2=e.imag.copy())


@pytest.fixture
def unlensed(rng):
    return with_two_shape_bins(lensed_catalog(rng, n=300, gamma=0.0))


@pytest.fixture
def evidence(unlensed):
    """Evidence whose best fit is the planted lens."""
    return replace(lens_evidence(unlensed), row=CENTRE[1], column=CENTRE[0], amplitude=1.2)


def test_a_planted_shear_is_undone(unlensed, evidence):
    template = two_shape_bins()
    lensed = planted(unlensed, template, evidence)
    assert np.abs(lensed.e1 - unlensed.e1).max() > 0.2
    (found,) = unsheared([lensed], [template], [evidence], np.ones(1))
    np.testing.assert_allclose(found.e1, unlensed.e1, atol=1e-12)
    np.testing.assert_allclose(found.e2, unlensed.e2, atol=1e-12)
    for name in ("x", "y", "size", "flags"):
        assert getattr(found, name) is getattr(lensed, name)


def test_a_sky_without_a_lens_keeps_its_shapes(unlensed, evidence):
    (found,) = unsheared([unlensed], [two_shape_bins()], [evidence], np.zeros(1))
    np.testing.assert_allclose(found.e1, unlensed.e1, atol=1e-15)
    np.testing.assert_allclose(found.e2, unlensed.e2, atol=1e-15)


def test_half_a_lens_is_undone_by_about_half(unlensed, evidence):
    lensed = planted(unlensed, two_shape_bins(), evidence)
    (found,) = unsheared([lensed], [two_shape_bins()], [evidence], np.full(1, 0.5))
    shear, rest = (each.e1 + 1j * each.e2 - unlensed.e1 - 1j * unlensed.e2 for each in (lensed, found))
    assert (np.conj(shear) @ rest).real / (np.abs(shear) ** 2).sum() == pytest.approx(0.5, abs=0.1)


def test_each_sky_has_its_own_weight(unlensed, evidence):
    lensed = planted(unlensed, two_shape_bins(), evidence)
    found = unsheared([lensed, lensed], [two_shape_bins()] * 2, [evidence] * 2, np.array([1.0, 0.0]))
    np.testing.assert_allclose(found[0].e1, unlensed.e1, atol=1e-12)
    np.testing.assert_allclose(found[1].e1, lensed.e1, atol=1e-12)


def test_beyond_the_profile_there_is_no_shear(evidence):
    far = catalog_of([480.0, 500.0], [480.0, 20.0], [0.3, -0.2], [0.1, 0.0])
    (found,) = unsheared([far], [LensTemplate.default()], [replace(evidence, row=200.0, column=100.0)], np.ones(1))
    np.testing.assert_allclose(found.e1, far.e1)


@pytest.fixture(scope="module")
def skies():
    rng = np.random.default_rng(4)
    return [lensed_catalog(rng, n=150, gamma=0.0, bias=0.1, scatter=0.25) for _ in range(25)]


def test_the_unlensed_part_is_fitted_and_the_lenses_are_kept(skies):
    template = replace(LensTemplate.default(), amplitudes=np.geomspace(0.5, 3.0, 8), source="labelled skies")
    own = with_unlensed(template, skies)
    # 3,750 galaxies know their mean to 0.25 / 3750^(1/2) = 0.004
    assert own.mean_e1[0] == pytest.approx(0.1, abs=0.02)
    assert own.sky_centre.size == 9
    expected = fit_unlensed(skies)
    for name in ("log_p0", "sigma_e", "fill_factor_edges", "size_edges", "sky_centre", "sky_error"):
        np.testing.assert_array_equal(getattr(own, name), getattr(expected, name))
    for name in ("shear_profile", "amplitude_exponent", "amplitudes", "weights", "bin_radii", "bin_shear"):
        np.testing.assert_array_equal(getattr(own, name), getattr(template, name))
    assert own.source == "shapes of 25 unlabelled skies; lenses of: labelled skies"


def test_response_and_counts_are_kept_where_the_bins_agree_in_number(skies):
    fitted = fit_unlensed(skies)
    response, counts = np.linspace(0.8, 1.2, fitted.response.size), fitted.log_counts - 0.3
    own = with_unlensed(replace(fitted, response=response, log_counts=counts), skies)
    np.testing.assert_array_equal(own.response, response)
    np.testing.assert_array_equal(own.log_counts, counts)


def test_with_other_numbers_of_bins_response_and_counts_are_those_of_no_lens(rng):
    varied = [
        catalog_of(*rng.uniform(0, 511, (2, 150)), *rng.normal(0, 0.2, (2, 150)), size=rng.lognormal(1, 0.3, 150),
                   fill_factor=rng.normal(1, 0.05, 150))
        for _ in range(25)
    ]  # fmt: skip
    own = with_unlensed(two_shape_bins(), varied)
    assert own.response.size > 2
    np.testing.assert_array_equal(own.response, 1.0)
    np.testing.assert_array_equal(own.log_counts, 0.0)


def skies_of(rng, draw, n=24):
    """Return skies of 200 galaxies without a lens, whose ellipticity is drawn by `draw`."""
    skies = []
    for _ in range(n):
        e = np.clip(np.abs(draw(rng, 200)), 0.0, 0.95) * np.exp(1j * rng.uniform(0.0, 2.0 * np.pi, 200))
        skies.append(catalog_of(*rng.uniform(0.0, 511.0, (2, 200)), e.real.copy(), e.imag.copy()))
    return skies


def bell(rng, n):
    return np.abs(rng.normal(0.0, 0.2, n) + 1j * rng.normal(0.0, 0.2, n))


def ring(rng, n):
    return rng.normal(0.28, 0.03, n)


def test_mean_log_density_is_that_of_the_template(rng):
    catalogs = skies_of(rng, bell)
    template = replace(LensTemplate.default(), source="Gaussian")
    e = np.concatenate([c.e1 + 1j * c.e2 for c in catalogs])
    sigma = template.sigma_e[0]
    expected = -np.mean(np.abs(e) ** 2) / (2 * sigma**2) - np.log(2 * np.pi * sigma**2)
    assert mean_log_density(catalogs, template) == pytest.approx(expected, abs=0.05)


def test_each_fold_is_left_out_of_its_own_fit(skies):
    templates = without_folds(LensTemplate.default(), skies)
    assert len(templates) == N_FOLDS
    for fold, template in enumerate(templates):
        others = [catalog for i, catalog in enumerate(skies) if i % N_FOLDS != fold]
        np.testing.assert_array_equal(template.log_p0, fit_unlensed(others).log_p0)


def test_each_sky_is_unsheared_with_the_template_of_its_fold(unlensed, evidence):
    responses = [replace(two_shape_bins(), response=np.full(2, response)) for response in (0.5, 1.0, 1.5, 2.0)]
    found = unsheared([unlensed] * 5, responses, [evidence] * 5, np.ones(5))
    shears = [np.abs(each.e1 + 1j * each.e2 - unlensed.e1 - 1j * unlensed.e2).sum() for each in found]
    assert shears[0] < shears[1] < shears[2] < shears[3]
    assert shears[4] == shears[0]


def test_unresolved_galaxies_are_not_in_the_density(skies):
    """Galaxies at 0.9, where no other is, change nothing."""
    end = np.arange(150) >= 141
    flagged = [
        replace(sky, e1=np.where(end, 0.9, sky.e1), flags=np.where(end, Flag.UNRESOLVED, sky.flags).astype(np.uint8))
        for sky in skies
    ]
    density, without = (np.exp(fit_unlensed(each).log_p0[0]) for each in (flagged, skies))
    assert density[94:97].sum() == pytest.approx(without[94:97].sum(), rel=0.1)


def test_shapes_are_refitted_where_they_are_of_another_distribution(rng):
    template = fit_unlensed(skies_of(rng, bell, 60))
    for draw, expected in ((ring, True), (bell, False)):
        skies = skies_of(rng, draw)
        assert is_better_refitted(skies, without_folds(template, skies), template) is expected
