"""Sums on a mesh agree with sums galaxy by galaxy, and are used for large fields only."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.location.bayes_factor import BAYES_FACTOR_CELLS
from darkmatter_features.location.field import field_of
from darkmatter_features.location.locate import POSTERIOR_CELLS, locate, p_value
from darkmatter_features.location.mesh_sums import MIN_NEAR_RADIUS, near_profiles, smoothed
from darkmatter_features.location.profile_sums import cheap_mesh, filter_sums, log_likelihood_ratios
from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.numerics.mesh import mesh_over
from tests.support import naive_locate
from tests.support.located import SIDE, THETA_E, catalog_of, force_method, galaxies


def test_noise_has_unit_variance_for_any_weights(rng):
    """Half of the galaxies scatter three times as much, and have a quarter of the weight: 400 skies give it to 3 %."""
    n, scatter = 200, np.repeat([0.1, 0.3], 100)
    z = rng.uniform(0, SIDE, n) + 1j * rng.uniform(0, SIDE, n)
    e = scatter * np.sqrt(2) * np.exp(2j * np.pi * rng.random(n))
    field = field_of(catalog_of(z, e, weight=np.repeat([4.0, 1.0], 100)), subtract_mean=False)
    rotated = e[:, None] * np.exp(2j * np.pi * rng.random((n, 400)))
    skies = rotated.real.copy(), rotated.imag.copy()
    filter_response, filter_norm = filter_sums(field, default_profiles(), *field.grid(2), *skies)
    assert (filter_response / np.sqrt(filter_norm)[:, None]).std() == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize(("n", "n_cells"), [(1000, POSTERIOR_CELLS), (4000, BAYES_FACTOR_CELLS)])
def test_sums_on_a_mesh_are_those_over_galaxies(rng, monkeypatch, n, n_cells):
    """They agree to 0.01 in S/N for every profile, tangential and cross."""
    field = field_of(galaxies(rng, theta_e=THETA_E, n=n), subtract_mean=False)
    sums = []
    for mesh in (False, True):
        force_method(monkeypatch, mesh=mesh)
        sums.append(filter_sums(field, default_profiles(), *field.grid(n_cells), *field.with_cross()))
    assert_allclose(sums[1][1], sums[0][1], rtol=2e-3)
    direct, meshed = (filter_response / np.sqrt(filter_norm)[:, None] for filter_response, filter_norm in sums)
    assert not np.array_equal(direct, meshed)
    assert_allclose(meshed, direct, atol=0.01)


def test_near_parts_of_profiles_are_what_the_mesh_lacks():
    """Between their nodes too, where nearness is curved."""
    columns = np.linspace(0.0, 1.0, 200)
    mesh = mesh_over(columns, columns, columns, columns, min_near_radius=MIN_NEAR_RADIUS)
    profiles = default_profiles()
    smooth = smoothed(mesh, profiles)
    near = near_profiles(mesh, profiles, smooth)
    radius = np.linspace(0.0, mesh.near.radius, 999)
    own = naive_locate.shear_at(near.shear, near.spacing, radius)
    g = naive_locate.shear_at(profiles.shear, profiles.spacing, radius)
    meshed = naive_locate.shear_at(smooth.shear, smooth.spacing, radius)
    u = 0.5 * (radius / mesh.near.width) ** 2
    expected = np.concatenate([g, g**2], axis=1) - (1.0 - (1.0 + u) * np.exp(-u))[:, None] * meshed
    largest = np.abs(expected).max(axis=0)
    assert_allclose(own / largest, expected / largest, atol=1e-4)


def test_a_lens_is_located_on_a_mesh_as_galaxy_by_galaxy(rng, monkeypatch):
    """The likelihood about the peak is exact in both methods, also where shear is strong."""
    catalog = galaxies(rng, theta_e=0.27 * THETA_E, n=4000)
    found = []
    for mesh in (False, True):
        force_method(monkeypatch, mesh=mesh)
        found.append(locate(catalog))
    direct, meshed = found
    assert_allclose((meshed.x, meshed.y), (direct.x, direct.y), atol=0.01 * direct.position_error)
    assert meshed.position_error == pytest.approx(direct.position_error, rel=0.01)
    assert_allclose(meshed.posterior, direct.posterior, atol=0.02 * direct.posterior.max())
    assert (meshed.snr, meshed.snr_cross) == pytest.approx((direct.snr, direct.snr_cross), abs=0.01)
    assert meshed.log_bayes_factor == pytest.approx(direct.log_bayes_factor, abs=0.05)
    assert (meshed.profile, direct.snr > 6) == (direct.profile, True)


def test_likelihood_on_a_mesh_is_that_of_galaxies(rng, monkeypatch):
    """Amplitudes reach twice the largest prior one; for those that contribute, the agreement is better still."""
    field = field_of(galaxies(rng, theta_e=0.16 * THETA_E, n=12_000), subtract_mean=False)
    cells = rng.choice(POSTERIOR_CELLS**2, 300, replace=False)
    amplitudes = np.tile(np.geomspace(0.005, 0.1, 4), (8, 1))
    likelihoods = []
    for mesh in (False, True):
        force_method(monkeypatch, mesh=mesh)
        likelihoods.append(
            log_likelihood_ratios(field, default_profiles(), amplitudes, *field.grid(POSTERIOR_CELLS), cells)
        )
    assert np.ptp(likelihoods[0]) > 50
    assert not np.array_equal(*likelihoods)
    assert_allclose(likelihoods[1], likelihoods[0], atol=0.1)


def test_randomized_skies_on_a_mesh_give_the_same_p_value(rng, monkeypatch):
    catalog = galaxies(rng, n=400)
    p = []
    for mesh in (False, True):
        force_method(monkeypatch, mesh=mesh)
        p.append(p_value(catalog, n_randomizations=60, rng=np.random.default_rng(8)))
    assert p[0] == p[1]
    assert 1 / 61 < p[0] < 1


def test_sums_of_many_skies_are_those_of_each(rng, monkeypatch):
    """To single precision; with any number of threads, a few skies have the same sums to the last bit."""
    force_method(monkeypatch, mesh=True)
    field = field_of(galaxies(rng, n=500), subtract_mean=False)
    e1, e2 = rng.normal(0, 0.2, (2, 500, 10))
    grid = field.grid(BAYES_FACTOR_CELLS)
    response, norm = filter_sums(field, default_profiles(), *grid, e1, e2)
    for n_threads in (1, 2):
        few, few_norm = filter_sums(field, default_profiles(), *grid, e1[:, 7:9], e2[:, 7:9], n_threads=n_threads)
        assert_allclose(few, response[:, 7:9], rtol=1e-5, atol=2e-6 * np.abs(response).max())
        assert few_norm.tobytes() == norm.tobytes()
    assert few.tobytes() == filter_sums(field, default_profiles(), *grid, e1[:, 7:9], e2[:, 7:9])[0].tobytes()


def test_a_mesh_is_used_for_many_galaxies_only(rng):
    def is_on_mesh(n, n_cells, n_skies):
        field = field_of(galaxies(rng, n=n), subtract_mean=False)
        return cheap_mesh(field, default_profiles(), *field.grid(n_cells), n_skies=n_skies) is not None

    fine, coarse = POSTERIOR_CELLS, BAYES_FACTOR_CELLS
    cases = (700, fine, 2), (5000, coarse, 1), (1500, fine, 2), (20_000, coarse, 1), (15_000, coarse, 200)
    assert [is_on_mesh(*case) for case in cases] == [False] * 2 + [True] * 3
