"""The evidence for a lens: equal to its definition, unbiased without a lens, correct in its position."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from scipy.special import logsumexp

from darkmatter_features.lens import compiled as module
from darkmatter_features.lens import likelihood, prepared
from darkmatter_features.lens.compiled import CompiledTemplate, fraction_within, invariant_density, tabulated_shears
from darkmatter_features.lens.density import log_density_of
from darkmatter_features.lens.evidence import _about_mode, lens_evidence
from darkmatter_features.lens.kernels import evidence as kernels
from darkmatter_features.lens.likelihood import _log_mean_counts, likelihoods
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR
from tests.support import naive
from tests.support.drawing import catalog_of, lensed_catalog

CENTRE = (300.0, 200.0)


def _profile(template):
    """Return the template's mean shear profile as a function of radius."""
    nodes = NODE_SPACING * np.arange(template.shear_profile.shape[1])
    return lambda radius: np.interp(radius, nodes, template.shear_profile[0], right=0.0)


@pytest.fixture(scope="module")
def template():
    """A template with the unlensed ellipticities of `lensed_catalog`."""
    rng = np.random.default_rng(5)
    unlensed = lensed_catalog(rng, n=100_000, gamma=0.0)
    log_p0 = log_density_of(unlensed.e1, unlensed.e2, smoothing=0.06)
    return replace(LensTemplate.default(), log_p0=np.stack([log_p0, log_p0]))


def test_log_ratio_matches_naive(rng, template):
    for _ in range(50):
        e, g = (complex(*rng.uniform(-0.6, 0.6, 2)) for _ in range(2))
        found = kernels.log_ratio(template.log_p0, 0, e.real, e.imag, g.real, g.imag)
        assert found == pytest.approx(naive.log_ratio(template.log_p0, 0, e, g), abs=1e-9)


def _unlensed(rng, template, n):
    """Draw ellipticities from the template's density."""
    e = rng.uniform(-0.98, 0.98, (2, 40 * n))
    density = np.exp([kernels.log_density(template.log_p0, 0, e1, e2) for e1, e2 in e.T])
    return e[:, rng.random(density.size) * density.max() < density][:, :n]


def test_sheared_density_is_normalised(rng, template):
    """The mean of the ratio over unlensed galaxies is 1: shear conserves probability."""
    for g in (0.1, 0.3):
        ratio = [kernels.log_ratio(template.log_p0, 0, e1, e2, g, 0.0) for e1, e2 in _unlensed(rng, template, 5000).T]
        assert np.exp(ratio).mean() == pytest.approx(1.0, abs=4 * np.exp(ratio).std() / np.sqrt(5000))


def test_tabulated_ratios_match_naive(rng, template):
    """Strong shear is undone exactly, weak shear to second order; interpolation between nodes is unbiased."""
    shears = 0.01 * 1.2 ** np.arange(21)
    e1, e2 = rng.uniform(-0.5, 0.5, (2, 3))
    ratios = np.empty((3, 33, 21))
    kernels.tabulate(invariant_density(template), np.zeros(3, dtype=int), e1, e2, np.full(2, 0.8), shears, ratios)
    np.testing.assert_array_equal(ratios[:, 32], ratios[:, 0])
    turns, between = np.arange(0, 4, 1 / 32), shears[1:-2, None] * np.array([1.0, 1.05, 1.1, 1.15])
    directions = [complex(*kernels.direction(turn)) for turn in turns]
    for k, i in np.ndindex(3, 18):
        e = complex(e1[k], e2[k])
        expected = [[naive.log_ratio(template.log_p0, 0, e, 0.8 * g * each) for each in directions] for g in between[i]]
        read = [[np.interp(g, shears, own) for own in ratios[k]] for g in between[i]]
        off = np.array([np.interp(turns, np.linspace(0, 4, 33), own) for own in read]) - expected
        assert abs(off).max() < 0.06
        assert abs(off.mean()) < 0.0015


def test_directions_cover_the_circle_once():
    turns = np.linspace(0, 4, 33)
    angles = np.unwrap([np.arctan2(*kernels.direction(turn)[::-1]) for turn in turns])
    np.testing.assert_allclose(angles[::8], np.arange(5) * np.pi / 2, atol=1e-12)
    assert (np.diff(angles) > 0).all()


