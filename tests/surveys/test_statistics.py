"""The null distribution, false alarms, purity and completeness of a survey's search."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest

from darkmatter_features.surveys.completeness import completeness_of
from darkmatter_features.surveys.filter_maps import filter_bank
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.peaks import find_peaks, owned_cells, randomize
from darkmatter_features.surveys.profiles import SCALES, survey_profiles, usable_scales
from darkmatter_features.surveys.purity import NullPeaks, expected_purity
from darkmatter_features.surveys.settings import SurveySearch
from darkmatter_features.surveys.sky_patch import sky_patch
from tests.support.surveys import SCATTER, plane_survey, write_sky

PROFILES = survey_profiles(SCALES)


def bank_of(z, e, keep=None, weight=None):
    keep = np.ones(len(z), dtype=bool) if keep is None else keep
    v = np.ones(len(z)) if weight is None else weight
    v = v / SCATTER**2
    return filter_bank(sky_patch(z.real[keep], z.imag[keep], e[keep], v[keep], cell=0.25, border=15.0), PROFILES)


def everywhere(x, y):
    return np.ones(len(x), dtype=bool)


def weighted(bank):
    return (bank.patch.v * bank.patch.e).astype(np.complex64)


def test_maps_are_the_sums_over_galaxies(rng):
    z, e = plane_survey(rng, n=3000, side=30.0, halos=[(2.0, 1.0, 0.1, 1.0)])
    bank = bank_of(z, e)
    maps = list(bank.snr_maps(weighted(bank)))
    nodes = np.arange(len(PROFILES.shear)) * PROFILES.spacing
    cells = rng.choice(bank.patch.occupied, 40)
    binned = bank.patch.grid.centres(bank.patch.grid.cells(z.real, z.imag))
    for k, snr in enumerate(maps):
        for cell, x, y in zip(cells, *bank.patch.grid.centres(cells)):
            away = (binned[0] - x) + 1j * (binned[1] - y)
            g = np.interp(np.abs(away), nodes, PROFILES.shear[:, k])
            projected = -e * np.exp(-2j * np.angle(away)) * (np.abs(away) > 0)
            expected = (g * projected).sum() / np.sqrt((g**2).sum()) / SCATTER
            assert_allclose(snr.ravel()[cell], expected, atol=2e-3)


def test_noise_has_unit_scatter_under_a_mask_and_weights(rng):
    z, e = plane_survey(rng, n=60_000, side=70.0)
    hole = np.hypot(z.real - 5, z.imag) > 8
    weight = np.where(z.real > 0, 1.0, 0.3)
    e = e / np.sqrt(weight)
    bank = bank_of(z, e, hole, weight)
    for snr in bank.snr_maps(weighted(bank)):
        inside = snr != 0
        assert snr.real[inside].std() == pytest.approx(1.0, abs=0.15)
        assert snr.imag[inside].std() == pytest.approx(1.0, abs=0.15)


def test_randomized_skies_have_no_lens_and_both_components_the_same_peaks(rng):
    z, e = plane_survey(rng, n=30_000, side=60.0, halos=[(0.0, 0.0, 0.3, 1.5)])
    bank = bank_of(z, e)
    best, _ = bank.best(weighted(bank))
    assert find_peaks(bank, best, 3.5).snr[0] > 15
    skies = randomize(bank, everywhere, np.random.SeedSequence(1).spawn(20))
    counts = skies.n_peaks
    assert len(counts) == 40
    assert skies.peaks.max() < 6.5
    assert abs(counts[::2].mean() - counts[1::2].mean()) < 4 * counts.std() / np.sqrt(10)
    n_cells = owned_cells(bank, everywhere).sum()
    assert_allclose(skies.squares.mean(axis=0) / n_cells, 1.0, atol=0.1)
    again = randomize(bank, everywhere, np.random.SeedSequence(1).spawn(20))
    assert_allclose(skies.peaks, again.peaks)


def test_false_alarm_probabilities_are_uniform_without_a_lens():
    """The highest peak of each of 60 blank fields; the probability is that of the whole search."""
    chances = []
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        bank = bank_of(*plane_survey(rng, n=5000, side=30.0))
        best, _ = bank.best(weighted(bank))
        highest = find_peaks(bank, best, 2.0).snr[:1]
        skies = randomize(bank, everywhere, np.random.SeedSequence(seed).spawn(25), floor=2.0)
        null = NullPeaks(np.sort(skies.peaks)[::-1], len(skies.n_peaks), 2.0)
        chances.append(float(null.false_alarm_probability(highest)[0]))
    assert kstest(chances, "uniform").pvalue > 0.01


def null_of(rng, n_skies=200, mean=50.0):
    """Peaks of Gaussian noise, `mean` of them a sky above 3.5, with the tail of a map."""
    n = rng.poisson(mean * n_skies)
    snr = np.sqrt(3.5**2 + 2 * rng.exponential(size=n))
    return NullPeaks(np.sort(snr)[::-1], n_skies, 3.5)


def test_the_expected_number_is_the_mean_of_the_skies_and_falls_beyond(rng):
    null = null_of(rng)
    snr = np.linspace(3.5, 9.0, 60)
    expected = null.expected(snr)
    assert_allclose(expected[snr < 4.6], 50 * np.exp((3.5**2 - snr[snr < 4.6] ** 2) / 2), rtol=0.15)
    assert (np.diff(expected) < 0).all()
    assert 0 < expected[-1] < 1e-9
    assert_allclose(null.false_alarm_probability(np.array([3.5])), 1.0)


@pytest.mark.parametrize("n", [0, 1, 2, 19, 20, 21])
def test_few_randomized_peaks_give_a_number_that_falls_with_the_snr(n):
    peaks = np.sqrt(3.5**2 + 2 * np.log(25.0 / np.arange(1, n + 1)))  # quantiles of the tail, 25 above 3.5
    null = NullPeaks(peaks, 2, 3.5)
    expected = null.expected(np.linspace(3.5, 8.0, 400))
    assert (np.diff(expected) <= 1e-12).all()
    assert expected[0] <= (n + 1) / 2
    assert null.expected(np.array([5.5]))[0] < 0.02


@pytest.mark.parametrize("n_true", [0, 3, 60])
def test_expected_purity_is_the_fraction_of_true_candidates(n_true):
    """The mean over many surveys of the expected number of true candidates; without any it is cautious."""
    rng = np.random.default_rng(7)
    null = null_of(rng)
    difference, n_listed = [], 0
    for _ in range(150):
        noise = np.sqrt(3.5**2 + 2 * rng.exponential(size=rng.poisson(50)))
        true = 4.5 + rng.exponential(1.0, size=n_true)
        snr = np.concatenate([noise[noise > 4.5], true])
        is_true = np.arange(len(snr)) >= (noise > 4.5).sum()
        purity = expected_purity(snr, null)
        assert (np.diff(purity[np.argsort(snr)]) >= -1e-12).all()
        difference.append(purity.sum() - is_true.sum())
        n_listed += len(snr)
    assert abs(np.sum(difference)) / n_listed < (0.03 if n_true == 60 else 0.25)


def test_a_single_high_peak_is_pure_and_a_usual_one_is_not(rng):
    null = null_of(rng)
    assert expected_purity(np.array([8.0]), null)[0] > 0.99
    assert expected_purity(np.array([4.5]), null)[0] < 0.5
    assert expected_purity(np.array([]), null).size == 0


def test_completeness_rises_with_amplitude_and_is_half_near_the_threshold(tmp_path):
    path = write_sky(tmp_path / "blank.parquet", *plane_survey(np.random.default_rng(8), n=60_000, side=80.0))
    search = SurveySearch(n_randomizations=0, threshold=5.0)
    found = find_survey_candidates(path, search, n_jobs=1)
    complete = found.completeness
    assert (np.diff(complete.fraction) >= 0).all()
    assert complete.at(np.array(2.5)) < 0.15
    assert 0.3 < complete.at(np.array(5.0)) < 0.85
    assert complete.at(np.array(8.0)) > 0.95
    planted = found.patches[0].planted
    assert (planted.expected >= 0).all()
    assert len(planted.x) > 100


def test_halos_planted_where_there_are_no_galaxies_do_not_count():
    complete = completeness_of(np.array([0.0, 5.0, 6.0]), np.array([0.0, 7.0, 7.0]), 5.0)
    assert_allclose(complete.fraction, 1.0)


def test_scales_follow_the_density():
    assert usable_scales(SCALES, 30.0) == SCALES
    assert usable_scales((4.0, 0.5, 1.0), 0.5) == (4.0,)
    assert usable_scales(SCALES, 1e-3) == (2.0,)
