"""Slow twins of the kernels that measure shapes at peaks."""

import numpy as np
from scipy.interpolate import BSpline
from scipy.special import betainc

from darkmatter_features.galaxies.noisy.kernels import ellipticity as kernels
from darkmatter_features.galaxies.noisy.kernels.ellipticity import ShapeNoise
from darkmatter_features.galaxies.noisy.kernels.planes import take_derivatives, take_light
from darkmatter_features.galaxies.noisy.smoothing import TileModes, Transforms

SPLINE = BSpline.basis_element([-1.5, -0.5, 0.5, 1.5], extrapolate=False)


def rise(x, low, high):
    """The distribution function of the beta distribution of parameters 3 and 3 has two continuous derivatives."""
    return betainc(3.0, 3.0, np.clip((x - low) / (high - low), 0.0, 1.0))


def spline(x):
    return float(np.nan_to_num(SPLINE(x)))


def curvature(d):
    """Return the gradient of the log light, and the matrix of second derivatives of the negative log light."""
    gradient = np.array([d[1], d[2]]) / d[0]
    return gradient, np.outer(gradient, gradient) - np.array([[d[3], d[4]], [d[4], d[5]]]) / d[0]


def shape_by_kernel(d, model):
    """Return weight, and weight times e1 and e2, of a pixel by the kernel."""
    shapes = np.empty((3, 1))
    kernels.shapes_at(np.array(d, dtype=float)[:6, None], 0, 1, model, shapes)
    return tuple(shapes[:, 0].tolist())


def shape_at(
    d, model, *, profile_factor=kernels.PROFILE_FACTOR, min_denominator=kernels.MIN_DENOMINATOR,
    saturation=kernels.SATURATION,
):  # fmt: skip
    """Return weight and ellipticity, complex, of a pixel; the constants can be others."""
    snr = d[0] / model.noise
    if snr <= 0.0:
        return 0.0, 0.0j
    gradient, matrix = curvature(d)
    a, determinant = 0.5 * np.trace(matrix), np.linalg.det(matrix)
    if a <= 0.0 or determinant <= 0.0:
        return 0.0, 0.0j
    dx, dy = model.sigma * np.linalg.solve(matrix, gradient)
    low_rise, high_rise, low_fall, high_fall = model.window
    weight = spline(dx) * spline(dy) * rise(snr, *model.snr_range) * rise(determinant, 0, kernels.MIN_DETERMINANT)
    weight *= rise(1 - a, low_rise, high_rise) * (1 - rise(1 - a, low_fall, high_fall))
    spin2 = 0.5 * (matrix[0, 0] - matrix[1, 1]) + 1j * matrix[0, 1]
    denominator = max(0.5 * (a - determinant + np.hypot(a - determinant, 2 * min_denominator)), 1e-12)
    error = profile_factor * model.curvature_noise / snr / denominator / 2
    chi = -profile_factor * spin2 / denominator
    chi /= (1 + abs(chi) ** (2 * saturation)) ** (0.5 / saturation)
    return weight / (1 + (error / kernels.SHAPE_NOISE) ** 2), chi / (1 + np.sqrt(max(1 - abs(chi) ** 2, 0)))


def weighted(d, model):
    """Return the weighted ellipticity, complex."""
    weight, e = shape_at(d, model)
    return weight * e


def smooth(light, psf, correlation, psf_sigma, scale=1.0):
    """Return an image smoothed as one tile."""
    tile = tuple(slice(0, side) for side in light.shape)
    return TileModes(Transforms(light), tile, psf, correlation, psf_sigma).smoothed(scale)


def light_of(smoothed, shape):
    """Return the smoothed light at all pixels of an image of a shape."""
    light = np.empty(shape, dtype=np.float32)
    take_light(smoothed.plane, 0, 0, 1, light)
    return light


