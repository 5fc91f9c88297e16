"""The lens equation, the shear and the magnification of simulated galaxies, against planted and independent values."""

import galsim
import numpy as np
import pytest

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.drawing import make_bank, paint_galaxies
from darkmatter_features.simulation.lensing import CompensatedPowerLaw
from darkmatter_features.simulation.nfw import NfwHalo
from darkmatter_features.simulation.population import Counts, Galaxies, lensed
from darkmatter_features.simulation.seed import true_ellipticity

HALO = CompensatedPowerLaw(amplitude=0.2, slope=0.5, core=4.0, max_radius=243.0)
CLUSTER = NfwHalo(mass=5e14, concentration=5.0, redshift=0.3, source_redshift=1.0, scale=0.263)
LENSES = pytest.mark.parametrize("lens", [HALO, CLUSTER], ids=["power law", "NFW"])


def galaxies_at(x, y, *, radius=1e-6, profile=0, e=0j):
    """Return galaxies of unit size and ellipticity e; the magnification of a point, `radius` 0, is not softened."""
    x, y = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
    n = len(x)
    matrix = np.array([[1 + e.real, e.imag], [e.imag, 1 - e.real]]) / np.sqrt(1 - abs(e) ** 2)
    ones = np.ones(n)
    return Galaxies(x, y, ones, np.full(n, profile), np.tile(matrix, (n, 1, 1)), radius * ones, ones, ones)


@LENSES
def test_images_obey_the_lens_equation(lens):
    beta = np.array([0.5, 10.0, 60.0, 150.0, 400.0])
    r = lensing.image_radii(lens, beta)
    np.testing.assert_allclose(r - r * lens.mean_convergence(r), beta, atol=1e-8)
    assert (r >= beta - 1e-8).all()


@LENSES
def test_mean_convergence_is_the_mean_of_the_convergence(lens):
    """kappa_bar(R) is 2 / R^2 times the integral of kappa r dr, here by the trapezium rule."""
    r = np.linspace(0.1, 200.0, 200_001)
    disc = lens.mean_convergence(r[:1])[0] * r[0] ** 2 / 2
    integral = disc + np.trapezoid(lens.convergence(r) * r, r)
    assert 2 * integral / r[-1] ** 2 == pytest.approx(lens.mean_convergence(r[-1:])[0], rel=1e-3)


def test_compensated_halo_has_no_convergence_beyond_its_radius():
    r = np.array([243.0, 300.0])
    np.testing.assert_array_equal(HALO.mean_convergence(r), 0.0)
    np.testing.assert_array_equal(HALO.convergence(r), 0.0)
    just_inside = np.array([242.9])
    assert HALO.mean_convergence(just_inside)[0] == pytest.approx(0.0, abs=1e-3)


def test_amplitude_is_the_shear_at_100_px():
    coreless = CompensatedPowerLaw(amplitude=0.2, slope=0.5, core=0.0, max_radius=243.0)
    r = np.array([100.0])
    assert (coreless.mean_convergence(r) - coreless.convergence(r))[0] == pytest.approx(0.2)


@LENSES
def test_magnification_is_the_change_of_area_under_the_lens_equation(lens):
    """The stretches are r / beta and dr / dbeta, here by differences."""
    r = np.array([80.0, 120.0, 200.0])
    tangential, radial = lensing.stretches(lens, r, np.zeros(3))
    beta = lambda r: r * (1 - lens.mean_convergence(r))  # noqa: E731
    np.testing.assert_allclose(tangential, r / beta(r), rtol=1e-6)
    np.testing.assert_allclose(radial, 0.02 / (beta(r + 0.01) - beta(r - 0.01)), rtol=2e-2)


def test_lens_moves_shears_and_magnifies_a_planted_source():
    """The image of a round source 60 px right of the lens is further right and stretched vertically: gamma_t > 0."""
    image = lensed(galaxies_at(260.0, 100.0), HALO, 200.0, 100.0)
    tangential, radial = lensing.stretches(HALO, image.x - 200.0, np.zeros(1))
    assert image.x[0] > 262.0
    assert image.y[0] == pytest.approx(100.0)
    np.testing.assert_allclose(image.frame[0], np.diag([radial[0], tangential[0]]), atol=1e-6)
    assert tangential[0] > radial[0]
    np.testing.assert_allclose(image.luminosity, tangential * radial, rtol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5, -1.2])
