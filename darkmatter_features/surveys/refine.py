"""Position, error and evidence of one halo from the galaxies about it: the posterior of `locate` on a disc.

The disc is centred on the position that it gives, so that no figure depends on the grid of the search.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.location.bayes_factor import log_bayes_factor_map, trial_amplitudes
from darkmatter_features.location.locate import geometric_median
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.profiles import profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies
from darkmatter_features.surveys.profiles import MAX_RADIUS
from darkmatter_features.surveys.sky_patch import SkyPatch

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

APERTURES = (1.5, 6.0)
"""Smallest and largest radius of the disc of positions, arcmin."""

APERTURE_IN_SCALES = 3.0
"""Radius of the first disc, scale radii of the profile of the peak."""

APERTURE_IN_ERRORS = 4.0
"""Radius of the second disc, position errors."""

CELLS = 17
"""Cells across the disc of positions."""

TOLERANCE = 1e-6
"""Largest last step towards the fixed point, arcmin."""

MAX_STEPS = 25
"""Maximum number of steps towards the fixed point; a peak takes five to ten."""


class Refined(NamedTuple):
    """One halo, given the others.

    Attributes
    ----------
    x, y : float, arcmin
        Geometric median of the posterior of the position.
    position_error : float, arcmin
        Root mean square distance from there.
    snr, snr_cross : float
        Highest S/N in the disc, and that of cross shear there.
    log_bayes_factor : float
        Log of the evidence for a halo in the disc over that for none, to first order in shear.
    profile : int
        Index of the profile of the highest S/N.
    n_galaxies : int
        Effective number of galaxies that carry the S/N.
    aperture : float, arcmin
        Radius of the disc.
    """

    x: float
    y: float
    position_error: float
    snr: float
    snr_cross: float
    log_bayes_factor: float
    profile: int
    n_galaxies: int
    aperture: float


def refine(patch: SkyPatch, e: ComplexArray, profiles: ShearProfiles, x: float, y: float, profile: int) -> Refined:
    """Return the halo near a position.

    Parameters
    ----------
    patch : SkyPatch
        Galaxies.
    e : (n,) complex128 array
        Their ellipticities without the shear of other halos.
    profiles : ShearProfiles
        Shear profiles.
    x, y : float, arcmin
        Position of a peak.
    profile : int
        Index of its profile.
    """
    aperture = float(np.clip(APERTURE_IN_SCALES * profiles.scales[profile], 2.0 * APERTURES[0], APERTURES[1]))
    first = _fixed_point(patch, e, profiles, x, y, aperture)
    aperture = float(np.clip(APERTURE_IN_ERRORS * first.position_error, APERTURES[0], aperture))
    return _fixed_point(patch, e, profiles, first.x, first.y, aperture)


def _fixed_point(
    patch: SkyPatch, e: ComplexArray, profiles: ShearProfiles, x: float, y: float, aperture: float
) -> Refined:
    found = _on_disc(patch, e, profiles, x, y, aperture)
    for _ in range(MAX_STEPS):
        before, found = found, _on_disc(patch, e, profiles, found.x, found.y, aperture)
        if np.hypot(found.x - before.x, found.y - before.y) < TOLERANCE:
            break
    return found


def _on_disc(patch: SkyPatch, e: ComplexArray, profiles: ShearProfiles, x: float, y: float, aperture: float) -> Refined:
    """Return the halo by the posterior over a disc of positions."""
    near = patch.within(x, y, MAX_RADIUS + aperture)
    step = 2.0 * aperture / CELLS
    axis = (np.arange(CELLS) - (CELLS - 1) / 2.0) * step
    across, up = (each.ravel() for each in np.meshgrid(axis, axis))
    inside = np.hypot(across, up) <= aperture
    centres = Centres(x + across[inside], y + up[inside])
    response, norm = _sums(patch, e, near, profiles, centres)
    log_bayes_factor = log_bayes_factor_map(response[:, :1], norm, trial_amplitudes(norm))[:, 0]
    total = float(logsumexp(log_bayes_factor))
    posterior = np.exp(log_bayes_factor - total)
    x, y = geometric_median(centres.x, centres.y, posterior)
    square = float((posterior * ((centres.x - x) ** 2 + (centres.y - y) ** 2)).sum()) + step**2 / 6.0
    snr = response / np.sqrt(np.maximum(norm, np.finfo(np.float64).tiny))[:, None]
    peak, best = (int(k) for k in np.unravel_index(snr[:, 0].argmax(), norm.shape))
    return Refined(
        x=x,
        y=y,
        position_error=float(np.sqrt(square)),
        snr=float(snr[peak, 0, best]),
        snr_cross=float(snr[peak, 1, best]),
        log_bayes_factor=total - float(np.log(len(centres.x))),
        profile=best,
        n_galaxies=_n_effective(patch, near, profiles, best, x, y),
        aperture=aperture,
    )


def _sums(
    patch: SkyPatch, e: ComplexArray, near: NDArray[np.int64], profiles: ShearProfiles, centres: Centres
) -> tuple[Array, Array]:
    """Return the sums of the matched filters, tangential and cross, as in `locate`."""
    with_cross = np.stack([e[near], -1j * e[near]], axis=1)
    e1, e2 = np.ascontiguousarray(with_cross.real), np.ascontiguousarray(with_cross.imag)
    galaxies = Galaxies(patch.x[near], patch.y[near], e1, e2, patch.v[near])
    response = np.empty((len(centres.x), 2, len(profiles)))
    norm = np.empty((len(centres.x), len(profiles)))
    profile_sums(galaxies, profiles.tabulated, centres, response, norm)
    return response, norm


def _n_effective(
    patch: SkyPatch, near: NDArray[np.int64], profiles: ShearProfiles, profile: int, x: float, y: float
) -> int:
    radius = np.hypot(patch.x[near] - x, patch.y[near] - y)
    nodes = np.arange(len(profiles.shear)) * profiles.spacing
    share = patch.v[near] * np.square(np.interp(radius, nodes, profiles.shear[:, profile]))
    return round(float(share.sum() ** 2 / max(float(np.square(share).sum()), np.finfo(np.float64).tiny)))
