"""Patches of a survey: a fixed lattice about the centre of its frame, each patch with its own tangent plane.

A band of latitude has the height :data:`PATCH_SIZE`; patches of a band have the same width in longitude. A patch owns
the candidates in its rectangle, and has the galaxies of a margin about it as well.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.surveys.frame import ARCMIN

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

PATCH_SIZE = 3.0
"""Height of a patch, degrees: at its corners, margin included, the tangent plane is sheared by 0.0015."""


class Patch(NamedTuple):
    """Rectangle in the frame of a survey.

    Attributes
    ----------
    band, column : int
        Place in the lattice; 0 and 0 at the centre of the survey.
    is_plane : bool
        Whether the survey is plane: longitudes are then plane offsets.
    """

    band: int
    column: int
    is_plane: bool

    @property
    def lat(self) -> float:
        """Latitude of the centre, degrees."""
        return self.band * PATCH_SIZE

    @property
    def lon(self) -> float:
        """Longitude of the centre, degrees."""
        return self.column * band_width(self.band, is_plane=self.is_plane)

    def project(self, lon: Array, lat: Array) -> tuple[Array, Array, NDArray[np.complex128]]:
        """Return x and y, arcmin to the west and the north of the centre, and the factors that turn ellipticities.

        Notes
        -----
        Gnomonic projection, see :func:`~darkmatter_features.io.shape_tables.positions.from_local_north` for the turn.
        """
        if self.is_plane:
            return -(lon - self.lon) * ARCMIN, (lat - self.lat) * ARCMIN, np.ones(len(lon), dtype=np.complex128)
        step, d, d0 = np.deg2rad(lon - self.lon), np.deg2rad(lat), np.deg2rad(self.lat)
        scale = np.rad2deg(1.0) * ARCMIN / (np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(step))
        x = -np.cos(d) * np.sin(step) * scale
        y = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(step)) * scale
        return x, y, np.exp(2j * np.arctan2(-np.sin(step) * np.sin(d0), np.cos(step)))

    def restore(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return longitude and latitude, degrees, of positions in the tangent plane."""
        if self.is_plane:
            return self.lon - x / ARCMIN, self.lat + y / ARCMIN
        u, v, d0 = -np.deg2rad(x / ARCMIN), np.deg2rad(y / ARCMIN), np.deg2rad(self.lat)
        up, out = np.sin(d0) + v * np.cos(d0), np.cos(d0) - v * np.sin(d0)
        lat = np.arctan2(up, np.hypot(out, u))
        return self.lon + np.rad2deg(np.arctan2(u, out)), np.rad2deg(lat)

    def owns(self, lon: Array, lat: Array) -> NDArray[np.bool_]:
        """Return which positions lie in the rectangle; each position lies in one patch."""
        band, column = owners(lon, lat, is_plane=self.is_plane)
        return np.asarray((band == self.band) & (column == self.column))


def band_width(band: int, *, is_plane: bool) -> float:
    """Return the width in longitude of the patches of a band, degrees."""
    if is_plane:
        return PATCH_SIZE
    lowest = np.deg2rad(min(max(abs(band) - 0.5, 0.0) * PATCH_SIZE, 90.0))
    return 360.0 / max(int(np.floor(360.0 * np.cos(lowest) / PATCH_SIZE)), 1)


def owners(lon: Array, lat: Array, *, is_plane: bool) -> tuple[Integers, Integers]:
    """Return band and column of the patch that owns each position."""
    band = np.rint(lat / PATCH_SIZE).astype(np.int64)
    return band, _columns(lon, band, is_plane=is_plane)


def shares(lon: Array, lat: Array, margin: float, *, is_plane: bool) -> Iterator[tuple[Patch, Integers]]:
    """Yield the patches that have some of the positions within a margin, and the indices of these positions.

    Parameters
    ----------
    lon, lat : (n,) float64 arrays, degrees
        Positions in the frame.
    margin : float, degrees
        Width of the margin about the rectangle of a patch, below half of :data:`PATCH_SIZE`.
    is_plane : bool
        Whether the survey is plane.
    """
    pairs = [_in_band(lon, lat, margin, shift, is_plane=is_plane) for shift in (-1, 0, 1)]
    band, column, index = (np.concatenate(each) for each in zip(*pairs))
    order = np.lexsort((index, column, band))
    band, column, index = band[order], column[order], index[order]
    changes = (np.diff(band, prepend=-(2**40)) != 0) | (np.diff(column, prepend=-(2**40)) != 0)
    starts = np.flatnonzero(changes).tolist()
    for start, stop in zip(starts, [*starts[1:], index.size]):
        yield Patch(int(band[start]), int(column[start]), is_plane), index[start:stop]


def _in_band(
    lon: Array, lat: Array, margin: float, shift: int, *, is_plane: bool
) -> tuple[Integers, Integers, Integers]:
    """Return band, column and index of positions in, or within a margin of, the band `shift` above their own."""
    own = np.rint(lat / PATCH_SIZE).astype(np.int64)
    near = np.abs(lat - (own + shift) * PATCH_SIZE) <= PATCH_SIZE / 2.0 + margin
    if not is_plane:
        near &= (np.abs(own + shift) - 0.5) * PATCH_SIZE < 90.0
    index = np.flatnonzero(near)
    band = own[index] + shift
    wide = margin if is_plane else margin / np.maximum(np.cos(np.deg2rad(np.abs(lat[index]) + margin)), 0.01)
    reach = np.minimum(wide, 90.0)
    lower, own_column, upper = (_columns(lon[index] + side * reach, band, is_plane=is_plane) for side in (-1, 0, 1))
    also = [lower != own_column, (upper != own_column) & (upper != lower)]
    column = np.concatenate([own_column, lower[also[0]], upper[also[1]]])
    return (
        np.concatenate([band, band[also[0]], band[also[1]]]),
        column,
        np.concatenate([index, index[also[0]], index[also[1]]]),
    )


def _columns(lon: Array, band: Integers, *, is_plane: bool) -> Integers:
    """Return the columns of positions in the given bands."""
    known, inverse = np.unique(band, return_inverse=True)
    width = np.array([band_width(int(each), is_plane=is_plane) for each in known])[inverse]
    column = np.rint(lon / width).astype(np.int64)
    if is_plane:
        return np.asarray(column)
    count = np.rint(360.0 / width).astype(np.int64)
    return np.asarray((column + count // 2) % count - count // 2)