@pytest.mark.parametrize(("finer", "tolerance", "cross"), [(1, 0.02, False), (8, 0.005, False), (8, 0.005, True)])
def test_likelihood_matches_naive(rng, template, monkeypatch, finer, tolerance, cross):
    """To two per cent with the default tables, better with finer ones; also with the shear rotated by 45 degrees."""
    n_directions, spacing = finer * prepared.N_DIRECTIONS, module.RADIAL_SPACING / finer
    for each in (prepared, likelihood):
        monkeypatch.setattr(each, "N_DIRECTIONS", n_directions)
    for each in (module, likelihood):
        monkeypatch.setattr(each, "RADIAL_SPACING", spacing)
    amplitudes = np.geomspace(0.5, 1.9, 8 * finer)
    weights = np.full((1, amplitudes.size), 1 / amplitudes.size)
    amplitude_exponent = np.linspace(1.2, 0.8, template.nodes.size)[None, :]
    template = replace(template, amplitudes=amplitudes, weights=weights, amplitude_exponent=amplitude_exponent)
    catalog = lensed_catalog(rng, n=60, centre=CENTRE, gamma=0.2)
    rows, columns = np.array([200.0, 77.0]), np.array([300.0, 410.0])
    found, _ = likelihoods(PreparedCatalog(catalog, template), rows, columns, cross=cross)
    shape_bin, degrees = np.zeros(60, dtype=int), 45 if cross else 0
    for m in range(2):
        expected = naive.lens_likelihood(
            catalog, shape_bin, template, NODE_SPACING, rows[m], columns[m], degrees=degrees
        )
        np.testing.assert_allclose(found[m], expected, rtol=tolerance, atol=tolerance)


def test_directions_that_round_to_a_full_turn_stay_within_the_table():
    """Just below a full turn, single precision rounds to the last direction, with nothing behind it."""
    n_angles, beyond = 32, np.full((2, 33, 5), np.nan, dtype=np.float32)
    beyond[0] = 1.0
    likelihood = np.empty((1, 1, 3))
    kernels.lens_likelihood(
        np.array([1e-7]), np.array([100.0]), beyond[:1], np.zeros((1, 200, 3), dtype=np.uint8),
        np.full((1, 200, 3), 0.5, dtype=np.float32), 1.0, np.zeros(1), np.zeros(1), likelihood,
    )  # fmt: skip
    assert beyond.shape[1] == n_angles + 1
    np.testing.assert_array_equal(likelihood, 1.0)


@pytest.mark.parametrize("profile", [0.0, 0.003, 0.02, 0.3, 0.95, 3.0, module.MIN_SHEAR * module.SHEAR_RATIO**24])
@pytest.mark.parametrize("below", [0.0, 1e-9, 1e-7])
def test_every_shear_lies_between_two_tabulated_ones(template, profile, below):
    """Also where indices round to single precision: one just below a node is read from the node and the next."""
    shear = np.full((1, 9), (1 - below) * profile)
    one = replace(
        template,
        amplitudes=np.ones(1),
        weights=np.ones((1, 1)),
        shear_profile=shear,
        amplitude_exponent=np.ones((1, 9)),
    )
    shears, index = tabulated_shears(one)
    assert int(index.max()) + 1 < shears.size
    assert shears.max() <= MAX_SHEAR
    if index.max() > 0:
        found = np.interp(index.max(), np.arange(shears.size), shears)
        assert found == pytest.approx(min(profile, MAX_SHEAR), rel=1e-5)


def test_counts_match_their_definition(rng, template):
    counted = replace(
        template,
        size_edges=np.array([2.0]),
        size_fractions=np.array([0.5, 0.5]),
        amplitudes=0.5 * 2.0 ** np.arange(8),
        log_counts=np.stack([np.linspace(-1, 0, 30), np.linspace(0.5, 0, 30)]),
    )
    size = rng.uniform(1, 3, 80)
    catalog = catalog_of(*rng.uniform(0, 511, (2, 80)), *rng.normal(0, 0.2, (2, 80)), size=size)
    _, found = likelihoods(PreparedCatalog(catalog, counted), np.array([200.0]), np.array([300.0]))
    radius = np.hypot(catalog.x - 300, catalog.y - 200)
    nodes = NODE_SPACING * np.arange(30)
    own = [np.interp(r, nodes, counted.log_counts[int(s > 2)]) for r, s in zip(radius, size, strict=True)]
    x, y = np.meshgrid(np.arange(512.0), np.arange(512.0))
    field = np.hypot(x - 300, y - 200)
    mean = np.mean([np.exp(np.interp(field, nodes, log_n)) for log_n in counted.log_counts])
    one = int(np.abs(counted.amplitudes - 1).argmin())
    assert found.shape == (1, counted.amplitudes.size)
    assert found[0, one] == pytest.approx(np.sum(own) - 80 * np.log(mean), abs=0.05)