def sampled(function, shape, plane):
    """Return a plane like another one, with the values of a function of x and y in an image of a shape."""
    margin = plane.table.shape[2] // 2 + 1
    y, x = (plane.step * np.arange(-margin, -(-side // plane.step) + margin) for side in shape)
    return plane._replace(values=function(*np.meshgrid(x, y)).astype(np.float32))


def derivatives_of(plane, row, column):
    """Return all derivatives of a plane at a pixel, by the kernel."""
    d = np.empty((1, 15))
    take_derivatives(plane, row, column, 1, 1.0, np.empty((5, plane.table.shape[2] + 1)), d)
    return d[0]


def derivatives(plane, row, column, scale):
    """Return the derivatives of a plane at a pixel."""
    (top, down), (left, across) = divmod(row, plane.step), divmod(column, plane.step)
    along_y, along_x = plane.table[down], plane.table[across]
    n = along_x.shape[1]
    window = plane.values[top + 1 : top + 1 + n, left + 1 : left + 1 + n].astype(float)
    return scale * np.array([along_y[q] @ window @ along_x[p - q] for p in range(5) for q in range(p + 1)])


def pixel_sums(d, model):
    """Return weight, e1 and e2 times it, their mean response less that of noise, biases, response of the weight."""
    own, centre = d[:6], weighted(d[:6], model)
    weight = shape_at(own, model)[0]
    if weight == 0.0:
        return np.zeros(8)
    tiny, step = kernels.RESPONSE_STEP, kernels.DIFFERENCE_STEP
    slopes = [
        (weighted(own + tiny * r @ d, model) - weighted(own - tiny * r @ d, model)) / (2 * tiny) for r in model.response
    ]
    seconds = [
        sum(
            factor / step**2 * (weighted(own + step * s, model) + weighted(own - step * s, model) - 2 * centre)
            for s, factor in zip(steps, factors)
        )
        for steps, factors in zip(model.directions, model.factors)
    ]
    response = 0.5 * ((slopes[0] - seconds[0]).real + (slopes[1] - seconds[1]).imag)
    of_weight = [
        (shape_at(own + tiny * r @ d, model)[0] - shape_at(own - tiny * r @ d, model)[0]) / (2 * tiny)
        for r in model.response
    ]
    bias = 0.5 * seconds[2]
    return np.array([weight, centre.real, centre.imag, response, bias.real, bias.imag, *of_weight])


def error(d, model, steps):
    """Return the standard deviation of a component of the ellipticity, over steps at both ends of which it is known."""
    size, variance = kernels.DIFFERENCE_STEP, 0.0
    for step in steps:
        (w1, e1), (w0, e0) = (shape_at(d[:6] + sign * size * step, model) for sign in (1, -1))
        variance += 0.5 * abs((e1 - e0) / (2 * size)) ** 2 if w1 > 0 and w0 > 0 else 0.0
    return np.sqrt(variance)


def peak(plane, row, column, noise, smoothed, with_shapes):
    """Return the fields of PeakShapes for one peak."""
    model, scale = smoothed.model, 1.0 / noise
    d = derivatives(plane, row, column, scale)
    gradient, matrix = curvature(d)
    a, spin2 = 0.5 * np.trace(matrix), np.hypot(0.5 * (matrix[0, 0] - matrix[1, 1]), matrix[0, 1])
    adjugate = np.array([[matrix[1, 1], -matrix[0, 1]], [-matrix[0, 1], matrix[0, 0]]])
    dx, dy = (model.sigma * adjugate @ gradient / max(np.linalg.det(matrix), 0.01)).clip(-1, 1)
    sums, deviation = np.zeros(8), 0.0
    if with_shapes:
        deviation = error(d, model, smoothed.steps)
        near = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        sums = sum(pixel_sums(derivatives(plane, *place, scale), model) for place in near)
    return np.array([*sums, deviation, column + dx, row + dy, d[0], a, spin2, *model.response[:, 0] @ d])


def gaussian_derivatives(covariance, place, flux):
    """Return the first six derivatives of a Gaussian of a covariance about a place at the origin, without unit.

    The covariance is in units of the smoothing Gaussian's variance, the place in its standard deviation.
    """
    inverse = np.linalg.inv(covariance)
    u = inverse @ place
    f = flux * np.exp(-0.5 * place @ u)
    hessian = f * (np.outer(u, u) - inverse)
    return np.array([f, f * u[0], f * u[1], hessian[0, 0], hessian[0, 1], hessian[1, 1]])


def covariance_of(e, size):
    """Return the covariance (2, 2) of a Gaussian of ellipticity e, complex, and size sqrt(a b)."""
    root = np.array([[1 + e.real, e.imag], [e.imag, 1 - e.real]]) / np.sqrt(1 - abs(e) ** 2)
    return size**2 * root @ root


def elliptical_psf(side=33, e=0.1 + 0.05j, size=1.7):
    """Return a Gaussian PSF of sum 1."""
    axis = np.arange(side) - side // 2
    offsets = np.stack(np.meshgrid(axis, axis), axis=-1)
    stamp = np.exp(-0.5 * np.einsum("...i,ij,...j", offsets, np.linalg.inv(covariance_of(e, size)), offsets))
    return stamp / stamp.sum()


def model_of(e=0.1 + 0.05j, scale=1.0, side=64, correlation=None):
    """Return an image without light, smoothed."""
    return smooth(np.zeros((side, side), np.float32), elliptical_psf(e=e), correlation, 1.7, scale)


OPEN = (-3.0, -2.0, 2.0, 3.0)
"""Window of all resolutions."""


def with_window(model, window=OPEN):
    """Return a model of another window."""
    return ShapeNoise(*model[:-1], window)
