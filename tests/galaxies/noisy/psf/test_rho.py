"""The rho statistics agree with TreeCorr's correlation functions."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.psf.result import StarTable
from darkmatter_features.galaxies.noisy.psf.rho import rho_statistics


def table(rng, n=120, *, residual=0.02):
    """Return stars, two of three reserved, with residuals of a common sign at short distances."""
    x, y = rng.uniform(0, 2000, (2, n))
    e1, e2 = 0.05 * np.cos(x / 400), 0.04 * np.sin(y / 300)
    sigma = 1.6 + 0.05 * np.sin(x / 200)
    models = e1 - residual * np.cos(y / 200), e2 + rng.normal(0, residual, n), sigma * (1 + residual * np.cos(x / 150))
    reserved, outlier = np.arange(n) % 3 > 0, np.arange(n) % 10 == 9
    return StarTable(x, y, np.ones(n), np.full(n, 100.0), reserved, outlier, e1, e2, sigma, *models)


def test_rho_statistics_agree_with_treecorr(rng):
    treecorr = pytest.importorskip("treecorr")
    stars = table(rng)
    found = rho_statistics(stars, np.geomspace(20.0, 1500.0, 8))
    own = stars.is_test
    e, t = (stars.e1 + 1j * stars.e2)[own], (1 - stars.model_sigma**2 / stars.sigma**2)[own]
    fields = {"e": e, "de": e - (stars.model_e1 + 1j * stars.model_e2)[own], "et": e * t}
    catalogs = {
        name: treecorr.Catalog(x=stars.x[own], y=stars.y[own], g1=each.real, g2=each.imag)
        for name, each in fields.items()
    }
    pairs = (("de", "de"), ("e", "de"), ("et", "et"), ("de", "et"), ("e", "et"))
    for rho, (a, b) in zip(found.rho, pairs):
        expected = treecorr.GGCorrelation(min_sep=20.0, max_sep=1500.0, nbins=7, bin_slop=0.0, num_threads=1)
        expected.process(catalogs[a], catalogs[b])
        np.testing.assert_allclose(rho, expected.xip, rtol=1e-6)
        np.testing.assert_allclose(found.distance, expected.meanr, rtol=1e-9)


def test_exact_model_has_no_correlations(rng):
    stars = table(rng, residual=0.0)
    exact = StarTable(*(getattr(stars, name) for name in list(StarTable.__dataclass_fields__)[:9]), *(
        stars.e1, stars.e2, stars.sigma
    ))  # fmt: skip
    np.testing.assert_allclose(rho_statistics(exact).rho, 0.0, atol=1e-18)


def test_images_are_averaged_by_their_pairs(rng):
    one, two = table(rng), table(rng, n=60)
    edges = np.geomspace(20.0, 1500.0, 5)
    both, alone = rho_statistics([one, two], edges), [rho_statistics(each, edges) for each in (one, two)]
    n = np.array([each.n_pairs for each in alone])
    np.testing.assert_array_equal(both.n_pairs, n.sum(axis=0))
    mean = sum(k * np.nan_to_num(each.rho) for k, each in zip(n, alone)) / n.sum(axis=0)
    np.testing.assert_allclose(both.rho, mean)


def test_bins_hold_all_pairs_by_default(rng):
    stars = table(rng)
    n = stars.is_test.sum()
    assert rho_statistics(stars).n_pairs.sum() == n * (n - 1) // 2


def test_too_few_stars_have_no_pairs(rng):
    found = rho_statistics(table(rng, n=2))
    assert found.n_pairs.sum() == 0
    assert np.isnan(found.rho).all()
