"""The oracle: its likelihood against plain sums, and its Bayes factors against simulated catalogues."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from oracle import likelihood, tables

from darkmatter_features.errors import DatasetError
from darkmatter_features.simulation import lensing, seed, simulate_dataset
from darkmatter_features.simulation.conditions import Spread
from darkmatter_features.simulation.population import lensed


@pytest.fixture(scope="module")
def model():
    return tables.oracle_model(n_halos=8)


def thin_catalogues(n, fraction, rng):
    """Return catalogues, every other one with a lens, with a fraction of their galaxies, and the labels."""
    labels = np.arange(n) % 2
    skies = []
    for label in labels:
        sky = tables.smeared(tables.draw_catalogue(rng, lensed=bool(label)), rng)
        keep = rng.random(len(sky["x"])) < fraction
        kept = {name: sky[name][keep] for name in ("x", "y", "e1", "e2")}
        skies.append(sky | kept | {"density": fraction * sky["density"]})
    return skies, labels


def random_sky(rng, n, low=0, high=511, e_max=0.4):
    """Return a catalogue of n galaxies, evenly distributed in position and ellipticity."""
    sky = {name: rng.uniform(low, high, n) for name in "xy"} | {
        name: rng.uniform(-e_max, e_max, n) for name in ("e1", "e2")
    }
    return sky | {"density": 150.0, "elongation": 0.98, "alignment": 0.9}


def density_at(table, e):
    u, v = e.real / tables.E_STEP + tables.E_HALF, e.imag / tables.E_STEP + tables.E_HALF
    i, j = math.floor(u), math.floor(v)
    corners = [(j, i, (1 - v + j) * (1 - u + i)), (j, i + 1, (1 - v + j) * (u - i))]
    corners += [(j + 1, i, (v - j) * (1 - u + i)), (j + 1, i + 1, (v - j) * (u - i))]
    return sum(table[row, column] * weight for row, column, weight in corners)


@cache
def source_counts():
    return tables._source_counts(tables.N_SIZES)


def naive_log_factor(p0, lens, dx, dy, e):
    """Return the log of the factor of one galaxy, its shear from the stretches, its density from the lens equation."""
    r, phi = math.hypot(dx, dy), math.atan2(dy, dx)
    radii = np.array([r - 1e-4, r + 1e-4])
    beta = radii * (1 - lens.mean_convergence(radii))
    if beta[0] < 0:
        return -math.inf
    total = 0.0
    for rho, log_luminosity, brighter in source_counts():
        tangential, radial = (float(s[0]) for s in lensing.stretches(lens, np.array([r]), np.array([rho])))
        number = np.diff(beta**2)[0] / np.diff(radii**2)[0]
        number *= np.interp(-math.log(tangential * radial), log_luminosity, brighter)
        g = (radial - tangential) / (radial + tangential) * complex(math.cos(2 * phi), math.sin(2 * phi))
        source = (e - g) / (1 - g.conjugate() * e)
        jacobian = ((1 - abs(g) ** 2) / abs(1 - g.conjugate() * e) ** 2) ** 2
        total += number * density_at(p0, source) * jacobian
    return math.log(total / density_at(p0, e))


def naive_log_likelihood(model, sky, x, y, a):
    p0, lens = model.ellipticity_density(sky["elongation"], sky["alignment"]), model.halos[a]
    total = -sky["density"] / 512**2 * float(model.added_area[a, y, x])
    for gx, gy, e1, e2 in zip(sky["x"], sky["y"], sky["e1"], sky["e2"]):
        if math.hypot(gx - x, gy - y) < lens.max_radius:
            total += naive_log_factor(p0, lens, gx - x, gy - y, complex(e1, e2))
    return total


def test_likelihood_matches_a_plain_sum(model, rng):
    sky = random_sky(rng, 6, e_max=0.5)
    x, y = (axis.ravel() for axis in np.meshgrid([3, 140, 256, 400, 511], [0, 77, 300, 480]))
    fast = likelihood.log_likelihoods(sky, model, x.astype(float), y.astype(float))
    slow = [[naive_log_likelihood(model, sky, px, py, a) for a in range(8)] for px, py in zip(x, y)]
    # The step of the tables, and a common g of all source sizes far from the ring, each change a factor by below 1 %.
    np.testing.assert_allclose(fast, slow, atol=0.03)
    assert np.isinf(fast).any()
    assert np.ptp(fast[np.isfinite(fast)]) > 1


def test_bayes_factor_is_the_plain_mean_over_positions_and_halos(model, rng):
    sky = random_sky(rng, 5)
    middles = (np.arange(8) + 0.5) * 511 / 8
    total = sum(
        math.exp(value)
        for px in middles
        for py in middles
        for value in likelihood.log_likelihoods(sky, model, np.array([px]), np.array([py]))[0]
    )
    found = likelihood.posterior(sky, model, grid=8, n_refinements=0)
    assert found.log_bayes_factor == pytest.approx(math.log(total / (8 * 8 * 8)), abs=1e-9)


def test_shear_and_counts_add_up_to_both(model, rng):
    sky = random_sky(rng, 3, 100, 411)
    x, y = rng.uniform(0, 511, (2, 40))
    both, shear, counts = (likelihood.log_likelihoods(sky, model, x, y, use=use) for use in ("both", "shear", "counts"))
    np.testing.assert_allclose(both, shear + counts, atol=1e-9)


def test_density_of_sheared_ellipticities_integrates_to_one(model):
    axis = np.linspace(-1, 1, 401)
    e = axis[:, None] * 1j + axis
    p0 = model.ellipticity_density(1.0, 0.9)
    for g in (0.3 + 0.2j, -0.7j):
        each = [likelihood._unsheared(p0, one, g) for one in e[np.abs(e) < 0.995]]
        assert np.sum(each) * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("elongation", "alignment"), [(0.88, 0.81), (0.955, 0.92), (1.07, 1.04), (1.0, 0.0)])
def test_unlensed_ellipticities_have_the_distribution_of_the_simulation(model, rng, elongation, alignment):
    """The elongations are at both ends of the table and between its nodes."""
    fixed = {"elongation": Spread(elongation), "alignment": Spread(alignment)}
    distribution = replace(seed.DISTRIBUTION, **fixed)
    drawn = [tables.draw_catalogue(rng, lensed=False, distribution=distribution) for _ in range(60)]
    e1, e2 = (np.concatenate([sky[name] for sky in drawn]) for name in ("e1", "e2"))
    density = model.ellipticity_density(elongation, alignment)
    axis = (np.arange(len(density)) - tables.E_HALF) * tables.E_STEP
    weight = density / density.sum()
    assert density.sum() * tables.E_STEP**2 == pytest.approx(1.0, abs=1e-3)
    mean = (weight * axis).sum()
    assert mean == pytest.approx(e1.mean(), abs=3.5 * e1.std() / np.sqrt(e1.size))
    assert (weight * axis[:, None]).sum() == pytest.approx(0.0, abs=1e-12)
    error = np.sqrt(2 / e1.size)
    spread1 = (weight * (axis - mean) ** 2).sum() - tables.SMOOTHING**2
    spread2 = (weight * axis[:, None] ** 2).sum() - tables.SMOOTHING**2
    assert spread1 == pytest.approx(e1.var(), rel=3.5 * error)
    assert spread2 == pytest.approx(e2.var(), rel=3.5 * error)
    modulus = np.hypot(axis, axis[:, None])
    for limit in (0.15, 0.3, 0.45):
        found = (np.hypot(e1, e2) < limit).mean()
        expected = weight[modulus < limit].sum()
        assert found == pytest.approx(expected, abs=3.5 * np.sqrt(0.25 / e1.size) + 0.015)


def test_prior_of_halos_has_the_distribution_of_the_simulation(rng):
    drawn = [seed.DISTRIBUTION.draw_halo(rng) for _ in range(3000)]
    prior = tables.halo_prior(seed.DISTRIBUTION, 64)
    for name in ("amplitude", "slope", "core", "max_radius"):
        logs, expected = (np.log([getattr(halo, name) for halo in halos]) for halos in (prior, drawn))
        assert logs.mean() == pytest.approx(expected.mean(), abs=0.1 * expected.std())
        assert logs.std() == pytest.approx(expected.std(), rel=0.12)


def test_number_density_about_a_lens_matches_the_simulation(model, rng):
    lens = max(model.halos, key=lambda halo: halo.amplitude)
    a, n_skies = model.halos.index(lens), 150
    edges = np.array([0, 25, 40, 60, 90, 130, 190, 250.0])
    bank, conditions = seed.shape_bank(), replace(seed.DISTRIBUTION.draw_conditions(rng), density=190.0)
    skies = [lensed(seed.draw_galaxies(rng, bank, conditions), lens, 256.0, 256.0) for _ in range(n_skies)]
    drawn = [tables.as_catalogue(sky, bank, conditions) for sky in skies]
    distances = np.concatenate([np.hypot(s["x"] - 256, s["y"] - 256) for s in drawn])
    found = np.histogram(distances, edges)[0]
    radii = np.arange(model.number.shape[1]) * tables.RADIAL_STEP
    density = conditions.density / seed.SIDE**2
    fine = 2 * np.pi * radii * np.maximum(model.number[a].sum(axis=1), 0) * density * tables.RADIAL_STEP
    expected = n_skies * np.histogram(radii, edges, weights=fine)[0]
    np.testing.assert_array_less(np.abs(found - expected), 4 * np.sqrt(expected) + 1)
    assert lens.mean_convergence(np.array(distances.min())) < 1  # no image is within the Einstein ring
    total = n_skies * (conditions.density + density * model.added_area[a, 256, 256])
    assert sum(len(s["x"]) for s in drawn) == pytest.approx(float(total), abs=4 * float(np.sqrt(total)))


def test_mean_bayes_factor_of_counts_without_a_lens_is_one(model, rng):
    skies = [tables.draw_catalogue(rng, lensed=False) for _ in range(80)]
    found = [likelihood.posterior(sky, model, use="counts", grid=32, n_refinements=0) for sky in skies]
    factors = np.exp([p.log_bayes_factor for p in found])
    assert factors.mean() == pytest.approx(1.0, abs=4 * factors.std() / np.sqrt(len(skies)))


@pytest.fixture(scope="module")
def thin_factors(model):
    """Log Bayes factors of 400 skies with an eighth of the galaxies, most of them uncertain, and their labels."""
    skies, labels = thin_catalogues(400, 0.125, np.random.default_rng(20240512))
    return np.array([p.log_bayes_factor for p in likelihood.posteriors(skies, model, grid=16)]), labels


def test_mean_bayes_factor_without_a_lens_is_one(thin_factors):
    log_factors, labels = thin_factors
    factors = np.exp(log_factors[labels == 0])
    error = factors.std() / np.sqrt(len(factors))
    assert error < 0.3
    assert factors.mean() == pytest.approx(1.0, abs=3.5 * error)


def test_density_of_the_sky_is_used(model, rng):
    """The more galaxies a sky should have, the more a lens that adds some would add to it."""
    sky = random_sky(rng, 4, 100, 411)
    x, y = rng.uniform(0, 511, (2, 5))
    few, many = (likelihood.log_likelihoods(sky | {"density": d}, model, x, y, use="counts") for d in (100.0, 200.0))
    added = np.array([[model.added_area[a, round(py), round(px)] for a in range(8)] for px, py in zip(x, y)])
    outside = np.isfinite(few)
    np.testing.assert_allclose((few - many)[outside], (100 / 512**2 * added)[outside], atol=0.05)


def test_probability_is_reliable(thin_factors):
    """The fraction of lenses equals the mean probability."""
    log_factors, labels = thin_factors
    probability = 1 / (1 + np.exp(-log_factors))
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        within = (probability >= low) & (probability < high)
        expected = probability[within].sum()
        error = np.sqrt((probability[within] * (1 - probability[within])).sum())
        assert within.sum() > 20
        assert labels[within].sum() == pytest.approx(expected, abs=3.5 * error)


def test_a_finer_grid_leaves_the_bayes_factor_unchanged(model, rng):
    skies, _ = thin_catalogues(12, 0.5, rng)
    coarse, fine = ([p.log_bayes_factor for p in likelihood.posteriors(skies, model, grid=grid)] for grid in (32, 64))
    np.testing.assert_allclose(coarse, fine, atol=0.3)


def test_planted_lens_is_found_at_its_position(model, rng):
    skies = [tables.draw_catalogue(rng, lensed=True) for _ in range(9)]
    found = likelihood.posteriors(skies, model)
    offsets = [np.hypot(p.column - s["lens_x"], p.row - s["lens_y"]) for p, s in zip(found, skies)]
    means = [np.hypot(p.mean_column - s["lens_x"], p.mean_row - s["lens_y"]) for p, s in zip(found, skies)]
    assert min(p.log_bayes_factor for p in found) > 0
    assert np.median(offsets) < 10
    assert np.median(means) < 10


def test_oracle_table_names_the_skies_of_a_data_set(tmp_path, model):
    simulate_dataset(tmp_path, n_training=0, n_validation=4, seed=3, n_jobs=1)
    table = likelihood.oracle_table(tmp_path, "validation", model=model, grid=16)
    assert table["sky"].tolist() == [f"validation/validation-0000{i}.png" for i in range(4)]
    assert (
        table.loc[table["label"] == 1, "log_bayes_factor"].min()
        > table.loc[table["label"] == 0, "log_bayes_factor"].max()
    )
    assert (table["lens_row"].notna() == (table["label"] == 1)).all()


def test_data_set_without_the_properties_of_its_skies_is_rejected(tmp_path, model):
    simulate_dataset(tmp_path, n_training=0, n_validation=1, preset="survey", seed=3, n_jobs=1)
    with pytest.raises(DatasetError, match="lacks density, elongation, alignment; simulate the preset seed again"):
        likelihood.oracle_table(tmp_path, "validation", model=model, grid=16)
