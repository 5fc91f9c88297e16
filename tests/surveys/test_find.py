"""Candidates of a survey: planted halos, independence of the place and of the format, agreement with `locate`."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from darkmatter_features.errors import ConfigError, TableError
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.location.locate import locate
from darkmatter_features.surveys import rows as rows_module
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.settings import SurveySearch
from tests.support.surveys import plane_survey, rotated, write, write_sky

HALOS = ((-12.0, 9.0, 0.14, 1.0), (15.0, -14.0, 0.12, 1.5))
QUICK = SurveySearch(n_randomizations=10, completeness=False, threshold=5.5)


@pytest.fixture(scope="module")
def galaxies():
    return plane_survey(np.random.default_rng(3), halos=HALOS)


@pytest.fixture(scope="module")
def survey(galaxies, tmp_path_factory):
    return write_sky(tmp_path_factory.mktemp("survey") / "survey.parquet", *galaxies)


@pytest.fixture(scope="module")
def found(survey):
    return find_survey_candidates(survey, QUICK, n_jobs=1)


def test_planted_halos_are_found_within_their_errors(found):
    assert len(found) == 2
    for halo in HALOS:
        distance = [np.hypot(each.x - halo[0], each.y - halo[1]) for each in found]
        nearest = found[int(np.argmin(distance))]
        assert min(distance) < 3 * nearest.position_error < 2
        assert nearest.amplitude == pytest.approx(halo[2], rel=0.6)
        assert abs(nearest.snr_cross) < 4
        assert nearest.false_alarm_probability < 0.01
        assert nearest.expected_purity > 0.95
    assert [each.snr for each in found] == sorted((each.snr for each in found), reverse=True)
    assert found.survey.area == pytest.approx((80 / 60) ** 2, rel=0.1)


@pytest.mark.parametrize("turn", [(0, 0, 75), (210.0, 0, 0), (-60, -87.5, 30)], ids=["turned", "across 0", "pole"])
def test_candidates_do_not_depend_on_the_place_on_the_sky(galaxies, found, tmp_path, turn):
    rotation = Rotation.from_euler("zyx", turn, degrees=True)
    other = find_survey_candidates(write_sky(tmp_path / "turned.parquet", *galaxies, rotation), QUICK, n_jobs=1)
    assert len(other) == len(found)
    for one, two in zip(found, other):
        ra, dec = rotated(one.ra, one.dec, rotation)
        assert abs((two.ra - ra[0] + 180) % 360 - 180) * np.cos(np.deg2rad(two.dec)) < 1e-6
        assert two.dec == pytest.approx(dec[0], abs=1e-6)
        for name in ("snr", "snr_cross", "log_bayes_factor", "position_error", "false_alarm_probability"):
            assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-4, abs=1e-6)


def test_radians_and_fits_in_chunks_give_the_same_candidates(survey, found, tmp_path, monkeypatch):
    table = Table.read(survey)
    for name in ("ra", "dec"):
        table[name] = np.deg2rad(table[name])
        table[name].unit = "rad"
    table.write(tmp_path / "radians.fits")
    monkeypatch.setattr(rows_module, "CHUNK_ROWS", 40_000)
    other = find_survey_candidates(tmp_path / "radians.fits", QUICK, n_jobs=1)
    for one, two in zip(found, other, strict=True):
        assert_allclose((two.ra, two.dec, two.snr), (one.ra, one.dec, one.snr), atol=1e-6)


def test_a_folder_of_partitions_is_one_survey(survey, found, tmp_path):
    table = pq.read_table(survey)
    for k, rows in enumerate((slice(0, 5000), slice(5000, 30_000), slice(30_000, None))):
        folder = tmp_path / "hats" / "dataset" / f"Norder={k}" / "Dir=0"
        folder.mkdir(parents=True)
        pq.write_table(table.slice(rows.start, (rows.stop or len(table)) - rows.start), folder / "Npix=7.parquet")
    (tmp_path / "hats" / "dataset" / "_metadata").write_bytes(b"not a table")
    (tmp_path / "hats" / "partition_info.csv").write_text("Norder,Npix\n0,7\n")
    other = find_survey_candidates(tmp_path / "hats", QUICK, n_jobs=1)
    assert other.survey.n == found.survey.n
    for one, two in zip(found, other, strict=True):
        assert_allclose((two.ra, two.dec, two.snr), (one.ra, one.dec, one.snr), rtol=1e-9)
    pq.write_table(table.drop_columns(["e2"]), tmp_path / "hats" / "more.parquet")
    with pytest.raises(TableError, match=r"more\.parquet.*e2"):
        find_survey_candidates(tmp_path / "hats", QUICK, n_jobs=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="has no Parquet, FITS or HDF5 file"):
        find_survey_candidates(tmp_path / "empty", QUICK, n_jobs=1)


@pytest.mark.parametrize("layout", ["group", "compound"])
def test_hdf5_in_chunks_gives_the_same_candidates(survey, found, tmp_path, monkeypatch, layout):
    h5py = pytest.importorskip("h5py")
    table = Table.read(survey)
    with h5py.File(tmp_path / "survey.h5", "w") as file:
        if layout == "compound":
            file["catalog/unsheared"] = table.as_array()
        else:
            for name in table.colnames:
                file[f"catalog/unsheared/{name}"] = np.asarray(table[name])
        file["catalog/sheared_1p/e1"] = np.zeros(len(table))
    monkeypatch.setattr(rows_module, "CHUNK_ROWS", 30_000)
    other = find_survey_candidates(tmp_path / "survey.h5", QUICK, n_jobs=1)
    for one, two in zip(found, other, strict=True):
        assert_allclose((two.ra, two.dec, two.snr), (one.ra, one.dec, one.snr), atol=1e-6)


def test_order_of_rows_chunks_and_processes_do_not_matter(survey, found, tmp_path, monkeypatch):
    table = Table.read(survey).to_pandas().sample(frac=1, random_state=1)
    table.to_parquet(tmp_path / "groups.parquet", row_group_size=7_000)
    monkeypatch.setattr(rows_module, "CHUNK_ROWS", 20_000)
    read: list[tuple[int, int]] = []
    table_path = tmp_path / "groups.parquet"
    other = find_survey_candidates(table_path, QUICK, n_jobs=2, reading=lambda *numbers: read.append(numbers))
    n = len(table)
    assert read == [(k, 2 * n) for k in (0, 14_000, 28_000, n, n, n + 14_000, n + 28_000, 2 * n)]
    for one, two in zip(found, other, strict=True):
        assert_allclose((two.ra, two.dec, two.snr), (one.ra, one.dec, one.snr), atol=1e-6)
        assert two.false_alarm_probability == pytest.approx(one.false_alarm_probability, rel=1e-3)


def test_a_plane_survey_in_degrees_is_that_in_arcmin(galaxies, found, tmp_path):
    z, e = galaxies
    for unit, scale in (("arcmin", 1.0), ("deg", 1 / 60)):
        path = write(tmp_path / f"{unit}.parquet", x=z.real * scale, y=z.imag * scale, e1=e.real, e2=e.imag)
        other = find_survey_candidates(path, replace(QUICK, unit=unit), n_jobs=1)
        for one, two in zip(found, other, strict=True):
            assert np.isnan(two.ra)
            centre = z.mean()
            assert_allclose((two.x / scale, two.y / scale), (one.x + centre.real, one.y + centre.imag), atol=0.02)
            assert two.position_error == pytest.approx(one.position_error * scale, rel=0.05)
            assert two.snr == pytest.approx(one.snr, rel=0.01)


def test_one_lens_is_where_locate_finds_it(tmp_path):
    halo = (3.0, -2.0, 0.14, 1.5)
    path = write_sky(tmp_path / "one.parquet", *plane_survey(np.random.default_rng(5), side=30.0, n=9000, halos=[halo]))
    (candidate,) = find_survey_candidates(path, QUICK, n_jobs=1)
    one = locate(read_catalog(path))
    assert np.hypot(candidate.x - one.x, candidate.y - one.y) < one.position_error
    assert candidate.snr == pytest.approx(one.snr, rel=0.1)
    assert candidate.position_error == pytest.approx(one.position_error, rel=0.4)


def test_a_strong_neighbour_is_subtracted(tmp_path):
    """A weak halo 8 arcmin from one four times as massive has its own amplitude, and the strong one no companions."""
    halos = ((0.0, 0.0, 0.25, 2.0), (8.0, 3.0, 0.09, 1.0))
    path = write_sky(tmp_path / "two.parquet", *plane_survey(np.random.default_rng(6), halos=halos, n=150_000))
    found = find_survey_candidates(path, QUICK, n_jobs=1)
    assert len(found) == 2
    assert np.hypot(found[1].x - 8.0, found[1].y - 3.0) < 3 * found[1].position_error


def test_rows_are_selected(survey, tmp_path):
    everything = Table.read(survey).to_pandas()
    everything["z"] = np.where(np.arange(len(everything)) % 2, 0.2, 0.8)
    path = tmp_path / "z.parquet"
    everything.to_parquet(path)
    found = find_survey_candidates(path, replace(QUICK, selection="z > 0.4 & abs(e1) < 0.95"), n_jobs=1)
    assert found.survey.n == len(everything) // 2
    assert any("not selected" in note for note in found.survey.notes)
    with pytest.raises(ConfigError, match="no column Z_B"):
        find_survey_candidates(path, replace(QUICK, selection="Z_B > 0.4"), n_jobs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": np.nan}, "S/N of 2 or more"),
        ({"max_false_alarm": 1.5}, "probability between 0 and 1"),
        ({"max_false_alarm": 0.1, "n_randomizations": 0}, "needs randomized skies"),
        ({"scales": (0.0, 1.0)}, "from 0.05 to 15 arcmin"),
        ({"unit": "mm"}, "one of arcmin"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        SurveySearch(**options)


def test_a_survey_without_usable_rows_is_refused(tmp_path):
    path = write(tmp_path / "empty.parquet", ra=np.arange(20.0), dec=np.zeros(20), e1=np.full(20, 3.0), e2=np.zeros(20))
    with pytest.raises(TableError, match="0 of 20 rows can be used"):
        find_survey_candidates(path, QUICK, n_jobs=1)


def test_a_low_peak_at_the_border_stays_among_the_galaxies(tmp_path):
    """Noise peaks of S/N 3 at the border of a blank survey, where most of the disc of positions has no galaxy."""
    path = write_sky(tmp_path / "blank.parquet", *plane_survey(np.random.default_rng(11), side=40.0, n=40_000))
    found = find_survey_candidates(path, replace(QUICK, threshold=2.7, n_randomizations=2), n_jobs=1)
    assert len(found) > 10
    assert max(max(abs(each.x), abs(each.y)) for each in found) < 24.0  # a scale radius beyond
    assert all(np.isfinite(each.snr) and each.position_error < 6 for each in found)