def test_counts_are_normalised_over_an_image_that_is_not_square(template):
    """Exactly at the nodes of the lattice; to 0.01 between two of them."""
    shape, nodes = (100, 300), NODE_SPACING * np.arange(40)
    counted = replace(
        template,
        size_edges=np.array([2.0]),
        size_fractions=np.array([0.3, 0.7]),
        log_counts=np.stack([np.linspace(-2, 0, 40), np.linspace(1, 0, 40) * (nodes < 60)]),
    )
    density = [counted.size_fractions @ np.exp(a * counted.log_counts) for a in counted.amplitudes]
    y, x = np.mgrid[: shape[0], : shape[1]]
    positions = [(0, 0, 1e-3), (99, 299, 1e-3), (49.5, 0, 1e-3), (0, 5 * 299 / 19, 1e-3), (99 / 12, 40, 0.01)]
    for row, column, tolerance in positions:
        found = _log_mean_counts(CompiledTemplate(counted), shape, np.array([row]), np.array([column]))[0]
        radius = np.hypot(x - column, y - row)
        expected = [np.log(np.interp(radius, nodes, own).mean()) for own in density]
        np.testing.assert_allclose(found, expected, atol=tolerance)


def test_lattices_are_interpolated_like_scipy_and_constant_beyond_their_ends(rng):
    lattice, values = rng.normal(size=(5, 7, 3)), np.empty((40, 3))
    positions = rng.uniform((-0.5, -0.5), (4.5, 6.5), (40, 2))
    kernels.read_lattice(lattice, *positions.T, values)
    inside = np.clip(positions, 0, (4, 6))
    expected = RegularGridInterpolator((np.arange(5), np.arange(7)), lattice)(inside)
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_fraction_of_an_image_within_a_radius_is_its_area():
    y, x = np.mgrid[0:20:0.02, 0:30:0.02] - 0.49
    radii, columns = np.array([1.5, 8.0, 14.0, 25.0, 60.0]), np.array([0.0, 11.4, 29.0])
    for row in (0.0, 7.3, 19.0):
        fraction = [[(np.hypot(x - column, y - row) <= r).mean() for r in radii] for column in columns]
        np.testing.assert_allclose(fraction_within((20, 30), row, columns, radii), fraction, atol=3e-4)


def test_counts_scale_with_the_amplitude(template):
    """Twice the amplitude squares the density."""
    counted = replace(template, amplitudes=np.array([0.5, 1.0, 2.0]), weights=np.full((1, 3), 1 / 3))
    counted = replace(counted, log_counts=np.log([np.r_[0.5, np.ones(200)]]))
    alone = catalog_of(np.full(1, 300.0), np.full(1, 200.0), np.zeros(1), np.zeros(1))
    _, found = likelihoods(PreparedCatalog(alone, counted), np.array([200.0]), np.array([300.0]))
    np.testing.assert_allclose(found[0], np.array([0.5, 1.0, 2.0]) * np.log(0.5), atol=1e-3)


def test_evidence_is_the_mean_over_positions_and_amplitudes(rng, template):
    """Cutting the cells that contribute is as good as a fine grid everywhere."""
    catalog = lensed_catalog(rng, n=150, centre=CENTRE, gamma=_profile(template))
    evidence = lens_evidence(catalog, template)
    side = np.arange(128) * 4 + 1.5
    rows, columns = (axis.ravel() for axis in np.meshgrid(side, side, indexing="ij"))
    log_shear, _ = likelihoods(PreparedCatalog(catalog, template), rows, columns)
    everywhere = logsumexp(log_shear, axis=(1, 2), b=template.weights)
    assert evidence.log_bayes_factor == pytest.approx(logsumexp(everywhere) - np.log(everywhere.size), abs=0.05)
    assert evidence.posterior.sum() == pytest.approx(1)


def test_error_of_the_place_is_that_of_the_whole_posterior(rng, template):
    """With little information most cells stay uncut, and subcells count by their area."""
    catalog = lensed_catalog(rng, n=40, gamma=0.0)
    evidence = lens_evidence(catalog, template)
    side = np.arange(128) * 4 + 1.5
    rows, columns = (axis.ravel() for axis in np.meshgrid(side, side, indexing="ij"))
    everywhere = logsumexp(
        likelihoods(PreparedCatalog(catalog, template), rows, columns)[0], axis=(1, 2), b=template.weights
    )
    square = np.exp(everywhere - logsumexp(everywhere)) @ (
        (rows - evidence.row) ** 2 + (columns - evidence.column) ** 2
    )
    assert evidence.position_error > 100
    assert evidence.position_error == pytest.approx(np.sqrt(square), rel=0.02)


def test_the_mode_is_where_the_posterior_is_densest():
    """A subcell with less probability than a cell, but more per area, is the mode."""
    positions = np.array([[8.0, 202.0], [8.0, 202.0]])
    assert _about_mode(positions, np.array([0.6, 0.4]), np.array([1.0, 1 / 16])) == pytest.approx((202.0, 202.0))


