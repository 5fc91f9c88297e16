"""Lenses of planted and published catalogues, and features of skies with noise, against stored numbers.

They are held to 1e-9: a change of the code that is not meant to change a number must leave them alone. After a change
that is meant to, ``python -m tests.test_golden`` writes them again, from the root of the repository, as ``python -m
tests.features.test_golden`` does for the features of skies without noise.
"""

import csv
import tempfile
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from darkmatter_features.candidates.find import Candidate, find_candidates
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.io.sky import read_sky
from darkmatter_features.location.locate import locate
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.result import SurveyCandidate
from darkmatter_features.surveys.settings import SurveySearch
from tests.candidates.test_candidates import two_lenses
from tests.support.located import THETA_E, galaxies
from tests.support.surveys import plane_survey, write_sky

STORED = Path(__file__).parent / "data" / "golden-numbers.csv"
DARK_WORLDS = Path(__file__).parents[2] / "shared" / "dark-worlds" / "skies"
N_NOISY = 2
LOCATED = (
    "n", "x", "y", "position_error", "log_bayes_factor", "snr", "snr_cross", "mean_snr", "p_value",
    "bayes_factor_excess",
)  # fmt: skip


def located(catalog):
    found = locate(catalog, n_randomizations=4, rng=np.random.default_rng(1))
    return {name: getattr(found, name) for name in LOCATED} | {"posterior": float((found.posterior**2).sum())}


def listed(found, kind):
    """Return the numbers of all candidates."""
    names = [field.name for field in fields(kind) if field.type in ("float", "int", "bool", float, int, bool)]
    return {f"{name}_{k}": getattr(each, name) for k, each in enumerate(found) for name in names}


def planted(seed, _):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 2.0, 300) if seed % 2 else None
    return located(galaxies(rng, theta_e=THETA_E if seed < 3 else 0.0, weight=weight))


def published(number, _):
    return located(read_catalog(DARK_WORLDS / f"Training_Sky{number}.csv"))


def candidates(seed, _):
    found = find_candidates(two_lenses(seed), threshold=4.0, n_randomizations=4, rng=np.random.default_rng(seed))
    return listed(found, Candidate)


def survey(folder):
    halos = ((-6.0, 4.0, 0.16, 1.0), (8.0, -7.0, 0.14, 1.5))
    path = write_sky(
        folder / "survey.parquet", *plane_survey(np.random.default_rng(3), n=12_000, side=44.0, halos=halos)
    )
    search = SurveySearch(n_randomizations=5, completeness=False, threshold=5.0)
    return listed(find_survey_candidates(path, search, n_jobs=1), SurveyCandidate)


def noisy(folder):
    """Return the features of two skies of the preset survey."""
    pytest.importorskip("galsim", reason="GalSim, which simulates the skies, is not installed")
    from darkmatter_features.simulation import simulate_dataset

    simulate_dataset(folder / "data", n_training=N_NOISY, n_validation=0, seed=7, preset="survey", n_jobs=1)
    images = sorted((folder / "data" / "training").iterdir())
    assert len(images) == N_NOISY
    names = [feature.name for feature in FEATURES]
    return {
        f"{name}_{k}": value for k, path in enumerate(images) for name, value in zip(names, extract_sky(read_sky(path)))
    }


CASES = {
    **{f"lens {seed}": partial(planted, seed) for seed in range(1, 4)},
    **{f"Training_Sky{number}": partial(published, number) for number in (3, 13, 23)},
    **{f"candidates {seed}": partial(candidates, seed) for seed in range(2)},
    "survey": survey,
    "skies with noise": noisy,
}


def stored():
    with STORED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {case: {row["name"]: float(row["value"]) for row in rows if row["case"] == case} for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_the_stored_ones(case, tmp_path):
    if case.startswith("Training") and not DARK_WORLDS.exists():
        pytest.skip("the published catalogues are not beside this checkout (../shared/dark-worlds)")
    found, expected = CASES[case](tmp_path), stored()[case]
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(map(float, found.values())), list(expected.values()), rtol=1e-9, atol=1e-12)


def main():
    with STORED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("case", "name", "value"))
        for case, make in CASES.items():
            with tempfile.TemporaryDirectory() as folder:
                writer.writerows((case, name, repr(float(value))) for name, value in make(Path(folder)).items())


if __name__ == "__main__":
    main()
