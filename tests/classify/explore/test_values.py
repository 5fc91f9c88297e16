"""The tables beside the figures: their values are those of the skies."""

import numpy as np
import pytest

from classify.explore.bias import additive_bias
from classify.explore.distributions import ellipticities, galaxy_counts
from classify.explore.figures import MAX_POINTS, drawn
from classify.explore.findings import CHECKS, explore
from classify.explore.page import page_of
from classify.explore.profile import lens_profile
from classify.explore.values import values_of_counts, values_of_ellipticities, values_of_means, values_of_profile
from tests.classify.explore.planted import measured


def number(text):
    return float(text.replace("−", "-"))


@pytest.fixture(scope="module")
def looks():
    """Return the looks at a data set without image files."""
    looks = measured(np.random.default_rng(4), bias=0.03)
    looks.skies["digest"] = ""
    return looks


def test_every_sky_is_counted_once_in_the_bin_of_its_number_of_galaxies(looks):
    table = values_of_counts(galaxy_counts(looks.skies))
    assert table.head == ("galaxies", "with a lens", "without a lens")
    for column, label in ((1, 1), (2, 0)):
        counts = looks.skies.loc[looks.skies["label"] == label, "n_galaxies"]
        for row in table.rows:
            low, _, high = row[0].partition(" to ")
            assert int(row[column]) == counts.between(int(low), int(high or low)).sum()
        assert sum(int(row[column]) for row in table.rows) == len(counts)


def test_a_data_set_of_one_number_of_galaxies_has_one_bin_for_it(looks):
    skies = looks.skies.assign(n_galaxies=7.0)
    (row,) = [row for row in values_of_counts(galaxy_counts(skies)).rows if "7" in row[0]]
    assert row == ("7", "30", "30")


def test_fractions_of_ellipticities_add_up_to_one(looks):
    table = values_of_ellipticities(ellipticities(looks))
    assert "0.000 to 0.025" in [row[0] for row in table.rows]
    assert all(max(number(value) for value in table.rows[k][1:]) > 0 for k in (0, -1))
    for column in (1, 2):
        assert sum(number(row[column]) for row in table.rows) == pytest.approx(1, abs=80 * 5e-5)


def test_means_of_the_classes_are_those_of_their_skies(looks):
    table = values_of_means(looks.skies)
    bias = additive_bias(looks.skies)
    assert [row[:2] for row in table.rows] == [("with a lens", "30"), ("without a lens", "30")]
    assert [number(value) for value in table.rows[1][2:4]] == pytest.approx([bias.e1, bias.e2], abs=5e-5)
    assert number(table.rows[1][4]) == pytest.approx(0.2 / np.sqrt(150), rel=0.4)


def test_the_profile_has_all_galaxies_and_its_errors(looks):
    profile = lens_profile(looks, 0.03)
    table = values_of_profile(profile)
    assert sum(int(row[1]) for row in table.rows) == profile.n_galaxies
    value, error = map(number, table.rows[3][2].split(" ± "))
    assert value == pytest.approx(profile.gamma_t[3], abs=5e-5)
    assert error == pytest.approx(profile.error_t[3], abs=5e-5)


def test_bins_with_too_few_galaxies_have_a_dash(looks):
    nan = np.full(11, np.nan)
    profile = lens_profile(looks)
    object.__setattr__(profile, "gamma_t", nan)
    assert {row[2] for row in values_of_profile(profile).rows} == {"–"}


def test_the_caption_states_how_many_skies_are_drawn(looks, monkeypatch):
    assert "skies are drawn" not in page_of(explore(looks), "data")
    monkeypatch.setattr("classify.explore.figures.MAX_POINTS", 25)
    assert len(drawn(looks.skies)) == 20
    assert "20 of 60 skies are drawn." in page_of(explore(looks), "data")
    assert MAX_POINTS == 2000


def test_the_page_lists_all_checks(looks):
    page = page_of(explore(looks), "data")
    assert all(check in page for check in CHECKS)
    assert {finding.kind for finding in explore(looks).findings} <= {*CHECKS}
