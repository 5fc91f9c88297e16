"""Factors by which the Fourier modes of an image lose their PSF."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.numerics.jit import compiled


@compiled
def deconvolution(
    transform: NDArray[np.complex64],
    exponents: Any,
    limit: Any,
    n_modes: Any,
    factors: NDArray[np.complex64],
    gain: NDArray[np.float32],
    noise_power: NDArray[np.float32],
) -> None:
    """Fill the factors of modes, and replace the power of noise by that without the PSF.

    Parameters
    ----------
    transform : (n_ky, n_kx) complex64 array
        Fourier transform of the PSF; columns are those of wave numbers from 0 on.
    exponents : ((n_ky,), (n_kx,), float)
        Squares of the wave numbers along y and x, and the factor of their sum.
    limit : float
        Modes of a larger exponent are 0, as are those that the PSF does not pass.
    n_modes : float
        Number of modes of the image.
    factors : (n_ky, n_kx) complex64 array
        Is filled with the inverse of the transform.
    gain : (n_ky, n_kx) float32 array
        Is filled with the modulus of that.
    noise_power : (n_ky, n_kx) float32 array
        Power spectrum of the noise, 1 if it is white; replaced by the variance of each mode and the opposite one.
    """
    squares_y, squares_x, half = exponents
    one, zero, n = np.float32(1.0), np.float32(0.0), np.float32(n_modes)
    for i in range(transform.shape[0]):
        for j in range(transform.shape[1]):
            re, im = transform[i, j].real, transform[i, j].imag
            power = re * re + im * im
            is_kept = (half * (squares_y[i] + squares_x[j]) < limit) & (power > zero)
            inverse = one / (power if is_kept else one) if is_kept else zero
            factors[i, j] = complex(re * inverse, -im * inverse)
            gain[i, j] = np.sqrt(inverse)
            noise_power[i, j] = inverse / n * max(noise_power[i, j], zero)
        for j in range(1, transform.shape[1]):
            noise_power[i, j] *= np.float32(2.0)
