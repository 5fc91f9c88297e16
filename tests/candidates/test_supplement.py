"""Radial profiles, null tests and empty cells beside the candidates."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose

from darkmatter_features.candidates.batch import write_candidates
from darkmatter_features.candidates.coverage import empty_fraction, empty_map
from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.candidates.known import KnownLenses
from darkmatter_features.candidates.null_tests import cross_map_test, cross_test, mean_test
from darkmatter_features.candidates.radial import field_profile, radial_profile
from darkmatter_features.location.field import field_of
from darkmatter_features.location.profiles import default_profiles
from tests.support.located import THETA_E, galaxies


@pytest.fixture(scope="module")
def lensed():
    return galaxies(np.random.default_rng(2), theta_e=THETA_E)


def test_the_profile_recovers_a_planted_tangential_shear(rng):
    z = rng.uniform(-5, 5, 20_000) + 1j * rng.uniform(-5, 5, 20_000)
    noise = 0.2 * (rng.normal(size=z.size) + 1j * rng.normal(size=z.size))
    e = noise - 0.05 * np.exp(2j * np.angle(z))
    found = radial_profile(z, e, np.full(z.size, 25.0), np.array([0.0, 1.0, 2.0, 4.0]))
    assert_allclose(found.gamma_t, 0.05, atol=4 * found.error.max())
    assert_allclose(found.gamma_x, 0.0, atol=4 * found.error.max())
    assert_allclose(found.error, 0.2 / np.sqrt(found.n_galaxies))


def test_the_cross_shear_of_a_turned_pattern_has_the_sign_of_the_maps():
    z = np.exp(1j * np.linspace(0, 6, 50))
    e = 0.1j * np.exp(2j * np.angle(z))
    found = radial_profile(z, e, np.ones(50), np.array([0.0, 2.0]))
    phi = np.angle(z)
    expected = e.real * np.sin(2 * phi) - e.imag * np.cos(2 * phi)  # docs/conventions.md
    assert_allclose(found.gamma_x, expected.mean())
    assert_allclose(found.gamma_t, 0.0, atol=1e-12)


def test_galaxies_of_weight_0_and_beyond_the_annuli_do_not_count():
    found = radial_profile(
        np.array([0.5, 0.6, 9.0]) + 0j, np.array([-0.1, 5.0, 5.0]) + 0j, np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0])
    )
    assert found.gamma_t.tolist() == [0.1]
    assert found.n_galaxies.tolist() == [1]


def test_the_cells_of_a_hole_are_empty(rng):
    z = rng.uniform(0, 100, 8000) + 1j * rng.uniform(0, 100, 8000)
    catalog = galaxies(rng, n=8000)
    field = field_of(catalog, subtract_mean=False)
    keep = np.hypot(field.x - 0.3, field.y - 0.6) > 0.12
    holed = replace(field, **{name: getattr(field, name)[keep] for name in ("x", "y", "e1", "e2", "weight")})
    columns, rows = field.grid(50)
    empty = empty_map(holed, columns, rows)
    distance = np.hypot(columns[None, :] - 0.3, rows[:, None] - 0.6)
    assert empty[distance < 0.08].all()
    assert empty[distance > 0.16].mean() < 0.01
    inside = z[np.abs(z - 50 - 50j) < 40] - 50 - 50j
    assert empty_fraction(inside, 10.0) == 0.0
    assert empty_fraction(inside[inside.real > 0], 10.0) == pytest.approx(0.5, abs=0.1)
    assert empty_fraction(inside[:5], 10.0) == 1.0


def test_null_tests_pass_for_noise_and_fail_for_cross_shear(rng):
    noise, profiles = field_of(galaxies(rng), subtract_mean=False), default_profiles()
    assert cross_map_test(noise, profiles, profiles.names[0]).passes
    lens = field_of(galaxies(rng, theta_e=2 * THETA_E), subtract_mean=False)
    turned = replace(lens, e1=lens.e2, e2=-lens.e1)
    assert not cross_map_test(turned, profiles, profiles.names[0]).passes
    assert [each.passes for each in (mean_test(1.0), mean_test(4.5), *cross_test([0.5, -1.2]), *cross_test([4.0]))] == [
        True, False, True, False,
    ]  # fmt: skip
    assert cross_test([]) == []


def test_the_files_beside_the_table_have_what_was_found(tmp_path, lensed):
    found = find_candidates(lensed, n_randomizations=9, rng=np.random.default_rng(1))
    known = KnownLenses("list", ("in", "out"), plane=np.array([[found[0].x, found[0].y], [1e9, 1e9]]))
    write_candidates(tmp_path, lensed, found, known=known, record={"command": "darkmatter", "settings": {"most": 1}})
    table, null = Table.read(tmp_path / "candidates.ecsv"), Table.read(tmp_path / "null.ecsv")
    assert (table.meta["command"], table.meta["settings"]) == ("darkmatter", {"most": 1})
    assert all(json.dumps(each) for each in table.meta["null_tests"])
    above = int((null["log_bayes_factor"] >= null.meta["observed"]["1"]).sum())
    assert (1 + above) / 10 == table["false_alarm_probability"][0]
    profile = field_profile(field_of(lensed, subtract_mean=False), found[0].x, found[0].y)
    assert_allclose(Table.read(tmp_path / "profiles.ecsv")["gamma_t"], profile.gamma_t)
    assert Table.read(tmp_path / "known.ecsv")["name"].tolist() == ["in"]


def test_the_maps_have_x_and_y_as_second_coordinates(tmp_path, lensed):
    found = find_candidates(lensed)
    write_candidates(tmp_path, lensed, found)
    header = fits.getheader(tmp_path / "empty.fits")
    place = WCS(header, key="A").wcs_pix2world([[7, 9]], 0)[0]
    assert_allclose(place, (found.field.columns[7], found.field.rows[9]))
