"""`darkmatter candidates` on surveys: the choice of the search, files, options and presets."""

import contextlib
import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.testing import assert_allclose

from classify.cli import main
from classify.commands.compilation import SEARCHING
from darkmatter_features.candidates.table import KNOWN_COLUMNS
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.surveys.batch import is_survey
from darkmatter_features.surveys.calibration import Calibration, ShearSums
from darkmatter_features.surveys.files import COLUMNS, LENS_REDSHIFT
from darkmatter_features.surveys.presets import PRESETS, preset
from tests.support.surveys import on_sky, plane_survey, write, write_sky

QUICK = ["--randomizations", "4", "--no-completeness", "--jobs", "1"]


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    halo = (5.0, 5.0, 0.2, 1.5)
    galaxies = plane_survey(np.random.default_rng(4), n=30_000, side=90.0, halos=[halo])
    return write_sky(tmp_path_factory.mktemp("survey") / "wide.parquet", *galaxies)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    galaxies = plane_survey(np.random.default_rng(5), n=400, side=12.0, halos=[(1.0, 1.0, 0.4, 1.0)])
    return write_sky(tmp_path_factory.mktemp("field") / "field.parquet", *galaxies)


def test_a_wide_catalogue_is_a_survey_and_a_field_is_not(survey, field, tmp_path):
    assert is_survey(survey)
    assert not is_survey(field)
    assert not is_survey(tmp_path / "missing.fits")
    z, e = plane_survey(np.random.default_rng(4), n=2000, side=900.0)
    pixels = write(tmp_path / "pixels.parquet", x=z.real, y=z.imag, e1=e.real, e2=e.imag)
    assert not is_survey(pixels)


def test_a_few_distant_rows_make_no_survey(field, tmp_path):
    table = Table.read(field).to_pandas()
    table.loc[:3, ["ra", "dec"]] = 0.0
    table.to_parquet(tmp_path / "far.parquet")
    assert not is_survey(tmp_path / "far.parquet")


def test_the_command_writes_the_tables_of_a_survey(survey, tmp_path, capsys):
    assert main(["candidates", str(survey), "--out", str(tmp_path / "out"), *QUICK]) == 0
    output = capsys.readouterr().out
    assert "square degrees" in output
    assert "false-alarm probability" in output
    table = Table.read(tmp_path / "out" / "candidates.ecsv")
    assert table.colnames == [column.name for column in COLUMNS if column.name not in (*KNOWN_COLUMNS, LENS_REDSHIFT)]
    assert table["ra"].unit == "deg"
    assert table["position_error"].unit == "arcmin"
    assert abs(table["x"][0] - 5) < 1
    assert fits.getdata(tmp_path / "out" / "candidates.fits").size == len(table)
    assert (tmp_path / "out" / "candidates.reg").read_text().count("circle") == len(table)
    assert not (tmp_path / "out" / "completeness.ecsv").exists()


def test_a_field_and_a_survey_are_listed_together(survey, field, tmp_path):
    assert main(["candidates", str(survey), str(field), "--out", str(tmp_path / "both"), *QUICK]) == 0
    assert (tmp_path / "both" / "wide" / "candidates.ecsv").exists()
    assert (tmp_path / "both" / "field" / "snr.fits").exists()


def test_scales_make_a_field_a_survey_with_its_completeness(field, tmp_path):
    options = ["--scales", "0.5,1", "--max-false-alarm", "0.2", "--randomizations", "20", "--jobs", "1"]
    assert main(["candidates", str(field), "--out", str(tmp_path / "out"), *options]) == 0
    table = Table.read(tmp_path / "out" / "completeness.ecsv")
    assert (table["n_found"] <= table["n_planted"]).all()
    found = Table.read(tmp_path / "out" / "candidates.ecsv")
    assert (found["false_alarm_probability"] <= 0.2).all()


def test_a_failed_survey_is_one_line(survey, tmp_path, capsys):
    assert main(["candidates", str(survey), "--select", "zz > 1", "--out", str(tmp_path / "out"), *QUICK]) == 2
    assert "no column zz" in capsys.readouterr().err


def test_wrong_scales_are_refused(survey, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["candidates", str(survey), "--scales", "one", "--out", str(tmp_path)])
    assert "0.5,1,2,4" in capsys.readouterr().err


