"""Lenses at trial redshifts: efficiencies, maps of each plane, and candidates of a survey with redshifts."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.cosmology import Planck18
from astropy.table import Table
from numpy.testing import assert_allclose

from classify.cli import main
from darkmatter_features.errors import ConfigError, TableError
from darkmatter_features.surveys.filter_maps import filter_bank
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.lens_planes import MIN_EFFICIENCY, lensing_efficiency
from darkmatter_features.surveys.local_fit import fit_locally
from darkmatter_features.surveys.profiles import survey_profiles
from darkmatter_features.surveys.search import search_halos
from darkmatter_features.surveys.settings import SurveySearch
from darkmatter_features.surveys.sky_patch import sky_patch
from tests.support.surveys import SCATTER, plane_survey, write

LENS = 0.6
MARKS = [-99.0, -1.0, 0.0, np.nan, np.nan, np.inf, 99.0, 99.0, 20.5]
"""Numbers that are no redshifts."""
QUICK = SurveySearch(n_randomizations=0, completeness=False, threshold=5.0, redshift="photo_z")


@pytest.fixture(scope="module")
def galaxies():
    """Galaxies, half of which lie in front of the only lens."""
    rng = np.random.default_rng(8)
    z, e = plane_survey(rng, n=30_000, side=60.0)
    redshift = rng.uniform(0.1, 1.3, len(z))
    away = z - (4.0 - 7.0j)
    g = -1.2 * lensing_efficiency(LENS, redshift) / np.maximum(np.abs(away), 1.5) * np.exp(2j * np.angle(away))
    return z, (e + g) / (1 + np.conj(g) * e), redshift


@pytest.fixture(scope="module")
def survey(galaxies, tmp_path_factory):
    z, e, redshift = galaxies
    path = tmp_path_factory.mktemp("planes") / "survey.parquet"
    return write(path, x=z.real, y=z.imag, e1=e.real, e2=e.imag, photo_z=np.concatenate([MARKS, redshift[9:]]))


def test_the_efficiency_is_a_ratio_of_distances(rng):
    sources = rng.uniform(0.01, 6.0, 50)
    far = sources > 0.4
    distance = Planck18.comoving_distance
    expected = 1 - distance(0.4) / distance(sources[far])
    efficiency = lensing_efficiency(0.4, sources)
    assert_allclose(efficiency[far], np.maximum(expected, MIN_EFFICIENCY), atol=1e-5)
    assert (efficiency[~far] == MIN_EFFICIENCY).all()


def test_each_plane_is_a_map_with_its_own_weights(galaxies):
    z, e, redshift = galaxies
    profiles = survey_profiles((1.0, 2.0))
    v = np.full(len(z), SCATTER**-2)
    bank = filter_bank(sky_patch(z.real, z.imag, e, v, cell=0.3, border=15.0, redshift=redshift), profiles, (0.2, 0.6))
    assert len(bank) == 4
    maps = list(bank.snr_maps((bank.patch.v * bank.patch.e).astype(np.complex64)))
    for k in range(4):
        efficiency = lensing_efficiency((0.2, 0.6)[k // 2], redshift)
        plane = sky_patch(z.real, z.imag, e / efficiency, v * efficiency**2, cell=0.3, border=15.0)
        alone = filter_bank(plane, survey_profiles(((1.0, 2.0)[k % 2],)))
        (expected,) = alone.snr_maps((plane.v * plane.e).astype(np.complex64))
        assert_allclose(maps[k], expected, atol=2e-3)
        assert (bank.scale_of(k), bank.lens_redshift_of(k)) == ((1.0, 2.0)[k % 2], (0.2, 0.6)[k // 2])
    halos = search_halos(bank, 6.0).halos
    patterns = fit_locally(bank, halos).patterns.toarray()
    assert len(halos) == 1
    assert (np.abs(patterns[0][bank.patch.redshift < 0.6]) <= 2 * MIN_EFFICIENCY).all()


def test_redshifts_make_a_lens_among_its_galaxies_more_significant(survey):
    (best, *_) = find_survey_candidates(survey, QUICK, n_jobs=1)
    (plain, *_) = find_survey_candidates(survey, replace(QUICK, redshift=None), n_jobs=1)
    for each in best, plain:
        assert np.hypot(each.x - 4, each.y + 7) < 1
    assert best.snr > 1.25 * plain.snr
    assert best.lens_redshift == 0.6
    assert np.isnan(plain.lens_redshift)
    assert best.amplitude > 1.5 * plain.amplitude


def test_the_command_takes_redshifts(survey, tmp_path):
    arguments = ["candidates", str(survey), "--out", str(tmp_path), "--randomizations", "4", "--jobs", "1"]
    assert main([*arguments, "--redshift", "photo_z", "--lens-redshifts", "0.3,0.7"]) == 0
    table = Table.read(tmp_path / "candidates.ecsv")
    assert table["lens_redshift"][0] == 0.7
    assert "9 rows without a redshift above 0 and up to 20 left out" in " ".join(table.meta["notes"])
    completeness = Table.read(tmp_path / "completeness.ecsv")
    assert set(completeness["lens_redshift"]) == {0.3, 0.7}


def test_trial_redshifts_without_those_of_galaxies_are_refused(survey, tmp_path, capsys):
    assert main(["candidates", str(survey), "--lens-redshifts", "0.3", "--out", str(tmp_path / "out")]) == 2
    assert "--lens-redshifts needs --redshift COLUMN" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_wrong_redshift_is_one_line(survey):
    with pytest.raises(TableError, match="no column zphot, named for the redshifts"):
        find_survey_candidates(survey, replace(QUICK, redshift="zphot"), n_jobs=1)
    with pytest.raises(ConfigError, match="lens-redshifts"):
        SurveySearch(lens_redshifts=(0.0,))
