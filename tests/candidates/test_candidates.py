"""Candidates of planted lenses: one as `locate` finds it, two, none; invariances and units."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import darkmatter_features.candidates.find as find_module
from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.candidates.joint_fit import Halo, additional_snr, fit_jointly, shear_pattern
from darkmatter_features.errors import ConfigError
from darkmatter_features.location.field import field_of
from darkmatter_features.location.locate import locate
from darkmatter_features.location.profiles import default_profiles
from tests.support.located import LENS, SIDE, THETA_E, catalog_of, galaxies

SECOND = (3300.0, 900.0)


def two_lenses(seed, *, n=500):
    """Return a catalogue with a lens at LENS and one of half its mass at SECOND."""
    catalog = galaxies(np.random.default_rng(seed), theta_e=1.5 * THETA_E, n=n)
    away = catalog.x + 1j * catalog.y - complex(*SECOND)
    shear = -0.75 * THETA_E / np.maximum(np.abs(away), 200.0) * np.exp(2j * np.angle(away))
    return replace(catalog, e1=catalog.e1 + shear.real, e2=catalog.e2 + shear.imag)


def offset(candidate, place):
    return np.hypot(candidate.x - place[0], candidate.y - place[1])


def test_one_lens_is_the_same_as_that_of_locate(rng):
    catalog = galaxies(rng, theta_e=THETA_E)
    found = find_candidates(catalog, most=1, n_randomizations=19, rng=np.random.default_rng(3))
    one = locate(catalog, n_randomizations=19, rng=np.random.default_rng(3))
    (candidate,) = found.candidates
    for name in ("x", "y", "position_error", "snr", "snr_cross", "log_bayes_factor", "profile"):
        assert getattr(candidate, name) == getattr(one, name)
    assert candidate.false_alarm_probability == one.p_value == 0.05
    assert_allclose(found.field.snr_map, one.snr_map)
    assert np.isnan(candidate.ra)
    assert 20 < candidate.n_galaxies < len(catalog)
    assert 0.01 * SIDE < candidate.scale < SIDE


@pytest.mark.parametrize("seed", range(3))
def test_two_lenses_are_both_found_the_second_by_no_search_for_one(seed):
    catalog = two_lenses(seed)
    found = find_candidates(catalog, threshold=4.0).candidates
    assert len(found) >= 2
    assert offset(found[0], LENS) < 3 * max(found[0].position_error, 50)
    assert min(offset(each, SECOND) for each in found[1:]) < 3 * max(found[1].position_error, 100)
    assert offset(locate(catalog), SECOND) > 1500
    assert [each.snr for each in found] == sorted((each.snr for each in found), reverse=True)


@pytest.mark.parametrize("seed", range(6))
def test_a_blank_field_has_no_candidate(seed):
    assert len(find_candidates(galaxies(np.random.default_rng(seed), n=250))) == 0


@pytest.mark.parametrize("seed", [5, 6])
def test_a_strong_lens_of_another_profile_is_one_candidate(seed):
    """Its S/N is some 30: the sum of two trial profiles at its place would fit it better than one."""
    found = find_candidates(galaxies(np.random.default_rng(seed), theta_e=2 * THETA_E, n=1500))
    assert len(found) == 1
    assert found[0].snr == found.field.snr


def test_lenses_whose_signal_falls_below_the_threshold_beside_others_are_left_out(monkeypatch):
    """Two halos of the search, of which the location leaves one: it is the lens of `locate`."""
    catalog = galaxies(np.random.default_rng(1), theta_e=THETA_E)
    monkeypatch.setattr(find_module, "find_halos", lambda *args, **options: [Halo(0.36, 0.62, 2), Halo(0.9, 0.1, 1)])
    found = find_candidates(catalog, threshold=5.0)
    assert len(found) == 1
    assert (found[0].x, found[0].snr) == (locate(catalog).x, locate(catalog).snr)


def test_randomization_without_a_generator_is_refused_for_a_blank_field_too(rng):
    with pytest.raises(ConfigError, match="random generator"):
        find_candidates(galaxies(rng), n_randomizations=5)


def test_candidates_move_and_scale_with_the_field():
    catalog = two_lenses(1, n=200)
    z, e = catalog.x + 1j * catalog.y, catalog.e1 + 1j * catalog.e2
    one, two = (find_candidates(each, threshold=0.0, most=2) for each in (catalog, catalog_of(0.01 * z + (5 - 70j), e)))
    for a, b in zip(one, two, strict=True):
        assert_allclose((b.x, b.y), (5 + 0.01 * a.x, -70 + 0.01 * a.y), rtol=1e-9)
        assert_allclose((b.position_error, b.scale), (0.01 * a.position_error, 0.01 * a.scale), rtol=1e-9)
        assert_allclose(b.snr, a.snr, rtol=1e-9)


def test_candidates_turn_with_the_field_to_the_scatter_of_the_samples():
    catalog = two_lenses(1, n=200)
    z, e = catalog.x + 1j * catalog.y, catalog.e1 + 1j * catalog.e2
    turned = catalog_of(1j * z, -e)  # by 90 degrees, under which e has spin 2
    one, two = (find_candidates(each, threshold=0.0, most=2) for each in (catalog, turned))
    for a, b in zip(one, two, strict=True):
        assert offset(b, ((1j * complex(a.x, a.y)).real, (1j * complex(a.x, a.y)).imag)) < 0.5 * a.position_error
        assert_allclose((b.position_error, b.snr), (a.position_error, a.snr), rtol=0.3)


def test_the_same_catalogue_and_generator_give_the_same_candidates():
    catalog = two_lenses(2, n=200)
    options = {"threshold": 0.0, "most": 2, "n_randomizations": 5}
    one, two = (find_candidates(catalog, **options, rng=np.random.default_rng(7)) for _ in range(2))
    assert one.candidates == two.candidates
    other = find_candidates(catalog, **options, rng=np.random.default_rng(8))
    assert other[0] != one[0]
    assert offset(other[0], (one[0].x, one[0].y)) < one[0].position_error


def test_additional_snr_is_the_root_of_the_decrease_of_chi_square():
    catalog = two_lenses(0, n=200)
    field, profiles = field_of(catalog, subtract_mean=False), default_profiles()
    halos = [Halo(0.36, 0.62, 2)]
    columns, rows = np.array([0.2, 0.5, 0.8]), np.array([0.2, 0.7])
    snr = additional_snr(field, profiles, halos, columns, rows)
    e = field.e1 + 1j * field.e2

    def chi_square(halos):
        fit = fit_jointly(field, profiles, halos)
        return (field.weight / field.variance * np.abs(e - fit.amplitudes @ fit.patterns) ** 2).sum()

    for cell, profile in ((1, 0), (2, 3), (3, 7)):
        more = [*halos, Halo(columns[cell % 3], rows[cell // 3], profile)]
        assert_allclose(snr[cell, profile] ** 2, chi_square(halos) - chi_square(more), rtol=1e-3, atol=1e-6)


def test_the_joint_fit_returns_planted_amplitudes():
    catalog = two_lenses(0)
    field, profiles = field_of(catalog, subtract_mean=False), default_profiles()
    halos = [Halo(0.3, 0.3, 1), Halo(0.4, 0.35, 5)]
    planted = np.array([0.2, 0.05])
    e = planted @ np.array([shear_pattern(field, profiles, halo) for halo in halos])
    fit = fit_jointly(replace(field, e1=e.real.copy(), e2=e.imag.copy()), profiles, halos)
    assert_allclose(fit.amplitudes, planted)
    assert (fit.independence < 0.95).all()


@pytest.mark.parametrize(("options", "message"), [({"threshold": np.nan}, "finite S/N"), ({"most": 0}, "1 or more")])
def test_bad_options_are_refused(rng, options, message):
    with pytest.raises(ConfigError, match=message):
        find_candidates(galaxies(rng), **options)