@pytest.mark.parametrize("name", PRESETS)
def test_each_public_catalogue_is_read_by_its_columns(name, tmp_path):
    """A table with the columns of the preset, among others that might be taken instead."""
    rng = np.random.default_rng(6)
    ra, dec, e = on_sky(*plane_survey(rng, n=3000, side=70.0))
    chosen = preset(name)
    values = {"ra": ra, "dec": dec, "e1": e.real, "e2": e.imag, "weight": np.ones(3000)}
    columns = {chosen.columns[key]: values[key] for key in values if key in chosen.columns}
    response = chosen.columns.get("response", "none")
    columns |= {each: np.full(3000, 0.7) for each in response.split(",") if response != "none"}
    columns |= {each: np.full(3000, 0.3) for each in chosen.calibration.columns.values()}
    path = write(tmp_path / "shapes.parquet", **columns, psf_e1=e.real, psf_e2=e.imag)
    options = ["--survey", name, "--out", str(tmp_path / "out"), *QUICK]
    assert main(["candidates", str(path), *options]) == 0
    assert chosen.source


def test_hsc_shear_is_e_over_twice_the_responsivity_and_one_plus_m(tmp_path):
    sums = ShearSums()
    e = np.full(10, 0.1)
    sums.add({"e1": e, "e2": e, "bias": np.full(10, -0.1), "e_rms": np.full(10, 0.4)})
    factor, note = sums.factor(tmp_path, CatalogOptions(response="none"), preset("hsc-y3").calibration)
    assert factor == pytest.approx(1 / (2 * (1 - 0.4**2)) / 0.9)
    assert "1.512" in note


def test_the_response_of_a_metacalibration_includes_that_of_the_selection(tmp_path):
    sums = ShearSums()
    e = np.full(10, 0.1)
    weight = np.arange(1.0, 11.0)
    r11, r22 = np.linspace(0.5, 0.9, 10), np.full(10, 0.6)
    sums.add({"e1": e, "e2": e, "weight": weight, "response 1": r11, "response 2": r22})
    factor, _ = sums.factor(tmp_path, CatalogOptions(response="R11,R22"), Calibration(selection_response=0.01))
    assert 1 / factor == pytest.approx(np.average((r11 + r22) / 2, weights=weight) + 0.01)


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """Return what the command prints about a plane survey in degrees, and its folder; the kernels are compiled."""
    folder = tmp_path_factory.mktemp("plane")
    z, e = plane_survey(np.random.default_rng(6), n=12_000, side=50.0, halos=[(5.0, -6.0, 0.3, 1.5)])
    path = write(folder / "plane.parquet", x=z.real / 60, y=z.imag / 60, e1=e.real, e2=e.imag)
    words = ["candidates", str(path), "--xy-unit", "deg", "--randomizations", "0", "--jobs", "1"]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main([*words, "--out", str(folder / "out")]) == 0
    return output.getvalue(), folder / "out"


def test_errors_of_a_plane_survey_are_in_its_unit(plane):
    output, folder = plane
    (row,) = Table.read(folder / "candidates.ecsv")
    assert_allclose((row["x"], row["y"]), (5 / 60, -6 / 60), atol=1 / 60)
    assert 0.05 < row["position_error"] * 60 < 1.0
    assert f"error {row['position_error']:.2g} deg, S/N" in output


def test_after_one_survey_nothing_is_left_to_compile(plane):
    assert SEARCHING.notice() is None


def test_the_table_describes_what_a_survey_has(plane, listed):
    sky, flat = (Table.read(folder / "candidates.ecsv") for folder in (listed, plane[1]))
    assert sky["x"].description.startswith("offset to the west of the centre")
    assert flat["x"].description == "x of the position, in the unit of the catalogue"
    for table in (sky, flat):
        assert table["false_alarm_probability"].description.startswith("of a peak as high anywhere in the survey")
        assert "4 arcmin" in table["empty_fraction"].description


def test_the_completeness_of_a_plane_survey_has_x_and_y_in_its_unit(plane):
    table = Table.read(plane[1] / "completeness.ecsv")
    assert table.colnames[:2] == ["x", "y"]
    assert table["x"].unit == "deg"
    assert_allclose((table["x"][0], table["y"][0]), 0.0, atol=1 / 60)
    assert "ra" not in table.colnames


@pytest.fixture(scope="module")
def listed(survey, tmp_path_factory):
    """Return the folder of the candidates of the survey with a list of known lenses."""
    root = tmp_path_factory.mktemp("listed")
    table = Table({"name": ["A", "B"], "ra": [149.92, 10.0], "dec": [2.083, 20.0]})
    table.write(root / "known.csv")
    assert (
        main(["candidates", str(survey), "--known", str(root / "known.csv"), "--out", str(root / "out"), *QUICK]) == 0
    )
    return root / "out"


