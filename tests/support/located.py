"""Shape catalogues behind a planted lens, for the tests of `locate`."""

from dataclasses import replace

import numpy as np

import darkmatter_features.location.profile_sums as profile_sums_module
from darkmatter_features.io.catalogs import ShapeCatalog

SIDE = 4200.0
N = 300
SCATTER = 0.22
LENS = (1500.0, 2600.0)
THETA_E = 110.0
"""Einstein radius: the shear is 0.26 at a tenth of the field, and S/N about 9."""


def galaxies(rng, *, theta_e=0.0, n=N, scatter=SCATTER, lens=LENS, bias=0.0, weight=None):
    """Return galaxies behind an isothermal lens, kappa = theta_e / 2r, constant within 200; scatter per component."""
    z = rng.uniform(0, SIDE, n) + 1j * rng.uniform(0, SIDE, n)
    e = np.minimum(scatter * rng.rayleigh(size=n), 0.9) * np.exp(2j * np.pi * rng.random(n))
    away = z - complex(*lens)
    g = -theta_e / np.maximum(np.abs(away), 200.0) * np.exp(2j * np.angle(away))
    e = (e + g) / (1 + np.conj(g) * e) + bias
    return catalog_of(z, e, weight=weight)


def catalog_of(z, e, weight=None, name="field.csv"):
    """Return a catalogue of complex positions and ellipticities."""
    bounds = float(z.real.min()), float(z.real.max()), float(z.imag.min()), float(z.imag.max())
    x, y, e1, e2 = (values.copy() for values in (z.real, z.imag, e.real, e.imag))
    return ShapeCatalog(name, x, y, e1, e2, weight, None, None, None, bounds)


def turned(catalog, psi):
    """Return the catalogue with each galaxy rotated about itself, so that e has the additional phase psi."""
    e = (catalog.e1 + 1j * catalog.e2) * np.exp(1j * psi)
    return replace(catalog, e1=e.real.copy(), e2=e.imag.copy())


def force_method(monkeypatch, *, mesh):
    """Make all sums go through the mesh, or none."""
    monkeypatch.setattr(profile_sums_module, "MIN_SPEEDUP", 0.0 if mesh else np.inf)
