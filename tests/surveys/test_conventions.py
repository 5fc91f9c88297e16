"""A survey or a field whose shapes were read in a wrong convention gives one line with the remedy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from classify.cli import main
from darkmatter_features.location.conventions import CONVENTIONS
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.settings import SurveySearch
from tests.support.surveys import on_sky, plane_survey, write

QUICK = SurveySearch(n_randomizations=12, completeness=False)


@pytest.fixture(scope="module")
def galaxies():
    rng = np.random.default_rng(5)
    halos = [(*rng.uniform(-30, 30, 2), 0.3, 1.5) for _ in range(4)]
    return on_sky(*plane_survey(rng, n=25_000, side=70.0, halos=halos))


def written(path, galaxies, convention):
    """Write the survey so that it is right when it is read with a convention."""
    ra, dec, e = galaxies
    e1, e2 = (-e.real if convention.flip_e1 else e.real), (-e.imag if convention.flip_e2 else e.imag)
    e1, e2 = (e2, e1) if convention.swap else (e1, e2)
    return write(path, ra=ra, dec=dec, e1=e1, e2=e2)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda each: each.name)
def test_each_convention_is_recognised(galaxies, tmp_path, convention):
    path = written(tmp_path / "survey.parquet", galaxies, convention)
    found = find_survey_candidates(path, QUICK, n_jobs=1)
    if not convention.flags:
        assert found.warnings == ()
        return
    (line,) = found.warnings
    assert line.endswith(f"use {convention.flags}")


def test_options_that_were_given_are_part_of_the_remedy(galaxies, tmp_path, capsys):
    path = written(tmp_path / "survey.parquet", galaxies, CONVENTIONS[0])
    arguments = ["candidates", str(path), "--out", str(tmp_path / "out"), "--xy-unit", "deg", "--flip-e2"]
    assert main([*arguments, "--randomizations", "12", "--no-completeness", "--jobs", "1"]) == 0
    assert "use none of --swap, --flip-e1 and --flip-e2" in capsys.readouterr().out


def test_without_a_lens_there_is_no_line(tmp_path):
    path = written(
        tmp_path / "blank.parquet", on_sky(*plane_survey(np.random.default_rng(6), n=9000, side=60.0)), CONVENTIONS[0]
    )
    found = find_survey_candidates(path, QUICK, n_jobs=1)
    assert found.warnings == ()
    assert_allclose(found.structure, 1.0, atol=0.1)


def test_candidates_of_a_field_give_the_line_of_locate(tmp_path, capsys):
    z, e = plane_survey(np.random.default_rng(7), n=300, side=12.0, halos=[(1.0, -1.0, 0.9, 2.0)])
    write(tmp_path / "field.parquet", x=z.real, y=z.imag, e1=e.real, e2=-e.imag)
    arguments = [str(tmp_path / "field.parquet"), "--randomizations", "0", "--jobs", "1"]
    assert main(["candidates", *arguments, "--out", str(tmp_path / "out")]) == 0
    assert "use --flip-e2" in capsys.readouterr().out
