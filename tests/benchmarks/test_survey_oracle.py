"""The oracle of the preset ``survey``: its likelihood against plain sums, and its Bayes factors in simulated skies."""

import math

import numpy as np
import pytest
from oracle import detection, survey
from oracle.likelihood import posterior
from oracle.tables import SMOOTHING

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation import survey as preset
from darkmatter_features.simulation.population import lensed

N_GALAXIES = preset.DENSITY * preset.SIDE**2


@pytest.fixture(scope="module")
def model():
    return survey.survey_oracle(n_halos=4)


def draw_sky(rng, is_lensed, fraction=1.0):
    """Return a true catalogue of the preset with a fraction of its galaxies, and the position of its lens."""
    galaxies, (lens, x, y) = preset.draw_galaxies(rng), preset.draw_halo(rng)
    while (lens is not None) != is_lensed:
        lens, x, y = preset.draw_halo(rng)
    galaxies = galaxies if lens is None else lensed(galaxies, lens, x, y)
    seen = galaxies.select(
        (galaxies.luminosity > 1.0) & galaxies.within(preset.SIDE) & (rng.random(len(galaxies)) < fraction)
    )
    e1, e2 = lensing.ellipticity(seen.frame @ seen.frame.transpose(0, 2, 1))
    sky = {"x": seen.x, "y": seen.y, "e1": e1, "e2": e2, "density": fraction * N_GALAXIES}
    return survey.with_errors(sky, np.full(len(seen), SMOOTHING), rng), (x, y)


def naive_density(e, g, error, n_nodes=(400, 480)):
    """Return the density of an ellipticity in the frame of the tangent, by a plain sum over those before lensing."""
    level = (np.arange(n_nodes[0]) + 0.5) / n_nodes[0]
    modulus = np.minimum(preset.SIGMA_E * np.sqrt(-2.0 * np.log1p(-level)), preset.MAX_ELLIPTICITY)
    source = modulus[:, None] * np.exp(2.0j * np.pi * np.arange(n_nodes[1]) / n_nodes[1])
    away = np.abs(e - (source + g) / (1.0 + g * source)) / error
    return float(np.mean(np.exp(-0.5 * away**2)) / (2.0 * math.pi * error**2))


def naive_log_factor(lens, dx, dy, e, error):
    """Return the log of the factor of one galaxy: shear and number from the stretches, averaged over the sources."""
    r, phi = math.hypot(dx, dy), math.atan2(dy, dx)
    kappa_bar, kappa = float(lens.mean_convergence(np.array(r))), float(lens.convergence(np.array(r)))
    if kappa_bar > 1.0:
        return -math.inf
    luminosity, radius = survey.sources()
    tangential, radial = lensing.stretches(lens, np.full(len(radius), r), radius)
    seen = luminosity * tangential * radial > 1.0
    g = float(np.mean(((tangential - radial) / (tangential + radial))[seen]))
    number = (1.0 - kappa_bar) * (1.0 + kappa_bar - 2.0 * kappa) * seen.sum() / (luminosity > 1.0).sum()
    turned = -e * np.exp(-2.0j * phi)
    return math.log(number * naive_density(turned, g, error) / naive_density(turned, 0.0, error))


def test_likelihood_matches_a_plain_sum(model, rng):
    sky = {name: rng.uniform(0, 511, 4) for name in "xy"} | {name: rng.uniform(-0.4, 0.4, 4) for name in ("e1", "e2")}
    sky |= {"density": 150.0, "error": np.array([0, 3, 6, 10])}
    x, y = np.array([140.0, 511.0]), np.array([256.0, 0.0])
    fast = survey.log_likelihoods(sky, model, x, y)
    for p in range(len(x)):
        for a, lens in ((0, model.halos[0]), (3, model.halos[3])):
            slow = -150.0 / preset.SIDE**2 * float(model.added_area[a, int(y[p]), int(x[p])])
            for gx, gy, e1, e2, k in zip(*(sky[name] for name in ("x", "y", "e1", "e2", "error"))):
                slow += naive_log_factor(lens, gx - x[p], gy - y[p], complex(e1, e2), survey.ERRORS[k])
            assert fast[p, a] == pytest.approx(slow, abs=0.06)
    assert np.ptp(fast) > 1.0


