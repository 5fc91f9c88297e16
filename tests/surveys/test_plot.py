"""The figure of a survey: the grid of all patches, marks at the candidates, and the file that the command writes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from darkmatter_features.plots.snr import MAX_LIMIT, color_limit, ends
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.mosaic import mosaic
from darkmatter_features.surveys.plot import draw_survey
from darkmatter_features.surveys.settings import SurveySearch
from tests.support.surveys import plane_survey, write, write_sky

QUICK = SurveySearch(n_randomizations=0, completeness=False, threshold=6.0)


def test_patches_are_one_image_with_the_peak_at_the_candidate(tmp_path):
    """Across RA 0 and turned, over several patches."""
    z, e = plane_survey(np.random.default_rng(4), n=60_000, side=230.0, halos=[(80.0, -40.0, 0.5, 2.0)])
    keep = np.abs(z + 60) > 20
    rotation = Rotation.from_euler("zyx", (209.0, 0, 20), degrees=True)
    found = find_survey_candidates(write_sky(tmp_path / "a.parquet", z[keep], e[keep], rotation), QUICK, n_jobs=1)
    assert len(found.patches) > 1
    sky = mosaic(found)
    assert 0.05 < np.isnan(sky.snr).mean() < 0.6  # corners and the hole
    column, row = sky.pixels(np.array([found[0].ra]), np.array([found[0].dec]))
    assert np.abs(np.array(np.unravel_index(np.nanargmax(sky.snr), sky.snr.shape)) - (row[0], column[0])).max() < 3
    assert np.nanmax(sky.snr) == pytest.approx(found[0].snr, rel=0.15)
    inner = sky.snr[~np.isnan(sky.snr).all(axis=1)]
    per_row = np.isnan(inner).sum(axis=1)
    assert np.abs(np.diff(per_row)).max() < 40  # no empty seam between patches


def test_a_plane_survey_keeps_its_axes(tmp_path):
    z, e = plane_survey(np.random.default_rng(5), n=30_000, side=60.0, halos=[(10.0, -20.0, 0.3, 1.0)])
    path = write(tmp_path / "plane.parquet", x=z.real + 500, y=z.imag, e1=e.real, e2=e.imag)
    found = find_survey_candidates(path, QUICK, n_jobs=1)
    figure = draw_survey(found)
    tangential, cross = figure.axes[:2]
    assert_allclose(tangential.get_xlim(), (470, 530), atol=4)
    (x,), (y,) = tangential.lines[0].get_data()
    assert_allclose((x, y), (found[0].x, found[0].y))
    assert [each.get_text() for each in tangential.texts] == ["1"]
    assert (tangential.get_xlabel(), tangential.get_ylabel()) == ("x, arcmin", "y, arcmin")
    sky = mosaic(found)
    limit = color_limit(sky.snr, sky.cross, most=MAX_LIMIT)
    assert tangential.images[0].get_clim() == cross.images[0].get_clim() == (-limit, limit)
    assert cross.images[0].colorbar.extend == ends(limit, sky.snr, sky.cross)
    assert "1 candidate of S/N 6.00 or more" in figure.subfigs[0]._suptitle.get_text()
