"""Structure along the line of sight: its measurement, its effects, and lists that do not depend on the threshold."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.purity import NullPeaks, expected_purity
from darkmatter_features.surveys.settings import SurveySearch
from darkmatter_features.surveys.structure import USUAL_EXCESS, structure_factor
from tests.support.surveys import plane_survey, write

LOW = SurveySearch(threshold=4.0, n_randomizations=10, completeness=False)


def survey_of(tmp_path, halos):
    z, e = plane_survey(np.random.default_rng(12), n=60_000, side=70.0, halos=halos)
    return write(tmp_path / "survey.parquet", x=z.real, y=z.imag, e1=e.real, e2=e.imag)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Survey with many halos of S/N 2 to 3 and three strong ones."""
    rng = np.random.default_rng(3)
    weak = [(*rng.uniform(-34, 34, 2), 0.035, 1.0) for _ in range(60)]
    strong = [(-15.0, 10.0, 0.15, 1.0), (12.0, -18.0, 0.12, 1.5), (16.0, -18.0, 0.1, 1.0)]
    return survey_of(tmp_path_factory.mktemp("structure"), weak + strong)


@pytest.fixture(scope="module")
def found(path):
    return find_survey_candidates(path, LOW, n_jobs=1)


def test_the_factor_is_the_excess_of_the_variance_drawn_towards_none(rng):
    sky = 1.0 + 0.02 * rng.standard_normal((400, 2)) / np.sqrt(0.5)
    sky += 1.0 - sky.mean(axis=0)
    error = sky.mean(axis=1).std(ddof=1)
    drawn = USUAL_EXCESS**2 / (USUAL_EXCESS**2 + error**2)
    assert structure_factor(np.array([1.1, 1.3]), sky) == pytest.approx(np.sqrt(1 + 0.2 * drawn))
    assert structure_factor(np.array([0.9, 0.95]), sky) == 1.0
    assert structure_factor(np.array([2.0, 2.0]), 1.0 + rng.standard_normal((50, 2))) < 1.1
    assert structure_factor(np.array([2.0]), np.zeros((0, 1))) == 1.0


def test_weak_halos_widen_the_scatter_and_a_blank_survey_has_none(found, tmp_path):
    assert 1.01 < found.structure < 1.2
    blank = find_survey_candidates(survey_of(tmp_path, []), LOW, n_jobs=1)
    assert blank.structure < found.structure - 0.02


def test_structure_lowers_the_purity_and_nothing_else(found):
    snr = np.array([each.snr for each in found])
    purity = [each.expected_purity for each in found]
    assert_allclose(purity, expected_purity(snr, found.null.widened(found.structure)))
    assert (np.array(purity) <= expected_purity(snr, found.null)).all()
    assert_allclose([each.false_alarm_probability for each in found], found.null.false_alarm_probability(snr))
    null = NullPeaks(np.array([5.0, 4.0]), 10, 3.5).widened(1.1)
    assert_allclose((*null.snr, null.floor), (5.5, 4.4, 3.85))


def test_a_higher_threshold_gives_the_top_of_the_list(path, found):
    high = find_survey_candidates(path, replace(LOW, threshold=5.0), n_jobs=1)
    assert 2 < len(high) < len(found)
    assert high.structure == found.structure
    for one, two in zip(high, found):
        assert (one.x, one.y, one.snr, one.position_error) == (two.x, two.y, two.snr, two.position_error)
