"""A template fitted to skies with planted lenses recovers the planted values."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.galaxies.shapes import Flag
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit import AMPLITUDE_PSEUDOCOUNT, BROAD_FRACTION, N_ROUNDS, _fit_amplitudes, fit_template
from darkmatter_features.lens.fit_unlensed import fit_unlensed
from darkmatter_features.lens.lensed_galaxies import LabelledSkies, LensedGalaxies
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from tests.support import naive
from tests.support.drawing import catalog_of, lensed_catalog, two_shape_bins, with_two_shape_bins


def _planted(radius):
    return 25.0 * radius / (radius**2 + 30.0**2) * (radius < 200)


def _skies(rng, *, n=120, n_galaxies=200, hole=0.0):
    """Skies, every other one with a lens at a random position and no galaxy within `hole` px of it."""
    catalogs, labels, positions = [], np.arange(n) % 2.0, rng.uniform(60, 450, (n, 2))
    for label, (x, y) in zip(labels, positions, strict=True):
        catalog = lensed_catalog(rng, n=n_galaxies, centre=(x, y), gamma=_planted if label else 0.0, bias=0.05)
        kept = np.hypot(catalog.x - x, catalog.y - y) > hole * label
        columns = [getattr(catalog, name)[kept] for name in ("x", "y", "e1", "e2")]
        catalogs.append(catalog_of(*columns, size=rng.uniform(1.5, 3, kept.sum())))
    positions[labels == 0] = np.nan
    return LabelledSkies(catalogs, labels, positions[:, 1], positions[:, 0])


def _shear_at(template, radius):
    return np.interp(
        radius, NODE_SPACING * np.arange(template.shear_profile.shape[1]), template.shear_profile[0], right=0.0
    )


def test_planted_profile_is_fitted(rng):
    template = fit_template(_skies(rng))
    for radius in (50.0, 80.0, 120.0, 170.0):
        # 60 lenses with 10 to 50 galaxies of scatter 0.2 a bin: 0.01.
        assert _shear_at(template, radius) == pytest.approx(_planted(radius), abs=0.035)
    assert abs(_shear_at(template, 260.0)) < 0.03
    assert template.source.endswith("; profile, amplitudes and counts of 60 lenses of known position")
    assert "60 skies without a lens" in template.source


def test_planted_bias_and_scatter_are_fitted(rng):
    template = fit_template(_skies(rng))
    np.testing.assert_allclose(template.mean_e1, 0.05, atol=0.02)
    np.testing.assert_allclose(template.mean_e2, 0.0, atol=0.02)
    assert template.sigma_e.mean() == pytest.approx(0.195, abs=0.02)  # 0.2, less what is clipped at |e| = 0.8


def test_planted_response_is_fitted(rng):
    skies = _skies(rng)
    for catalog in skies.catalogs:
        blended = rng.random(len(catalog)) < 0.4
        for name, factor in (("e1", 0.5), ("e2", 0.5), ("flags", 0)):
            array = getattr(catalog, name)
            array.flags.writeable = True
            array[blended] = array[blended] * factor + (Flag.BLENDED if name == "flags" else 0)
    template = fit_template(skies)
    whole, partial = template.response
    assert partial < 0.75 < 1.0 < whole


def test_bins_of_fill_factor_have_their_own_ellipticities(rng):
    """Half of the galaxies are rounder, and have another fill factor."""
    skies = _skies(rng)
    catalogs = []
    for catalog in skies.catalogs:
        is_round = rng.random(len(catalog)) < 0.5
        factor = np.where(is_round, 0.3, 1.0)
        e1, e2 = 0.05 + factor * (catalog.e1 - 0.05), factor * catalog.e2
        fill_factor = np.where(is_round, 1.1, 0.9) + rng.normal(0, 0.01, len(catalog))
        catalogs.append(catalog_of(catalog.x, catalog.y, e1, e2, fill_factor=fill_factor))
    template = fit_template(LabelledSkies(catalogs, skies.labels * 0, skies.lens_rows, skies.lens_columns))
    shape_bins = template.shape_bins(catalog_of(*np.zeros((4, 2)), fill_factor=[0.9, 1.1]))
    wide, narrow = template.sigma_e[shape_bins]
    assert narrow < 0.5 * wide


def test_a_fraction_of_every_shape_bin_follows_the_overall_density(rng):
    """A galaxy of one bin with a shape of the other is rare, not impossible."""
    catalogs = []
    for _ in range(30):
        is_round = rng.random(300) < 0.5
        e1 = np.where(is_round, 0.0, 0.5) + rng.normal(0, 0.1, 300)
        xy, e2 = rng.uniform(0, 511, (2, 300)), rng.normal(0, 0.1, 300)
        catalogs.append(catalog_of(*xy, e1, e2, fill_factor=np.where(is_round, 1.1, 0.9) + rng.normal(0, 0.01, 300)))
    template = fit_template(LabelledSkies(catalogs, np.zeros(30), *np.full((2, 30), np.nan)))
    (shape_bin,) = template.shape_bins(catalog_of(*np.zeros((4, 1)), fill_factor=[1.1]))
    density = np.exp(template.log_p0[shape_bin])
    # Half of all galaxies are flat, and a fifth of every bin follows the overall density: 0.1 against 0.9. The
    # Gaussian of 2 % of the density has a quarter of it above e1 = 0.25.
    assert density[63:].sum() / density.sum() == pytest.approx(0.98 * 0.1 + 0.02 * 0.25, rel=0.1)


def test_partial_galaxies_have_their_own_ellipticities(rng):
    e1, e2 = rng.normal(0, np.repeat([0.3, 0.1], 900), (2, 1800))
    catalog = catalog_of(*rng.uniform(0, 511, (2, 1800)), e1, e2)
    catalog = replace(catalog, flags=np.repeat([0, Flag.BLENDED], 900).astype(np.uint8))
    template = fit_unlensed([catalog])
    np.testing.assert_allclose(template.sigma_e, [0.3, 0.1], rtol=0.1)
    whole, partial = np.exp(template.log_p0[:, 70, 50] - template.log_p0[:, 50, 50])  # 0.4 against 0
    assert partial < 0.5 * whole


@pytest.mark.parametrize("value", [1.0, 1.000004, 1.000006])
def test_equal_galaxies_share_one_shape_bin_and_one_size_bin(rng, value):
    """However their common value is rounded."""
    alike = np.full(900, value)
    template = fit_unlensed([catalog_of(*rng.normal(0, 0.2, (4, 900)), size=alike, fill_factor=alike)])
    assert template.mean_e1.size == 2
    np.testing.assert_array_equal(template.size_fractions, [1.0])


def test_few_partial_galaxies_take_the_density_of_all(rng):
    """With 390 whole galaxies about 0 and 20 partial ones about 0.6, both have 20 of 410 at 0.6."""
    e1 = np.r_[np.zeros(390), np.full(20, 0.6)] + rng.normal(0, 0.05, 410)
    catalog = catalog_of(*rng.uniform(0, 511, (2, 410)), e1, rng.normal(0, 0.05, 410))
    catalog = replace(catalog, flags=np.repeat([0, Flag.BLENDED], [390, 20]).astype(np.uint8))
    for log_p0 in fit_unlensed([catalog]).log_p0:
        density = np.exp(log_p0)
        assert density[65:].sum() / density.sum() == pytest.approx(0.98 * 20 / 410 + 0.02 * 0.2, rel=0.1)


def test_lenses_without_shear_leave_the_default_profile(rng):
    skies = _skies(rng, n=300)
    flat = [lensed_catalog(rng, n=200, gamma=0.0, scatter=0.02) for _ in skies.catalogs]
    template = fit_template(LabelledSkies(flat, skies.labels, skies.lens_rows, skies.lens_columns))
    assert np.isfinite(template.shear_profile).all()
    np.testing.assert_array_equal(template.shear_profile, LensTemplate.default().shear_profile)


def test_hole_about_the_lens_is_fitted(rng):
    template = fit_template(_skies(rng, hole=60.0))
    density = template.size_fractions @ np.exp(template.log_counts)
    assert density[int(30 / NODE_SPACING)] < 0.2
    assert density[int(150 / NODE_SPACING)] == pytest.approx(1.0, abs=0.15)


def test_amplitudes_are_centred_on_the_mean_lens(rng):
    template = fit_template(_skies(rng))
    assert template.weights.sum() == pytest.approx(1)
    assert (template.weights[0] * template.amplitudes).sum() == pytest.approx(1.0, abs=0.15)


def test_mean_amplitude_exponent_is_one(rng):
    """Also where amplitudes are poorly constrained, so that their means scatter less than they do."""
    template = fit_template(_skies(rng))
    is_within = template.bin_radii < template.nodes[-1]
    amplitude_exponent = np.interp(template.bin_radii[is_within], template.nodes, template.amplitude_exponent[0])
    weights = (template.bin_shear[is_within] / template.bin_errors[is_within]) ** 2
    assert np.average(amplitude_exponent, weights=weights) == pytest.approx(1.0, abs=0.02)


def test_planted_amplitude_exponent_is_fitted(rng):
    """Lenses of two amplitudes, whose shear scales as A^2 within 100 px and as A^(1/2) beyond."""
    catalogs, positions = [], rng.uniform(100, 410, (160, 2))
    for k, (x, y) in enumerate(positions):
        amplitude_factor = (0.7, 1.4)[k // 2 % 2]

        def sheared(radius, amplitude_factor=amplitude_factor):
            return _planted(radius) * np.where(radius < 100, amplitude_factor**2, amplitude_factor**0.5)

        catalogs.append(lensed_catalog(rng, n=300, centre=(x, y), gamma=sheared if k % 2 else 0.0, scatter=0.1))
    labels = np.arange(160) % 2.0
    positions[labels == 0] = np.nan
    template = fit_template(LabelledSkies(catalogs, labels, positions[:, 1], positions[:, 0]))
    near, far = np.interp([60.0, 150.0], template.nodes, template.amplitude_exponent[0])
    assert near > 1.3 * far
    strong, weak = (template.shears(np.array([60.0]))[0, k, 0] for k in (-1, 0))
    assert strong / weak == pytest.approx((template.amplitudes[-1] / template.amplitudes[0]) ** near)
    for k, amplitude_factor in ((1, 0.7), (3, 1.4)):
        own = np.mean([lens_evidence(catalog, template).amplitude for catalog in catalogs[k::4]])
        planted = _planted(np.array([60.0, 150.0])) * (amplitude_factor**2, amplitude_factor**0.5)
        found = np.interp([60.0, 150.0], template.nodes, template.shear_profile[0]) * own ** np.array([near, far])
        # 40 lenses with 35 and 150 galaxies of scatter 0.1 in these bins: 0.003.
        np.testing.assert_allclose(found, planted, atol=0.035)


def test_amplitudes_without_lenses_have_the_broad_component_alone(rng):
    """With equal lenses and little scatter, a third and twice the amplitude are found in none."""
    catalogs, positions = [], rng.uniform(100, 410, (300, 2))
    for k, (x, y) in enumerate(positions):
        catalogs.append(lensed_catalog(rng, n=200, centre=(x, y), gamma=_planted if k % 2 else 0.0, scatter=0.05))
    labels = np.arange(300) % 2.0
    positions[labels == 0] = np.nan
    template = fit_template(LabelledSkies(catalogs, labels, positions[:, 1], positions[:, 0]))
    broad = BROAD_FRACTION / template.amplitudes.size
    assert template.weights[0, [0, -1]] == pytest.approx(broad, abs=0.01)
    assert template.weights.max() > 4 * broad
    assert template.weights.sum() == pytest.approx(1)


def test_amplitudes_match_the_naive_likelihood(rng):
    """With galaxies of both shape bins; the last lens has no galaxies."""
    template = replace(two_shape_bins(), weights=np.full((1, 8), 1 / 8))
    lenses = [with_two_shape_bins(lensed_catalog(rng, n=30, gamma=gamma)) for gamma in (0.1, 0.3)]
    lenses.append(catalog_of([], [], [], []))
    lensed = LensedGalaxies.of(LabelledSkies(lenses, np.ones(3), np.full(3, 200.0), np.full(3, 300.0)), template)
    found, log_amplitude = _fit_amplitudes(template, lensed, 3)
    log_shear = np.array(
        [naive.lens_likelihood(c, template.shape_bins(c), template, NODE_SPACING, 200.0, 300.0)[0] for c in lenses]
    )
    share = np.exp(log_shear - log_shear.max(axis=1, keepdims=True)) * found.weights[0]
    share /= share.sum(axis=1, keepdims=True)
    weights = share.sum(axis=0) + AMPLITUDE_PSEUDOCOUNT
    np.testing.assert_allclose(found.weights[0], weights / weights.sum(), rtol=1e-3)
    np.testing.assert_allclose(log_amplitude, share @ np.log(template.amplitudes), atol=1e-3)


@pytest.mark.parametrize(("shear", "kept"), [(3.0, 0.95), (-3.0, -0.95), (-0.3, -0.3)])
def test_fitted_shear_is_clipped_at_the_maximum(rng, shear, kept):
    template, catalog = two_shape_bins(), with_two_shape_bins(lensed_catalog(rng, n=30, gamma=0.3))
    lensed = LensedGalaxies.of(LabelledSkies([catalog], np.ones(1), np.array([200.0]), np.array([300.0])), template)
    tangential = -kept * np.exp(2j * np.arctan2(catalog.y - 200, catalog.x - 300))
    galaxies = zip(template.shape_bins(catalog), catalog.e1 + 1j * catalog.e2, tangential, strict=True)
    expected = [naive.log_ratio(template.log_p0, shape_bin, e, g) for shape_bin, e, g in galaxies]
    np.testing.assert_allclose(lensed.log_ratios(template, np.full(30, shear)), expected, atol=1e-6)


def test_lenses_of_unknown_position_are_located(rng):
    skies, steps = _skies(rng), []
    unknown = np.full(len(skies.labels), np.nan)
    template = fit_template(
        LabelledSkies(skies.catalogs, skies.labels, unknown, unknown),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(k, N_ROUNDS * 61) for k in range(1, N_ROUNDS * 61 + 1)]
    assert "60 lenses located" in template.source
    for radius in (80.0, 120.0):
        assert _shear_at(template, radius) == pytest.approx(_planted(radius), abs=0.05)


def test_without_any_shear_the_default_profile_stays_and_is_named(rng, monkeypatch):
    monkeypatch.setattr("darkmatter_features.lens.fit.MIN_PROFILE_SHEAR", 1.0)
    template = fit_template(_skies(rng))
    np.testing.assert_array_equal(template.shear_profile, LensTemplate.default().shear_profile)
    assert template.source.endswith("; default profile, amplitudes and counts of 60 lenses of known position")


def test_without_labels_the_default_profile_stays(rng):
    skies = _skies(rng, n=30)
    unknown = np.full(30, np.nan)
    template = fit_template(LabelledSkies(skies.catalogs, unknown, unknown, unknown))
    np.testing.assert_array_equal(template.shear_profile, LensTemplate.default().shear_profile)
    assert template.source.endswith("default profile")
    assert template.mean_e1.mean() == pytest.approx(0.05, abs=0.02)


def test_few_galaxies_give_the_default_with_their_mean(rng):
    catalog = lensed_catalog(rng, n=20, bias=0.1)
    skies = LabelledSkies([catalog], np.array([0.0]), np.array([np.nan]), np.array([np.nan]))
    assert fit_template(skies) == LensTemplate.default(mean_e1=catalog.e1.mean(), mean_e2=catalog.e2.mean())


def test_lensed_skies_alone_give_the_bias(rng):
    skies = _skies(rng)
    template = fit_template(skies.chosen(skies.labels == 1))
    assert template.mean_e1.mean() == pytest.approx(0.05, abs=0.02)