def test_with_two_equal_modes_the_position_is_one_of_them(rng, template):
    """A sky with two lenses that equals itself rotated by 180 degrees."""
    sky = lensed_catalog(rng, n=120, centre=(150.0, 150.0), gamma=_profile(template))
    own = np.flatnonzero(sky.x + sky.y < 511)
    x, y, e1, e2 = (values[own] for values in (sky.x, sky.y, sky.e1, sky.e2))
    both = catalog_of(np.r_[x, 511 - x], np.r_[y, 511 - y], np.r_[e1, e1], np.r_[e2, e2])
    evidence = lens_evidence(both, template)
    np.testing.assert_allclose(evidence.posterior, evidence.posterior[::-1, ::-1], atol=0.01)
    assert evidence.position_error > 100
    assert min(np.hypot(evidence.column - at, evidence.row - at) for at in (150, 361)) < 30


@pytest.mark.parametrize("cross", [False, True])
def test_mean_bayes_factor_without_a_lens_is_one(rng, template, cross):
    """E[evidence | no lens] = 1, the property of a likelihood ratio; tested for a faint lens, with little scatter."""
    faint = replace(template, amplitudes=np.array([0.3]), weights=np.ones((1, 1)))
    shapes = _unlensed(rng, template, 15_000).T.reshape(150, 100, 2)
    skies = [catalog_of(*rng.uniform(0, 511, (2, 100)), *sky.T) for sky in shapes]
    log_factors = [lens_evidence(sky, faint, cross=cross).log_bayes_factor for sky in skies]
    assert np.exp(log_factors).mean() == pytest.approx(1.0, abs=4 * np.exp(log_factors).std() / np.sqrt(150))
    assert np.exp(log_factors).std() < 1


def test_evidence_separates_skies_with_a_lens_from_others(rng, template):
    lensed = [
        lens_evidence(lensed_catalog(rng, n=180, gamma=_profile(template)), template).log_bayes_factor
        for _ in range(20)
    ]
    others = [lens_evidence(lensed_catalog(rng, n=180, gamma=0.0), template).log_bayes_factor for _ in range(20)]
    assert min(lensed) > max(others)


def test_lens_is_found_within_its_error(rng, template):
    pulls, offsets = [], []
    for _ in range(40):
        centre = rng.uniform(80, 430, 2)
        evidence = lens_evidence(lensed_catalog(rng, n=180, centre=centre, gamma=_profile(template)), template)
        assert evidence.log_bayes_factor > 0
        offsets.append(np.hypot(evidence.column - centre[0], evidence.row - centre[1]))
        pulls.append(offsets[-1] / evidence.position_error)
    # The median offset in two dimensions is 0.83 of the rms; 40 offsets measure it to 15 %.
    assert np.median(pulls) == pytest.approx(0.83, abs=0.3)
    assert np.median(offsets) < 10


def test_planted_amplitude_is_recovered(rng, template):
    unit = _profile(template)
    for amplitude in (0.6, 1.6):
        found = [
            lens_evidence(lensed_catalog(rng, n=180, gamma=lambda r, a=amplitude: a * unit(r)), template).amplitude
            for _ in range(15)
        ]
        assert np.mean(found) == pytest.approx(amplitude, rel=0.15)


def test_rotating_all_galaxies_by_45_degrees_leaves_no_evidence(rng, template):
    catalog = lensed_catalog(rng, n=180, centre=CENTRE, gamma=_profile(template))
    turned = catalog_of(catalog.x, catalog.y, -catalog.e2, catalog.e1)
    assert lens_evidence(catalog, template).log_bayes_factor > 10
    assert lens_evidence(turned, template).log_bayes_factor < 2


def test_a_lens_leaves_the_cross_null_empty(rng, template):
    """Cross shear is found by the cross null, and not as a lens."""
    catalog = lensed_catalog(rng, n=180, centre=CENTRE, gamma=_profile(template))
    assert lens_evidence(catalog, template, cross=True).log_bayes_factor < 2
    across = catalog_of(catalog.x, catalog.y, -catalog.e2, catalog.e1)
    found = lens_evidence(across, template, cross=True)
    assert found.log_bayes_factor > 10
    assert np.hypot(found.column - CENTRE[0], found.row - CENTRE[1]) < 3 * found.position_error


def test_images_that_are_not_square_are_covered(rng, template):
    catalog = lensed_catalog(rng, n=300, centre=(800.0, 40.0), gamma=_profile(template), shape=(200, 900))
    evidence = lens_evidence(catalog, template)
    assert evidence.log_evidence.shape == (12, 56)
    assert np.hypot(evidence.column - 800, evidence.row - 40) < 25
