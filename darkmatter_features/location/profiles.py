"""How shear falls with the distance from a lens nobody has measured: physical profiles of several scales.

Lengths are in sides of the field, the square root of its area: a catalogue's unit may be anything, and a field is
chosen about as large as the lens it is to show. Only the shape of a profile matters; its amplitude is searched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NODE_SPACING = 1e-3
"""Between the nodes of a profile, sides: a twentieth of the smallest core."""

PROFILE_RADIUS = 1.5
"""How far a profile is worked out, sides: a square's diagonal is 1.41. The last node holds beyond."""

CORE_RADII = (0.02, 0.036, 0.064, 0.113)
"""Radii of the flat cores of the isothermal profiles, sides, even in their logs. The first holds a galaxy or two of
some 500 that a field has; with the last, a quarter of the field lies within the core and its slope."""

SCALE_RADII = (0.05, 0.126, 0.317, 0.8)
"""Scale radii of the NFW profiles, sides, even in their logs: from steep like a point mass over most of the field to as
shallow as a profile of shear can be."""

UNIT_RADIUS = 0.1
"""Where each profile is 1, sides: where most of the signal is, amid the cores and scale radii."""


@dataclass(frozen=True)
class ShearProfiles:
    """Shapes of tangential shear, each as likely as the others before the galaxies are seen.

    Attributes
    ----------
    names : tuple of str
        Of each profile.
    shear : (n_nodes, n_profiles) float64 array
        Shear over that at :data:`UNIT_RADIUS`, at radii 0, step, 2 step, ... and linear between.
    step : float
        Between the nodes, sides of the field.
    """

    names: tuple[str, ...]
    shear: Array
    spacing: float = NODE_SPACING

    def __post_init__(self) -> None:
        self.shear.flags.writeable = False

    def __len__(self) -> int:
        return len(self.names)


def isothermal(radius: Array, core: float) -> Array:
    """Return the shear ``1 / max(r, core)`` of an isothermal lens, flat within its core."""
    return np.asarray(1.0 / np.maximum(radius, core))


def nfw(radius: Array, scale_radius: float) -> Array:
    """Return the shear of a Navarro, Frenk & White halo over ``rho_s r_s / Sigma_cr`` (Wright & Brainerd 2000).

    ``gamma = mean kappa within r - kappa at r``; how much it differs from the reduced shear depends on the amplitude,
    and that is left out.
    """
    x = np.maximum(radius / scale_radius, 1e-3)  # below, the shear stays at its central value
    x = np.where(np.abs(x - 1.0) < 1e-4, 1.0001, x)  # 0/0 at 1
    inner = np.arccosh(np.maximum(1.0 / x, 1.0)) / np.sqrt(np.abs(1.0 - x * x))
    outer = np.arccos(np.minimum(1.0 / x, 1.0)) / np.sqrt(np.abs(1.0 - x * x))
    f = np.where(x < 1.0, inner, outer)
    mean_kappa = 4.0 * (f + np.log(x / 2.0)) / x**2
    kappa = 2.0 * (1.0 - f) / (x * x - 1.0)
    return np.asarray(mean_kappa - kappa)


@lru_cache(maxsize=1)
def default_profiles() -> ShearProfiles:
    """Return the profiles that a lens is looked for with when nothing is known of it.

    Returns
    -------
    ShearProfiles
        Isothermal ones with four cores, and NFW ones with four scale radii. On the single-halo skies of "Observing Dark
        Worlds" no single one of them does as well as their average.
    """
    made = [(f"isothermal, core {core:g}", _in_units(isothermal, core)) for core in CORE_RADII]
    made += [(f"NFW, scale radius {scale:g}", _in_units(nfw, scale)) for scale in SCALE_RADII]
    return ShearProfiles(tuple(name for name, _ in made), np.stack([shear for _, shear in made], axis=1))


def _in_units(profile: Callable[[Array, float], Array], scale: float) -> Array:
    radius: Array = np.arange(round(PROFILE_RADIUS / NODE_SPACING) + 1) * np.float64(NODE_SPACING)
    unit: Array = np.array([UNIT_RADIUS])
    return np.asarray(profile(radius, scale) / profile(unit, scale))
