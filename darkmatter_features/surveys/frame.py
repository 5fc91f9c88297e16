"""Frame of a survey: coordinates that turn and move with its galaxies, so that no result depends on RA and Dec.

The frame has longitude and latitude 0 at the mean direction of the galaxies, and its equator passes through a galaxy.
All grids and patches are laid out in it. A plane survey, with x and y, has the same in its plane.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.shape_tables.positions import directions_of

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ARCMIN = 60.0
"""Arcminutes in a degree."""

MIN_MEAN_DIRECTION = 1e-6
"""Minimum length of the mean of unit vectors: below, as of a survey of the whole sky, any direction is the centre."""


class Placed(NamedTuple):
    """Galaxies in the frame of a survey.

    Attributes
    ----------
    lon, lat : (n,) float64 arrays, degrees
        Longitude, to the east, and latitude; offsets to the east and the north in a plane.
    turn : (n,) complex128 array
        Factor that turns ellipticities from the axes west and north of the catalogue to those of the frame.
    """

    lon: Array
    lat: Array
    turn: ComplexArray


@dataclass(frozen=True)
class SphereFrame:
    """Frame of a survey with RA and Dec.

    Attributes
    ----------
    centre, east, pole : (3,) float64 arrays
        Unit vectors towards longitude and latitude 0, towards longitude 90 degrees, and to the pole.
    """

    centre: Array
    east: Array
    pole: Array

    @property
    def is_plane(self) -> bool:
        """Whether the survey has x and y instead of RA and Dec."""
        return False

    def place(self, ra: Array, dec: Array) -> Placed:
        """Return galaxies in the frame, RA and Dec in degrees.

        Notes
        -----
        North has the direction ``(-N . (p x n), N . p)`` to the west and the north of the frame, with the direction n
        of the galaxy, the pole p and the unit vector N to the north at n.
        """
        n = directions_of(ra, dec)
        north = _north(ra, dec)
        lon = np.arctan2(n @ self.east, n @ self.centre)
        lat = np.arctan2(n @ self.pole, np.hypot(n @ self.east, n @ self.centre))
        west = -np.einsum("ij,ij->i", north, np.cross(self.pole, n))
        return Placed(np.rad2deg(lon), np.rad2deg(lat), _turned(west + 1j * (north @ self.pole)))

    def restore(self, lon: Array, lat: Array) -> tuple[Array, Array]:
        """Return RA and Dec, degrees, of positions in the frame."""
        n = directions_of(lon, lat) @ np.array([self.centre, self.east, self.pole])
        ra = np.rad2deg(np.arctan2(n[:, 1], n[:, 0])) % 360.0
        return np.where(ra < 360.0, ra, 0.0), np.rad2deg(np.arctan2(n[:, 2], np.hypot(n[:, 0], n[:, 1])))

    def offsets(self, ra: float, dec: float) -> tuple[float, float]:
        """Return the offset of a direction from the centre along a great circle, arcmin to the west and the north."""
        n = directions_of(np.array([ra]), np.array([dec]))[0]
        ra0 = np.arctan2(self.centre[1], self.centre[0])
        east = np.array([-np.sin(ra0), np.cos(ra0), 0.0])
        west, up = -float(n @ east), float(n @ np.cross(self.centre, east))
        distance = float(np.rad2deg(np.arctan2(np.hypot(west, up), n @ self.centre))) * ARCMIN
        size = max(float(np.hypot(west, up)), np.finfo(np.float64).tiny)
        return distance * west / size, distance * up / size


@dataclass(frozen=True)
class PlaneFrame:
    """Frame of a survey with x and y.

    Attributes
    ----------
    centre : complex
        Mean of x + i y, unit of the catalogue.
    axis : complex
        Unit number along the equator of the frame, towards -lon.
    unit : float, arcmin
        Unit of x and y.
    """

    centre: complex
    axis: complex
    unit: float

    @property
    def is_plane(self) -> bool:
        """Whether the survey has x and y instead of RA and Dec."""
        return True

    def place(self, x: Array, y: Array) -> Placed:
        """Return galaxies in the frame."""
        z = (x + 1j * y - self.centre) / self.axis * (self.unit / ARCMIN)
        return Placed(-z.real, z.imag, np.full(len(z), np.conj(self.axis) ** 2))

    def restore(self, lon: Array, lat: Array) -> tuple[Array, Array]:
        """Return x and y of positions in the frame."""
        z = self.centre + (-lon + 1j * lat) * self.axis * (ARCMIN / self.unit)
        return z.real, z.imag

    def offsets(self, x: float, y: float) -> tuple[float, float]:
        """Return x and y, which are offsets themselves."""
        return x, y


Frame = SphereFrame | PlaneFrame


def sphere_frame(total: Array, reference: Array) -> SphereFrame:
    """Return the frame of a survey on the sphere.

    Parameters
    ----------
    total : (3,) float64 array
        Sum of the unit vectors of all galaxies.
    reference : (m, 3) float64 array
        Unit vectors of some galaxies, in any order: the equator passes through the farthest from the mean direction.
    """
    length = float(np.linalg.norm(total))
    centre = total / length if length > MIN_MEAN_DIRECTION else reference[0]
    away = reference - np.outer(reference @ centre, centre)
    east = away[int(np.square(away).sum(axis=1).argmax())]
    east = east / max(float(np.linalg.norm(east)), np.finfo(np.float64).tiny)
    return SphereFrame(centre, east, np.cross(centre, east))


def plane_frame(mean: complex, reference: ComplexArray, unit: float) -> PlaneFrame:
    """Return the frame of a survey in a plane, see :func:`sphere_frame`; `unit` is that of x and y, arcmin."""
    away = reference - mean
    farthest = -complex(away[int(np.abs(away).argmax())])  # lon points to -x
    return PlaneFrame(mean, farthest / max(abs(farthest), np.finfo(np.float64).tiny), unit)


def _north(ra: Array, dec: Array) -> Array:
    """Return unit vectors (n, 3) to the north at each position."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=1)


def _turned(north: ComplexArray) -> ComplexArray:
    """Return the factor that turns ellipticities, from the direction of north, +y, in the new axes."""
    size = np.maximum(np.abs(north), np.finfo(np.float64).tiny)
    return np.asarray(-np.square(north / size))
