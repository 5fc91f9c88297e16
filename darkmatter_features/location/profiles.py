"""Radial profiles of tangential shear for a lens of unknown mass: isothermal and NFW halos of several scales.

Lengths are in sides of the field, the square root of its area: the unit of a catalogue is arbitrary, and observers
choose fields about as large as the lens. Only the shape of a profile matters; the amplitude is a free parameter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.numerics.kernels.records import Profiles

Array = NDArray[np.float64]

NODE_SPACING = 1e-3
"""Distance between the nodes of a profile, sides of the field: a twentieth of the smallest core."""

PROFILE_RADIUS = 1.5
"""Largest tabulated radius, sides of the field: the diagonal of a square is 1.41. The last node holds beyond."""

CORE_RADII = (0.02, 0.036, 0.064, 0.113)
"""Core radii of the isothermal profiles, sides of the field, evenly spaced in log. The first encloses one or two of
some 500 galaxies in a field; the last encloses a quarter of the field within the core and its slope."""

SCALE_RADII = (0.05, 0.126, 0.317, 0.8)
"""Scale radii of the NFW profiles, sides of the field, evenly spaced in log: from the steepness of a point mass over
most of the field to the shallowest shear that the profile allows."""

UNIT_RADIUS = 0.1
"""Radius where each profile is 1, sides of the field: most of the signal comes from there, amid the core and scale
radii."""

MIN_NFW_RADIUS = 1e-3
"""Radius, in scale radii, within which the NFW shear is constant."""

AROUND_SCALE_RADIUS = 1e-4
"""Half-width of the interval about the scale radius, in scale radii, where the NFW shear is that at its upper end: the
formula is 0/0 at 1."""


@dataclass(frozen=True)
class ShearProfiles:
    """Shapes of tangential shear, all with the same prior probability.

    Attributes
    ----------
    names : tuple of str
        Name of each profile.
    shear : (n_nodes, n_profiles) float64 array
        Shear relative to that at :data:`UNIT_RADIUS`, at radii 0, spacing, 2 spacing, ... and linear between.
    spacing : float, sides of the field
        Distance between nodes.
    scales : tuple of float, sides of the field
        Core or scale radius of each profile; empty where they are unknown.
    """

    names: tuple[str, ...]
    shear: Array
    spacing: float = NODE_SPACING
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self.shear.flags.writeable = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def tabulated(self) -> Profiles:
        """Table of the profiles, as the kernels take it."""
        return Profiles(self.shear, self.spacing)


def isothermal(radius: Array, core: float) -> Array:
    """Return the shear ``1 / max(r, core)`` of an isothermal lens, constant within its core."""
    return np.asarray(1.0 / np.maximum(radius, core))


def nfw(radius: Array, scale_radius: float) -> Array:
    """Return the shear of a Navarro-Frenk-White halo in units of ``rho_s r_s / Sigma_cr``.

    Parameters
    ----------
    radius : float64 array
        Projected distance from the centre, in any unit.
    scale_radius : float
        Scale radius r_s, in the same unit.

    Returns
    -------
    float64 array

    Notes
    -----
    ``gamma = <kappa>(< r) - kappa(r)``, with the mean convergence within r and that at r from Eqs. 13 and 11 of Wright
    & Brainerd (2000). The reduced shear ``gamma / (1 - kappa)`` depends on the amplitude and is not modelled.

    References
    ----------
    C. O. Wright, T. G. Brainerd (2000), ApJ 534, 34, doi:10.1086/308744.
    """
    x = np.maximum(radius / scale_radius, MIN_NFW_RADIUS)
    x = np.where(np.abs(x - 1.0) < AROUND_SCALE_RADIUS, 1.0 + AROUND_SCALE_RADIUS, x)
    inner = np.arccosh(np.maximum(1.0 / x, 1.0)) / np.sqrt(np.abs(1.0 - x * x))
    outer = np.arccos(np.minimum(1.0 / x, 1.0)) / np.sqrt(np.abs(1.0 - x * x))
    f = np.where(x < 1.0, inner, outer)
    mean_kappa = 4.0 * (f + np.log(x / 2.0)) / x**2  # Eq. 13
    kappa = 2.0 * (1.0 - f) / (x * x - 1.0)  # Eq. 11
    return np.asarray(mean_kappa - kappa)  # Eq. 14


@cache
def default_profiles() -> ShearProfiles:
    """Return the profiles for a lens of unknown shape.

    Returns
    -------
    ShearProfiles
        Isothermal profiles with four cores, and NFW profiles with four scale radii; computed once, read-only. On the
        single-halo skies of "Observing Dark Worlds" their average does better than any single profile.
    """
    table = [(f"isothermal, core {core:g}", _tabulated(isothermal, core)) for core in CORE_RADII]
    table += [(f"NFW, scale radius {scale:g}", _tabulated(nfw, scale)) for scale in SCALE_RADII]
    names, shear = tuple(name for name, _ in table), np.stack([shear for _, shear in table], axis=1)
    return ShearProfiles(names, shear, scales=(*CORE_RADII, *SCALE_RADII))


def _tabulated(profile: Callable[[Array, float], Array], scale: float) -> Array:
    radius: Array = np.arange(round(PROFILE_RADIUS / NODE_SPACING) + 1) * np.float64(NODE_SPACING)
    unit: Array = np.array([UNIT_RADIUS])
    return np.asarray(profile(radius, scale) / profile(unit, scale))
