"""The light of an image without its PSF, smoothed by a round Gaussian, and the noise of its derivatives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from darkmatter_features.galaxies.noisy.derivatives import N_SHAPE, kernel_table, noise_covariance, shear_response
from darkmatter_features.galaxies.noisy.kernels.ellipticity import ShapeNoise

Array = NDArray[np.float64]
Window = tuple[float, float, float, float]

SMOOTHING = 1.9
"""Standard deviation of the smoothing Gaussian, in units of the PSF's."""

MIN_SIGMA = 1.6
"""Minimum standard deviation of the smoothing Gaussian, pixels."""

SCALES = (1.0, 2.0, 4.0)
"""Widths of the Gaussians of which each measures the galaxies that fit it, in units of the narrowest."""

SMALLEST_WINDOW = (0.0, 0.1)
"""Resolutions between which the weight rises with the narrowest Gaussian: smaller sources are unresolved."""

RISING_WINDOW = (0.2, 0.36)
"""The same with a Gaussian twice as wide as another: half-axes of 0.5 and 0.75 of its standard deviation."""

FALLING_WINDOW = (0.5, 0.69)
"""Resolutions of the same galaxies with the other Gaussian, between which the weight falls."""

UNLIMITED = (2.0, 3.0)
"""Window that no resolution reaches."""

INNER_SIGMA = 1.2
"""Standard deviation of the Gaussian with which derivatives are taken, pixels: sums over pixels are exact to 1e-5."""

MAX_GAIN = 3.0
"""Maximum amplification of a mode by the removal of the PSF and the smoothing."""

WIDENING = 1.1
"""Factor by which the smoothing Gaussian is widened until no mode is amplified more."""

MIN_MODE = 1e-7
"""Modes that the smoothing leaves a smaller fraction of are set to 0."""

PADDING = 5.0
"""Margin of zeros about a tile, in units of the smoothing Gaussian's standard deviation: the image is not periodic."""


@dataclass(frozen=True)
class Smoothed:
    """A tile of an image, without its PSF and smoothed.

    Attributes
    ----------
    plane : (n_rows, n_columns) float32 array
        Light smoothed by a Gaussian somewhat narrower than `model.sigma`: derivatives are taken with `table`.
    light : (n_rows, n_columns) float32 array
        Light smoothed by the Gaussian of `model.sigma`.
    table : (5, m) float64 array
        Kernels of the derivatives.
    model : ShapeNoise
        Response to shear and noise of the derivatives, for a noise of 1 per pixel.
    steps : (6, 6) float64 array
        Independent steps of the derivatives of one standard deviation each, in rows.
    """

    plane: NDArray[np.float32]
    light: NDArray[np.float32]
    table: Array
    model: ShapeNoise
    steps: Array


def smooth(
    light: NDArray[np.float32], psf: Array, correlation: Array | None, psf_sigma: float, scale: float = 1.0
) -> Smoothed:
    """Remove the PSF from a tile and smooth it.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array
        Light above the background, 0 where it is not measured.
    psf : (m, m) float64 array
        PSF with its centre on the middle pixel, m odd, sum 1.
    correlation : (r, r) float64 array or None
        Correlation of the noise of pixels by their offset, r odd, 1 in the middle; None if it is white.
    psf_sigma : float, pixels
        Standard deviation of the PSF.
    scale : float
        One of :data:`SCALES`: width of the Gaussian in units of the narrowest one.
    """
    start = scale * max(SMOOTHING * psf_sigma, MIN_SIGMA)
    sides = [max(side + int(np.ceil(PADDING * start)), own) for side, own in zip(light.shape, psf.shape, strict=True)]
    shape = tuple(fft.next_fast_len(side, real=True) for side in sides)
    transform = _Modes(shape, psf)
    sigma, gain = transform.gain(start)
    model, steps = _noise_model(transform, gain, correlation, sigma, window_of(scale))
    modes = fft.rfft2(light, s=shape) * gain
    rows, columns = light.shape
    smoothed = fft.irfft2(modes, s=shape)[:rows, :columns]
    modes *= np.exp(0.5 * INNER_SIGMA**2 * transform.squared).astype(np.float32)
    plane = fft.irfft2(modes, s=shape)[:rows, :columns]
    return Smoothed(plane, smoothed, kernel_table(sigma, INNER_SIGMA), model, steps)


