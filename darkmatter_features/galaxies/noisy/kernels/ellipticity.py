"""Ellipticity and weight of a peak as smooth functions of derivatives, and their response to shear."""

from typing import Any, NamedTuple

import numpy as np

from darkmatter_features.galaxies.kernels.records import Floats
from darkmatter_features.numerics.jit import compiled

SNR_RANGE = (4.5, 7.0)
"""S/N of the smoothed light between which the weight rises from 0 to its full value."""

MIN_DETERMINANT = 0.02
"""Determinant of the curvature matrix up to which the weight rises: at 0 a peak ends."""

MIN_DENOMINATOR = 0.05
"""Scale below which the denominator of the ellipticity is kept from 0."""

PROFILE_FACTOR = 1.29
"""Factor of the ellipticity: galaxies are more peaked than the Gaussian, for which 1 is exact."""

SATURATION = 4.0
"""Exponent of the function that keeps the modulus of the ellipticity below 1."""

SHAPE_NOISE = 0.25
"""Scatter of the ellipticities of galaxies per component, in the weight."""

DIFFERENCE_STEP = 0.3
"""Step of the second differences, standard deviations of the noise."""

RESPONSE_STEP = 1e-4
"""Shear of the differences that give the response."""


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
    window: tuple[float, float, float, float]


