"""The check of a catalogue: each planted defect is found with its remedy, and a clean catalogue is silent."""

import numpy as np
import pandas as pd
import pytest

from darkmatter_features.checks.catalog import check_catalog
from darkmatter_features.io.shape_tables.positions import from_local_north, projected
from tests.support.located import THETA_E, galaxies
from tests.support.shape_tables import on_sky


def lensed(seed=1, *, theta_e=1.2 * THETA_E, n=300, **planted):
    """Return a table of galaxies behind a lens."""
    catalog = galaxies(np.random.default_rng(seed), theta_e=theta_e, n=n, **planted)
    return pd.DataFrame({"x": catalog.x, "y": catalog.y, "e1": catalog.e1, "e2": catalog.e2})


@pytest.fixture
def findings(tmp_path):
    """Return the function that returns the findings of a table."""

    def of(table, **options):
        table.to_csv(tmp_path / "shapes.csv", index=False)
        return check_catalog(tmp_path / "shapes.csv", **options).findings

    return of


def with_sky(table, ra=150.0, dec=20.0):
    """Return the table with RA and Dec beside x and y."""
    return table.assign(**{key: on_sky(table, ra, dec)[key] for key in ("ra", "dec")})


def the_one(found, *words):
    """Return whether the only finding contains some words."""
    assert len(found) == 1, found
    return all(word in found[0] for word in words)


@pytest.mark.parametrize("theta_e", [0.0, 1.2 * THETA_E])
def test_a_clean_catalogue_is_silent(findings, theta_e):
    for seed in range(4):
        table = lensed(seed, theta_e=theta_e)
        assert findings(table) == ()
        assert findings(with_sky(table)) == ()
        assert findings(table.round(2)) == ()


def test_a_clean_large_catalogue_is_silent(findings):
    assert findings(lensed(1, n=20_000).round(3)) == ()


def test_a_wrong_sign_is_found(findings):
    table = lensed()
    assert the_one(findings(table.assign(e2=-table["e2"])), "with flip e2", "use --flip-e2")
    assert the_one(findings(table, flip_e1=True), "with flip e1", "none of")


def test_distortions_are_found(findings):
    rng = np.random.default_rng(7)
    e = rng.uniform(0.0, 0.62, 400) * np.exp(2j * np.pi * rng.random(400))
    table = lensed(n=400, theta_e=0.0).assign(e1=e.real, e2=e.imag)
    chi = 2.0 * e / (1.0 + np.abs(e) ** 2)
    distorted = table.assign(e1=chi.real, e2=chi.imag)
    assert findings(table) == ()
    assert the_one(findings(distorted), "distortions", "use --distortion")
    assert findings(distorted, distortion=True) == ()
    small = table.assign(e1=0.5 * e.real, e2=0.5 * e.imag)
    assert the_one(findings(small, distortion=True), "omit --distortion")


def test_a_bias_is_found(findings):
    table = lensed(theta_e=0.0)
    biased = table.assign(e1=table["e1"] + 0.1)
    assert the_one(findings(biased), "additive bias", "--subtract-mean")
    assert findings(biased, subtract_mean=True) == ()


def test_duplicates_are_found(findings):
    table = lensed(theta_e=0.0)
    assert the_one(findings(pd.concat([table, table[:12]])), "12 rows are duplicates")


def test_overlapping_exposures_are_found(findings):
    table, rng = lensed(theta_e=0.0), np.random.default_rng(1)
    again = table[:60].assign(e1=rng.normal(0, 0.2, 60), e2=rng.normal(0, 0.2, 60))
    both = pd.concat([table, again])
    assert the_one(findings(both), "60 rows repeat the position", "--no-merge")
    assert the_one(findings(both, merge=False), "count twice", "omit --no-merge")


def test_overlapping_detectors_are_found(findings):
    left, right = lensed(1, theta_e=0.0), lensed(2, theta_e=0.0)
    right_on_sky = on_sky(right.assign(x=right["x"] + 4300), 150.0, 20.0)
    tables = [
        with_sky(left).assign(ccd=1),
        right.assign(ra=right_on_sky["ra"], dec=right_on_sky["dec"], ccd=2),
    ]
    assert the_one(findings(pd.concat(tables)), "start anew on each of several detectors", "RA and Dec are used")


