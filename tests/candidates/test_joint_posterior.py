"""The joint posterior: exact against a sum over all pairs of cells, errors that cover, cost, and assigned positions."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

import darkmatter_features.candidates.chains as chains_module
from darkmatter_features.candidates.averages import averaged
from darkmatter_features.candidates.chains import Chains, Tile, drawn, evidence, log_mean_exp
from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.candidates.joint_fit import Halo, shear_pattern
from darkmatter_features.candidates.joint_location import unlensed
from darkmatter_features.candidates.joint_positions import joint_positions, mean_shears
from darkmatter_features.candidates.joint_posterior import (
    MAX_UPDATES,
    JointSamples,
    n_sweeps_of,
    sample_jointly,
)
from darkmatter_features.location.field import field_of
from darkmatter_features.location.profiles import ShearProfiles, default_profiles
from tests.support.located import SIDE, catalog_of, galaxies

ONE = ShearProfiles(("isothermal", "NFW"), default_profiles().shear[:, [2, 6]].copy())


def planted(seed, n_halos, *, n=400, low=0.05, high=0.2):
    """Return a catalogue with halos of default profiles at random, and their positions."""
    rng = np.random.default_rng(seed)
    field_galaxies = galaxies(rng, n=n)
    field = field_of(field_galaxies, subtract_mean=False)
    places, e = [], field.e1 + 1j * field.e2
    for _ in range(n_halos):
        halo = Halo(rng.uniform(0.02, 0.98), rng.uniform(0.02, 0.98), int(rng.integers(8)))
        e = e + rng.uniform(low, high) * shear_pattern(field, default_profiles(), halo)
        places.append((field.corner[0] + field.side * halo.x, field.corner[1] + field.side * halo.y))
    return replace(field_galaxies, e1=e.real.copy(), e2=e.imag.copy()), np.array(places)


def test_samples_of_two_halos_have_the_posterior_summed_over_all_pairs_of_cells(monkeypatch):
    """On 6 x 6 coarse cells of 1 fine cell each, all pairs of cells, profiles and amplitudes can be summed."""
    monkeypatch.setattr(chains_module, "COARSE_CELLS", 6)
    monkeypatch.setattr(chains_module, "FINE_PER_COARSE", 1)
    catalog, _ = planted(3, 2, n=60, low=0.1, high=0.1)
    field = field_of(catalog, subtract_mean=False)
    chains = Chains(field, ONE, [Halo(0.2, 0.2, 0), Halo(0.8, 0.8, 0)], 50, np.random.default_rng(0))
    n, count = 36, np.zeros(36)
    for sweep in range(40):
        for k in range(2):
            chains.update(k, 1.0)
        if sweep >= 10:
            cells = [chains._cell(j, k) for j in range(50) for k in range(2)]
            count += np.bincount(cells, minlength=n)
    columns, rows = field.grid(6)
    states = [
        chains._amplitudes[p, a] * shear_pattern(field, ONE, Halo(columns[c % 6], rows[c // 6], p))
        for c in range(n) for p in range(2) for a in range(chains._amplitudes.shape[1])
    ]  # fmt: skip
    patterns = np.array(states)
    weighted = patterns.conj() * field.weight / field.variance
    response, overlap = (weighted @ (field.e1 + 1j * field.e2)).real, (weighted @ patterns.T).real
    single = response - 0.5 * np.diag(overlap)
    pairs = single[:, None] + single[None, :] - overlap
    pairs = logsumexp(pairs.reshape(n, -1, n, patterns.shape[0] // n), axis=(1, 3))
    np.fill_diagonal(pairs, -np.inf)  # one cell is nearer than the least separation
    expected = np.exp(logsumexp(pairs, axis=1) - logsumexp(pairs))
    assert_allclose(count / count.sum(), expected, atol=0.03)
    assert np.abs(count / count.sum() - expected).sum() < 0.12


@pytest.mark.parametrize("n_halos", [2, 3])
def test_two_thirds_of_the_truths_lie_within_the_position_error(n_halos):
    """Of 12 halos."""
    within: list[bool] = []
    for seed in range(12 // n_halos):
        catalog, truth = planted(100 + seed, n_halos, n=100)
        found = find_candidates(catalog, threshold=0.0, most=n_halos)
        within += [np.hypot(*(truth - (each.x, each.y)).T).min() < each.position_error for each in found]
    assert np.mean(within) > 0.5


def test_halos_of_a_sample_keep_their_distance():
    catalog, _ = planted(5, 1, low=0.3, high=0.3)
    field = field_of(catalog, subtract_mean=False)
    samples = sample_jointly(
        field, default_profiles(), [Halo(0.3, 0.3, 1), Halo(0.7, 0.7, 1)], np.random.default_rng(1)
    )
    apart = np.hypot(samples.x[:, 0] - samples.x[:, 1], samples.y[:, 0] - samples.y[:, 1])
    assert apart.min() >= 0.05 - 1e-12


def test_samples_are_assigned_to_positions_whatever_their_order():
    rng = np.random.default_rng(2)
    centres = np.array([0.2 + 0.3j, 0.7 + 0.8j, 0.3 + 0.9j])
    places = centres + 0.01 * (rng.normal(size=(90, 3)) + 1j * rng.normal(size=(90, 3)))
    order = rng.permuted(np.tile(np.arange(3), (90, 1)), axis=1)
    mixed = np.take_along_axis(places, order, axis=1)
    evidences = np.take_along_axis(np.tile([10.0, 20.0, 30.0], (90, 1)), order, axis=1)
    samples = JointSamples(mixed.real, mixed.imag, order, np.ones((90, 3)), evidences)
    found = joint_positions(samples, [Halo(0.25, 0.3, 0), Halo(0.3, 0.8, 0), Halo(0.7, 0.7, 0)], 1e-6)
    which = np.abs(found.x + 1j * found.y - centres[:, None]).argmin(axis=0)
    assert_allclose(found.x + 1j * found.y, centres[which], atol=0.005)
    assert_allclose(found.error, 0.01 * np.sqrt(2), rtol=0.2)
    assert_allclose(found.log_bayes_factor, np.array([10.0, 20.0, 30.0])[which])
    assert (found.samples.profile == which).all()


def test_mean_shears_are_those_of_all_samples():
    catalog, _ = planted(1, 1, n=50)
    field = field_of(catalog, subtract_mean=False)
    x, profile, amplitude = np.array([[0.2], [0.2], [0.6]]), np.array([[1], [1], [3]]), np.array([[0.1], [0.3], [0.2]])
    samples = JointSamples(x, x, profile, amplitude, x)
    expected = np.mean(
        [a * shear_pattern(field, default_profiles(), Halo(at, at, p)) for at, p, a in
         zip(x.ravel(), profile.ravel(), amplitude.ravel(), strict=True)], axis=0,
    )  # fmt: skip
    assert_allclose(mean_shears(field, default_profiles(), samples)[0], expected)


def test_many_galaxies_are_averaged_with_their_weights():
    rng = np.random.default_rng(4)
    catalog = galaxies(rng, n=30_000)
    field = field_of(replace(catalog, weight=rng.random(30_000)), subtract_mean=False)
    means = averaged(field)
    assert means.x.size <= 1600
    assert_allclose(means.weight.sum(), field.weight.sum())
    for name in ("x", "y", "e1", "e2"):
        assert_allclose(means.weight @ getattr(means, name), field.weight @ getattr(field, name))
    assert averaged(field_of(galaxies(rng, n=900), subtract_mean=False)).x.size == 900


@pytest.mark.parametrize("n_halos", [2, 3, 8, 20, 100])
def test_the_number_of_draws_is_bounded(n_halos):
    n_burn_in, n_sweeps = n_sweeps_of(n_halos)
    assert n_burn_in >= 1
    assert n_sweeps >= 2
    assert n_halos * (n_burn_in + n_sweeps) <= max(MAX_UPDATES, 4 * n_halos)


def test_the_variance_without_the_lenses_is_that_of_the_shapes():
    catalog, places = planted(8, 1, n=2000, low=0.4, high=0.4)
    field = field_of(catalog, subtract_mean=False)
    x, y = ((at - low) / field.side for at, low in zip(places[0], field.corner, strict=True))
    blank = field_of(galaxies(np.random.default_rng(8), n=2000), subtract_mean=False)
    halos = [Halo(x, y, p) for p in range(8)]
    best = min(unlensed(field, default_profiles(), [halo]).variance for halo in halos)
    assert field.variance > 1.1 * blank.variance
    assert_allclose(best, blank.variance, rtol=0.03)


def test_an_index_is_drawn_by_its_weight_and_means_of_exponentials_do_not_overflow():
    rng = np.random.default_rng(0)
    log_weight = np.array([-np.inf, 1000.0 + np.log(3.0), 1000.0])
    count = np.bincount([drawn(log_weight, rng) for _ in range(4000)], minlength=3)
    assert_allclose(count / 4000, [0.0, 0.75, 0.25], atol=0.03)
    assert_allclose(log_mean_exp(np.array([1000.0, 1000.0 + np.log(3.0)])), 1000.0 + np.log(2.0))
    assert log_mean_exp(np.full(3, -np.inf)) == -np.inf
    tile = Tile(np.zeros(1), np.zeros(1), np.full((1, 1, 2), np.log(5.0)))
    assert_allclose(evidence(np.zeros(4), {2: tile}), np.log(2.0))


def test_three_halos_are_found_in_a_field_of_uneven_sides():
    z = np.random.default_rng(0).random(600) * 3 * SIDE + 1j * np.random.default_rng(1).random(600) * SIDE / 3
    e = 0.2 * np.random.default_rng(2).normal(size=(600, 2)) @ [1, 1j]
    for place in (2000 + 600j, 6000 + 300j, 10_500 + 1000j):
        away = z - place
        e -= 150.0 / np.maximum(np.abs(away), 200.0) * np.exp(2j * np.angle(away))
    found = find_candidates(catalog_of(z, e), threshold=0.0, most=3)
    assert_allclose(sorted(each.x for each in found), [2000, 6000, 10_500], atol=300)
