"""Maps of S/N of matched filters over a patch, by fast Fourier transforms of binned galaxies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.surveys.lens_planes import lensing_efficiency
from darkmatter_features.surveys.sky_patch import SkyPatch

Map = NDArray[np.float32]
ComplexMap = NDArray[np.complex64]

MIN_COVERAGE = 0.25
"""Minimum norm of a filter at a position, relative to the median over the galaxies: a quarter is left at a corner."""


@dataclass(frozen=True)
class FilterBank:
    """Matched filters over one patch: each profile for each lens plane, the profiles of the first plane first.

    Attributes
    ----------
    patch : SkyPatch
        Galaxies.
    profiles : ShearProfiles
        Profiles.
    lens_redshifts : tuple of float
        Redshift of each lens plane; nan for the only one where redshifts of galaxies are unknown.
    efficiencies : tuple of (n,) float64 arrays or None
        Shear of each galaxy by a lens in each plane, relative to that of the profile; None for 1.
    kernels : tuple of (n_rows, n_columns) complex64 arrays
        Transform of each profile.
    inverse_roots : tuple of (n_rows, n_columns) float32 arrays
        ``1 / sqrt(norm)`` of each filter; 0 where :data:`MIN_COVERAGE` is not reached.
    least : tuple of float
        Norm of each filter at :data:`MIN_COVERAGE`.
    """

    patch: SkyPatch
    profiles: ShearProfiles
    lens_redshifts: tuple[float, ...]
    efficiencies: tuple[NDArray[np.float64] | None, ...]
    kernels: tuple[ComplexMap, ...]
    inverse_roots: tuple[Map, ...]
    least: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.inverse_roots)

    def profile_of(self, index: int) -> int:
        """Return the index of the profile of a filter."""
        return index % len(self.profiles)

    def scale_of(self, index: int) -> float:
        """Return the scale radius of a filter, arcmin."""
        return self.profiles.scales[self.profile_of(index)]

    def lens_redshift_of(self, index: int) -> float:
        """Return the redshift of the lens plane of a filter; nan where redshifts of galaxies are unknown."""
        return self.lens_redshifts[index // len(self.profiles)]

    def efficiency_of(self, index: int, galaxies: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the efficiency of the lens plane of a filter for some galaxies."""
        efficiency = self.efficiencies[index // len(self.profiles)]
        return np.ones(len(galaxies)) if efficiency is None else efficiency[galaxies]

    def snr_maps(self, weighted: NDArray[np.complexfloating]) -> Iterator[ComplexMap]:
        """Yield the S/N of each filter: of tangential shear as real and of cross shear as imaginary part.

        Parameters
        ----------
        weighted : (n,) complex array
            Ellipticities times inverse variances.
        """
        roots = iter(self.inverse_roots)
        for efficiency in self.efficiencies:
            values = weighted if efficiency is None else (weighted * efficiency).astype(np.complex64)
            sky = fft.fft2(self.patch.binned(values), workers=1)
            for kernel in self.kernels:
                yield fft.ifft2(sky * kernel, workers=1, overwrite_x=True) * next(roots)

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


def filter_bank(patch: SkyPatch, profiles: ShearProfiles, lens_redshifts: Sequence[float] = ()) -> FilterBank:
    r"""Return the matched filters of some profiles over a patch.

    Parameters
    ----------
    patch : SkyPatch
        Galaxies.
    profiles : ShearProfiles
        Profiles.
    lens_redshifts : sequence of float
        Trial redshifts of lenses; without effect where redshifts of galaxies are unknown.

    Notes
    -----
    The S/N at a position is :math:`\sum v \beta g \gamma_t / \sqrt{\sum v \beta^2 g^2}` (Schneider 1996 [1]_), over
    the galaxies about it, with inverse variances v and efficiencies :math:`\beta`: the norm follows masks and densities
    of galaxies.

    References
    ----------
    .. [1] Schneider (1996), MNRAS 283, 837, doi:10.1093/mnras/283.3.837
    """
    radius, phase = _geometry(patch)
    nodes = np.arange(len(profiles.shear)) * profiles.spacing
    radial = [np.interp(radius, nodes, shear) for shear in profiles.shear.T]
    kernels = tuple(fft.fft2((-g * phase).astype(np.complex64), workers=1) for g in radial)
    squares = [fft.fft2((g * g).astype(np.complex64), workers=1) for g in radial]
    redshifts: tuple[float, ...] = (np.nan,)
    efficiencies: tuple[NDArray[np.float64] | None, ...] = (None,)
    if patch.redshift is not None and lens_redshifts:
        redshifts = tuple(lens_redshifts)
        efficiencies = tuple(lensing_efficiency(each, patch.redshift) for each in redshifts)
    norms = [norm for efficiency in efficiencies for norm in _inverse_roots(patch, efficiency, squares)]
    return FilterBank(
        patch,
        profiles,
        redshifts,
        efficiencies,
        kernels,
        tuple(root for root, _ in norms),
        tuple(least for _, least in norms),
    )


def _geometry(patch: SkyPatch) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the distance of each cell from the first, across the borders, and ``exp(-2i phi)``; 0 at the first."""
    offsets = [fft.fftfreq(n, 1.0 / n) * patch.grid.cell for n in patch.grid.shape]
    away = offsets[1][None, :] + 1j * offsets[0][:, None]
    radius = np.abs(away)
    direction = np.conj(away) / np.maximum(radius, np.finfo(np.float64).tiny)
    return radius, direction**2


def _inverse_roots(
    patch: SkyPatch, efficiency: NDArray[np.float64] | None, squares: list[ComplexMap]
) -> Iterator[tuple[Map, float]]:
    """Yield the inverse root of the norm of each profile for one lens plane, and its least norm."""
    v = patch.v if efficiency is None else patch.v * efficiency**2
    weights = fft.fft2(patch.binned(v.astype(np.complex64)), workers=1)
    for square in squares:
        norm = fft.ifft2(weights * square, workers=1).real
        least = MIN_COVERAGE * float(np.median(norm.ravel()[patch.occupied]))
        floor = max(least, float(np.finfo(np.float32).tiny))
        root: Map = np.where(norm > floor, 1.0 / np.sqrt(np.maximum(norm, floor)), 0.0).astype(np.float32)
        yield root, floor
