"""The frame of a survey turns and moves with it; shapes follow, and every position has one owner."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from darkmatter_features.io.shape_tables.positions import directions_of, from_local_north, projected
from darkmatter_features.surveys.frame import Moments, plane_frame, sphere_frame
from darkmatter_features.surveys.patches import PATCH_SIZE, Patch, owners, shares


def sky(rng, n=500, ra=150.0, dec=2.0, radius=4.0):
    return ra + radius * rng.uniform(-1, 1, n) / np.cos(np.deg2rad(dec)), dec + radius * rng.uniform(-1, 1, n)


def frame_of(ra, dec):
    moments = Moments(np.zeros(3))
    moments.add(directions_of(ra, dec))
    return sphere_frame(moments)


def plane_frame_of(z):
    moments = Moments(np.array([z[0].real, z[0].imag, 0.0]))
    moments.add(np.stack([z.real, z.imag, 0 * z.real], axis=1))
    return plane_frame(moments, 60.0)


def turned_sky(ra, dec, rotation):
    n = rotation.apply(directions_of(ra, dec))
    return np.rad2deg(np.arctan2(n[:, 1], n[:, 0])), np.rad2deg(np.arcsin(n[:, 2]))


def north_angle(ra, dec, rotation):
    """Return the direction, as west + i north, in which north before a rotation points after it."""
    step = 1e-5
    a, b = turned_sky(ra, dec, rotation), turned_sky(ra, dec + step, rotation)
    west = -((b[0] - a[0] + 180) % 360 - 180) * np.cos(np.deg2rad(a[1]))
    return (west + 1j * (b[1] - a[1])) / step


@pytest.mark.parametrize("turn", [(0, 0, 80), (210, 3, 0), (10, 87, 200), (340, -89, 20)])
def test_positions_and_shapes_in_the_frame_do_not_depend_on_the_place_of_the_survey(rng, turn):
    ra, dec = sky(rng)
    e = rng.normal(size=500) + 1j * rng.normal(size=500)
    rotation = Rotation.from_euler("zyx", turn, degrees=True)
    north = north_angle(ra, dec, rotation)
    other = e * -np.square(north / np.abs(north))  # +y becomes the direction `north`
    one, two = (
        frame_of(ra, dec).place(ra, dec),
        frame_of(*turned_sky(ra, dec, rotation)).place(*turned_sky(ra, dec, rotation)),
    )
    assert_allclose(one.lon, two.lon, atol=1e-9)
    assert_allclose(one.lat, two.lat, atol=1e-9)
    assert_allclose(one.turn * e, two.turn * other, atol=2e-4)


def test_positions_return(rng):
    ra, dec = sky(rng, ra=359.5)
    frame = frame_of(ra, dec)
    lon, lat, _ = frame.place(ra, dec)
    back = frame.restore(lon, lat)
    assert_allclose(back[0], ra % 360, atol=1e-10)
    assert_allclose(back[1], dec, atol=1e-10)
    patch = Patch(1, -1, is_plane=False)
    again = patch.restore(*patch.project(lon, lat)[:2])
    assert_allclose(again, (lon, lat), atol=1e-10)


def test_a_patch_at_the_centre_is_the_tangent_plane_of_one_field(rng, tmp_path):
    """The plane and the turned shapes are those of `read_catalog`, up to the rotation of the axes of the frame."""
    ra, dec = sky(rng, dec=70.0, radius=1.0)
    columns = {"ra": ra, "dec": dec, "e1": rng.normal(size=500), "e2": rng.normal(size=500)}
    plain, wcs = projected(tmp_path, columns)
    plain, _ = from_local_north(plain, wcs)
    lon, lat, turn = frame_of(ra, dec).place(ra, dec)
    x, y, more = Patch(0, 0, is_plane=False).project(lon, lat)
    z, z0 = x + 1j * y, plain["x"] + 1j * plain["y"]
    axis = (z / z0)[np.abs(z0) > 10]
    assert_allclose(axis, axis[0], atol=1e-9)
    e, e0 = (columns["e1"] + 1j * columns["e2"]) * turn * more, plain["e1"] + 1j * plain["e2"]
    assert_allclose(e, e0 * axis[0] ** 2, atol=2e-3)  # the projection is not conformal: 3e-4 at 1.4 degrees


def test_a_plane_turns_its_shapes(rng):
    z = rng.normal(size=50) + 1j * rng.normal(size=50) + 100
    e = rng.normal(size=50) + 1j * rng.normal(size=50)
    one, two = (plane_frame_of(w) for w in (z, z * np.exp(0.7j)))
    a, b = one.place(z.real, z.imag), two.place((z * np.exp(0.7j)).real, (z * np.exp(0.7j)).imag)
    assert_allclose((a.lon, a.lat), (b.lon, b.lat), atol=1e-10)
    assert_allclose(e * a.turn, e * np.exp(1.4j) * b.turn)
    assert_allclose(one.restore(a.lon, a.lat), (z.real, z.imag))


@pytest.mark.parametrize("is_plane", [True, False])
def test_every_position_has_one_owner_which_has_it_and_its_margin(rng, is_plane):
    lon = rng.uniform(-180, 180, 4000)
    lat = np.rad2deg(np.arcsin(rng.uniform(-1, 1, 4000)))
    margin = 0.5
    band, column = owners(lon, lat, is_plane=is_plane)
    got = {patch: set(index.tolist()) for patch, index in shares(lon, lat, margin, is_plane=is_plane)}
    for k in range(4000):
        assert k in got[Patch(int(band[k]), int(column[k]), is_plane)]
    assert sum(len(each) for each in got.values()) < 4000 * (1.9 if is_plane else 3.0)
    for patch in list(got)[:40]:
        x, y, _ = patch.project(lon, lat)
        towards = np.einsum(
            "ij,ij->i", directions_of(lon, lat), directions_of(np.full(4000, patch.lon), np.full(4000, patch.lat))
        )
        inside = (
            np.hypot(x, y) < 60 * (PATCH_SIZE / 2 + 0.5 * margin)
            if not is_plane
            else (np.maximum(np.abs(x), np.abs(y)) < 60 * (PATCH_SIZE / 2 + margin))
        )
        near = np.flatnonzero(inside & ((towards > 0) | is_plane))
        if abs(patch.lat) < 80:
            assert set(near.tolist()) <= got[patch]
