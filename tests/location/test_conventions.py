"""Conventions of shapes: eight turns and flips, of which the one with a lens is found, and none without a lens."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.location.aperture_statistics import decide_by_apertures
from darkmatter_features.location.conventions import (
    AS_IS,
    CONVENTIONS,
    Convention,
    better_convention,
    flags,
    rank_conventions,
)
from darkmatter_features.location.locate import locate
from tests.support.located import SIDE, THETA_E, catalog_of, galaxies


def changed(catalog, convention):
    """Return the catalogue with e1 and e2 exchanged and their signs changed."""
    e1, e2 = (catalog.e2, catalog.e1) if convention.swap else (catalog.e1, catalog.e2)
    e1, e2 = (-e1 if convention.flip_e1 else e1.copy()), (-e2 if convention.flip_e2 else e2.copy())
    return replace(catalog, e1=np.array(e1), e2=np.array(e2))


def inverse(convention):
    """Return the convention that undoes another."""
    return next(each for each in CONVENTIONS if each.after(convention) == AS_IS)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda each: each.name)
def test_the_convention_of_a_lens_is_found(convention):
    right = galaxies(np.random.default_rng(1), theta_e=1.2 * THETA_E)
    ranking = rank_conventions(changed(right, inverse(convention)))
    assert ranking.best == convention
    assert ranking.snr[convention] == pytest.approx(locate(right).snr, rel=0.05)


def test_the_snr_of_a_convention_is_that_of_the_changed_catalogue():
    catalog = galaxies(np.random.default_rng(2), theta_e=60.0)
    ranking = rank_conventions(catalog)
    for convention in CONVENTIONS:
        assert rank_conventions(changed(catalog, convention)).snr[AS_IS] == pytest.approx(ranking.snr[convention])


def test_without_a_lens_no_convention_is_chosen():
    assert [rank_conventions(galaxies(np.random.default_rng(k))).best for k in range(8)] == [None] * 8


def test_a_bias_is_no_lens():
    assert rank_conventions(galaxies(np.random.default_rng(3), bias=0.15)).best is None


def test_conventions_compose():
    catalog = galaxies(np.random.default_rng(4))
    for first in CONVENTIONS:
        for second in CONVENTIONS:
            both = changed(changed(catalog, first), second)
            assert np.array_equal(both.e1, changed(catalog, second.after(first)).e1)
            assert np.array_equal(both.e2, changed(catalog, second.after(first)).e2)


def test_flags_replace_those_with_which_the_catalogue_was_read():
    flip = Convention(flip_e2=True)
    assert flags(flip, CatalogOptions()) == "--flip-e2"
    assert flags(flip, CatalogOptions(flip_e2=True)) == "none of --swap, --flip-e1 and --flip-e2"
    assert flags(flip, CatalogOptions(swap=True)) == "--swap --flip-e2"
    assert flags(Convention(swap=True), CatalogOptions(flip_e1=True)) == "--swap --flip-e2"


def test_a_right_convention_gives_no_line():
    ranking = rank_conventions(galaxies(np.random.default_rng(1), theta_e=THETA_E))
    assert ranking.best == AS_IS
    assert better_convention(ranking, CatalogOptions()) is None


def many_lenses(seed, *, n=6000, n_lenses=120, theta_e=20.0):
    """Return galaxies behind many lenses, each too weak to stand out."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, SIDE, n) + 1j * rng.uniform(0, SIDE, n)
    e = np.minimum(0.2 * rng.rayleigh(size=n), 0.9) * np.exp(2j * np.pi * rng.random(n))
    for lens in rng.uniform(0, SIDE, n_lenses) + 1j * rng.uniform(0, SIDE, n_lenses):
        away = z - lens
        e -= theta_e / np.maximum(np.abs(away), 150.0) * np.exp(-np.abs(away) / 400.0) * np.exp(2j * np.angle(away))
    return catalog_of(z, e - e.mean())


@pytest.mark.parametrize("convention", [AS_IS, Convention(flip_e2=True), Convention(swap=True)], ids=lambda c: c.name)
def test_many_weak_lenses_give_the_convention_by_e_and_b(convention):
    catalog = changed(many_lenses(1), inverse(convention))
    undecided = replace(rank_conventions(catalog), best=None)
    ranking, lines = decide_by_apertures(catalog, undecided, CatalogOptions())
    assert ranking.best == convention
    assert len(lines) == (convention != AS_IS)
    assert all(line.endswith(f"use {convention.flags}") for line in lines)


def test_aperture_statistics_of_noise_decide_nothing():
    for k in range(3):
        catalog = galaxies(np.random.default_rng(k), n=1000)
        ranking = rank_conventions(catalog)
        assert decide_by_apertures(catalog, ranking, CatalogOptions()) == (ranking, ())
