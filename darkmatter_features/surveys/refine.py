"""Position, error and evidence of one halo from the galaxies about it: the posterior of `locate` on a disc.

The disc is centred on the position that it gives, so that no figure depends on the grid of the search.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from darkmatter_features.candidates.joint_fit import Halo
from darkmatter_features.location.bayes_factor import log_bayes_factor_map, trial_amplitudes
from darkmatter_features.location.position import credible_radius
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.numerics.kernels.profiles import profile_sums
from darkmatter_features.numerics.kernels.records import Centres, Galaxies
from darkmatter_features.surveys.filter_maps import FilterBank
from darkmatter_features.surveys.profiles import MAX_RADIUS

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Coverage = tuple[int, float]
"""Index of a profile, and the norm of its filter where the galaxies about a position are few."""

APERTURES = (0.4, 6.0)
"""Smallest and largest radius of the disc of positions, arcmin."""

MIN_FIRST_APERTURE = 2.0
"""Minimum radius of the first disc, arcmin: peaks of a map lie within it of their halo."""

APERTURE_IN_SCALES = 3.0
"""Radius of the first disc, scale radii of the profile of the peak."""

APERTURE_IN_ERRORS = 4.0
"""Radius of the second disc, position errors."""

CELLS = 11
"""Cells across the disc of positions, 0.7 position errors each: for a Gaussian the mean is exact to 1e-12, the position
error to 5 %."""

FIRST_TOLERANCE = 0.02
"""Largest last step towards the centre of the first disc, arcmin."""

TOLERANCE = 1e-6
"""Largest last step towards the fixed point, arcmin."""

FAR = 4.0
"""Distance from the disc beyond which galaxies are averaged in cells, arcmin."""

FAR_CELL = 0.5
"""Side of these cells, arcmin: the S/N changes by less than 0.2 %."""

MAX_STEPS = 25
"""Maximum number of steps towards the fixed point; a peak takes five to ten."""


class Refined(NamedTuple):
    """One halo, given the others.

    Attributes
    ----------
    x, y : float, arcmin
        Mean of the posterior of the position.
    position_error : float, arcmin
        Radius about there that holds 68 % of the posterior.
    snr, snr_cross : float
        Highest S/N in the disc, and that of cross shear there.
    log_bayes_factor : float
        Log of the evidence for a halo in the disc over that for none, to first order in shear.
    profile : int
        Index of the filter of the highest S/N, among those of the lens plane of the peak.
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


def refine(bank: FilterBank, e: ComplexArray, halo: Halo) -> Refined:
    """Return the halo near a position.

    Parameters
    ----------
    bank : FilterBank
        Filters over the galaxies.
    e : (n,) complex128 array
        Ellipticities without the shear of other halos.
    halo : Halo
        Position of a peak, arcmin, and index of its filter.

    Notes
    -----
    The prior of the position is even where the norm of the peak's filter is usual, and falls with its fourth power
    where that is below a quarter: no halo is searched beyond the galaxies.
    """
    profiles = bank.profiles
    aperture = float(np.clip(APERTURE_IN_SCALES * bank.scale_of(halo.profile), MIN_FIRST_APERTURE, APERTURES[1]))
    galaxies = _about(bank, e, halo, aperture)
    coverage = bank.profile_of(halo.profile), bank.least[halo.profile]
    first = _fixed_point(galaxies, profiles, coverage, halo.x, halo.y, aperture, FIRST_TOLERANCE)
    aperture = float(np.clip(APERTURE_IN_ERRORS * first.position_error, APERTURES[0], aperture))
    found = _fixed_point(galaxies, profiles, coverage, first.x, first.y, aperture, TOLERANCE)
    plane = halo.profile - bank.profile_of(halo.profile)
    found = found._replace(profile=plane + found.profile)
    return found._replace(n_galaxies=_n_effective(bank, found))


def _about(bank: FilterBank, e: ComplexArray, halo: Halo, aperture: float) -> Galaxies:
    """Return the galaxies about a peak with their cross shear as a second sky; distant ones are averaged in cells.

    Ellipticities and weights are those of galaxies for which a lens in the plane of the peak has an efficiency of 1.
    """
    patch, x, y = bank.patch, halo.x, halo.y
    near = patch.within(x, y, MAX_RADIUS + aperture)
    efficiency = bank.efficiency_of(halo.profile, near)
    z, v, e = patch.x[near] + 1j * patch.y[near], patch.v[near] * efficiency**2, e[near] / efficiency
    cells = np.floor(z.real / FAR_CELL) + 1j * np.floor(z.imag / FAR_CELL)
    cells = np.where(np.abs(z - complex(x, y)) > FAR + aperture, cells, np.arange(len(z)) + 1e9)
    _, cell = np.unique(cells, return_inverse=True)
    total: Array = np.bincount(cell, v).astype(np.float64)
    z, e = _sum(cell, v * z) / total, _sum(cell, v * e) / total
    skies = np.stack([e, -1j * e], axis=1)
    e1, e2 = np.ascontiguousarray(skies.real), np.ascontiguousarray(skies.imag)
    return Galaxies(np.ascontiguousarray(z.real), np.ascontiguousarray(z.imag), e1, e2, total)


