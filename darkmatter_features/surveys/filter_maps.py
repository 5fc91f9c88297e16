"""Maps of S/N of matched filters over a patch, by fast Fourier transforms of binned galaxies."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.surveys.sky_patch import SkyPatch

Map = NDArray[np.float32]
ComplexMap = NDArray[np.complex64]

MIN_COVERAGE = 0.25
"""Minimum norm of a filter at a position, relative to the median over the galaxies: a quarter is left at a corner."""


@dataclass(frozen=True)
class FilterBank:
    """Matched filters of several profiles over one patch.

    Attributes
    ----------
    patch : SkyPatch
        Galaxies.
    kernels : tuple of (n_rows, n_columns) complex64 arrays
        Transforms of the filters.
    inverse_roots : tuple of (n_rows, n_columns) float32 arrays
        ``1 / sqrt(norm)`` of each filter; 0 where :data:`MIN_COVERAGE` is not reached.
    least : tuple of float
        Norm of each filter at :data:`MIN_COVERAGE`.
    """

    patch: SkyPatch
    kernels: tuple[ComplexMap, ...]
    inverse_roots: tuple[Map, ...]
    least: tuple[float, ...]

    def snr_maps(self, weighted: NDArray[np.complexfloating]) -> Iterator[ComplexMap]:
        """Yield the S/N of each filter: of tangential shear as real and of cross shear as imaginary part.

        Parameters
        ----------
        weighted : (n,) complex array
            Ellipticities times inverse variances.
        """
        sky = fft.fft2(self.patch.binned(weighted), workers=1)
        for kernel, root in zip(self.kernels, self.inverse_roots):
            yield fft.ifft2(sky * kernel, workers=1, overwrite_x=True) * root

    def best(self, weighted: NDArray[np.complexfloating]) -> tuple[Map, NDArray[np.int8]]:
        """Return the highest S/N of tangential shear over the filters, and the index of that filter."""
        best, which = np.zeros(self.patch.grid.shape, dtype=np.float32), np.zeros(self.patch.grid.shape, dtype=np.int8)
        for k, snr in enumerate(self.snr_maps(weighted)):
            higher = snr.real > best
            best[higher], which[higher] = snr.real[higher], k
        return best, which

    def highest(self, weighted: NDArray[np.complexfloating]) -> tuple[Map, Map]:
        """Return the highest S/N of tangential and of cross shear over the filters."""
        best = [np.zeros(self.patch.grid.shape, dtype=np.float32) for _ in range(2)]
        for snr in self.snr_maps(weighted):
            np.maximum(best[0], snr.real, out=best[0])
            np.maximum(best[1], snr.imag, out=best[1])
        return best[0], best[1]


def filter_bank(patch: SkyPatch, profiles: ShearProfiles) -> FilterBank:
    r"""Return the matched filters of some profiles over a patch.

    Notes
    -----
    The S/N at a position is :math:`\sum v g \gamma_t / \sqrt{\sum v g^2}` (Schneider 1996 [1]_), over the galaxies
    about it, with inverse variances v: the norm follows masks and densities of galaxies.

    References
    ----------
    .. [1] Schneider (1996), MNRAS 283, 837, doi:10.1093/mnras/283.3.837
    """
    radius, phase = _geometry(patch)
    nodes = np.arange(len(profiles.shear)) * profiles.spacing
    weights = fft.fft2(patch.binned(patch.v.astype(np.complex64)), workers=1)
    kernels, roots, limits = [], [], []
    for shear in profiles.shear.T:
        g = np.interp(radius, nodes, shear)
        kernels.append(fft.fft2((-g * phase).astype(np.complex64), workers=1))
        root, least = _inverse_root(patch, weights, g)
        roots.append(root)
        limits.append(least)
    return FilterBank(patch, tuple(kernels), tuple(roots), tuple(limits))


def _geometry(patch: SkyPatch) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the distance of each cell from the first, across the borders, and ``exp(-2i phi)``; 0 at the first."""
    offsets = [fft.fftfreq(n, 1.0 / n) * patch.grid.cell for n in patch.grid.shape]
    away = offsets[1][None, :] + 1j * offsets[0][:, None]
    radius = np.abs(away)
    direction = np.conj(away) / np.maximum(radius, np.finfo(np.float64).tiny)
    return radius, direction**2


def _inverse_root(patch: SkyPatch, weights: ComplexMap, g: NDArray[np.float64]) -> tuple[Map, float]:
    squares = fft.fft2((g * g).astype(np.complex64), workers=1)
    norm = fft.ifft2(weights * squares, workers=1).real
    least = MIN_COVERAGE * float(np.median(norm.ravel()[patch.occupied]))
    floor = max(least, float(np.finfo(np.float32).tiny))
    root: Map = np.where(norm > floor, 1.0 / np.sqrt(np.maximum(norm, floor)), 0.0).astype(np.float32)
    return root, floor