def test_known_lenses_are_in_the_table_of_a_survey(listed):
    table = Table.read(listed / "candidates.ecsv")
    assert table.colnames == [column.name for column in COLUMNS if column.name != LENS_REDSHIFT]
    assert table["known_name"][0] == "A"
    assert table["known_separation"][0] < 2
    assert table["known_separation"].unit == "arcmin"
    assert Table.read(listed / "known.ecsv")["name"].tolist() == ["A"]


def test_a_list_without_positions_on_the_sky_is_refused_for_a_survey_that_lacks_them(survey, tmp_path, capsys):
    (tmp_path / "known.csv").write_text("name,x,y\nA,1,2\n")
    words = ["--known", str(tmp_path / "known.csv"), "--out", str(tmp_path / "out"), *QUICK]
    assert main(["candidates", str(survey), *words]) == 0  # x and y of the list are offsets from the centre
    z, e = plane_survey(np.random.default_rng(4), n=2000, side=20.0)
    plane = write(tmp_path / "plane.parquet", x=z.real, y=z.imag, e1=e.real, e2=e.imag)
    (tmp_path / "known.csv").write_text("name,ra,dec\nA,1,2\n")
    assert main(["candidates", str(plane), "--xy-unit", "arcmin", *words]) == 2
    assert "lists known lenses by RA and Dec, which plane.parquet lacks" in capsys.readouterr().err


def test_maps_of_the_aperture_mass_of_a_survey(survey, tmp_path):
    assert main(["candidates", str(survey), "--aperture-mass", "--out", str(tmp_path / "out"), *QUICK]) == 0
    best = Table.read(tmp_path / "out" / "candidates.ecsv")[0]
    with fits.open(tmp_path / "out" / "aperture_mass_snr.fits") as images:
        names = {(each.name, each.header["FILTER"], round(each.header["RADIUS"], 2)) for each in images[1:]}
        assert {radius for *_, radius in names} == {6.67, 13.33}
        assert {name for name, *_ in names} == {"SNR", "SNR_CROSS"}
        highest = {}
        for each in images[1:]:
            if each.name == "SNR" and each.header["FILTER"] == "Schirmer 2007" and np.isfinite(each.data).any():
                row, column = np.unravel_index(np.nanargmax(each.data), each.data.shape)
                ra, dec = WCS(each.header).wcs_pix2world(column, row, 0)
                highest[float(each.data[row, column])] = np.hypot((ra - best["ra"]), dec - best["dec"]) * 60
        assert highest[max(highest)] < 2
        assert max(highest) > 6
    with fits.open(tmp_path / "out" / "aperture_mass.fits") as images:
        assert all(each.name == "MAP" and each.header["BUNIT"] == "" for each in images[1:])


def test_the_best_candidates_are_kept(survey, tmp_path):
    arguments = ["candidates", str(survey), "--out", str(tmp_path / "out"), *QUICK, "--threshold", "3.5"]
    assert main([*arguments, "--most", "2"]) == 0
    table = Table.read(tmp_path / "out" / "candidates.ecsv")
    assert len(table) == 2
    assert table["snr"][0] > table["snr"][1]


def test_the_peaks_of_the_maps_of_a_survey_have_the_coordinates_of_its_candidates(listed):
    table = Table.read(listed / "candidates.ecsv")
    snr, header = fits.getdata(listed / "snr.fits", 1, header=True)
    row, column = np.unravel_index(np.nanargmax(snr), snr.shape)
    ra, dec = WCS(header).wcs_pix2world([[column, row]], 0)[0]
    best = table[int(np.argmax(table["snr"]))]
    assert np.hypot((ra - best["ra"]) * np.cos(np.deg2rad(dec)), dec - best["dec"]) * 60 < 1.5
    assert snr[row, column] == pytest.approx(best["snr"], rel=0.15)
    assert fits.getdata(listed / "cross.fits", 1).shape == snr.shape


def test_the_header_of_a_survey_has_settings_command_and_null_tests(listed):
    meta = Table.read(listed / "candidates.ecsv").meta
    assert meta["settings"]["threshold"] == 5.0
    assert meta["command"].startswith("darkmatter candidates ")
    assert meta["null_tests"][0]["test"].startswith("mean ellipticity")
    assert all(each["passes"] for each in meta["null_tests"])
