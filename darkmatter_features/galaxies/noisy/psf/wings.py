"""The outer parts of a PSF measured from stars: structure that noise allows, and a Moffat profile beyond."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.adaptive_moments import adaptive_moments

Array = NDArray[np.float64]

CORE = 2.0
"""Radius, in widths of the PSF, up to which pixels are kept as measured."""

FITTED_FROM = 1.0
"""Radius from which the Moffat profile is fitted, widths."""

HARMONICS = (1, 2, 3)
"""Azimuthal orders of the structure of a ring besides its mean: coma, ellipticity and trefoil."""

MIN_SNR = 2.0
"""S/N of a mean or harmonic of a ring below which it is noise."""

NOISE_RINGS = 3
"""Number of outer rings whose scatter is a second estimate of the noise."""

SLOPES = np.array([1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 4.765, 6.0, 9.0, 15.0])
"""Slopes beta of the Moffat profiles that are tried; 4.765 is that of turbulence."""

RADII = np.geomspace(0.7, 8.0, 40)
"""Their scale radii, widths of the PSF."""


def without_wing_noise(planes: Array, noise: Array) -> Array:
    """Return stamps of the terms of a PSF with the noise of their outer pixels suppressed.

    Parameters
    ----------
    planes : (n_terms, side, side) float64 array
        Terms; the first one is the mean PSF.
    noise : (n_terms,) float64 array
        Standard deviation of the noise of their pixels.

    Returns
    -------
    (n_terms, side, side) float64 array
        Beyond two widths, each elliptical ring of the difference from a Moffat profile (from 0, for terms after the
        first) is a sum of its significant harmonics and of the rest, shrunk by the part of its variance that is no
        noise [1]_. Where nothing is significant, the Moffat profile continues.

    References
    ----------
    .. [1] James & Stein (1961), Proc. Fourth Berkeley Symp. Math. Statist. Prob. 1, 361.
    """
    found = adaptive_moments(planes[:1])
    sigma = float(found.sigma[0])
    if not np.isfinite(sigma):
        return planes
    radius, angle = _elliptical(planes.shape[1], float(found.e1[0]), float(found.e2[0]))
    profile = _moffat(planes[0], radius, sigma, float(noise[0]))
    result = planes.copy()
    is_outer = radius > CORE * sigma
    rings = np.floor(radius[is_outer] - CORE * sigma).astype(np.int64)
    for plane, level, base in zip(result, noise, [profile, *[np.zeros_like(profile)] * (len(planes) - 1)]):
        rest = plane[is_outer] - base[is_outer]
        plane[is_outer] = base[is_outer] + _shrunk(rest, rings, angle[is_outer], float(level))
    return result


def _elliptical(side: int, e1: float, e2: float) -> tuple[Array, Array]:
    """Return the elliptical radius, pixels, and the angle of each pixel of a stamp; it keeps areas."""
    offset = np.arange(side) - side // 2
    z = offset + 1j * offset[:, None]
    e = e1 + 1j * e2
    # z -> z - e conj(z) makes an ellipse of axis ratio (1 - |e|) / (1 + |e|) a circle
    mapped = (z - e * np.conj(z)) / np.sqrt(1.0 - abs(e) ** 2)
    return np.abs(mapped), np.angle(mapped)


def _moffat(plane: Array, radius: Array, sigma: float, noise: float) -> Array:
    """Return the Moffat profile A (1 + (r / a)^2)^-beta that fits the ring means of a stamp best."""
    rings = np.rint(radius).astype(np.int64).ravel()
    n = np.bincount(rings)
    mean, r = np.bincount(rings, plane.ravel()) / n, np.bincount(rings, radius.ravel()) / n
    use = (r >= FITTED_FROM * sigma) & (r <= plane.shape[0] // 2)
    if use.sum() < 4:
        return np.zeros_like(plane)
    mean, r, weight = mean[use], r[use], 1.0 / (noise**2 / n[use] + (0.01 * mean[use]) ** 2 + 1e-18)
    shapes = (1.0 + (r / (sigma * RADII[:, None, None])) ** 2) ** -SLOPES[:, None]
    amplitude = (weight * mean * shapes).sum(axis=-1) / (weight * shapes**2).sum(axis=-1)
    chi2 = (weight * (mean - amplitude[..., None] * shapes) ** 2).sum(axis=-1)
    i, j = np.unravel_index(int(np.argmin(np.where(amplitude > 0.0, chi2, np.inf))), chi2.shape)
    return np.asarray(amplitude[i, j] * (1.0 + (radius / (sigma * RADII[i])) ** 2) ** -SLOPES[j])


def _shrunk(values: Array, rings: NDArray[np.int64], angle: Array, noise: float) -> Array:
    """Return pixels (m,) of rings as their significant harmonics plus the rest, shrunk by its S/N."""
    n = np.maximum(np.bincount(rings), 1)
    terms = [np.ones_like(angle), *(trig(m * angle) for m in HARMONICS for trig in (np.cos, np.sin))]
    power = [1.0] + [0.5] * (len(terms) - 1)
    fits = [np.bincount(rings, values * term) / (n * p) for term, p in zip(terms, power)]
    rest = values - sum(fit[rings] * term for fit, term in zip(fits, terms))
    variance = np.bincount(rings, rest**2) / np.maximum(n - len(terms), 1)
    noise_variance = max(noise**2, float(np.median(variance[-NOISE_RINGS - 2 : -2])) if variance.size > 6 else 0.0)
    smooth = np.zeros_like(values)
    for fit, term, p in zip(fits, terms, power):
        error2 = noise_variance / (n * p)
        kept = np.maximum(1.0 - MIN_SNR**2 * error2 / np.maximum(fit**2, 1e-300), 0.0)
        smooth += (kept * fit)[rings] * term
    share = np.maximum(1.0 - noise_variance / np.maximum(variance, 1e-300), 0.0)
    return np.asarray(smooth + share[rings] * rest)