@compiled
def rise(x: Any, low: Any, high: Any) -> Any:
    """Return a function that rises from 0 at `low` to 1 at `high` with two continuous derivatives."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)


@compiled
def spline(x: Any) -> Any:
    """Return the quadratic B-spline: its values at distances of 1 add up to 1."""
    x = abs(x)
    if x < 0.5:
        return 0.75 - x * x
    if x < 1.5:
        return 0.5 * (1.5 - x) ** 2
    return 0.0


@compiled
def shape_at(d: Any, model: Any) -> Any:
    """Return the weight of a peak at a pixel, and the weight times each component of its ellipticity.

    Of the pixels about a peak, each has the part of the weight that a B-spline gives to its distance from the peak.

    With A the matrix of second derivatives of the negative log light, a half its trace and b its part of spin 2, a
    Gaussian galaxy has ``chi = -b / (a - a^2 + |b|^2)``, and ellipticity ``chi / (1 + sqrt(1 - |chi|^2))``.
    """
    f = d[0]
    snr = f / model.noise
    if snr <= SNR_RANGE[0]:
        return 0.0, 0.0, 0.0
    gx, gy = d[1] / f, d[2] / f
    axx, axy, ayy = gx * gx - d[3] / f, gx * gy - d[4] / f, gy * gy - d[5] / f
    a, b1 = 0.5 * (axx + ayy), 0.5 * (axx - ayy)
    squared = b1 * b1 + axy * axy
    if a <= 0.0 or a * a <= squared:
        return 0.0, 0.0, 0.0
    reach = model.sigma / (a * a - squared)
    weight = spline(reach * (ayy * gx - axy * gy)) * spline(reach * (axx * gy - axy * gx))
    if weight == 0.0:
        return 0.0, 0.0, 0.0
    weight *= rise(snr, *SNR_RANGE) * rise(a * a - squared, 0.0, MIN_DETERMINANT)
    window = model.window
    weight *= rise(1.0 - a, window[0], window[1]) * rise(a - 1.0, -window[3], -window[2])
    if weight == 0.0:
        return 0.0, 0.0, 0.0
    denominator = a - a * a + squared
    denominator = 0.5 * (denominator + np.sqrt(denominator * denominator + 4.0 * MIN_DENOMINATOR**2))
    error = 0.5 * PROFILE_FACTOR * model.curvature_noise / (snr * denominator)
    weight /= 1.0 + (error / SHAPE_NOISE) ** 2
    scale = PROFILE_FACTOR / denominator
    chi = scale * scale * squared
    scale *= (1.0 + chi**SATURATION) ** (-0.5 / SATURATION)
    scale /= 1.0 + np.sqrt(max(1.0 - scale * scale * squared, 0.0))
    return weight, -weight * scale * b1, -weight * scale * axy


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


@compiled
def take_derivatives(plane: Any, y: Any, x: Any, table: Floats, scale: Any, derivatives: Floats) -> None:
    """Fill `derivatives` (15,) with those of `plane` at pixel (y, x), times `scale`; pixels outside are 0."""
    n_orders, width = table.shape
    m = width // 2
    along = np.zeros(n_orders)
    derivatives[:] = 0.0
    for i in range(max(-m, -y), min(m + 1, plane.shape[0] - y)):
        along[:] = 0.0
        for j in range(max(-m, -x), min(m + 1, plane.shape[1] - x)):
            value = plane[y + i, x + j]
            for p in range(n_orders):
                along[p] += value * table[p, j + m]
        k = 0
        for n in range(n_orders):
            for q in range(n + 1):
                derivatives[k] += along[n - q] * table[q, i + m]
                k += 1
    for k in range(derivatives.size):
        derivatives[k] *= scale


@compiled
def add_pixel(d: Floats, model: Any, sums: Floats) -> None:
    """Add a pixel to `sums`: weight, e1 and e2 times it, their mean response, mean biases by noise, weight's response.

    The response of the noisy light counts the noise as if it were sheared. For Gaussian noise n with response n',
    ``E[h_i n'_i] = sum_j E[dh_i / dd_j] Cov(n_j, n'_i)`` for the derivatives h_i of a function of the light (Stein's
    lemma): second derivatives of the weighted ellipticity, which are taken away. In the same way the part of the noise
    with spin 2 moves the mean of the function by half its covariance times second derivatives.

    References
    ----------
    Li & Mandelbaum (2023), arXiv:2208.10522; Stein (1981), doi:10.1214/aos/1176345632
    """
    centre = shape_at(d[:6], model)
    if centre[0] == 0.0:
        return
    response = 0.0
    for a in range(2):
        step = RESPONSE_STEP * (model.response[a] @ d)
        upper, lower = shape_at(d[:6] + step, model), shape_at(d[:6] - step, model)
        response += 0.5 * (upper[a + 1] - lower[a + 1]) / RESPONSE_STEP
        sums[6 + a] += 0.5 * (upper[0] - lower[0]) / RESPONSE_STEP
    bias1, bias2 = 0.0, 0.0
    for t in range(3):
        for k in range(6):
            step = DIFFERENCE_STEP * model.directions[t, k]
            upper, lower = shape_at(d[:6] + step, model), shape_at(d[:6] - step, model)
            factor = model.factors[t, k] / DIFFERENCE_STEP**2
            second1, second2 = upper[1] + lower[1] - 2.0 * centre[1], upper[2] + lower[2] - 2.0 * centre[2]
            if t < 2:
                response -= factor * (second1 if t == 0 else second2)
            else:
                bias1 += 0.5 * factor * second1
                bias2 += 0.5 * factor * second2
    sums[0] += centre[0]
    sums[1] += centre[1]
    sums[2] += centre[2]
    sums[3] += 0.5 * response
    sums[4] += bias1
    sums[5] += bias2


@compiled
def error_at(d: Floats, model: Any, steps: Floats) -> Any:
    """Return the standard deviation of a component of the ellipticity, by `steps` (6, 6) of independent noise."""
    variance = 0.0
    for k in range(6):
        step = DIFFERENCE_STEP * steps[k]
        upper, lower = shape_at(d[:6] + step, model), shape_at(d[:6] - step, model)
        if upper[0] > 0.0 and lower[0] > 0.0:
            for component in (1, 2):
                variance += 0.5 * (0.5 * (upper[component] / upper[0] - lower[component] / lower[0])) ** 2
    return np.sqrt(variance) / DIFFERENCE_STEP


@compiled
def measure_peaks(
    plane: Any,
    rows: Any,
    columns: Any,
    noise: Floats,
    table: Floats,
    model: Any,
    steps: Floats,
    shapes: Any,
    with_shapes: bool,
) -> None:
    """Fill `shapes` for the peaks of a smoothed `plane` at pixels (`rows`, `columns`), each with a pixel's `noise`.

    Without `with_shapes`, only the position, the light, the curvature and the stretch.
    """
    d, sums = np.empty(15), np.empty(8)
    for k in range(rows.size):
        scale = 1.0 / noise[k]
        take_derivatives(plane, rows[k], columns[k], table, scale, d)
        _fill_position(d, rows[k], columns[k], model, shapes, k)
        if with_shapes:
            shapes.error[k] = error_at(d, model, steps)
            sums[:] = 0.0
            add_pixel(d, model, sums)
            for i in range(-1, 2):
                for j in range(-1, 2):
                    if i != 0 or j != 0:
                        take_derivatives(plane, rows[k] + i, columns[k] + j, table, scale, d)
                        add_pixel(d, model, sums)
            shapes.weight[k], shapes.e1[k], shapes.e2[k], shapes.response[k] = sums[0], sums[1], sums[2], sums[3]
            shapes.bias1[k], shapes.bias2[k], shapes.weight1[k], shapes.weight2[k] = sums[4], sums[5], sums[6], sums[7]


@compiled
def _fill_position(d: Floats, row: Any, column: Any, model: Any, shapes: Any, k: Any) -> None:
    """Fill position, light, curvature and stretch of peak `k`; the position is within a pixel of the peak's pixel."""
    f = d[0]
    gx, gy = d[1] / f, d[2] / f
    axx, axy, ayy = gx * gx - d[3] / f, gx * gy - d[4] / f, gy * gy - d[5] / f
    a = 0.5 * (axx + ayy)
    shapes.light[k], shapes.curvature[k], shapes.stretch[k] = f, a, np.hypot(0.5 * (axx - ayy), axy)
    reach = model.sigma / max(axx * ayy - axy * axy, 0.01)
    shapes.x[k] = column + min(max(reach * (ayy * gx - axy * gy), -1.0), 1.0)
    shapes.y[k] = row + min(max(reach * (axx * gy - axy * gx), -1.0), 1.0)
