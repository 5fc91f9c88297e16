"""Completeness by mass and redshift: NFW halos planted in the galaxies of a survey, behind a redshift distribution."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError, TableError
from darkmatter_features.io.copies import present
from darkmatter_features.io.shape_tables.formats import opened_tables
from darkmatter_features.surveys.completeness import highest_peaks, planted_positions, rest_of
from darkmatter_features.surveys.filter_maps import FilterBank
from darkmatter_features.surveys.frame import ARCMIN
from darkmatter_features.surveys.lens_planes import lensing_efficiency
from darkmatter_features.surveys.local_fit import LocalFit
from darkmatter_features.surveys.profiles import MAX_RADIUS

Array = NDArray[np.float64]

LOG_MASSES = (13.8, 14.0, 14.2, 14.4, 14.6, 14.8, 15.0, 15.2)
"""Logarithms of the masses M200c of planted halos, solar masses."""

REDSHIFTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Redshifts of planted halos."""

N_PLANTED = 600
"""Minimum number of halos that are planted in a patch."""

MAX_PASSES = 60
"""Maximum number of maps for them."""

FOUR_PI_G = 6.01354e-19
"""4 pi G / c^2, Mpc per solar mass."""

MIN_RADIUS, N_NODES = 0.05, 120
"""Smallest tabulated radius, arcmin, within which the shear is constant, and number of radii, evenly spaced in log."""

MAX_CONVERGENCE = 0.9
"""Largest convergence for which the reduced shear is computed."""


@dataclass(frozen=True)
class HaloGrid:
    """NFW halos of a grid of masses and redshifts.

    Attributes
    ----------
    mass : (n,) float64 array, solar masses
        Masses within the radius of 200 critical densities.
    redshift : (n,) float64 array
        Redshifts.
    radius : (n_nodes,) float64 array, arcmin
        Radii of the tables.
    shear, convergence : (n, n_nodes) float64 arrays
        Mean shear and convergence of each at the radii, for sources at infinity.
    efficiency : (n,) float64 array
        Mean lensing efficiency of the sources, for galaxies without redshifts.
    """

    mass: Array
    redshift: Array
    radius: Array
    shear: Array
    convergence: Array
    efficiency: Array


class PlantedMasses(NamedTuple):
    """Halos of a grid planted in a patch: positions, arcmin, indices in the grid, and S/N of the peaks there or 0."""

    x: Array
    y: Array
    halo: NDArray[np.int64]
    snr: Array


def read_n_of_z(path: str | Path) -> tuple[Array, Array]:
    """Return the redshifts and the relative numbers of galaxies of a redshift distribution.

    Parameters
    ----------
    path : str or Path
        Table whose first two columns are the redshift and the number of galaxies at it.

    Raises
    ------
    TableError
        If the file cannot be read, or its columns are no distribution.
    """
    path = present(path)
    with opened_tables(path) as (table, *_):
        if len(table.names) < 2:
            raise TableError(f"{path} has {len(table.names)} column; give a table of redshifts and numbers of galaxies")
        names = table.names[:2]
        redshift, number = (np.asarray(table.column(path, name)) for name in names)
    if redshift.dtype.kind not in "fiu" or number.dtype.kind not in "fiu":
        raise TableError(f"{path}: columns {names[0]} and {names[1]} must be redshifts and numbers of galaxies")
    z, n = redshift.astype(np.float64), number.astype(np.float64)
    if not (np.isfinite(z).all() and (np.diff(z) > 0.0).all() and (z >= 0.0).all() and len(z) > 1):
        raise TableError(f"{path}: column {names[0]} must be redshifts that increase from 0 or more")
    if not (np.isfinite(n).all() and (n >= 0.0).all() and n.sum() > 0.0):
        raise TableError(f"{path}: column {names[1]} must be numbers of galaxies, 0 or more, some of them above 0")
    return z, n


