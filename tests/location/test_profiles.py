"""Shear profiles: normalisation, the isothermal core, and the NFW formula."""

import numpy as np
from numpy.testing import assert_allclose

from darkmatter_features.location.profiles import (
    CORE_RADII,
    NODE_SPACING,
    SCALE_RADII,
    UNIT_RADIUS,
    default_profiles,
    isothermal,
    nfw,
)


def test_profiles_have_unit_shear_at_the_unit_radius_and_fall_outward():
    profiles = default_profiles()
    assert len(profiles) == len(profiles.names) == len(CORE_RADII) + len(SCALE_RADII)
    assert_allclose(profiles.shear[round(UNIT_RADIUS / NODE_SPACING)], 1.0)
    outside = profiles.shear[round(max(CORE_RADII) / NODE_SPACING) :]
    assert (np.diff(outside, axis=0) < 0).all()


def test_isothermal_shear_falls_inversely_and_is_constant_within_the_core():
    assert_allclose(isothermal(np.array([0.0, 0.05, 0.2, 0.4]), 0.1), [10, 10, 5, 2.5])


def test_nfw_shear_is_mean_convergence_within_less_convergence_at_the_radius():
    x = np.geomspace(0.002, 5.0, 4001)
    f = np.where(
        x < 1,
        np.arccosh(np.maximum(1 / x, 1)) / np.sqrt(np.abs(1 - x**2)),
        np.arccos(np.minimum(1 / x, 1)) / np.sqrt(np.abs(1 - x**2)),
    )
    kappa = 2 * (1 - f) / (x**2 - 1)
    mass = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(x**2) * (kappa[1:] + kappa[:-1]))])
    kept = x > 0.1
    inside = kappa[0] * x[0] ** 2  # within the first radius, where kappa rises only logarithmically
    assert_allclose(nfw(x, 1.0)[kept], ((mass + inside) / x**2 - kappa)[kept], rtol=2e-3)
    assert_allclose(nfw(np.array([0.3, 0.6]), 0.3), nfw(np.array([1.0, 2.0]), 1.0))
