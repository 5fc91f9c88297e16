"""The light of an image without its PSF, smoothed by a round Gaussian, and the noise of its derivatives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.derivatives import (
    N_SHAPE,
    covariance_of,
    kernel_reach,
    kernel_table,
    mode_moments,
    shear_response,
    turned,
)
from darkmatter_features.galaxies.noisy.kernels.ellipticity import ShapeNoise
from darkmatter_features.galaxies.noisy.kernels.modes import deconvolution
from darkmatter_features.galaxies.noisy.kernels.planes import Plane
from darkmatter_features.galaxies.noisy.stamp_transform import transform_of
from darkmatter_features.galaxies.noisy.tiles import Slices

Array = NDArray[np.float64]
Window = tuple[float, float, float, float]

SMOOTHING = 1.9
"""Standard deviation of the smoothing Gaussian, in units of the PSF's."""

MIN_SIGMA = 1.6
"""Minimum standard deviation of the smoothing Gaussian, pixels."""

SCALES = (1.0, 2.0, 4.0)
"""Widths of the Gaussians of which each measures the galaxies that fit it, in units of the narrowest."""

SNR_RANGE = (4.5, 7.0)
"""S/N of the smoothed light between which the weight rises with the narrowest Gaussian."""

WIDE_SNR_RANGE = (10.0, 20.0)
"""The same with wider Gaussians. In crowded fields, the shares of the Gaussians in a source depend on its neighbours
and respond to shear; the bias of that response by noise, about one over the S/N squared, is not corrected for."""

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

RESPONSE = shear_response()
"""Response of the derivatives to shear."""


@dataclass(frozen=True)
class Smoothed:
    """A tile of an image, without its PSF and smoothed.

    Attributes
    ----------
    plane : Plane
        Smoothed light, of which :func:`~darkmatter_features.galaxies.noisy.kernels.planes.take_light` and
        :func:`~darkmatter_features.galaxies.noisy.kernels.planes.take_derivatives` give light and derivatives after
        smoothing by the Gaussian of `model.sigma`.
    model : ShapeNoise
        Response to shear and noise of the derivatives, for a noise of 1 per pixel.
    steps : (6, 6) float64 array
        Independent steps of the derivatives of one standard deviation each, in rows.
    """

    plane: Plane
    model: ShapeNoise
    steps: Array


class Transforms:
    """Fourier transforms of the tiles of an image, each computed once.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array
        Light above the background, 0 where it is not measured.
    """

    def __init__(self, light: NDArray[np.float32]) -> None:
        self.light = light
        self._known: dict[tuple[int, ...], NDArray[np.complex64]] = {}

    def of(self, tile: Slices, shape: tuple[int, int]) -> NDArray[np.complex64]:
        """Return the transform of a tile, padded to a shape with zeros."""
        from scipy import fft

        rows, columns = tile
        key = rows.start, rows.stop, columns.start, columns.stop, *shape
        if key not in self._known:
            along = fft.rfft(self.light[tile], n=shape[1], axis=1)
            self._known[key] = fft.fft(along, n=shape[0], axis=0, overwrite_x=True)
        return self._known[key]


