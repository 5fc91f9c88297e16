"""The PSF of drawn stars is recovered, whatever stands beside them."""

import numpy as np
import pytest

pytest.importorskip("galsim")

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.adaptive_moments import adaptive_moments
from darkmatter_features.galaxies.noisy.psf.fit import psf_from_stars
from darkmatter_features.galaxies.noisy.psf.star_regression import MAX_WEIGHT, chosen_degree, reserved, star_weights
from darkmatter_features.galaxies.noisy.psf.wings import without_wing_noise
from tests.galaxies.noisy.fields import NOISE, aberrated, add, constant, drawn, moffat, star_field


def fitted(field, **options):
    return psf_from_stars(field.light, NOISE, options.pop("is_bad", None), field.x, field.y, field.flux, **options)


def errors(fit, field, n=5):
    """Return the deviations of the model from the truth on a grid in the image: |e|, and the relative width."""
    side = field.light.shape[0]
    x, y = (each.ravel() for each in np.meshgrid(*2 * [np.linspace(0.1, 0.9, n) * side]))
    true, found = field.truth(x, y), fit.model.moments(x, y)
    return np.hypot(found.e1 - true.e1, found.e2 - true.e2), found.sigma / true.sigma - 1.0


@pytest.fixture(scope="module")
def varying():
    return star_field(np.random.default_rng(3), moffat, 60, 100)


@pytest.fixture(scope="module")
def few():
    return star_field(np.random.default_rng(4), constant, 11, 30, side=500)


@pytest.mark.parametrize("psf", [moffat, aberrated])
def test_varying_psf_is_recovered(psf):
    """Sixty stars of S/N 50 to 1000 among galaxies; the ellipticity differs by 0.05 across the image."""
    field = star_field(np.random.default_rng(5), psf, 60, 100)
    fit = fitted(field)
    de, dsigma = errors(fit, field)
    assert fit.degree >= 1
    assert np.sqrt((de**2).mean()) < 0.003
    assert abs(dsigma.mean()) < 0.005
    assert abs(dsigma).max() < 0.01


def test_constant_psf_is_recovered_from_eleven_stars(few):
    fit = fitted(few)
    de, dsigma = errors(fit, few, n=1)
    assert fit.degree == 0
    assert fit.model.is_constant
    assert de[0] < 0.005
    assert abs(dsigma[0]) < 0.01


def test_constant_psf_has_degree_0_with_many_stars():
    field = star_field(np.random.default_rng(6), constant, 60, 100)
    fit = fitted(field)
    de, dsigma = errors(fit, field, n=3)
    assert de.max() < 0.003
    assert abs(dsigma).max() < 0.005


def test_model_has_the_whole_profile(varying):
    """The stamps agree with the true ones pixel by pixel, wings included."""
    fit = fitted(varying)
    half = fit.model.side // 2
    true = drawn(varying.at(400.0, 900.0), 0, 0, side=2 * half + 1)
    stamp = fit.model.stamp(400.0, 900.0)
    assert abs(stamp - true / true.sum()).max() < 0.02 * true.max()
    radius = np.hypot(*(np.indices(true.shape) - half))
    far = (radius > 4 * 1.67) & (radius < half)
    assert stamp[far].sum() == pytest.approx(true[far].sum() / true.sum(), rel=0.25)


def test_one_star_in_five_is_reserved_and_not_fitted(varying):
    fit = fitted(varying)
    stars = fit.stars
    assert stars.is_reserved.sum() == 12
    assert not (stars.is_reserved & stars.is_used).any()
    assert stars.is_used.sum() >= 40
    de1, de2, dsigma = (each[stars.is_test & (stars.snr > 200)] for each in stars.residual)
    assert np.hypot(de1, de2).mean() < 0.01
    assert abs(dsigma).mean() < 0.01


def test_summary_is_one_line(varying):
    assert "\n" not in fitted(varying).summary
    assert fitted(varying).summary.startswith("PSF from ")


def test_summary_warns_of_an_undersampled_psf():
    field = star_field(np.random.default_rng(7), lambda u, v: moffat(0, 0).dilate(0.55), 15, 0, side=500)
    assert "undersampled" in fitted(field).summary


def test_measured_positions_and_snr_are_those_of_the_stars(varying):
    stars = fitted(varying).stars
    good = ~stars.is_outlier
    offset = np.hypot(stars.x - varying.x, stars.y - varying.y)
    assert (offset * varying.snr / 1.67)[good].max() < 6.0
    np.testing.assert_allclose(stars.snr[good], varying.snr[good], rtol=0.1)


def test_galaxies_and_pairs_among_the_stars_are_left_out(varying):
    """Two stars are replaced by pairs 3 px apart, two by large galaxies."""
    light = varying.light.copy()
    bright = np.argsort(-varying.snr)[5:9]
    for k, index in enumerate(bright):
        x, y = varying.x[index], varying.y[index]
        column, row = round(x), round(y)
        if k < 2:
            add(light, drawn(0.7 * varying.flux[index] * varying.at(x, y), x - column + 3.0, y - row), column, row)
        else:
            profile = varying.flux[index] * varying.at(x, y).dilate(1.5)
            add(light, drawn(profile, x - column, y - row), column, row)
    fit = psf_from_stars(light, NOISE, None, varying.x, varying.y, varying.flux)
    assert fit.stars.is_outlier[bright].all()
    de, dsigma = errors(fit, varying)
    assert np.sqrt((de**2).mean()) < 0.003
    assert abs(dsigma.mean()) < 0.005