def test_galaxy_within_the_einstein_ring_excludes_a_lens(model):
    sky = {"x": [200.0], "y": [300.0], "e1": [0.1], "e2": [0.0], "error": [0], "density": 150.0}
    found = survey.log_likelihoods(sky, model, np.array([203.0]), np.array([300.0]))
    assert np.isneginf(found).all()


def test_no_shear_is_no_evidence(model):
    assert np.abs(model.log_ratio[..., 0]).max() == 0.0


def test_number_about_a_lens_is_that_of_the_simulation(model, rng):
    lens, centre = model.halos[-1], 0.5 * (preset.SIDE - 1)
    skies = [lensed(preset.draw_galaxies(rng), lens, centre, centre) for _ in range(60)]
    seen = [s.select((s.luminosity > 1.0) & s.within(preset.SIDE)) for s in skies]
    distance = np.concatenate([np.hypot(s.x - centre, s.y - centre) for s in seen])
    found = np.histogram(distance, [0, 40, 80, 120, 180, 250])[0]
    radii = np.arange(len(model.number)) * survey.RADIAL_STEP
    ring = 2.0 * np.pi * radii * model.number[:, -1] * preset.DENSITY * survey.RADIAL_STEP * len(skies)
    expected = np.histogram(radii, [0, 40, 80, 120, 180, 250], weights=ring)[0]
    np.testing.assert_array_less(np.abs(found - expected), 4.0 * np.sqrt(expected) + 0.01 * expected)
    added = preset.DENSITY * float(model.added_area[-1, 256, 256])
    total = len(skies) * (N_GALAXIES + added)
    assert sum(map(len, seen)) == pytest.approx(total, abs=4.0 * math.sqrt(total))


@pytest.fixture(scope="module")
def thin_factors(model):
    """Log Bayes factors of skies with a twentieth of the galaxies, most of them uncertain, and their labels."""
    rng = np.random.default_rng(20240513)
    skies = [draw_sky(rng, k % 2 == 1, 0.05)[0] for k in range(300)]
    found = survey.survey_posteriors(skies, model, grid=16)
    return np.array([p.log_bayes_factor for p in found]), np.arange(300) % 2


def test_mean_bayes_factor_without_a_lens_is_one(thin_factors):
    log_factors, labels = thin_factors
    factors = np.exp(log_factors[labels == 0])
    error = factors.std() / np.sqrt(len(factors))
    assert error < 0.3
    assert factors.mean() == pytest.approx(1.0, abs=3.5 * error)


def test_probability_is_reliable(thin_factors):
    log_factors, labels = thin_factors
    probability = 1.0 / (1.0 + np.exp(-log_factors))
    for low, high in ((0.0, 0.35), (0.35, 0.6), (0.6, 1.0)):
        within = (probability >= low) & (probability < high)
        error = np.sqrt((probability[within] * (1.0 - probability[within])).sum())
        assert within.sum() > 20
        assert labels[within].sum() == pytest.approx(probability[within].sum(), abs=3.5 * error)


def test_planted_lens_is_found_at_its_position(model, rng):
    offsets = []
    for _ in range(7):
        sky, (x, y) = draw_sky(rng, True)
        found = posterior(sky, model, evaluate=survey.log_likelihoods)
        assert found.log_bayes_factor > 0.0
        offsets.append(math.hypot(found.column - x, found.row - y))
    assert np.median(offsets) < 12.0


def test_larger_errors_weaken_the_evidence(model, rng):
    skies = [draw_sky(rng, True)[0] for _ in range(4)]
    noisy = [survey.with_errors(sky, np.full(len(sky["x"]), 0.3), rng) for sky in skies]
    exact, weak = (
        [posterior(s, model, use="shear", grid=16, evaluate=survey.log_likelihoods).log_bayes_factor for s in each]
        for each in (skies, noisy)
    )
    assert sum(weak) < 0.8 * sum(exact)


def test_each_true_galaxy_has_one_match_at_most():
    x, y = np.array([10.0, 20.0, 30.0]), np.array([10.0, 20.0, 30.0])
    own = detection.matches(x, y, np.array([11.5, 10.5, 25.0, 30.1]), np.array([10.0, 10.0, 25.0, 30.0]))
    assert own.tolist() == [-1, 0, -1, 2]


def test_bright_galaxies_are_found_and_faint_ones_are_not():
    found = detection.learn_detection(6)
    assert found(20.0, 2.0) > 0.9
    assert found(1.1, 4.0) < 0.5
    assert found(0.9, 2.0) == 0.0
