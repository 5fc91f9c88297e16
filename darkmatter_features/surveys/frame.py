"""Frame of a survey: coordinates that turn and move with its galaxies, so that no result depends on RA and Dec.

The frame has longitude and latitude 0 at the mean direction of the galaxies, and its equator is the axis of their
largest scatter. All grids and patches are laid out in it. A plane survey, with x and y, has the same in its plane.
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


class Moments:
    """Sums of the positions of galaxies and of their products: they do not depend on the order of the rows.

    Attributes
    ----------
    n : int
        Number of galaxies.
    origin : (3,) float64 array
        Point about which the sums are taken.
    """

    def __init__(self, origin: Array) -> None:
        self.n, self.origin = 0, origin
        self._first, self._second, self._third = np.zeros(3), np.zeros((3, 3)), np.zeros((9, 3))

    def add(self, points: Array) -> None:
        """Add positions (n, 3): unit vectors, or x, y and 0."""
        away = points - self.origin
        products = (away[:, :, None] * away[:, None, :]).reshape(len(away), 9)
        self.n += len(away)
        self._first = self._first + away.sum(axis=0)
        self._second = self._second + products.sum(axis=0).reshape(3, 3)
        self._third = self._third + products.T @ away

    @property
    def mean(self) -> Array:
        """Mean position (3,)."""
        return np.asarray(self.origin + self._first / self.n)

    def axis(self, one: Array, two: Array) -> Array:
        """Return the unit vector of the largest scatter in the plane of two others, to the side of the longer tail."""
        basis = np.stack([one, two])
        mean = self._first / self.n
        scatter = basis @ (self._second / self.n - np.outer(mean, mean)) @ basis.T
        axis = np.linalg.eigh(scatter)[1][:, 1] @ basis
        along = float(mean @ axis)
        second, third = axis @ self._second @ axis / self.n, np.outer(axis, axis).ravel() @ self._third @ axis / self.n
        return np.asarray(axis if third - 3.0 * along * second + 2.0 * along**3 >= 0.0 else -axis)


def sphere_frame(moments: Moments) -> SphereFrame:
    """Return the frame of a survey on the sphere, from the moments of the unit vectors of its galaxies."""
    mean = moments.mean
    length = float(np.linalg.norm(mean))
    centre = mean / length if length > MIN_MEAN_DIRECTION else np.array([1.0, 0.0, 0.0])
    other = np.eye(3)[int(np.abs(centre).argmin())]
    one = np.cross(centre, other)
    one /= np.linalg.norm(one)
    east = moments.axis(one, np.cross(centre, one))
    return SphereFrame(centre, east, np.cross(centre, east))


def plane_frame(moments: Moments, unit: float) -> PlaneFrame:
    """Return the frame of a survey in a plane, from the moments of x, y and 0; `unit` is that of x and y, arcmin."""
    axis = -moments.axis(*np.eye(3)[:2])  # lon points to -x
    mean = moments.mean
    return PlaneFrame(complex(mean[0], mean[1]), complex(axis[0], axis[1]), unit)


def _north(ra: Array, dec: Array) -> Array:
    """Return unit vectors (n, 3) to the north at each position."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=1)


def _turned(north: ComplexArray) -> ComplexArray:
    """Return the factor that turns ellipticities, from the direction of north, +y, in the new axes."""
    size = np.maximum(np.abs(north), np.finfo(np.float64).tiny)
    return np.asarray(-np.square(north / size))
