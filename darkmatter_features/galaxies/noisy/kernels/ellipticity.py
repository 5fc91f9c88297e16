"""Ellipticity and weight of a peak as smooth functions of derivatives, and their response to shear."""

from typing import Any, NamedTuple

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats
from darkmatter_features.numerics.jit import compiled

MIN_DETERMINANT = 0.02
"""Determinant of the curvature matrix up to which the weight rises: at 0 a peak ends."""

MIN_DENOMINATOR = 0.05
"""Scale below which the denominator of the ellipticity is kept from 0."""

PROFILE_FACTOR = 1.29
"""Factor of the ellipticity: galaxies are more peaked than the Gaussian, for which 1 is exact."""

SMALLEST = 1e-12
"""Minimum of that denominator after rounding: where it is smaller, the weight is 0."""

SATURATION = 4.0
"""Exponent of the function that keeps the modulus of the ellipticity below 1; the kernel takes its roots."""

SHAPE_NOISE = 0.25
"""Scatter of the ellipticities of galaxies per component, in the weight."""

DIFFERENCE_STEP = 0.3
"""Step of the second differences, standard deviations of the noise."""

RESPONSE_STEP = 1e-4
"""Shear of the differences that give the response."""

N_SHEARS = 2
"""Components of the shear."""


class ShapeNoise(NamedTuple):
    """Linear response of the derivatives to shear, and their noise; the noise of a pixel is the unit of all light.

    Attributes
    ----------
    response : (2, 6, 15) float64 array
        Response of the first six derivatives to both components of the shear.
    directions : (3, 6, 6) float64 array
        Rows ``[t, k]`` are steps of the six derivatives of one standard deviation of the noise: for the product of
        noise and its response to g1 (t = 0), to g2 (t = 1), and for the part of the noise with spin 2 (t = 2).
    factors : (3, 6) float64 array
        Factor of the second difference along each.
    noise : float
        Standard deviation of the smoothed light.
    curvature_noise : float
        Standard deviation of a component of the curvature with spin 2, in units of `noise`.
    sigma : float, pixels
        Standard deviation of the Gaussian after smoothing.
    snr_range : (float, float)
        S/N of the smoothed light between which the weight rises from 0 to its full value.
    window : (float, float, float, float)
        Resolutions, one less the mean curvature in units of a point source's, between which the weight rises, and
        between which it falls again: larger galaxies are measured after more smoothing.
    """

    response: Floats
    directions: Floats
    factors: Floats
    noise: float
    curvature_noise: float
    sigma: float
    snr_range: tuple[float, float]
    window: tuple[float, float, float, float]


