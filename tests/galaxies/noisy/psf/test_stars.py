"""The stellar locus is found among galaxies, and none is invented."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.psf.stars import MIN_STARS, StarCandidates, find_stars

PSF = 2.0
"""Half-light radius of stars, pixels."""


def table(rng, n_stars, n_galaxies, *, scatter=0.01, galaxy=1.0, **changed):
    """Return sources with stars first: galaxies have lognormal sizes, and larger ones are brighter."""
    n = n_stars + n_galaxies
    stars = np.exp(rng.uniform(np.log(40), np.log(2000), n_stars))
    snr = np.concatenate([stars, 8 * rng.pareto(1.0, n_galaxies) + 8])
    own = galaxy * PSF * np.exp(rng.normal(0, 0.5, n_galaxies)) * (snr[n_stars:] / 30) ** 0.2
    size = np.concatenate([np.full(n_stars, PSF), np.hypot(PSF, own)])
    size *= np.exp(rng.normal(0, scatter, n) + 0.8 * rng.normal(0, 1, n) / snr)
    x, y = rng.uniform(0, 1000, (2, n))
    whole = {"x": x, "y": y, "flux": 10 * snr, "size": size, "peak": snr, "snr": snr}
    return StarCandidates(
        **(whole | {"flags": np.zeros(n, dtype=int), "is_saturated": np.zeros(n, dtype=bool)} | changed)
    )


@pytest.mark.parametrize(("n_stars", "n_galaxies"), [(8, 300), (15, 300), (40, 1000), (100, 500)])
def test_stars_are_found_among_galaxies(n_stars, n_galaxies):
    """In most fields of eight stars, in almost all of more; those found are stars."""
    found = []
    for seed in range(20):
        locus = find_stars(table(np.random.default_rng(seed), n_stars, n_galaxies))
        if locus is not None:
            found.append((locus.size, locus.is_psf_star[:n_stars].sum(), locus.is_psf_star.sum()))
    sizes, right, chosen = np.array(found).T
    assert len(found) >= (14 if n_stars == 8 else 19)
    assert abs(np.median(sizes) / PSF - 1) < 0.01
    assert right.sum() > 0.9 * chosen.sum()
    assert right.mean() > 0.55 * n_stars


@pytest.mark.parametrize("n_galaxies", [0, 4, 100, 300, 1000])
def test_no_star_is_invented(n_galaxies):
    """At most one of twenty fields of galaxies alone has a locus."""
    found = [find_stars(table(np.random.default_rng(seed), 0, n_galaxies)) for seed in range(20)]
    assert sum(locus is not None for locus in found) <= 1


def test_fewer_than_five_stars_are_no_locus():
    assert MIN_STARS == 5
    assert find_stars(table(np.random.default_rng(0), 4, 20)) is None
    assert find_stars(table(np.random.default_rng(0), 5, 0)) is not None


def test_saturated_and_flagged_stars_are_stars_but_measure_no_psf(rng):
    sources = table(rng, 40, 300)
    sources.is_saturated[:3], sources.flags[3:6] = True, 4
    sources.snr[:6], sources.size[:3] = 3000.0, [2.6, 3.0, 2.2]
    locus = find_stars(sources)
    assert locus.is_star[:6].all()
    assert not locus.is_psf_star[:6].any()


def test_sharper_defects_do_not_hide_the_stars(rng):
    """Three cosmic rays of half the size."""
    sources = table(rng, 40, 300)
    sources.size[-3:], sources.snr[-3:] = 1.0, 200.0
    locus = find_stars(sources)
    assert locus.size == pytest.approx(PSF, rel=0.01)
    assert not locus.is_star[-3:].any()


def test_sources_without_a_size_are_left_out(rng):
    sources = table(rng, 40, 300)
    sources.size[:4], sources.snr[4:6], sources.flux[6] = [np.nan, 0.0, -1.0, np.inf], np.nan, -5.0
    locus = find_stars(sources)
    assert not locus.is_psf_star[:7].any()
    assert locus.size == pytest.approx(PSF, rel=0.01)


def test_faint_sources_of_the_same_size_are_no_stars(rng):
    sources = table(rng, 40, 1000, galaxy=0.4)
    locus = find_stars(sources)
    assert locus.min_snr >= 20
    assert not locus.is_star[sources.snr < locus.min_snr].any()


def test_no_sources_have_no_locus():
    assert find_stars(table(np.random.default_rng(0), 0, 0)) is None
