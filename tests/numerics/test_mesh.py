"""Sums on a mesh and their near part match sums galaxy by galaxy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.fft import set_workers
from scipy.interpolate import BSpline

from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.numerics.kernels.mesh import (
    ORDER,
    narrow_sums,
    near_likelihood,
    near_profile_sums,
    near_shear,
    nearness,
    spline_weights,
    spread,
)
from darkmatter_features.numerics.kernels.records import Centres, Galaxies, Grid, NearField, Profiles
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR
from darkmatter_features.numerics.kernels.skies import near_sums_of_skies, spread_skies
from darkmatter_features.numerics.mesh import mesh_over
from tests.support import naive, naive_locate

COLUMNS, ROWS = np.linspace(2.0, 9.0, 15), np.linspace(-1.0, 3.0, 9)
GRID = Grid(COLUMNS, ROWS)
PROFILES = default_profiles().tabulated
N_PROFILES = len(default_profiles())


@pytest.fixture
def galaxies(rng):
    """Twenty-five galaxies about the centres."""
    positions = rng.uniform(1, 10, 25), rng.uniform(-2, 4, 25)
    return Galaxies(*positions, *rng.normal(0, 0.25, (2, 25)), rng.uniform(0.5, 2.0, 25))


def gauss(mesh, scale):
    return np.exp(-0.5 * mesh.squares / scale**2)


def nearness_of(radius, width):
    u = radius**2 / (2 * width**2)
    return (1 + u) * np.exp(-u)


# Kernels


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.99])
def test_spline_weights_are_those_of_scipy_and_sum_to_one(fraction):
    weights = np.empty(ORDER)
    spline_weights(fraction, weights)
    assert weights.sum() == pytest.approx(1.0)
    spline = BSpline.basis_element(np.arange(ORDER + 1), extrapolate=False)
    assert_allclose(weights, np.nan_to_num(spline(fraction + np.arange(ORDER))), atol=1e-14)


def test_spread_matches_naive_also_across_the_border(rng):
    x, y = rng.uniform(-20, 40, (2, 30))
    values = rng.normal(size=30) + 1j * rng.normal(size=30)
    mesh = np.zeros((12, 17), dtype=np.complex128)
    spread(x, y, values.real.copy(), values.imag.copy(), mesh)
    assert_allclose(mesh, naive.spread(x, y, values, mesh.shape, ORDER), atol=1e-13)


def test_spread_of_many_skies_is_that_of_each(rng):
    x, y = rng.uniform(-20, 40, (2, 30))
    values = rng.normal(size=(30, 3)).astype(np.float32)
    mesh = np.zeros((12, 17, 3), dtype=np.float32)
    spread_skies(x, y, values, mesh)
    for sky, own in zip(values.T, np.moveaxis(mesh, 2, 0)):
        assert_allclose(own, naive.spread(x, y, sky.astype(complex), own.shape, ORDER).real, atol=2e-6)


def test_near_shear_matches_naive(galaxies):
    x, y, e1, e2, weight = galaxies
    shear = np.zeros((2, ROWS.size, COLUMNS.size))
    near_shear(galaxies, GRID, NearField(0.4, 100.0), shear)
    for i, row in enumerate(ROWS):
        for j, column in enumerate(COLUMNS):
            radius, phi = naive_locate.polar(x, y, column, row)
            expected = (-(e1 + 1j * e2) * np.exp(-2j * phi) * weight * nearness_of(radius, 0.4)).sum()
            assert_allclose(shear[:, i, j], (expected.real, expected.imag), atol=1e-12)


def test_far_part_starts_as_the_fourth_power_of_the_radius():
    assert nearness(0.0, 2.0) == 1.0
    assert 1 - nearness(0.01**2, 1.0) == pytest.approx(0.01**4 / 8, rel=1e-3)
    assert nearness(36.0, 1.0) < 3e-7


@pytest.mark.parametrize("n", [1, 2, 4])
def test_narrow_sums_match_naive(galaxies, n):
    """The first n windows of three scales give sum(w^2 v) of the n-th scale, and all sums of the scales below."""
    scales = 0.3 * np.sqrt(2.0) ** np.arange(3)
    sums = np.zeros((4, 3, ROWS.size, COLUMNS.size))
    narrow_sums(galaxies, GRID, np.append(scales[0] / np.sqrt(2), scales)[:n], 100.0, sums)
    expected = naive.shear_sums(*galaxies, COLUMNS, ROWS, scales)
    assert_allclose(sums[:3, : n - 1], expected[:3, : n - 1], atol=1e-12)
    assert_allclose(sums[3, :n], expected[3, :n], atol=1e-12)
    assert not sums[:3, n - 1 :].any()
    assert not sums[3, n:].any()


def test_galaxies_beyond_the_radius_of_all_centres_add_nothing(galaxies):
    shear, sums = np.zeros((2, ROWS.size, COLUMNS.size)), np.zeros((4, 3, ROWS.size, COLUMNS.size))
    for moved in (galaxies._replace(x=galaxies.x + 30), galaxies._replace(y=galaxies.y - 30)):
        near_shear(moved, GRID, NearField(0.4, 2.4), shear)
        narrow_sums(moved, GRID, np.array([0.3]), 2.1, sums)
    assert not shear.any()
    assert not sums.any()


def test_near_profile_sums_match_naive(rng):
    """The near parts of the profiles are those given, within the radius and beyond the last node too."""
    x, y = rng.random((2, 30))
    e1, e2, weight = *rng.normal(0, 0.25, (2, 30, 2)), rng.uniform(0.5, 2.0, 30)
    columns, rows, radius = np.linspace(0.1, 0.9, 4), np.linspace(0.2, 0.8, 3), 0.45
    shear, spacing = PROFILES
    table = np.concatenate([shear, 0.5 * shear**2], axis=1)
    grid, galaxies = Grid(columns, rows), Galaxies(x, y, e1, e2, weight)
    filter_response, filter_norm = np.zeros((12, 2, N_PROFILES)), np.zeros((12, N_PROFILES))
    for first, last in ((0, 1), (1, 3)):
        near_profile_sums(galaxies, Profiles(table, spacing), radius, grid, first, last, filter_response, filter_norm)
    of_skies, single = np.zeros((12, N_PROFILES, 2), dtype=np.float32), (each.astype(np.float32) for each in (e1, e2))
    near_sums_of_skies(Galaxies(x, y, *single, weight), Profiles(shear.copy(), spacing), radius, grid, of_skies)
    assert_allclose(np.swapaxes(of_skies, 1, 2), filter_response, rtol=1e-5, atol=2e-6 * np.abs(filter_response).max())
    for q in range(12):
        distance, phi = naive_locate.polar(x, y, columns[q % 4], rows[q // 4])
        g, square = np.split(naive_locate.shear_at(table, spacing, distance), 2, axis=1)
        is_near = weight * (distance <= radius)
        gamma_t = -(e1 * np.cos(2 * phi)[:, None] + e2 * np.sin(2 * phi)[:, None])
        assert_allclose(filter_response[q], gamma_t.T @ (is_near[:, None] * g), rtol=1e-9, atol=1e-9)
        assert_allclose(filter_norm[q], is_near @ square, rtol=1e-9)


def test_near_likelihood_is_complete_where_the_mesh_is_empty(rng):
    """It sums the galaxies within the near radius only."""
    x, y = rng.random((2, 30))
    y.sort()
    galaxies = Galaxies(x, y, *rng.normal(0, 0.2, (2, 30)), rng.uniform(0.5, 2.0, 30))
    centres = Centres(np.array([0.3, 0.8]), np.array([0.5, 0.2]))
    amplitudes = np.tile(np.geomspace(0.01, 0.3, 5), (N_PROFILES, 1))
    likelihood = np.zeros((2, N_PROFILES, 5))
    empty = Profiles(np.zeros((len(PROFILES.shear), 2 * N_PROFILES)), PROFILES.spacing)
    near_likelihood(galaxies, 0.06, PROFILES, empty, NearField(0.1, 0.4), amplitudes, 0.0, centres, likelihood)
    for q in range(2):
        within = np.hypot(x - centres.x[q], y - centres.y[q]) < 0.4
        centre = centres.x[q : q + 1], centres.y[q : q + 1]
        expected = naive_locate.profile_likelihood(
            *(column[within] for column in galaxies), 0.06, *PROFILES, amplitudes, *centre, MAX_SHEAR
        )
        assert_allclose(likelihood[q], expected[0], rtol=1e-8)


# The mesh


def test_sums_on_a_mesh_are_those_over_galaxies(galaxies):
    """A window of 2.5 steps is interpolated to a millionth, wherever a galaxy lies between the points."""
    x, y, e1, e2, _ = galaxies
    mesh = mesh_over(COLUMNS, ROWS, x, y)
    sums = mesh.sums(mesh.transform(x, y, e1, e2), mesh.kernel(gauss(mesh, 2.5 * 0.5)))
    square = (x - COLUMNS[:, None]) ** 2 + (y - ROWS[:, None, None]) ** 2
    expected = (np.exp(-0.5 * square / 1.25**2) * (e1 + 1j * e2)).sum(axis=-1)
    assert_allclose(sums, expected, atol=1e-6)


@pytest.mark.parametrize("spin", [2, 4])
def test_spin_turns_with_the_angle_about_the_centre(galaxies, spin):
    x, y, e1, e2, _ = galaxies
    mesh = mesh_over(COLUMNS, ROWS, x, y)
    far = (1 - mesh.nearness) * gauss(mesh, 3.0)
    sums = mesh.sums(mesh.transform(x, y, e1, e2), mesh.kernel(far, spin=spin))
    radius, phi = naive_locate.polar(x, y, COLUMNS[:, None], ROWS[:, None, None])
    kernel = (1 - nearness_of(radius, mesh.near.width)) * np.exp(-0.5 * radius**2 / 9 - 1j * spin * phi)
    assert_allclose(sums, (kernel * (e1 + 1j * e2)).sum(axis=-1), atol=1e-4)


def test_finer_meshes_give_the_same_sums(galaxies):
    x, y, e1, e2, _ = galaxies
    coarse, fine = (mesh_over(COLUMNS, ROWS, x, y, stride=stride) for stride in (1, 3))
    sums = [mesh.sums(mesh.transform(x, y, e1, e2), mesh.kernel(gauss(mesh, 2.0))) for mesh in (coarse, fine)]
    assert fine.steps == pytest.approx([step / 3 for step in coarse.steps])
    assert_allclose(sums[0], sums[1], atol=1e-7)


@pytest.mark.parametrize("reach", [np.inf, 3.0])
def test_nothing_wraps_around(reach):
    """A galaxy beyond one side is not near the other one, even with a kernel that rises outward."""
    x, y = np.array([-5.0]), np.array([3.5])
    mesh = mesh_over(COLUMNS, ROWS, x, y, reach=reach)
    kernel = mesh.squares if reach == np.inf else np.exp(-0.5 * mesh.squares * (7 / reach) ** 2)
    sums = mesh.sums(mesh.transform(x, y, np.ones(1), np.zeros(1)), mesh.kernel(kernel)).real
    square = (COLUMNS + 5.0) ** 2 + (ROWS[:, None] - 3.5) ** 2
    assert_allclose(sums, square if reach == np.inf else 0.0 * square, rtol=1e-6, atol=1e-6)


def test_the_number_of_workers_changes_no_bit(galaxies):
    x, y, e1, e2, _ = galaxies
    sums = []
    for n_workers in (1, 2):
        with set_workers(n_workers):
            mesh = mesh_over(COLUMNS, ROWS, x, y)
            sums.append(mesh.sums(mesh.transform(x, y, e1, e2), mesh.kernel(gauss(mesh, 2.0))).tobytes())
    assert sums[0] == sums[1]


def test_centres_that_are_no_grid_have_no_mesh(galaxies):
    x, y, *_ = galaxies
    assert mesh_over(COLUMNS[:1], ROWS, x, y) is None
    assert mesh_over(COLUMNS, np.zeros(2), x, y) is None


def test_near_radius_has_the_given_minimum(galaxies):
    x, y, *_ = galaxies
    least = mesh_over(COLUMNS, ROWS, x, y).near.radius
    assert least == pytest.approx(12 * 0.5)  # six widths of two steps
    assert mesh_over(COLUMNS, ROWS, x, y, min_near_radius=0.1).near.radius == least
    assert mesh_over(COLUMNS, ROWS, x, y, min_near_radius=7.5).near.radius == 7.5


def test_no_galaxies_have_no_mesh():
    assert mesh_over(COLUMNS, ROWS, np.empty(0), np.empty(0)) is None