@pytest.mark.parametrize("value", [-99.0, 999.0])
def test_sentinels_are_found(findings, value):
    table = lensed(theta_e=0.0)
    table.loc[:9, ["e1", "e2"]] = value
    assert the_one(findings(table), "10 rows without a shape", f"e1 = {value:g} in 10", "left out")


def test_a_shape_that_recurs_is_found(findings):
    table = lensed(theta_e=0.0)
    table.loc[:14, ["e1", "e2"]] = 0.0
    assert the_one(findings(table), "15 rows at different positions", "(0, 0) in 15")


def test_saturated_shapes_are_found(findings):
    table = lensed(theta_e=0.0)
    e = (table["e1"] + 1j * table["e2"]).to_numpy()
    capped = np.where(np.abs(e) > 0.45, 0.45 * np.exp(1j * np.angle(e)), e)
    saturated = table.assign(e1=capped.real, e2=capped.imag).round(6)
    assert the_one(findings(saturated), "saturated: |e| = 0.45 in ")
    e1 = np.clip(table["e1"], -0.35, 0.35)
    assert the_one(findings(table.assign(e1=e1)), "saturated: |e1| = 0.35 in ")


def test_long_shapes_are_found(findings):
    table = lensed(theta_e=0.0)
    table.loc[:7, "e1"] = 3.0 + np.arange(8)
    assert the_one(findings(table), "8 rows with |e| >= 1")


def test_positions_that_contradict_each_other_are_found(findings):
    table = with_sky(lensed(theta_e=0.0))
    some = table.copy()
    some.loc[:4, "ra"] += 0.1
    assert the_one(findings(some), "contradict RA and Dec in 5 of 300 rows")
    shuffled = table.assign(ra=np.random.default_rng(1).permutation(table["ra"]))
    assert the_one(findings(shuffled), "no scale and rotation")


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (0.0, 60.0), (359.99, 89.8), (120.0, -89.9)])
def test_pixels_agree_with_the_sky_at_ra_0_and_at_the_poles(findings, ra, dec):
    assert findings(with_sky(lensed(theta_e=0.0), ra, dec)) == ()


def test_ra_without_the_cosine_of_dec_is_found(findings):
    sky = with_sky(lensed(theta_e=0.0), 150.0, 60.0)
    assert the_one(findings(sky.assign(x=-sky["ra"], y=sky["dec"])), "differ by a factor 2.0", "--ra and --dec")


def test_shapes_of_the_sky_with_mirrored_pixels_are_found(findings):
    table = with_sky(lensed())
    found = findings(table.assign(x=4200.0 - table["x"]))
    assert len(found) == 2
    assert "use --flip-e2" in found[0]
    assert "mirrored" in found[1]


def test_shapes_of_the_sky_with_turned_pixels_are_found(findings):
    table = with_sky(lensed())
    z = (table["x"] + 1j * table["y"]).to_numpy() * np.exp(1j * np.deg2rad(22.5 + 90.0))
    turned = table.assign(x=z.real, y=z.imag)
    assert the_one(findings(turned), "positions by RA and Dec", "use --ra and --dec")
    e = (table["e1"] + 1j * table["e2"]).to_numpy() * np.exp(2j * np.deg2rad(22.5 + 90.0))
    pixels = turned.assign(e1=e.real, e2=e.imag)
    assert findings(pixels) == ()
    assert the_one(findings(pixels, ra="ra", dec="dec"), "positions by x and y", "use --x and --y")


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (0.0, 89.9), (200.0, -89.8)])
def test_a_wrong_sign_is_found_at_ra_0_and_at_the_poles(findings, ra, dec):
    """Shapes refer to north at each galaxy: a sign is changed before they are turned."""
    table = lensed()
    sky = on_sky(table, ra, dec)
    columns, wcs = projected("sky", {"ra": sky["ra"].to_numpy(), "dec": sky["dec"].to_numpy()})
    turn, _ = from_local_north(columns | {"e1": np.ones(300), "e2": np.zeros(300)}, wcs)
    e = (table["e1"] + 1j * table["e2"]).to_numpy() * np.conj(turn["e1"] + 1j * turn["e2"])
    assert findings(sky.assign(e1=e.real, e2=e.imag)) == ()
    assert the_one(findings(sky.assign(e1=e.real, e2=-e.imag)), "with flip e2", "use --flip-e2")