@compiled
def rise(x: Any, low: Any, high: Any) -> Any:
    """Return a function that rises from 0 at `low` to 1 at `high` with two continuous derivatives."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)


@compiled
def spline(x: Any) -> Any:
    """Return the quadratic B-spline: its values at distances of 1 add up to 1."""
    outer, inner = max(1.5 - abs(x), 0.0), max(0.5 - abs(x), 0.0)
    return 0.5 * outer * outer - 1.5 * inner * inner


@compiled
def shapes_at(points: Floats, first: Any, end: Any, model: Any, shapes: Floats) -> None:
    """Fill weights, and weights times each component of the ellipticity, for derivatives at many points.

    Of the pixels about a peak, each has the part of the weight that a B-spline gives to its distance from the peak.

    With A the matrix of second derivatives of the negative log light, a half its trace and b its part of spin 2, a
    Gaussian galaxy has ``chi = -b / (a - a^2 + |b|^2)``, and ellipticity ``chi / (1 + sqrt(1 - |chi|^2))``.

    Parameters
    ----------
    points : (6, m) float64 array
        Derivatives up to order two.
    first, end : int
        Columns of the points: from `first` on, those from `end` on excluded.
    model : ShapeNoise
        Noise and windows.
    shapes : (3, m) float64 array
        Weight, and e1 and e2 times it. Where there is no peak, all are 0.

    Notes
    -----
    The loop has no branch, so that it is vectorised, which takes a fourth of the time.
    """
    noise, curvature_noise, sigma = model.noise, model.curvature_noise, model.sigma
    faint, bright = model.snr_range
    rise_low, rise_high, fall_low, fall_high = model.window
    for k in range(first, end):
        snr = points[0, k] / noise
        is_bright = snr > faint
        f = points[0, k] if is_bright else 1.0
        snr = snr if is_bright else faint
        gx, gy = points[1, k] / f, points[2, k] / f
        axx, axy, ayy = gx * gx - points[3, k] / f, gx * gy - points[4, k] / f, gy * gy - points[5, k] / f
        a, b1 = 0.5 * (axx + ayy), 0.5 * (axx - ayy)
        squared = b1 * b1 + axy * axy
        determinant = a * a - squared
        is_peak = (a > 0.0) & (determinant > 0.0)
        reach = sigma / (determinant if is_peak else 1.0)
        weight = spline(reach * (ayy * gx - axy * gy)) * spline(reach * (axx * gy - axy * gx))
        weight *= rise(snr, faint, bright) * rise(determinant, 0.0, MIN_DETERMINANT)
        weight *= rise(1.0 - a, rise_low, rise_high) * rise(a - 1.0, -fall_high, -fall_low)
        denominator = squared + a - a * a
        denominator = 0.5 * (denominator + np.sqrt(denominator * denominator + 4.0 * MIN_DENOMINATOR**2))
        denominator = max(denominator, SMALLEST)
        error = 0.5 * PROFILE_FACTOR * curvature_noise / (snr * denominator * SHAPE_NOISE)
        weight = weight / (1.0 + error * error) if is_peak else 0.0
        scale = PROFILE_FACTOR / denominator
        chi = scale * scale * squared
        chi = chi * chi * chi * chi  # SATURATION
        scale /= np.sqrt(np.sqrt(np.sqrt(1.0 + chi)))
        scale /= 1.0 + np.sqrt(max(1.0 - scale * scale * squared, 0.0))
        shapes[0, k], shapes[1, k], shapes[2, k] = weight, -weight * scale * b1, -weight * scale * axy


class PeakShapes(NamedTuple):
    """Sums over the pixels about each peak; arrays (n,), light in units of the noise of a pixel.

    Attributes
    ----------
    weight, e1, e2, response : (n,) float64 arrays
        Sum of the weights, of the weighted ellipticities, and of their responses to shear.
    bias1, bias2 : (n,) float64 arrays
        Sum of what the noise adds to the weighted ellipticities on average.
    weight1, weight2 : (n,) float64 arrays
        Sum of the responses of the weights to the components of the shear, without that of the noise.
    error : (n,) float64 array
        Standard deviation of a component of the ellipticity by noise.
    x, y : (n,) float64 arrays, pixels
        Position of the peak.
    light, curvature, stretch : (n,) float64 arrays
        Smoothed light at the pixel of the peak; mean curvature a, and modulus of its part of spin 2.
    light1, light2 : (n,) float64 arrays
        Responses of that light to the components of the shear.
    """

    weight: Floats
    e1: Floats
    e2: Floats
    response: Floats
    bias1: Floats
    bias2: Floats
    weight1: Floats
    weight2: Floats
    error: Floats
    x: Floats
    y: Floats
    light: Floats
    curvature: Floats
    stretch: Floats
    light1: Floats
    light2: Floats


class ShapeSteps(NamedTuple):
    """Steps of the first six derivatives of a pixel, and work space for the shapes there and on both sides.

    Attributes
    ----------
    noise : (6, 20) float64 array
        Responses of a pixel to both components of the shear, which each pixel sets, and the steps of
        `ShapeNoise.directions`.
    error : (6, 6) float64 array
        Steps of independent noise.
    points, shapes : (6, 41), (3, 41) float64 arrays
        Work space.
    """

    noise: Floats
    error: Floats
    points: Floats
    shapes: Floats


@compiled
def shape_steps(model: Any, steps: Floats) -> Any:
    """Return the steps for a model and independent noise, `steps` (6, 6) of one standard deviation each in rows."""
    noise, error = np.empty((6, N_SHEARS + 18)), np.empty((6, 6))
    for i in range(6):
        for a in range(N_SHEARS):
            noise[i, a] = 0.0
        for t in range(3):
            for k in range(6):
                noise[i, N_SHEARS + 6 * t + k] = DIFFERENCE_STEP * model.directions[t, k, i]
        for k in range(6):
            error[i, k] = DIFFERENCE_STEP * steps[k, i]
    return ShapeSteps(noise, error, np.empty((6, 41)), np.empty((3, 41)))


@compiled
def _take_shapes(d: Floats, steps: Floats, model: Any, work: Any) -> None:
    """Fill all `work.shapes` but the first: those after each of n `steps` (6, n) from derivatives `d`, and n before.

    The numbers of points, 40 and 12, are multiples of those that a vector holds: one more would take a tenth longer.
    """
    points, n = work.points, steps.shape[1]
    for i in range(6):
        for k in range(n):
            points[i, 1 + k] = d[i] + steps[i, k]
            points[i, 1 + n + k] = d[i] - steps[i, k]
    shapes_at(points, 1, 1 + 2 * n, model, work.shapes)


@compiled
def _set_responses(d: Floats, model: Any, steps: Floats) -> None:
    """Set the first steps to the responses of derivatives `d` (15,) to a shear of RESPONSE_STEP."""
    for a in range(N_SHEARS):
        for i in range(6):
            total = 0.0
            for j in range(d.size):
                total += model.response[a, i, j] * d[j]
            steps[i, a] = RESPONSE_STEP * total


@compiled
def add_pixel(d: Floats, model: Any, work: Any, sums: Floats) -> None:
    """Add a pixel to `sums`: weight, e1 and e2 times it, their mean response, mean biases by noise, weight's response.

    The response of the noisy light counts the noise as if it were sheared. For Gaussian noise n with response n',
    ``E[h_i n'_i] = sum_j E[dh_i / dd_j] Cov(n_j, n'_i)`` for the derivatives h_i of a function of the light (Stein's
    lemma): second derivatives of the weighted ellipticity, which are taken away. In the same way the part of the noise
    with spin 2 moves the mean of the function by half its covariance times second derivatives.

    References
    ----------
    Li & Mandelbaum (2023), arXiv:2208.10522; Stein (1981), doi:10.1214/aos/1176345632
    """
    shapes, n = work.shapes, work.noise.shape[1]
    for i in range(6):
        work.points[i, 0] = d[i]
    shapes_at(work.points, 0, 1, model, shapes)
    if shapes[0, 0] == 0.0:
        return
    _set_responses(d, model, work.noise)
    _take_shapes(d, work.noise, model, work)
    response, bias1, bias2 = 0.0, 0.0, 0.0
    for a in range(N_SHEARS):
        response += 0.5 * (shapes[1 + a, 1 + a] - shapes[1 + a, 1 + n + a]) / RESPONSE_STEP
        sums[6 + a] += 0.5 * (shapes[0, 1 + a] - shapes[0, 1 + n + a]) / RESPONSE_STEP
    for t in range(3):
        for k in range(6):
            m = 1 + N_SHEARS + 6 * t + k
            factor = model.factors[t, k] / (DIFFERENCE_STEP * DIFFERENCE_STEP)
            second1 = shapes[1, m] + shapes[1, m + n] - 2.0 * shapes[1, 0]
            second2 = shapes[2, m] + shapes[2, m + n] - 2.0 * shapes[2, 0]
            if t < N_SHEARS:
                response -= factor * (second1 if t == 0 else second2)
            else:
                bias1 += 0.5 * factor * second1
                bias2 += 0.5 * factor * second2
    for i in range(3):
        sums[i] += shapes[i, 0]
    sums[3] += 0.5 * response
    sums[4] += bias1
    sums[5] += bias2


@compiled
def error_at(d: Floats, model: Any, work: Any) -> Any:
    """Return the standard deviation of a component of the ellipticity, by the steps of independent noise."""
    _take_shapes(d, work.error, model, work)
    shapes, variance = work.shapes, 0.0
    for k in range(1, 7):
        upper, lower = shapes[0, k], shapes[0, k + 6]
        if upper > 0.0 and lower > 0.0:
            for component in (1, 2):
                variance += 0.5 * (0.5 * (shapes[component, k] / upper - shapes[component, k + 6] / lower)) ** 2
    return np.sqrt(variance) / DIFFERENCE_STEP
