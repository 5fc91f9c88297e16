"""Fourier transform of a small stamp at given wave numbers."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SERIAL_PRODUCT = 65_536
"""Multiplications of a complex product of matrices up to which OpenBLAS uses one thread."""

MIN_SIDE = 8
"""Number of rows, and the unit of columns, of such a product: OpenBLAS rounds smaller ones differently."""


def transform_of(stamp: Array, ky: Array, kx: Array) -> NDArray[np.complex64]:
    """Return the Fourier transform of a stamp about its middle pixel.

    Parameters
    ----------
    stamp : (n, m) float64 array
        Values; n and m are odd.
    ky, kx : (n_ky,), (n_kx,) float64 arrays, radians per pixel
        Wave numbers along y and x.

    Returns
    -------
    (n_ky, n_kx) complex64 array
        Transform.
    """
    along_y, along_x = (_waves(k, side // 2) for k, side in zip((ky, kx), stamp.shape, strict=True))
    return _product(along_y, _product(stamp.astype(np.complex64), np.ascontiguousarray(along_x.T)))


def _product(left: NDArray[np.complex64], right: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return the product of matrices (n, m) and (m, k), in parts so small that BLAS starts no threads.

    Threads that wait for each other took three times the time of the product.
    """
    product = np.empty((len(left), right.shape[1]), dtype=np.complex64)
    n_columns = max(MIN_SIDE, SERIAL_PRODUCT // (MIN_SIDE * len(right)) // MIN_SIDE * MIN_SIDE)
    for j in range(0, right.shape[1], n_columns):
        part = right[:, j : j + n_columns]
        n_rows = max(MIN_SIDE, SERIAL_PRODUCT // part.size)
        for first in range(0, len(left), n_rows):
            rows = slice(max(0, min(first, len(left) - n_rows)), first + n_rows)  # the last rows twice
            np.matmul(left[rows], part, out=product[rows, j : j + n_columns])
    return product


def _waves(k: Array, half: int) -> NDArray[np.complex64]:
    """Return exp(-i k x) at offsets x from -half to half, (n, 2 half + 1): those of negative x are conjugates."""
    phase = np.outer(k, np.arange(half + 1.0))
    waves = np.empty((k.size, 2 * half + 1), dtype=np.complex64)
    waves.real[:, half:], waves.imag[:, half:] = np.cos(phase), -np.sin(phase)
    waves[:, :half] = waves[:, :half:-1].conj()
    return waves