def test_shapes_compose_like_galsim_shears(angle):
    """The composition e' = (e + g) / (1 + g* e), with g tangential, agrees with GalSim's composition of shears."""
    e = 0.3 - 0.2j
    source = galaxies_at(250 + 90 * np.cos(angle), 250 + 90 * np.sin(angle), e=e)
    image = lensed(source, HALO, 250.0, 250.0)
    e1, e2 = lensing.ellipticity(image.frame @ image.frame.transpose(0, 2, 1))
    r = np.hypot(image.x - 250.0, image.y - 250.0)
    kappa, gamma = HALO.convergence(r)[0], (HALO.mean_convergence(r) - HALO.convergence(r))[0]
    g = -gamma / (1 - kappa) * np.exp(2j * angle)
    expected = galsim.Shear(g1=g.real, g2=g.imag) + galsim.Shear(g1=e.real, g2=e.imag)
    assert (e1[0], e2[0]) == pytest.approx((expected.g1, expected.g2), abs=1e-6)


def test_nfw_lens_agrees_with_galsim():
    """The magnification agrees at a position off both axes."""
    x, y = 40.0, -55.0
    r = np.array([np.hypot(x, y)])
    tangential, radial = lensing.stretches(CLUSTER, r, np.zeros(1))
    halo = galsim.NFWHalo(5e14, 5.0, 0.3, omega_m=0.3, omega_lam=0.7)
    position = galsim.PositionD(x * 0.263, y * 0.263)
    assert (tangential * radial)[0] == pytest.approx(halo.getMagnification(position, 1.0), rel=2e-3)
    assert tangential[0] > radial[0]


def test_a_finite_source_is_stretched_less_on_the_einstein_ring():
    ring = lensing.image_radii(HALO, np.zeros(1))
    point, galaxy = (lensing.stretches(HALO, ring, np.array([rho]))[0][0] for rho in (0.0, 5.0))
    assert point > 1e6
    assert galaxy == pytest.approx(ring[0] / 5.0, rel=1e-6)


def test_counts_follow_their_slope_and_density():
    """N(>L) ~ L^-0.6 far below the cutoff, with 40,000 galaxies above L = 1: a Poisson error of 0.5 %."""
    luminosity = Counts(slope=0.6, cutoff=1e4).draw(np.random.default_rng(1), 0.04, 1e6, 0.25)
    above = [(luminosity > limit).sum() for limit in (0.25, 1.0)]
    assert above[1] == pytest.approx(40_000, rel=0.02)
    assert luminosity.min() >= 0.25
    assert above[0] / above[1] == pytest.approx(4**0.6, rel=0.02)


def test_drawn_moments_are_the_true_ellipticity():
    """Drawn large and without PSF, every shape of the bank has the moments of its true ellipticity."""
    bank = make_bank(40, 5)
    galaxies = galaxies_at(np.full(40, 64.0), np.full(40, 64.0), e=0.2 + 0.1j)
    galaxies = Galaxies(
        64 + 0 * galaxies.x,
        64 + 0 * galaxies.y,
        galaxies.luminosity,
        np.arange(40),
        25.0 * galaxies.frame,
        galaxies.radius,
        galaxies.brightness,
        galaxies.hue,
    )
    e1, e2 = true_ellipticity(galaxies, bank)
    for i in range(40):
        plane = np.zeros((1, 129, 129), dtype=np.float32)
        paint_galaxies(plane, galaxies.select(np.arange(40) == i), np.ones((1, 1)), bank)
        y, x = np.indices(plane[0].shape)
        mean = lambda q: (plane[0] * q).sum() / plane[0].sum()  # noqa: E731, B023
        cx, cy = mean(x), mean(y)
        moments = np.array([[mean((x - cx) ** 2), mean((x - cx) * (y - cy))], [0.0, mean((y - cy) ** 2)]])
        assert (cx, cy) == pytest.approx((64.0, 64.0), abs=0.1)
        assert lensing.ellipticity(moments) == pytest.approx((e1[i], e2[i]), abs=0.01)


def test_magnification_multiplies_the_drawn_light():
    bank = make_bank(40, 5)
    source = galaxies_at(64.0, 64.0)
    light = []
    for stretch in (np.eye(2), np.diag([1.2, 2.0])):
        galaxy = Galaxies(
            source.x,
            source.y,
            source.luminosity,
            source.profile,
            stretch @ (12.0 * source.frame),
            source.radius,
            source.brightness,
            source.hue,
        )
        plane = np.zeros((1, 129, 129), dtype=np.float32)
        paint_galaxies(plane, galaxy, np.ones((1, 1)), bank)
        light.append(plane.sum())
    assert light[1] / light[0] == pytest.approx(2.4, rel=0.01)


def test_the_galaxy_in_front_hides_the_one_behind():
    bank = make_bank(40, 5)
    pair = galaxies_at([64.0, 64.0], [64.0, 64.0])
    pair = Galaxies(
        pair.x, pair.y, pair.luminosity, pair.profile, 20.0 * pair.frame, pair.radius, pair.brightness, pair.hue
    )
    planes = np.zeros((2, 129, 129), dtype=np.float32)
    paint_galaxies(planes, pair, np.eye(2), bank)
    assert planes[0].sum() < 0.03 * planes[1].sum()
