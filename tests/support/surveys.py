"""Surveys with planted halos at any place of the sky, for the tests of the search."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darkmatter_features.io.shape_tables.positions import directions_of
from darkmatter_features.location.profiles import nfw

SCATTER = 0.26
CENTRE = (150.0, 2.0)
"""RA and Dec of the centre of a survey, degrees."""


def plane_survey(rng, *, n=40_000, side=80.0, halos=(), scatter=SCATTER):
    """Return x + i y, arcmin west and north, and e of galaxies behind NFW halos (x, y, shear at 1 arcmin, r_s)."""
    z = rng.uniform(-side / 2, side / 2, n) + 1j * rng.uniform(-side / 2, side / 2, n)
    e = np.minimum(scatter * rng.rayleigh(size=n), 0.9) * np.exp(2j * np.pi * rng.random(n))
    g = np.zeros(n, dtype=complex)
    for x, y, amplitude, scale in halos:
        away = z - complex(x, y)
        shear = amplitude * nfw(np.abs(away), scale) / nfw(np.array([1.0]), scale)
        g -= shear * np.exp(2j * np.angle(away))
    return z, (e + g) / (1 + np.conj(g) * e)


def on_sky(z, e, rotation=None):
    """Return RA, Dec and e, from local north, of galaxies in the tangent plane at CENTRE, turned with the sphere."""
    centre, west, north = (axis[0] for axis in _axes(*np.atleast_2d(CENTRE).T))
    offset = np.deg2rad(np.stack([z.real, z.imag], axis=1) / 60.0)
    n = centre + offset[:, :1] * west + offset[:, 1:] * north
    up = north - (n @ north / np.square(n).sum(axis=1))[:, None] * n  # +y of the plane at each galaxy
    n /= np.linalg.norm(n, axis=1)[:, None]
    if rotation is not None:
        n, up = rotation.apply(n), rotation.apply(up)
    ra, dec = np.rad2deg(np.arctan2(n[:, 1], n[:, 0])), np.rad2deg(np.arcsin(n[:, 2]))
    _, local_west, local_north = _axes(ra, dec)
    direction = (up * local_west).sum(axis=1) + 1j * (up * local_north).sum(axis=1)
    return ra, dec, -e * np.square(direction / np.abs(direction))


def rotated(ra, dec, rotation):
    """Return RA and Dec after a rotation of the sphere."""
    n = rotation.apply(directions_of(np.atleast_1d(ra), np.atleast_1d(dec)))
    return np.rad2deg(np.arctan2(n[:, 1], n[:, 0])) % 360, np.rad2deg(np.arcsin(n[:, 2]))


def _axes(ra, dec):
    """Return the unit vectors (n, 3) to positions, to the west and to the north of them."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=1)
    return directions_of(ra, dec), -east, north


def write(path, **columns):
    """Write columns to a Parquet file and return its path."""
    pq.write_table(pa.table(columns), path)
    return path


def write_sky(path, z, e, rotation=None):
    """Write a survey with RA and Dec."""
    ra, dec, e = on_sky(z, e, rotation)
    return write(path, ra=ra, dec=dec, e1=e.real, e2=e.imag)
