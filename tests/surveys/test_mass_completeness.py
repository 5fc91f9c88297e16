"""Halos of mass and redshift: their shear, the redshift distribution, and the fraction found."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.constants import G, c
from astropy.cosmology import Planck18
from astropy.table import Table
from numpy.testing import assert_allclose

from classify.cli import main
from darkmatter_features.errors import TableError
from darkmatter_features.location.profiles import nfw
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.mass_completeness import FOUR_PI_G, halo_grid, read_n_of_z
from darkmatter_features.surveys.settings import SurveySearch
from tests.support.surveys import plane_survey, write

pytest.importorskip("colossus")
SOURCES = "z,n\n0.2,0\n0.6,3\n0.9,4\n1.3,2\n"


@pytest.fixture(scope="module")
def n_of_z(tmp_path_factory):
    path = tmp_path_factory.mktemp("n") / "n_of_z.csv"
    path.write_text(SOURCES)
    return path


def test_the_constant_of_gravity_is_that_of_astropy():
    assert_allclose(FOUR_PI_G, (4 * np.pi * G / c**2).to_value(u.Mpc / u.solMass), rtol=2e-5)


def test_the_shear_is_that_of_an_nfw_halo(n_of_z):
    """With the concentration that fits best: mass, scale radius and distances by astropy."""
    from colossus.halo.concentration import concentration

    grid = halo_grid(n_of_z)
    k = int(np.flatnonzero(np.isclose(grid.mass, 10**14.6) & (grid.redshift == 0.3))[0])
    h, mass = Planck18.h, grid.mass[k] * u.solMass
    ratio = concentration(grid.mass[k] * h, "200c", 0.3, model="diemer19")
    radius = (3 * mass / (800 * np.pi * Planck18.critical_density(0.3))) ** (1 / 3)
    density = mass / (4 * np.pi * (radius / ratio) ** 3 * (np.log(1 + ratio) - ratio / (1 + ratio)))
    distance = Planck18.angular_diameter_distance(0.3)
    unit = (4 * np.pi * G / c**2 * density * radius / ratio * distance).to_value(u.one)
    scale = np.rad2deg((radius / ratio / distance).to_value(u.one)) * 60
    assert_allclose(grid.shear[k], unit * nfw(grid.radius, scale), rtol=0.01)
    assert 0.05 < np.interp(1.0, grid.radius, grid.shear[k]) < 0.3
    source = Table.read(n_of_z)
    beta = (1 - Planck18.comoving_distance(0.3) / Planck18.comoving_distance(source["z"])).value
    assert grid.efficiency[k] == pytest.approx(np.average(np.maximum(beta, 1e-3), weights=source["n"]), rel=1e-3)


def test_massive_halos_at_low_redshift_are_found_and_light_ones_are_not(n_of_z, tmp_path):
    z, e = plane_survey(np.random.default_rng(2), n=40_000, side=60.0)
    path = write(tmp_path / "survey.parquet", x=z.real, y=z.imag, e1=e.real, e2=e.imag)
    arguments = ["candidates", str(path), "--out", str(tmp_path / "out"), "--n-of-z", str(n_of_z), "--jobs", "1"]
    assert main([*arguments, "--randomizations", "0", "--no-completeness"]) == 0
    table = Table.read(tmp_path / "out" / "completeness_mass.ecsv")
    assert table["n_planted"].sum() > 150
    assert (table["n_found"] <= table["n_planted"]).all()

    def found(rows):
        return table["n_found"][rows].sum() / table["n_planted"][rows].sum()

    assert found((table["mass"] > 10**14.7) & (table["redshift"] < 0.45)) > 0.6
    assert found((table["mass"] < 10**14.1) | (table["redshift"] > 0.85)) < 0.2
    assert str(table["mass"].unit) == "solMass"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("z\n0.1\n0.2\n", "has 1 column"),
        ("z,n\n0.2,1\n0.1,1\n", "must be redshifts that increase"),
        ("z,n\n0.1,1\n0.2,-1\n", "must be numbers of galaxies"),
        ("z,n\n0.1,0\n0.2,0\n", "must be numbers of galaxies"),
        ("z,n\na,1\nb,1\n", "must be redshifts and numbers"),
    ],
)
def test_what_is_no_distribution_is_one_line(tmp_path, text, found):
    (tmp_path / "n.csv").write_text(text)
    with pytest.raises(TableError, match=found):
        read_n_of_z(tmp_path / "n.csv")


def test_a_missing_distribution_is_named_before_the_search(tmp_path):
    search = replace(SurveySearch(), n_of_z=str(tmp_path / "none.csv"))
    with pytest.raises(TableError, match=r"none\.csv does not exist"):
        find_survey_candidates(tmp_path / "also-none.parquet", search)
