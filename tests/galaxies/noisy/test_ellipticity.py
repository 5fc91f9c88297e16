"""Kernels that measure shapes at peaks, against their slow twins."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.kernels import ellipticity as kernels
from darkmatter_features.galaxies.noisy.kernels.peak_shapes import measure_peaks
from darkmatter_features.galaxies.noisy.kernels.planes import climb, take_derivatives, take_light
from darkmatter_features.galaxies.noisy.smoothing import SCALES
from tests.galaxies.noisy import naive_shapes as naive


@pytest.fixture(scope="module", params=SCALES)
def smoothed(request):
    """Response and noise with an elliptical PSF, for each width of the Gaussian."""
    return naive.model_of(scale=request.param)


def random_derivatives(rng, model, n):
    """Return the derivatives of galaxies of many S/N, shapes, sizes and places, with noise, and their 9 other ones."""
    for _ in range(n):
        e = rng.uniform(0, 0.7) * np.exp(2j * np.pi * rng.random())
        covariance = naive.covariance_of(e, rng.uniform(0.05, 1.2)) + np.eye(2)
        place = rng.uniform(-1.2, 1.2, 2) / model.sigma
        d = naive.gaussian_derivatives(covariance, place, model.noise * np.exp(rng.uniform(1.2, 5.0)))
        yield np.concatenate([d + 0.3 * model.noise * rng.normal(size=6), d[0] * 0.3 * rng.normal(size=9)])


def test_rise_matches_naive():
    for x in np.linspace(-1.0, 4.0, 41):
        assert kernels.rise(x, 0.5, 3.0) == pytest.approx(naive.rise(x, 0.5, 3.0), abs=1e-12)


def test_rise_has_two_continuous_derivatives():
    for edge in (0.5, 3.0):
        values = [kernels.rise(edge + k * 1e-3, 0.5, 3.0) for k in range(-2, 3)]
        assert np.abs(np.diff(values)).max() < 1e-7
        assert np.abs(np.diff(values, 2)).max() < 1e-7


def test_spline_matches_naive():
    for x in np.linspace(-2.0, 2.0, 33):
        assert kernels.spline(x) == pytest.approx(naive.spline(x), abs=1e-12)


def test_spline_values_at_unit_distances_add_up_to_1(rng):
    for shift in rng.uniform(-0.5, 0.5, 50):
        assert sum(kernels.spline(shift + k) for k in range(-3, 4)) == pytest.approx(1.0, abs=1e-12)


def test_shape_at_matches_naive(rng, smoothed):
    n_weighted = 0
    for d in random_derivatives(rng, smoothed.model, 400):
        weight, e1, e2 = naive.shape_by_kernel(d, smoothed.model)
        expected, e = naive.shape_at(d[:6], smoothed.model)
        assert weight == pytest.approx(expected, rel=1e-9, abs=1e-14)
        assert complex(e1, e2) == pytest.approx(expected * e, rel=1e-9, abs=1e-14)
        n_weighted += expected > 0.0
    assert 40 < n_weighted < 400


@pytest.mark.parametrize(
    ("d", "reason"),
    [
        ([0.0, 0, 0, 0, 0, 0], "no light"),
        ([-9.0, 0, 0, 9, 0, 9], "a hole"),
        ([9.0, 0, 0, 9, 0, 9], "a dip"),
        ([9.0, 0, 0, -9, 0, 3], "a saddle"),
        ([9.0, 30, 0, -9, 0, -9], "a slope"),
    ],
)
def test_where_no_peak_is_the_weight_is_0(smoothed, d, reason):
    d = np.array(d) * smoothed.model.noise
    assert naive.shape_by_kernel(d, smoothed.model) == (0.0, 0.0, 0.0), reason
    assert naive.shape_at(d, smoothed.model)[0] == 0.0


@pytest.mark.parametrize("e", [0.0j, 0.2 + 0.1j, -0.5j, 0.7])
@pytest.mark.parametrize("size", [0.4, 1.0, 2.0])
def test_shape_of_a_gaussian_galaxy_is_exact(smoothed, e, size):
    """Without the factor for other profiles and the limits; the noise is far below the light."""
    model = naive.with_window(smoothed.model)
    d = naive.gaussian_derivatives(naive.covariance_of(e, size) + np.eye(2), np.array([0.1, -0.2]) / model.sigma, 1e6)
    weight, found = naive.shape_at(d, model, profile_factor=1.0, min_denominator=0.0, saturation=400.0)
    assert weight > 0.0
    assert found == pytest.approx(e, abs=1e-6)


def test_limits_are_small_for_well_resolved_galaxies(smoothed):
    """The kernel itself: the factor is that of more peaked galaxies, the limits change e = 0.1 by 3 % of it."""
    model = naive.with_window(smoothed.model)
    covariance = naive.covariance_of(0.1 + 0.0j, 1.0) + np.eye(2)
    weight, e1, e2 = naive.shape_by_kernel(naive.gaussian_derivatives(covariance, np.zeros(2), 1e6), model)
    assert e1 / weight == pytest.approx(0.1 * kernels.PROFILE_FACTOR, rel=0.05)
    assert e2 == 0.0


def test_weights_of_pixels_about_a_peak_add_up_to_that_of_the_peak(smoothed):
    """A round Gaussian galaxy wherever it is in the pixel, far above the noise."""
    model, size = naive.with_window(smoothed.model), 0.8
    covariance = (1 + size**2) * np.eye(2)
    totals = []
    for shift in (0.0, 0.2, 0.45):
        places = [np.array([shift + i, j - 0.3]) / model.sigma for i in range(-2, 3) for j in range(-2, 3)]
        totals.append(
            sum(naive.shape_by_kernel(naive.gaussian_derivatives(covariance, p, 1e6), model)[0] for p in places)
        )
    assert totals == pytest.approx([1.0] * 3, rel=1e-3)


@pytest.mark.parametrize("place", [(20, 30), (0, 0), (3, 38), (46, 1)])
@pytest.mark.parametrize("n", [1, 3])
def test_take_derivatives_matches_naive(rng, smoothed, place, n):
    plane = naive.sampled(lambda x, y: rng.normal(size=x.shape), (48, 40), smoothed.plane)
    found = np.full((n * n, 15), np.nan)
    take_derivatives(plane, *place, n, 0.7, np.empty((5, plane.table.shape[2] + n)), found)
    pixels = [(place[0] + i, place[1] + j) for i in range(n) for j in range(n)]
    expected = [naive.derivatives(plane, *pixel, 0.7) for pixel in pixels]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("first", [(0, 0), (5, 2)])
def test_take_light_matches_naive(rng, smoothed, first):
    """At all pixels, and at those of the samples alone."""
    plane = naive.sampled(lambda x, y: rng.normal(size=x.shape), (48, 40), smoothed.plane)
    for spacing in {1, plane.step}:
        found = np.full((9, 8), np.nan, dtype=np.float32)
        take_light(plane, *first, spacing, found)
        pixels = [[(first[0] + spacing * i, first[1] + spacing * j) for j in range(8)] for i in range(9)]
        if first[0] + 9 * spacing <= 48:
            expected = [[naive.derivatives(plane, *pixel, 1.0)[0] for pixel in row] for row in pixels]
            np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("peak", [(21, 18), (0, 39), (47, 0)])
def test_peaks_climb_to_the_brightest_pixel(smoothed, peak):
    plane = naive.sampled(
        lambda x, y: np.exp(-0.5 * ((x - peak[1]) ** 2 + (y - peak[0]) ** 2) / smoothed.model.sigma**2),
        (48, 40),
        smoothed.plane,
    )
    step = plane.step
    rows, columns = (np.array([step * (at // step)]) for at in peak)
    light = np.empty(1)
    climb(plane, rows, columns, (48, 40), light)
    assert (rows[0], columns[0]) == peak
    assert light[0] == pytest.approx(naive.derivatives(plane, *peak, 1.0)[0], rel=1e-5)


def test_add_pixel_matches_naive(rng, smoothed):
    """The response is a difference over 1e-4 of the galaxy: rounding errors of 1e-12 over that."""
    sums, expected, work = np.zeros(8), np.zeros(8), kernels.shape_steps(smoothed.model, smoothed.steps)
    for d in random_derivatives(rng, smoothed.model, 150):
        kernels.add_pixel(d, smoothed.model, work, sums)
        expected += naive.pixel_sums(d, smoothed.model)
    np.testing.assert_allclose(sums, expected, rtol=1e-6, atol=1e-7)
    assert (np.abs(expected) > 1e-4).all()


def test_error_at_matches_naive(rng, smoothed):
    work = kernels.shape_steps(smoothed.model, smoothed.steps)
    for d in random_derivatives(rng, smoothed.model, 60):
        found = kernels.error_at(d, smoothed.model, work)
        assert found == pytest.approx(naive.error(d, smoothed.model, smoothed.steps), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("with_shapes", [True, False])
def test_measure_peaks_matches_naive(rng, smoothed, with_shapes):
    """Peaks of smooth blobs, one at a border, and one on noise alone."""
    step, model = smoothed.plane.step, smoothed.model
    rows, columns, noise = np.array([20, 40, 1, 55]), np.array([25, 44, 30, 8]), np.array([0.5, 2.0, 1.0, 3.0])
    rows, columns = step * rows + step // 2, step * columns
    wide, cross = rng.uniform(1.2, 1.5, 3), rng.uniform(-0.2, 0.2, 3)

    def light(x, y):
        total = 0.05 * model.noise * rng.normal(size=x.shape)
        for k in range(3):
            dx, dy = x - columns[k] - 0.3, y - rows[k] + 0.2
            radius = (dx**2 + cross[k] * dx * dy + 1.3 * dy**2) / (wide[k] * model.sigma) ** 2
            total += 60.0 * model.noise * noise[k] * np.exp(-0.5 * radius)
        return total

    plane = naive.sampled(light, (64 * step, 64 * step), smoothed.plane)
    found = kernels.PeakShapes(*np.zeros((len(kernels.PeakShapes._fields), 4)))
    measure_peaks(plane, rows, columns, noise, model, smoothed.steps, found, with_shapes)
    expected = [naive.peak(plane, *each, smoothed, with_shapes) for each in zip(rows, columns, noise)]
    np.testing.assert_allclose(np.transpose(found), expected, rtol=2e-4, atol=2e-5 * np.abs(expected).max())
    assert (found.weight > 0.0).any() == with_shapes
    assert np.hypot(found.x[:2] - columns[:2] - 0.3, found.y[:2] - rows[:2] + 0.2).max() < 0.05
