"""Adjustment of a template to a sky: usual skies are drawn to the fitted ones, others count for what they are."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.galaxies.shapes import Flag
from darkmatter_features.lens.adjustment import (
    MAX_ELLIPTICITY,
    MAX_FACTOR,
    MIN_GALAXIES,
    MIN_SKIES,
    MIN_WHOLE,
    UNUSUAL_FRACTION,
    Usual,
    adjust,
    centre_and_spread,
    is_unaligned,
    sky_statistics,
    typical_statistics,
)
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit_unlensed import fit_unlensed
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import SKY_STATISTICS, LensTemplate
from tests.support.drawing import catalog_of, lensed_catalog

SIGMA_E, N = 0.2, 120
"""Scatter of ellipticity per component, and number of galaxies of a sky."""


def plain_sky(rng, *, n=N, scatter=SIGMA_E, mean=0.0, log_size=0.9, log_fill_factor=0.0):
    """Return a sky without a lens: Gaussian ellipticities, log-normal sizes and fill factors."""
    e1, e2 = np.clip(rng.normal(0, scatter, (2, n)), -0.65, 0.65)
    return catalog_of(
        *rng.uniform(0, 511, (2, n)), e1 + mean, e2,
        size=np.exp(rng.normal(log_size, 0.3, n)), fill_factor=np.exp(rng.normal(log_fill_factor, 0.02, n)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def skies():
    rng = np.random.default_rng(31)
    return [plain_sky(rng) for _ in range(60)]


@pytest.fixture(scope="module")
def template(skies):
    return fit_unlensed(skies)


def without_statistics(template):
    return replace(template, **{name: np.empty(0) for name in ("sky_centre", "sky_scatter", "sky_error")})


def assert_unchanged(catalog, template):
    adjusted = adjust(catalog, template)
    assert adjusted.e1 is catalog.e1
    assert adjusted.e2 is catalog.e2
    assert (adjusted.shift, adjusted.factor) == (0j, 1.0)
    np.testing.assert_array_equal(adjusted.shape_bin, template.shape_bins(catalog))
    np.testing.assert_array_equal(adjusted.size_bin, template.size_bins(catalog.size))


def test_a_template_without_statistics_changes_nothing(rng, template):
    for each in (without_statistics(template), LensTemplate.default()):
        assert_unchanged(plain_sky(rng, scatter=0.4, mean=0.2), each)


def test_a_sky_of_few_galaxies_is_not_changed(rng, template):
    assert_unchanged(plain_sky(rng, n=MIN_GALAXIES - 1, scatter=0.4, log_size=1.5), template)
    assert adjust(plain_sky(rng, n=MIN_GALAXIES, scatter=0.4), template).factor != 1.0


@pytest.mark.parametrize("few", [1.0, 2.0])
def test_a_usual_deviation_is_moved_by_what_sky_and_template_know(few):
    """tau = 0.08, sigma = 0.06: a fraction of 0.64, and less with fewer galaxies."""
    usual = Usual(centre=1.0, scatter=0.1, error=0.06)
    own, error = 0.1**2 - 0.06**2, (few * 0.06) ** 2
    fraction = own / (own + error)
    assert usual.moved(1.05, few, 1e-9) == pytest.approx(0.05 * fraction, rel=1e-6)
    assert usual.moved(1.05, few, UNUSUAL_FRACTION) == pytest.approx(0.05 * fraction, rel=0.02)


@pytest.mark.parametrize("deviation", [-3.0, 3.0, 1e6])
def test_a_far_deviation_is_moved_by_all_of_it(deviation):
    usual = Usual(centre=1.0, scatter=0.1, error=0.06)
    assert usual.moved(1.0 + deviation, 1.0, UNUSUAL_FRACTION) == pytest.approx(deviation, rel=1e-9)


def test_the_move_is_odd_monotone_and_never_beyond_the_deviation():
    usual = Usual(centre=0.0, scatter=0.1, error=0.06)
    deviations = np.linspace(0.0, 2.0, 200)
    moved = np.array([usual.moved(d, 1.0, UNUSUAL_FRACTION) for d in deviations])
    mirrored = np.array([usual.moved(-d, 1.0, UNUSUAL_FRACTION) for d in deviations])
    np.testing.assert_allclose(mirrored, -moved, atol=1e-15)
    assert np.all(np.diff(moved) > 0)
    assert np.all(moved <= deviations + 1e-12)


def test_a_statistic_that_never_varies_moves_nothing():
    assert Usual(0.0, 0.0, 0.0).moved(5.0, 1.0, UNUSUAL_FRACTION) == 0.0
    assert Usual(0.0, 0.1, 0.2).moved(0.05, 1.0, 1e-9) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("scatter", [0.14, 0.28])
def test_another_scatter_is_restored_to_that_of_the_template(template, scatter):
    """The mean over skies has the error 0.2 / (2 * 120 * 20)^(1/2) = 0.003."""
    rng = np.random.default_rng(5)
    adjusted = [adjust(plain_sky(rng, scatter=scatter), template) for _ in range(20)]
    restored = np.mean([np.sqrt(0.5 * (each.e1.var() + each.e2.var())) for each in adjusted])
    assert restored == pytest.approx(SIGMA_E, abs=0.009)
    assert np.mean([each.factor for each in adjusted]) == pytest.approx(scatter / SIGMA_E, rel=0.06)


def test_skies_like_the_fitted_ones_are_hardly_changed(rng, template):
    """The scatter of a sky is known to 1 / (2 * 120)^(1/2) / 2^(1/2) = 5 %; most of it is not believed."""
    factors = np.array([adjust(plain_sky(rng), template).factor for _ in range(40)])
    assert np.std(np.log(factors)) < 0.03
    assert np.log(factors).mean() == pytest.approx(0.0, abs=0.01)


def test_the_change_of_the_scatter_is_limited_and_no_ellipticity_reaches_one(rng, template):
    catalog = plain_sky(rng, scatter=0.02)
    edge = replace(catalog, e1=np.where(np.arange(N) == 3, 0.9, catalog.e1))
    adjusted = adjust(edge, template)
    assert adjusted.factor == 1.0 / MAX_FACTOR
    assert np.hypot(adjusted.e1, adjusted.e2).max() == pytest.approx(MAX_ELLIPTICITY)


def test_a_mean_ellipticity_of_many_errors_is_removed(rng, template):
    """A mean of 0.3 is 16 errors of 0.2 / 120^(1/2) = 0.018."""
    adjusted = adjust(plain_sky(rng, mean=0.3), template)
    assert adjusted.shift.real == pytest.approx(0.3, abs=0.06)
    assert abs(adjusted.shift.imag) < 0.03
    assert adjusted.e1.mean() == pytest.approx(template.mean_e1[adjusted.shape_bin].mean(), abs=0.06)


@pytest.mark.parametrize(("quantity", "bins"), [("log_size", "size_bin"), ("log_fill_factor", "shape_bin")])
def test_other_sizes_and_fill_factors_fall_into_the_bins_of_their_rank(template, quantity, bins):
    """A sky of galaxies 1.6 times as large (fill factors 8 % lower) has the bins of the same sky without that."""
    offset = {"log_size": 0.5, "log_fill_factor": -0.08}[quantity]
    base = {"log_size": 0.9, "log_fill_factor": 0.0}[quantity]
    same, other = (
        plain_sky(np.random.default_rng(6), n=400, **{quantity: base + shift}) for shift in (0.0, offset)
    )  # fmt: skip
    found, expected = (getattr(adjust(each, template), bins) for each in (other, same))
    before = template.size_bins(other.size) if bins == "size_bin" else template.shape_bins(other)
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.7
    assert (before == expected).mean() < 0.3


def test_the_response_is_divided_by_the_factor_of_the_scatter(rng, template):
    """The ratios of a sky of twice the scatter are those of its adjusted galaxies under half the response."""
    wide = plain_sky(rng, scatter=0.3)
    prepared = PreparedCatalog(wide, template)
    factor = prepared.adjusted.factor
    assert factor > 1.2
    bare = replace(without_statistics(template), response=template.response / factor)
    bins = {"size": wide.size, "fill_factor": wide.fill_factor}
    plain = PreparedCatalog(replace(wide, e1=prepared.adjusted.e1, e2=prepared.adjusted.e2, **bins), bare)
    same = plain.shape_bin == prepared.shape_bin
    assert same.mean() > 0.5
    np.testing.assert_allclose(prepared.log_ratios[same], plain.log_ratios[same], atol=1e-6)
    np.testing.assert_allclose(prepared.weight, (factor * template.sigma_e[prepared.shape_bin]) ** -2.0)


def test_log_ratios_do_not_change_where_nothing_deviates(rng, template):
    """The statistics of the sky itself as the centre: every deviation vanishes."""
    catalog = plain_sky(rng)
    exact = replace(template, sky_centre=sky_statistics(catalog, template))
    bare = without_statistics(template)
    adjusted, plain = PreparedCatalog(catalog, exact), PreparedCatalog(catalog, bare)
    assert adjusted.adjusted.factor == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_array_equal(adjusted.shape_bin, plain.shape_bin)
    np.testing.assert_array_equal(adjusted.size_bin, plain.size_bin)
    np.testing.assert_allclose(adjusted.log_ratios, plain.log_ratios, atol=1e-6)
    np.testing.assert_allclose(adjusted.e1, plain.e1, atol=1e-12)


def test_errors_of_typical_statistics_are_those_of_the_halves(skies, template):
    """Equal skies differ by their sampling errors alone: half the scatter of the difference of two halves."""
    centre, scatter, error = typical_statistics(skies, template)
    index = {name: k for k, name in enumerate(SKY_STATISTICS)}
    for name, expected in (("size", 0.3 * math.sqrt(math.pi / 2 / N)), ("mean_e1", SIGMA_E / math.sqrt(N))):
        # 60 skies give the error to 1 / 120^(1/2) = 9 %
        assert error[index[name]] == pytest.approx(expected, rel=0.3)
        assert scatter[index[name]] == pytest.approx(expected, rel=0.3)
    assert centre[index["size"]] == pytest.approx(0.9, abs=0.02)
    assert centre[index["sigma_e"]] == pytest.approx(0.0, abs=0.02)
    assert centre[index["n_galaxies"]] == N
    assert error[index["n_galaxies"]] == 0.0


def test_skies_that_truly_differ_scatter_by_more_than_their_error(template):
    rng = np.random.default_rng(9)
    varied = [plain_sky(rng, log_size=rng.normal(0.9, 0.2)) for _ in range(60)]
    _, scatter, error = typical_statistics(varied, template)
    k = SKY_STATISTICS.index("size")
    assert np.sqrt(scatter[k] ** 2 - error[k] ** 2) == pytest.approx(0.2, rel=0.3)


def aligned_sky(rng, alignment):
    """Return a sky whose mean ellipticity has the direction 0.5 rad of the template of `aligned`."""
    e = 0.1 * alignment * np.exp(0.5j) + rng.normal(0.0, SIGMA_E, N) + 1j * rng.normal(0.0, SIGMA_E, N)
    return replace(plain_sky(rng), e1=e.real.copy(), e2=e.imag.copy())


@pytest.fixture(scope="module")
def aligned():
    rng = np.random.default_rng(8)
    return fit_unlensed([aligned_sky(rng, 1.0) for _ in range(60)])


def test_the_alignment_of_a_sky_is_its_projection_on_the_means(aligned):
    """One sky knows it to 0.2 / (0.1 * 120^(1/2)) = 0.18."""
    rng = np.random.default_rng(3)
    k = SKY_STATISTICS.index("alignment")
    for alignment in (0.0, 1.0):
        found = [sky_statistics(aligned_sky(rng, alignment), aligned)[k] for _ in range(60)]
        assert np.mean(found) == pytest.approx(alignment, abs=0.09)
        assert np.std(found) == pytest.approx(0.18, rel=0.3)


def test_a_sky_without_the_expected_alignment_has_a_density_without_direction(aligned):
    rng = np.random.default_rng(4)
    plain, usual, twice = (
        np.mean([is_unaligned(aligned_sky(rng, alignment), aligned) for _ in range(60)])
        for alignment in (0.0, 1.0, 2.0)
    )
    assert plain > 0.9
    assert usual < 0.05
    assert twice == 0.0


def test_an_unaligned_sky_is_prepared_with_means_of_zero(aligned):
    catalog = aligned_sky(np.random.default_rng(4), 0.0)
    assert is_unaligned(catalog, aligned)
    compiled = CompiledTemplate(aligned)
    prepared = PreparedCatalog(catalog, compiled)
    assert prepared.template is aligned
    assert prepared.compiled is compiled.unaligned
    assert prepare(prepared, compiled) is prepared
    assert prepare(prepared, prepared.compiled) is prepared
    np.testing.assert_array_equal(prepared.mean_e1, prepared.adjusted.shift.real)
    turned = np.rot90(compiled.unaligned.template.log_p0[0])
    np.testing.assert_allclose(turned[10:91, 10:91], compiled.unaligned.template.log_p0[0][10:91, 10:91], atol=1e-9)


def test_unaligned_tables_survive_pickling(aligned):
    compiled = CompiledTemplate(aligned)
    again = pickle.loads(pickle.dumps(compiled)).unaligned
    np.testing.assert_array_equal(again.density, compiled.unaligned.density)
    assert not again.density.flags.writeable


def test_too_few_resolved_galaxies_adjust_nothing(rng, template):
    """Three known ellipticities of 120 do not determine a scatter."""
    catalog = plain_sky(rng, scatter=0.35)
    flags = np.where(np.arange(N) < 3, 0, Flag.UNRESOLVED).astype(np.uint8)
    adjusted = adjust(replace(catalog, flags=flags), template)
    assert adjusted.factor == 1.0
    assert adjusted.shift == 0.0


def test_a_sky_without_whole_galaxies_is_left_out_of_the_typical_statistics(skies, template):
    cut = replace(skies[0], flags=np.full(N, Flag.BLENDED, dtype=np.uint8))
    for found, expected in zip(
        typical_statistics([*skies, cut], template), typical_statistics(skies, template), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_few_skies_or_skies_of_few_galaxies_have_no_typical_statistics(rng, skies, template):
    small = [plain_sky(rng, n=MIN_GALAXIES - 1) for _ in range(40)]
    for chosen in (skies[: MIN_SKIES - 1], [*skies[: MIN_SKIES - 1], *small], []):
        assert [values.size for values in typical_statistics(chosen, template)] == [0, 0, 0]


def test_centre_and_spread_are_the_quantiles_of_numpy(rng):
    values = rng.normal(size=83)
    middle, spread = centre_and_spread(values)
    low, centre, high = np.quantile(values, (0.2, 0.5, 0.8))
    assert middle == pytest.approx(centre)
    assert spread == pytest.approx(np.log(high - low))
    assert centre_and_spread(np.empty(0)) == (0.0, 0.0)
    assert np.isfinite(centre_and_spread(np.ones(30))).all()


@pytest.mark.parametrize("n_whole", [0, 1, MIN_WHOLE - 1])
def test_a_sky_of_hardly_a_whole_galaxy_keeps_its_sizes(rng, template, n_whole):
    """Centre and spread are those of whole galaxies: without them, nothing is known of either."""
    catalog = plain_sky(rng, n=60)
    crowded = replace(catalog, flags=np.where(np.arange(60) < n_whole, 0, Flag.BLENDED).astype(np.uint8))
    adjusted = adjust(crowded, template)
    np.testing.assert_array_equal(adjusted.size_bin, template.size_bins(catalog.size))
    np.testing.assert_array_equal(adjusted.shape_bin, template.shape_bins(crowded))


def test_a_wider_scatter_is_no_evidence_for_a_lens(template):
    """Unlensed skies of 1.4 times the scatter: by the template as it is, they look lensed; adjusted, they do not.

    The log Bayes factors of 60 skies scatter by about 1 to 3: their means are known to 0.15 and 0.4.
    """
    rng = np.random.default_rng(17)
    skies = [plain_sky(rng, scatter=1.4 * SIGMA_E) for _ in range(60)]
    plain, adjusted = (
        np.mean([lens_evidence(sky, own).log_bayes_factor_shear for sky in skies])
        for own in (without_statistics(template), template)
    )
    assert adjusted < 0.1
    assert plain > 1.5


@pytest.mark.parametrize("scatter", [0.16, 0.26])
def test_a_lens_is_found_behind_another_scatter(template, scatter):
    catalog = lensed_catalog(
        np.random.default_rng(2), n=400, scatter=scatter, centre=(300, 200), gamma=lambda r: 25 * r / (r**2 + 20**2)
    )
    found = lens_evidence(replace(catalog, size=np.exp(np.random.default_rng(3).normal(0.9, 0.3, 400))), template)
    assert found.log_bayes_factor_shear > 5.0
    assert np.hypot(found.column - 300, found.row - 200) < 25


def test_broader_skies_differ_by_more_at_the_same_sampling_error():
    usual = Usual(0.0, 0.05, 0.03)
    broader = usual.broader(2.0)
    assert broader.scatter == pytest.approx(np.hypot(2 * 0.04, 0.03))
    assert broader.error == usual.error
    assert broader.moved(0.05, 1.0, UNUSUAL_FRACTION) > usual.moved(0.05, 1.0, UNUSUAL_FRACTION)