def window_of(scale: float) -> Window:
    """Return the window of resolutions for one of :data:`SCALES`."""
    rising = SMALLEST_WINDOW if scale == SCALES[0] else RISING_WINDOW
    return (*rising, *(UNLIMITED if scale == SCALES[-1] else FALLING_WINDOW))


def without_fall(model: ShapeNoise) -> ShapeNoise:
    """Return a model whose weight does not fall with the size of a galaxy."""
    return model._replace(window=(*model.window[:2], *UNLIMITED))


class _Modes:
    """Wave numbers and PSF of a padded tile."""

    def __init__(self, shape: tuple[int, ...], psf: Array) -> None:
        self.shape = shape
        self.ky, self.kx = 2.0 * np.pi * fft.fftfreq(shape[0]), 2.0 * np.pi * fft.rfftfreq(shape[1])
        self.squared = self.ky[:, None] ** 2 + self.kx**2
        self.psf = fft.rfft2(centred(psf, shape).astype(np.float32))

    def gain(self, sigma: float) -> tuple[float, NDArray[np.complex64]]:
        """Return the width of the Gaussian, at least `sigma`, and the factor of each mode."""
        while True:
            gauss = np.exp(-0.5 * sigma**2 * self.squared).astype(np.float32)
            is_kept = gauss > MIN_MODE
            gain = np.zeros(gauss.shape, dtype=np.complex64)
            np.divide(gauss, self.psf, out=gain, where=is_kept & (self.psf != 0.0))
            inner = np.exp(0.5 * INNER_SIGMA**2 * self.squared)
            if np.abs(gain * inner).max() <= MAX_GAIN:
                return sigma, gain
            sigma *= WIDENING


def centred(stamp: Array, shape: tuple[int, ...]) -> Array:
    """Return a stamp of odd sides in the first pixel of an array, wrapped around its borders."""
    padded = np.zeros(shape)
    padded[: stamp.shape[0], : stamp.shape[1]] = stamp
    return np.roll(padded, (-(stamp.shape[0] // 2), -(stamp.shape[1] // 2)), axis=(0, 1))


def _noise_model(
    modes: _Modes, gain: NDArray[np.complex64], correlation: Array | None, sigma: float, window: Window
) -> tuple[ShapeNoise, Array]:
    """Return the response and noise of the derivatives, and independent steps of the first six."""
    power = np.abs(gain.astype(np.complex128)) ** 2 / (modes.shape[0] * modes.shape[1])
    if correlation is not None:
        power *= np.maximum(fft.rfft2(centred(correlation, modes.shape)).real, 0.0)
    power[:, 1 : (modes.shape[1] + 1) // 2] *= 2.0  # the modes of negative kx
    kx, ky = sigma * modes.kx, sigma * modes.ky
    covariance, turned = noise_covariance(power, kx, ky), noise_covariance(power.T, -ky, kx)
    response = shear_response()
    own = covariance[:N_SHAPE, :N_SHAPE]
    root = np.linalg.cholesky(own)
    products = [covariance[:N_SHAPE] @ response[0].T, covariance[:N_SHAPE] @ response[1].T]
    products.append(0.5 * (own - turned[:N_SHAPE, :N_SHAPE]))
    directions, factors = zip(*(_principal(product, root) for product in products), strict=True)
    noise = float(np.sqrt(own[0, 0]))
    spin2 = float(np.sqrt(0.25 * (own[3, 3] - 2.0 * own[3, 5] + own[5, 5])))
    model = ShapeNoise(response, np.stack(directions), np.stack(factors), noise, spin2 / noise, sigma, window)
    return model, np.ascontiguousarray(root.T)


def _principal(product: NDArray[Any], root: NDArray[Any]) -> tuple[Array, Array]:
    """Return steps (6, 6), of one standard deviation each, and factors (6,) whose sum of squares is `product`."""
    inverse = np.linalg.inv(root)
    factors, directions = np.linalg.eigh(inverse @ (0.5 * (product + product.T)) @ inverse.T)
    return np.ascontiguousarray((root @ directions).T), factors