def halo_grid(path: str | Path) -> HaloGrid:
    r"""Return halos of all masses and redshifts, in front of galaxies of a redshift distribution.

    Parameters
    ----------
    path : str or Path
        Redshift distribution, see :func:`read_n_of_z`.

    Raises
    ------
    ConfigError
        If colossus is not installed.
    TableError
        If the distribution cannot be read.

    Notes
    -----
    Profiles are those of Navarro, Frenk & White (1997) with the concentrations of Diemer & Joyce (2019) [1]_, by
    colossus (Diemer 2018 [2]_). Shear and convergence are :math:`\Delta\Sigma / \Sigma_{cr}` and
    :math:`\Sigma / \Sigma_{cr}`.

    References
    ----------
    .. [1] Diemer & Joyce (2019), ApJ 871, 168, doi:10.3847/1538-4357/aafad6
    .. [2] Diemer (2018), ApJS 239, 35, doi:10.3847/1538-4365/aaee8c
    """
    source, number = read_n_of_z(path)
    try:
        from colossus.cosmology import cosmology
        from colossus.halo import concentration
        from colossus.halo.profile_nfw import NFWProfile
    except ImportError:
        raise ConfigError("--n-of-z (Python: n_of_z=) needs colossus; install the extra `survey`") from None
    cosmo = cosmology.setCosmology("planck18", persistence="")
    radius = np.geomspace(MIN_RADIUS, MAX_RADIUS, N_NODES)
    mass, redshift = (each.ravel() for each in np.meshgrid(10.0 ** np.array(LOG_MASSES), REDSHIFTS, indexing="ij"))
    shear, convergence = np.empty((len(mass), N_NODES)), np.empty((len(mass), N_NODES))
    for k, (m, z) in enumerate(zip(mass * cosmo.h, redshift)):
        profile = NFWProfile(M=m, c=concentration.concentration(m, "200c", z, model="diemer19"), z=z, mdef="200c")
        distance = cosmo.angularDiameterDistance(z) / cosmo.h  # Mpc
        projected = np.deg2rad(radius / ARCMIN) * distance * cosmo.h * 1e3  # kpc / h
        per_area = 1e6 * cosmo.h * FOUR_PI_G * distance  # from solar masses h / kpc^2
        shear[k] = profile.deltaSigma(projected) * per_area
        convergence[k] = profile.surfaceDensity(projected) * per_area
    efficiency = np.array([np.average(lensing_efficiency(z, source), weights=number) for z in redshift])
    return HaloGrid(mass, redshift, radius, shear, convergence, efficiency)


def plant_masses(
    bank: FilterBank, grid: HaloGrid, fit: LocalFit, floor: float, rng: np.random.Generator
) -> PlantedMasses:
    """Return halos of a grid planted in the galaxies of a patch, and the peaks at their positions.

    Parameters
    ----------
    bank : FilterBank
        Filters over the patch.
    grid : HaloGrid
        Halos, each as likely.
    fit : LocalFit
        Halos that were found: their shear is subtracted first.
    floor : float
        Minimum S/N of a peak.
    rng : numpy.random.Generator
        Source of positions and halos.

    Notes
    -----
    Galaxies with redshifts are sheared by their own, the others by the mean efficiency.
    """
    e = rest_of(bank, fit)
    passes: list[PlantedMasses] = []
    while len(passes) < MAX_PASSES and sum(len(each.x) for each in passes) < N_PLANTED:
        x, y = planted_positions(bank, rng)
        index = rng.integers(0, len(grid.mass), len(x))
        g = np.zeros(len(e), dtype=np.complex128)
        for each in zip(x.tolist(), y.tolist(), index.tolist(), strict=True):
            _add_shear(g, bank, grid, *each)
        passes.append(PlantedMasses(x, y, index, highest_peaks(bank, (e + g) / (1.0 + np.conj(g) * e), x, y, floor)))
    return PlantedMasses(*(np.concatenate(each) for each in zip(*passes)))


def _add_shear(g: NDArray[np.complex128], bank: FilterBank, grid: HaloGrid, x: float, y: float, index: int) -> None:
    """Add the reduced shear of one halo to that of the galaxies."""
    patch, redshift = bank.patch, float(grid.redshift[index])
    near = patch.within(x, y, MAX_RADIUS)
    away = (patch.x[near] - x) + 1j * (patch.y[near] - y)
    known = patch.redshift
    efficiency = grid.efficiency[index] if known is None else lensing_efficiency(redshift, known[near])
    shear, kappa = (
        np.interp(np.abs(away), grid.radius, values[index]) * efficiency for values in (grid.shear, grid.convergence)
    )
    g[near] -= np.minimum(shear / (1.0 - np.minimum(kappa, MAX_CONVERGENCE)), 1.0) * np.exp(2j * np.angle(away))
