"""Conventions of shapes that the user states, and those that names state."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog
from tests.support.shape_tables import galaxies, on_sky, plane


def test_distortions_are_converted_exactly(read):
    """An ellipse of axes a and b has (a^2 - b^2) / (a^2 + b^2) = 2 e / (1 + e^2)."""
    frame = galaxies()
    e = frame["e1"] + 1j * frame["e2"]
    chi = 2 * e / (1 + np.abs(e) ** 2)
    catalog = read(frame.assign(e1=chi.to_numpy().real, e2=chi.to_numpy().imag), distortion=True)
    assert_allclose(catalog.e1, frame["e1"], atol=1e-12)
    assert_allclose(catalog.e2, frame["e2"], atol=1e-12)
    assert "e = (a^2 - b^2) / (a^2 + b^2)" in catalog.notes


def test_distortions_beyond_one_are_left_out_and_counted(read):
    frame = galaxies()
    frame.loc[:2, "e1"] = 1.1
    assert read(frame, distortion=True).notes[-1] == "3 rows with |e| >= 1 left out"


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"flip_e1": True}, lambda e1, e2: (-e1, e2)),
        ({"flip_e2": True}, lambda e1, e2: (e1, -e2)),
        ({"swap": True}, lambda e1, e2: (e2, e1)),
        ({"swap": True, "flip_e1": True}, lambda e1, e2: (-e2, e1)),
        ({"flip_e1": True, "flip_e2": True}, lambda e1, e2: (-e1, -e2)),
    ],
)
def test_signs_and_order_are_changed_as_stated(read, options, change):
    catalog = read(galaxies(), **options)
    e1, e2 = change(galaxies()["e1"], galaxies()["e2"])
    assert_array_equal(catalog.e1, e1)
    assert_array_equal(catalog.e2, e2)


def test_shapes_are_divided_by_the_mean_response(read):
    frame = galaxies().assign(R11=np.linspace(0.6, 0.8, 60), R22=np.linspace(0.7, 0.9, 60))
    assert_allclose(read(frame, response="R11").e1, frame["e1"] / 0.7)
    both = read(frame, response="R11,R22")
    assert_allclose(both.e2, frame["e2"] / 0.75)
    assert "e = (a - b) / (a + b), divided by the response 0.75" in both.notes


def test_the_response_is_weighted(read):
    frame = galaxies().assign(R11=np.where(np.arange(60) < 30, 1.0, 0.5), weight=np.where(np.arange(60) < 30, 3.0, 1.0))
    assert_allclose(read(frame, response="R11").e1, frame["e1"] / 0.875)


def test_components_of_a_matrix_are_responses(tmp_path):
    table = Table.from_pandas(galaxies())
    table["R"] = np.broadcast_to([[0.5, 0.0], [0.0, 0.7]], (60, 2, 2))
    table.write(tmp_path / "a.fits")
    catalog = read_catalog(tmp_path / "a.fits", response="R[0,0]")
    assert_allclose(catalog.e1, galaxies()["e1"] / 0.5)


@pytest.mark.parametrize(
    ("response", "message"),
    [("R11", "mean response to shear is -0.5, not positive"), ("R33", "no column R33"), (" , ", "names no column")],
)
def test_a_response_that_cannot_be_is_refused(read, response, message):
    with pytest.raises(TableError, match=message):
        read(galaxies().assign(R11=-0.5), response=response)


@pytest.mark.parametrize("names", [("response",), ("R11", "R22"), ("R_g11", "R_g22"), ("mcal_R11", "mcal_R22")])
def test_a_response_of_a_usual_name_is_used_and_named(read, names):
    frame = galaxies().assign(R12=0.01, **{name: 0.7 + 0.1 * k for k, name in enumerate(names)})
    mean = 0.7 + 0.05 * (len(names) - 1)
    catalog = read(frame)
    assert_allclose(catalog.e1, frame["e1"] / mean)
    notes = "; ".join(catalog.notes)
    assert all(f"response = {name}" in notes or ", response" in notes for name in names)
    assert f"divided by the response {mean:.4g} (--response none: not)" in notes


def test_a_response_of_a_usual_name_gives_way_to_the_one_given_or_to_none(read):
    frame = galaxies().assign(response=0.5, R11=0.8)
    assert_allclose(read(frame, response="R11").e1, frame["e1"] / 0.8)
    plain = read(frame, response="none")
    assert_array_equal(plain.e1, frame["e1"])
    assert "response" not in "; ".join(plain.notes)


@pytest.mark.parametrize("value", [-0.5, 24.3, np.nan, "CCD 3"])
def test_a_column_that_cannot_be_a_response_is_not_used(read, value):
    frame = galaxies().assign(response=value)
    assert_array_equal(read(frame).e1, frame["e1"])


def test_a_response_of_distortions_is_not_that_of_ellipticities(read):
    frame = galaxies()
    catalog = read(frame.assign(response=1.7), distortion=True)
    assert_array_equal(catalog.e1, read(frame, distortion=True).e1)
    assert "e = (a^2 - b^2) / (a^2 + b^2), not divided by the response (--response)" in catalog.notes


# Stars


@pytest.mark.parametrize("name", ["star", "IS_STAR", "star_flag"])
@pytest.mark.parametrize(("star", "galaxy"), [(1, 0), (True, False), ("star", "galaxy"), ("S", "G"), (-2, 0)])
def test_stars_are_left_out_and_counted(read, name, star, galaxy):
    frame = galaxies().assign(**{name: np.where(np.arange(60) % 6 == 0, star, galaxy)})
    catalog = read(frame)
    assert_array_equal(catalog.x, frame["x"][np.arange(60) % 6 != 0])
    assert catalog.notes[-1] == "10 rows of stars left out"
    assert len(read(frame, star="none")) == 60


def test_probabilities_mark_no_stars(read):
    assert len(read(galaxies().assign(star=np.linspace(0.0, 1.0, 60)))) == 60


def test_a_column_of_stars_may_be_given(read):
    frame = galaxies().assign(fitclass=np.where(np.arange(60) < 6, 1, 0))
    assert len(read(frame)) == 60
    assert len(read(frame, star="fitclass")) == 54


# The frame of the sky


def test_shapes_in_the_frame_of_the_sky_belong_to_positions_there(read):
    frame = on_sky(galaxies(), 150.0, 2.0).assign(x=galaxies()["x"], y=galaxies()["y"])
    frame = frame.assign(e1_sky=frame["e2"], e2_sky=-frame["e1"])
    assert_array_equal(read(frame).e1, frame["e1"])
    assert_allclose(read(frame, ra="ra", dec="dec").e1, frame["e2"], atol=1e-3)
    assert_allclose(read(frame.drop(columns=["x", "y"])).e2, -frame["e1"], atol=1e-3)
    assert_allclose(read(frame, ra="ra", dec="dec", e1="e1", e2="e2").e1, frame["e1"], atol=1e-3)


# North


def against_local_north(frame, ra, dec):
    """Return a table on the sky with shapes against north at each galaxy, by differences along the meridian."""
    wcs, sky, step = plane(ra, dec), on_sky(frame, ra, dec), 1e-5
    x1, y1 = wcs.wcs_world2pix(sky["ra"], sky["dec"], 0)
    x0, y0 = wcs.wcs_world2pix(sky["ra"], sky["dec"] - step, 0)
    e = (frame["e1"] + 1j * frame["e2"]).to_numpy() * np.exp(-2j * np.arctan2(-(x1 - x0), y1 - y0))
    return sky.assign(e1=e.real, e2=e.imag)


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 0.0), (0.01, 60.0), (150.0, -75.0), (30.0, 89.9), (30.0, -89.8)])
def test_shapes_against_local_north_are_those_of_the_tangent_plane_at_the_centre(read, ra, dec):
    """The centre is the mean direction, up to 0.02 degrees from that of the plane: north there is turned, too."""
    frame = galaxies(2000)
    catalog = read(against_local_north(frame, ra, dec))
    e, expected = catalog.e1 + 1j * catalog.e2, frame["e1"] + 1j * frame["e2"]
    turn = np.sum(e * np.conj(expected)) / np.sum(np.abs(expected) ** 2)
    assert_allclose(e, expected * turn, atol=1e-4)
    assert abs(turn) == pytest.approx(1.0, abs=1e-6)


def test_turned_shapes_are_reported_near_the_pole_alone(read):
    assert "turned" not in "; ".join(read(on_sky(galaxies(), 150.0, 20.0)).notes)
    near = read(on_sky(galaxies(), 150.0, 88.0)).notes
    assert any(note.startswith("shapes turned from local north by up to ") for note in near)


def test_shapes_against_the_centre_stay_as_they_are_on_demand(read):
    frame = on_sky(galaxies(), 150.0, 89.9)
    assert_array_equal(read(frame, local_north=False).e1, frame["e1"])


@pytest.mark.parametrize("name", ["chi_{}", "i_hsmshaperegauss_e{}", "e{}_sdss"])
def test_names_of_distortions_lead_to_a_note(tmp_path, name):
    frame = galaxies().rename(columns={f"e{k}": name.format(k) for k in (1, 2)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    given = {f"e{k}": name.format(k) for k in (1, 2)}
    assert "use --distortion" in "; ".join(read_catalog(tmp_path / "a.csv", **given).notes)
    assert "use --distortion" not in "; ".join(read_catalog(tmp_path / "a.csv", **given, distortion=True).notes)


def test_ordinary_names_lead_to_no_note(tmp_path):
    galaxies().to_csv(tmp_path / "a.csv", index=False)
    assert "--distortion" not in "; ".join(read_catalog(tmp_path / "a.csv").notes)