def test_neighbours_do_not_change_the_psf(few):
    """Each star gets a neighbour of a fifth of its flux, 8 px away in another direction."""
    light = few.light.copy()
    for k, (x, y, flux) in enumerate(zip(few.x, few.y, few.flux)):
        z = x + 1j * y + 8.0 * np.exp(2j * np.pi * k / 11)
        column, row = round(z.real), round(z.imag)
        add(light, drawn(0.2 * flux * few.at(x, y), z.real - column, z.imag - row), column, row)
    alone, beside = (psf_from_stars(each, NOISE, None, few.x, few.y, few.flux).model for each in (few.light, light))
    assert np.hypot(*np.subtract(alone.ellipticity(0, 0), beside.ellipticity(0, 0))) < 0.003
    assert beside.sigma(0, 0) == pytest.approx(alone.sigma(0, 0), rel=0.005)


def test_bad_pixels_are_replaced(few, rng):
    light, is_bad = few.light.copy(), rng.random(few.light.shape) < 0.01
    light[is_bad] = 1e6
    light[:, 100] = np.nan
    clean, masked = fitted(few).model, psf_from_stars(light, NOISE, is_bad, few.x, few.y, few.flux).model
    assert np.hypot(*np.subtract(clean.ellipticity(0, 0), masked.ellipticity(0, 0))) < 0.003
    assert masked.sigma(0, 0) == pytest.approx(clean.sigma(0, 0), rel=0.005)


def test_noise_may_be_a_map(few):
    level = np.full(few.light.shape, NOISE)
    mapped = psf_from_stars(few.light, level, None, few.x, few.y, few.flux)
    np.testing.assert_array_equal(mapped.model.coefficients, fitted(few).model.coefficients)


def test_stars_at_the_border_are_used():
    field = star_field(np.random.default_rng(8), constant, 11, 0, side=500)
    field.x[:3], field.y[3:5] = [4.0, 495.0, 5.0], [4.0, 496.0]
    for k in range(5):
        column, row = round(field.x[k]), round(field.y[k])
        own = drawn(field.flux[k] * field.at(250, 250), field.x[k] - column, field.y[k] - row)
        add(field.light, own, column, row)
    fit = fitted(field)
    assert not fit.stars.is_outlier[:5].any()
    assert errors(fit, field, n=1)[0][0] < 0.005


@pytest.mark.parametrize("n", [0, 2])
def test_too_few_stars_are_an_error(few, n):
    with pytest.raises(SkyError, match=f"needs at least 3 stars, got {n}"):
        psf_from_stars(few.light, NOISE, None, few.x[:n], few.y[:n], few.flux[:n])


def test_degree_that_the_stars_do_not_determine_is_an_error(few):
    with pytest.raises(SkyError, match=r"of 11 stars can be measured, a PSF of degree 3 needs 10"):
        fitted(few, degree=3)


def test_positions_without_stars_are_an_error(rng):
    light = rng.normal(0, NOISE, (200, 200))
    x, y = rng.uniform(20, 180, (2, 8))
    with pytest.raises(SkyError, match="of 8 stars can be measured"):
        psf_from_stars(light - 5 * NOISE, NOISE, None, x, y, np.ones(8))


def test_bright_star_does_not_rule():
    weights = star_weights(np.array([30.0] * 10 + [1e5]))
    assert weights[-1] == pytest.approx(MAX_WEIGHT * weights[0])


def test_degree_follows_the_number_of_stars_and_their_shapes(rng):
    for n, most in ((11, 0), (29, 1), (60, 2)):
        u, v = rng.uniform(-1, 1, (2, n))
        noise, snr = rng.normal(0, 1e-3, (n, 3)), np.full(n, 1000.0)
        curved = np.stack([0.05 * u**2, 0.03 * v, 0.02 * u * v], axis=1)
        assert chosen_degree(curved + noise, u, v, snr) == most
        assert chosen_degree(noise, u, v, snr) <= 1
    u, v = np.full((2, 60), 0.3) + rng.normal(0, 1e-3, (2, 60))
    assert chosen_degree(rng.normal(0, 1e-3, (60, 3)), u, v, np.full(60, 1e3)) == 0


def test_reserved_stars_have_all_brightnesses(rng):
    snr = rng.uniform(20, 1000, 50)
    chosen = reserved(snr, np.ones(50, dtype=bool), 5)
    assert chosen.sum() == 10
    assert snr[chosen].mean() == pytest.approx(snr.mean(), rel=0.1)


def test_noise_of_the_wings_is_suppressed(rng):
    """The error of the outer pixels falls several times; what is significant stays."""
    true = drawn(aberrated(0.5, 0.5), 0, 0, side=31)
    noisy = true + rng.normal(0, 3e-4, true.shape)
    cleaned = without_wing_noise(noisy[np.newaxis], np.array([3e-4]))[0]
    radius = np.hypot(*(np.indices(true.shape) - 15))
    outer = radius > 6
    assert (cleaned - true)[outer].std() < 0.35 * (noisy - true)[outer].std()
    np.testing.assert_array_equal(cleaned[radius < 3], noisy[radius < 3])
    exact = without_wing_noise(true[np.newaxis], np.array([1e-9]))[0]
    assert abs(exact - true).max() < 2e-3 * true.max()
    assert adaptive_moments(exact[np.newaxis]).e1[0] == pytest.approx(
        adaptive_moments(true[np.newaxis]).e1[0], abs=1e-4
    )