class TileModes:
    """Fourier modes of a tile of an image without its PSF, and of its noise: those that the narrowest Gaussian keeps.

    Parameters
    ----------
    transforms : Transforms
        Transforms of the image.
    tile : (slice, slice)
        Rows and columns.
    psf : (m, m) float64 array
        PSF with its centre on the middle pixel, m odd, sum 1.
    correlation : (r, r) float64 array or None
        Correlation of the noise of pixels by their offset, r odd, 1 in the middle; None if it is white.
    psf_sigma : float, pixels
        Standard deviation of the PSF.

    Notes
    -----
    Rows hold wave numbers of 0 to `n` units and then -`n` to -1, columns those from 0 on; a unit is 2 pi over the
    padded side. Wider Gaussians keep less of them, and their planes are sampled at fewer places: every `scale` pixels
    by a Gaussian `scale` times as wide.
    """

    def __init__(
        self, transforms: Transforms, tile: Slices, psf: Array, correlation: Array | None, psf_sigma: float
    ) -> None:
        self.sigma = max(SMOOTHING * psf_sigma, MIN_SIGMA)
        self.sides = tile[0].stop - tile[0].start, tile[1].stop - tile[1].start
        self.shape = padded_shape(self.sides, psf.shape, self.sigma)
        n_down, n_across = self._n_kept(1.0)
        ky, kx = self._wave_numbers(n_down, n_across)
        transform = transform_of(psf, ky, kx)
        factors, self.gain = np.empty_like(transform), np.empty(transform.shape, dtype=np.float32)
        power = np.ones_like(self.gain) if correlation is None else transform_of(correlation, ky, kx).real
        self.noise_power = np.ascontiguousarray(power)
        exponents, n_modes = (ky**2, kx**2, 0.5 * self.sigma**2), self.shape[0] * self.shape[1]
        deconvolution(transform, exponents, -np.log(MIN_MODE), n_modes, factors, self.gain, self.noise_power)
        self.light = _cropped(transforms.of(tile, self.shape), n_down, n_across)
        self.light *= factors

    def _n_kept(self, scale: float) -> tuple[int, int]:
        """Return the number of positive wave numbers along y and x that a Gaussian keeps."""
        largest = np.sqrt(-2.0 * np.log(MIN_MODE)) / (scale * self.sigma)
        n_down, n_across = (
            min(int(largest * side / (2.0 * np.pi)), (int(side / scale) - 1) // 2) for side in self.shape
        )
        return n_down, n_across

    def _wave_numbers(self, n_down: int, n_across: int) -> tuple[Array, Array]:
        """Return the wave numbers of the rows and columns, radians per pixel."""
        down = np.concatenate([np.arange(n_down + 1.0), np.arange(-n_down, 0.0)])
        return np.asarray(2.0 * np.pi / self.shape[0] * down), 2.0 * np.pi / self.shape[1] * np.arange(
            float(n_across + 1)
        )

    def smoothed(self, scale: float = 1.0) -> Smoothed:
        """Return the tile smoothed by a Gaussian.

        Parameters
        ----------
        scale : float
            One of :data:`SCALES`: width of the Gaussian in units of the narrowest one.
        """
        n_down, n_across = self._n_kept(scale)
        ky, kx = self._wave_numbers(n_down, n_across)
        sigma = self._widened(scale * self.sigma, ky, kx)
        gauss = [np.exp(-((sigma * k) ** 2)) for k in (ky, kx)]
        power = _cropped(self.noise_power, n_down, n_across) * gauss[1]
        power *= gauss[0][:, None]
        model, steps = _noise_model(mode_moments(power, sigma * kx, sigma * ky), sigma, scale)
        return Smoothed(self._plane(sigma, int(scale), ky, kx), model, steps)

    def _widened(self, sigma: float, ky: Array, kx: Array) -> float:
        """Return the width of the Gaussian, at least `sigma`, with which no mode of the plane exceeds MAX_GAIN."""
        gain = _cropped(self.gain, ky.size // 2, kx.size - 1)
        while True:
            down, across = (np.exp(-0.5 * (sigma**2 - INNER_SIGMA**2) * k**2).astype(np.float32) for k in (ky, kx))
            if ((gain * across).max(axis=1) * down).max() <= MAX_GAIN:
                return sigma
            sigma *= WIDENING

    def _plane(self, sigma: float, step: int, ky: Array, kx: Array) -> Plane:
        """Return the light smoothed by the Gaussian less that of the kernels, sampled every `step` pixels."""
        from scipy import fft

        inner = INNER_SIGMA * step
        margin = kernel_reach(INNER_SIGMA) + 1
        down, across = (
            (np.exp(-0.5 * (sigma**2 - inner**2) * k**2 - 1j * margin * step * k)).astype(np.complex64)
            for k in (ky, kx)
        )
        n_down, n_across = ky.size // 2, kx.size - 1
        down = (down / np.float32(step * step))[:, None]
        shape = self.shape[0] // step, self.shape[1] // step
        spread = np.zeros((shape[0], n_across + 1), dtype=np.complex64)
        parts = (_positive_and_negative(n_down, n) for n in (len(self.light), shape[0], len(down)))
        for own, target, factor in zip(*parts, strict=True):
            np.multiply(self.light[own, : n_across + 1], across, out=spread[target])
            spread[target] *= down[factor]
        n_rows, n_columns = (-(-side // step) + 2 * margin for side in self.sides)
        spread = _wrapped(fft.ifft(spread, axis=0, overwrite_x=True), n_rows, 0)
        values = np.ascontiguousarray(_wrapped(fft.irfft(spread, n=shape[1], axis=1), n_columns, 1))
        table = np.stack([kernel_table(sigma / step, INNER_SIGMA, k / step) for k in range(step)])
        return Plane(values, step, table)


def padded_shape(sides: tuple[int, int], psf_shape: tuple[int, ...], sigma: float) -> tuple[int, int]:
    """Return the shape of a tile with a margin of zeros for the widest Gaussian, whole numbers of its samples."""
    from scipy import fft

    step = int(SCALES[-1])
    margin = max(int(np.ceil(PADDING * sigma)), 2 * kernel_reach(INNER_SIGMA))
    n_down, n_across = (
        fft.next_fast_len(max(-(-side // step) + margin, -(-own // step)), real=True)
        for side, own in zip(sides, psf_shape, strict=True)
    )
    return step * n_down, step * n_across


def _positive_and_negative(n_down: int, n_rows: int) -> tuple[slice, slice]:
    """Return the rows of the modes of wave numbers from 0 to `n_down` units, and of those below 0, among all rows."""
    return slice(n_down + 1), slice(n_rows - n_down, n_rows)


def _cropped(modes: NDArray[Any], n_down: int, n_across: int) -> NDArray[Any]:
    """Return a copy of the modes of wave numbers up to `n_down` and `n_across` units."""
    return np.concatenate([modes[: n_down + 1, : n_across + 1], modes[modes.shape[0] - n_down :, : n_across + 1]])


def _wrapped(array: NDArray[Any], n: int, axis: int) -> NDArray[Any]:
    """Return the first `n` elements along an axis of a periodic array."""
    if n > array.shape[axis]:
        return array.take(np.arange(n), axis=axis, mode="wrap")
    return array[:n] if axis == 0 else array[:, :n]


def window_of(scale: float) -> Window:
    """Return the window of resolutions for one of :data:`SCALES`."""
    rising = SMALLEST_WINDOW if scale == SCALES[0] else RISING_WINDOW
    return (*rising, *(UNLIMITED if scale == SCALES[-1] else FALLING_WINDOW))


def snr_range_of(scale: float) -> tuple[float, float]:
    """Return the S/N between which the weight rises for one of :data:`SCALES`."""
    return SNR_RANGE if scale == SCALES[0] else WIDE_SNR_RANGE


def without_fall(model: ShapeNoise) -> ShapeNoise:
    """Return a model whose weight does not fall with the size of a galaxy."""
    return model._replace(window=(*model.window[:2], *UNLIMITED))


def _noise_model(moments: Array, sigma: float, scale: float) -> tuple[ShapeNoise, Array]:
    """Return the response and noise of the derivatives, and independent steps of the first six."""
    covariance, turned_covariance = covariance_of(moments), covariance_of(turned(moments))
    own = covariance[:N_SHAPE, :N_SHAPE]
    root = np.asarray(np.linalg.cholesky(own), dtype=np.float64)
    with_responses = covariance[:N_SHAPE] @ RESPONSE.transpose(0, 2, 1)
    spin2_part = 0.5 * (own - turned_covariance[:N_SHAPE, :N_SHAPE])
    directions, factors = _principal(np.concatenate([with_responses, spin2_part[None]]), root)
    noise = float(np.sqrt(own[0, 0]))
    spin2 = float(np.sqrt(0.25 * (own[3, 3] - 2.0 * own[3, 5] + own[5, 5])))
    ranges = snr_range_of(scale), window_of(scale)
    model = ShapeNoise(RESPONSE, directions, factors, noise, spin2 / noise, sigma, *ranges)
    return model, np.ascontiguousarray(root.T)


def _principal(products: Array, root: Array) -> tuple[Array, Array]:
    """Return steps (n, 6, 6) of one standard deviation each, and factors (n, 6) of their squares in `products`."""
    inverse = np.linalg.inv(root)
    symmetric = 0.5 * (products + products.transpose(0, 2, 1))
    factors, directions = np.linalg.eigh(inverse @ symmetric @ inverse.T)
    return np.ascontiguousarray((root @ directions).transpose(0, 2, 1)), factors