def _sum(cell: NDArray[np.int64], values: NDArray[Any]) -> ComplexArray:
    return np.asarray(np.bincount(cell, values.real) + 1j * np.bincount(cell, values.imag))


def _fixed_point(
    galaxies: Galaxies,
    profiles: ShearProfiles,
    coverage: Coverage,
    x: float,
    y: float,
    aperture: float,
    tolerance: float,
) -> Refined:
    """Return the halo of the disc that is centred on it; of the last one about (x, y) if the centre leaves that."""
    found = _on_disc(galaxies, profiles, coverage, x, y, aperture)
    for _ in range(MAX_STEPS):
        before, found = found, _on_disc(galaxies, profiles, coverage, found.x, found.y, aperture)
        if np.hypot(found.x - x, found.y - y) > aperture:
            return before
        if np.hypot(found.x - before.x, found.y - before.y) < tolerance:
            break
    return found


def _on_disc(
    galaxies: Galaxies, profiles: ShearProfiles, coverage: Coverage, x: float, y: float, aperture: float
) -> Refined:
    """Return the halo by the posterior over a disc of positions."""
    step = 2.0 * aperture / CELLS
    axis = (np.arange(CELLS) - (CELLS - 1) / 2.0) * step
    across, up = (each.ravel() for each in np.meshgrid(axis, axis))
    inside = np.hypot(across, up) <= aperture
    centres = Centres(x + across[inside], y + up[inside])
    response, norm = np.empty((len(centres.x), 2, len(profiles))), np.empty((len(centres.x), len(profiles)))
    profile_sums(galaxies, profiles.tabulated, centres, response, norm)
    tiny = np.finfo(np.float64).tiny
    log_bayes_factor = log_bayes_factor_map(response[:, :1], norm, trial_amplitudes(norm + tiny))[:, 0]
    log_prior = 4.0 * np.log(np.clip(norm[:, coverage[0]] / max(coverage[1], tiny), 1e-6, 1.0))
    total = float(logsumexp(log_bayes_factor + log_prior))
    posterior = np.exp(log_bayes_factor + log_prior - total)
    x, y = float(posterior @ centres.x), float(posterior @ centres.y)
    snr = response / np.sqrt(np.maximum(norm, tiny))[:, None]
    snr[log_prior < log_prior.max()] *= 0.0  # too few galaxies
    peak, best = (int(k) for k in np.unravel_index(snr[:, 0].argmax(), norm.shape))
    return Refined(
        x=x,
        y=y,
        position_error=_position_error(np.hypot(centres.x - x, centres.y - y), posterior, step),
        snr=float(snr[peak, 0, best]),
        snr_cross=float(snr[peak, 1, best]),
        log_bayes_factor=total - float(logsumexp(log_prior)),
        profile=best,
        n_galaxies=0,
        aperture=aperture,
    )


def _position_error(distance: Array, posterior: Array, step: float) -> float:
    """Return the position error of a posterior at the nodes of a lattice, between which it is smooth.

    The mean square distance over nodes is exact for a Gaussian; a cell about each increases it by ``step**2 / 2 pi``.
    """
    square = float(posterior @ distance**2) + np.finfo(np.float64).tiny
    return credible_radius(distance, posterior, step**2) / float(np.sqrt(1.0 + step**2 / (2.0 * np.pi * square)))


def _n_effective(bank: FilterBank, halo: Refined) -> int:
    patch, profiles = bank.patch, bank.profiles
    near = patch.within(halo.x, halo.y, MAX_RADIUS)
    nodes = np.arange(len(profiles.shear)) * profiles.spacing
    radius = np.hypot(patch.x[near] - halo.x, patch.y[near] - halo.y)
    g = np.interp(radius, nodes, profiles.shear[:, bank.profile_of(halo.profile)])
    share = patch.v[near] * np.square(g * bank.efficiency_of(halo.profile, near))
    return round(float(share.sum() ** 2 / max(float(np.square(share).sum()), np.finfo(np.float64).tiny)))
