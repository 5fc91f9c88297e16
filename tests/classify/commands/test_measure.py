"""`darkmatter measure`: catalogues, printed lines, refusals, the exit code."""

import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from shear.scenes import noise_of, scene

from classify.cli import main


@pytest.fixture(scope="module")
def field():
    """Return an image of galaxies with noise and its coordinates, and its PSF."""
    drawn = scene(31, "isolated", n_cells=3, snr=(40.0, 100.0))
    light = 50.0 + drawn.image + noise_of(drawn, 32)
    return light.astype(np.float32), drawn.header, drawn.psf(95.0, 95.0), drawn.truth


@pytest.fixture
def here(tmp_path, monkeypatch, field):
    """Return a folder with two images and their PSF."""
    monkeypatch.chdir(tmp_path)
    light, header, psf, _ = field
    for k in (1, 2):
        fits.writeto(f"field{k}.fits", light, header)
    fits.writeto("psf.fits", psf)
    return tmp_path


def refused(capsys, *words):
    """Return the only line that a command prints that fails before any work."""
    assert main(["measure", *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("measure:", "compiling"))]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("out", ["a.parquet", "deep/b.ecsv", "c.fits"])
def test_the_catalogue_of_an_image_is_written(here, capsys, field, out):
    assert main(["measure", "field1.fits", "--out", out, "--psf", "psf.fits", "--jobs", "1"]) == 0
    assert (here / out).is_file()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"field1.fits -> {out}"
    assert lines[1].startswith("  9 sources: ")
    assert "PSF of psf.fits" in lines[2]


def test_what_is_left_out_is_counted_by_kind(here, capsys, field):
    light, (row, column) = field[0].copy(), np.indices(field[0].shape)
    light += np.float32(20.0) * np.exp(-0.5 * ((row - 20.0 - 0.2 * column) / 1.5) ** 2).astype(np.float32)
    light[150:160, 30:90] = np.nan
    fits.writeto("crossed.fits", light, field[1])
    assert main(["measure", "crossed.fits", "--psf", "psf.fits", "--jobs", "1"]) == 0
    counted = capsys.readouterr().out.splitlines()[1]
    masked = f"{100 * 600 / light.size:.1f} % of the pixels masked"
    assert re.search(rf"stars; 1 track.*: [\d.]+ % of the pixels left out, {masked}$", counted)
    metadata = pq.read_schema("shapes.parquet").metadata
    assert counted.strip() == f"{metadata[b'sources'].decode()}; {metadata[b'left out'].decode()}"


def test_nothing_is_left_out_of_a_clean_image(here, capsys):
    assert main(["measure", "field1.fits", "--psf", "psf.fits", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(" stars; nothing left out")


def test_positions_and_directions_are_those_of_the_galaxies(here, field):
    assert main(["measure", "field1.fits", "--psf", "psf.fits", "--jobs", "1"]) == 0
    table, truth = pd.read_parquet("shapes.parquet"), field[3]
    for x, y in zip(truth["x"], truth["y"]):
        assert np.hypot(table["x"] - x, table["y"] - y).min() < 0.5
    np.testing.assert_allclose(table["ra"], 150.0, atol=0.01)
    np.testing.assert_allclose(table["dec"], 2.0, atol=0.01)
    np.testing.assert_allclose(table["e1_sky"], table["e1"], atol=1e-4)  # columns to the west, rows to the north


def test_several_images_go_to_a_folder(here, capsys):
    assert main(["measure", "field*.fits", "--out", "shapes", "--jobs", "1"]) == 0
    assert sorted(path.name for path in (here / "shapes").iterdir()) == ["field1.parquet", "field2.parquet"]
    one, two = (pd.read_parquet(f"shapes/field{k}.parquet") for k in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_images_of_one_name_have_files_of_their_own(here):
    for folder in ("a", "b"):
        (here / folder).mkdir()
        (here / folder / "x.fits").write_bytes((here / "field1.fits").read_bytes())
    assert main(["measure", "a/x.fits", "b/x.fits", "--out", "both", "--jobs", "1"]) == 0
    assert sorted(path.name for path in (here / "both").iterdir()) == ["x-2.parquet", "x.parquet"]


def test_a_bad_image_of_two_costs_itself_alone(here, capsys):
    (here / "bad.fits").write_bytes(b"SIMPLE  = nothing")
    assert main(["measure", "bad.fits", "field1.fits", "--out", "shapes", "--jobs", "1"]) == 1
    assert [path.name for path in (here / "shapes").iterdir()] == ["field1.parquet"]
    captured = capsys.readouterr()
    failures = [line for line in captured.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 1
    assert "bad.fits" in failures[0]
    assert "field1.fits -> shapes/field1.parquet" in captured.out


@pytest.mark.parametrize("option", ["--weight", "--mask", "--psf"])
def test_a_file_beside_two_images_is_refused(here, capsys, option):
    line = refused(capsys, "field1.fits", "field2.fits", option, "psf.fits")
    assert "belongs to one image, but several images are given; measure each alone" in line
    assert not (here / "shapes").exists()


@pytest.mark.parametrize("out", ["shapes.csv", "shapes.txt"])
def test_a_suffix_of_no_format_is_refused_before_the_work(here, capsys, out):
    line = refused(capsys, "none.fits", "--out", out)
    assert f"{out} has no suffix of a format of catalogues; use one of .parquet, .ecsv, .fits" in line


def test_a_folder_in_place_of_the_catalogue_is_refused(here, capsys):
    (here / "a.parquet").mkdir()
    assert "a.parquet is a folder" in refused(capsys, "field1.fits", "--out", "a.parquet")


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_a_psf_that_is_none_is_one_line(here, capsys, value):
    fits.writeto("wrong.fits", np.full((25, 25), value))
    assert main(["measure", "field1.fits", "--psf", "wrong.fits", "--out", "a.fits", "--jobs", "1"]) == 2
    captured = capsys.readouterr()
    failures = [line for line in captured.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 1
    assert "wrong.fits" in failures[0]
    assert "Traceback" not in captured.err
    assert not (here / "a.fits").exists()


def test_weight_and_mask_of_the_image_are_used(here, capsys, field):
    light, _, _, truth = field
    weight, mask = np.full(light.shape, 4.0, dtype=np.float32), np.zeros(light.shape, dtype=np.uint8)
    x, y = (round(float(truth[name].iloc[4])) for name in ("x", "y"))
    mask[y - 3 : y + 4, x - 3 : x + 4] = 1
    weight[:20] = 0.0
    fits.writeto("weight.fits", weight)
    fits.writeto("mask.fits", mask)
    words = ["--weight", "weight.fits", "--mask", "mask.fits", "--psf", "psf.fits", "--jobs", "1"]
    assert main(["measure", "field1.fits", *words]) == 0
    table = pd.read_parquet("shapes.parquet")
    assert not table[np.hypot(table["x"] - x, table["y"] - y) < 10]["weight"].any()
    out = capsys.readouterr().out
    assert "weight.fits masks 10.42%" in out
    assert "mask.fits masks 0.13%" in out


def test_a_weight_of_other_sides_is_one_line(here, capsys):
    fits.writeto("weight.fits", np.ones((5, 7), dtype=np.float32))
    assert main(["measure", "field1.fits", "--weight", "weight.fits", "--jobs", "1"]) == 2
    failures = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 1
    assert "weight.fits has 7 x 5 pixels, its image field1.fits has 192 x 192" in failures[0]


def test_an_image_without_a_source_has_an_empty_catalogue(here, capsys):
    fits.writeto("blank.fits", np.random.default_rng(1).normal(size=(128, 128)).astype(np.float32))
    assert main(["measure", "blank.fits", "--jobs", "1"]) == 0
    assert "0 sources" in capsys.readouterr().out
    assert len(pd.read_parquet("shapes.parquet")) == 0


def test_an_extension_is_chosen(here, field):
    hdus = [fits.ImageHDU(field[0] + k, name=name) for k, name in enumerate(("SCI_R", "SCI_I"))]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto("both.fits")
    assert main(["measure", "both.fits", "--hdu", "*", "--out", "each", "--jobs", "1"]) == 0
    assert sorted(path.name for path in (here / "each").iterdir()) == ["both-SCI_I.parquet", "both-SCI_R.parquet"]


def failure(capsys, *words):
    """Return the only line on a failed image."""
    assert main(["measure", *words, "--jobs", "1"]) == 2
    captured = capsys.readouterr()
    failures = [line for line in captured.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 1
    assert "Warning" not in captured.err
    return failures[0]


def test_several_images_do_not_go_to_one_file(here, capsys):
    line = refused(capsys, "field1.fits", "field2.fits", "--out", "both.parquet")
    assert "both.parquet is one file, but 2 images are given; name a folder, such as both" in line
    assert not (here / "both.parquet").exists()


def test_parts_and_dots_are_in_the_names_of_catalogues(here, field):
    hdus = [fits.ImageHDU(field[0] + k) for k in (1, 2)]
    for name in ("tile.r.fits", "tile.i.fits"):
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(name)
    words = ["tile.r.fits[1]", "tile.r.fits[2]", "tile.i.fits[1]"]
    assert main(["measure", *words, "--out", "each", "--jobs", "1"]) == 0
    found = sorted(path.name for path in (here / "each").iterdir())
    assert found == ["tile.i-1.parquet", "tile.r-1.parquet", "tile.r-2.parquet"]


def test_too_few_pixels_are_one_line(here, capsys, field):
    fits.writeto("tiny.fits", field[0][:10, :10])
    assert "tiny.fits: 10 x 10 pixels are too few; give an image of at least 32 x 32" in failure(capsys, "tiny.fits")


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_an_image_without_noise_is_one_line(here, capsys, value):
    drawing = np.full((96, 96), value, dtype=np.float32)
    fits.writeto("flat.fits", drawing)
    assert "flat.fits has no noise: many of its pixels have one and the same value" in failure(capsys, "flat.fits")
    y, x = np.indices(drawing.shape)
    fits.writeto("drawn.fits", drawing + ((y % 24 - 12) ** 2 + (x % 24 - 12) ** 2 < 20).astype(np.float32))
    assert "drawings to `darkmatter features` or `predict`" in failure(capsys, "drawn.fits")


def test_an_image_on_a_wide_border_without_data_is_measured(here, capsys, field):
    light, header, _, _ = field
    words = ["--psf", "psf.fits", "--jobs", "1"]
    fits.writeto("wide.fits", np.pad(light, 40), header)
    assert main(["measure", "wide.fits", *words]) == 0
    assert "9 sources: " in capsys.readouterr().out
    fits.writeto("wider.fits", np.pad(light, 100), header)
    assert "give the mask or the weight of an image with wide borders without data" in failure(capsys, "wider.fits")
    fits.writeto("weight.fits", np.pad(np.ones(light.shape), 100))
    assert main(["measure", "wider.fits", "--weight", "weight.fits", *words]) == 0
    assert "9 sources: " in capsys.readouterr().out


@pytest.mark.parametrize("value", [0.0, 1e-5])
def test_a_singular_wcs_is_not_used_and_named(here, capsys, field, value):
    light, header, _, _ = field
    header = header.copy()
    header.update({f"CD{i}_{j}": value for i in (1, 2) for j in (1, 2)})
    fits.writeto("singular.fits", light, header)
    assert main(["measure", "singular.fits", "--psf", "psf.fits", "--jobs", "1"]) == 0
    assert "  WCS not used, as " in capsys.readouterr().out
    table = pd.read_parquet("shapes.parquet")
    assert len(table) == 9
    assert table[["ra", "dec", "e1_sky", "e2_sky"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("--weight", "not positive in all pixels"), ("--mask", "the mask is not 0 in all pixels of field1.fits"),
        ("--psf", "pixels that are not finite"),
    ],
)  # fmt: skip
def test_planes_without_any_value_are_one_line(here, capsys, field, name, words):
    fits.writeto("wrong.fits", np.full(field[0].shape, np.nan, dtype=np.float32))
    line = failure(capsys, "field1.fits", name, "wrong.fits")
    assert "wrong.fits" in line
    assert words in line


@pytest.mark.parametrize("kind", ["integers", "scaled", "packed", "striped"])
def test_images_of_any_storage_are_measured(here, field, kind):
    light, header = field[0].copy(), field[1]
    if kind == "striped":
        light[30:36], light[:, 128:131] = np.nan, np.nan
    hdu = fits.ImageHDU(np.rint(20 * light).astype(np.int16) if kind == "integers" else light, header)
    if kind == "scaled":
        hdu.scale("int16", "minmax")
    packed = fits.CompImageHDU(light, header) if kind == "packed" else hdu
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto("stored.fits.fz")
    assert main(["measure", "stored.fits.fz", "--psf", "psf.fits", "--jobs", "1"]) == 0
    table = pd.read_parquet("shapes.parquet")
    assert len(table) == 9 or kind == "striped"
    assert np.isfinite(table["weight"]).all()
    assert (table["weight"] > 0.0).sum() >= 6


def test_psfs_of_even_sides_and_larger_than_the_image_are_read(here, field):
    psf = field[2]
    fits.writeto("even.fits", psf[:-1, :-1])
    fits.writeto("large.fits", np.pad(psf, 118))
    tables = []
    for name in ("psf.fits", "even.fits", "large.fits"):
        assert main(["measure", "field1.fits", "--psf", name, "--jobs", "1"]) == 0
        tables.append(pd.read_parquet("shapes.parquet"))
    for table in tables[1:]:
        np.testing.assert_allclose(table["e1"], tables[0]["e1"], atol=1e-3)


def test_a_band_of_a_cube_is_measured_with_its_psf(here, capsys, field):
    light, header, psf, _ = field
    fits.writeto("cube.fits", np.stack([light, 2 * light, light + 9, light - 3]), header)
    fits.writeto("psfs.fits", np.stack([np.roll(psf, 5), psf, psf, psf]))
    words = ["--psf", "psfs.fits", "--jobs", "1"]
    assert main(["measure", "cube.fits", "--band", "3", *words]) == 0
    table = pd.read_parquet("shapes.parquet")
    assert main(["measure", "field1.fits", "--psf", "psf.fits", "--jobs", "1"]) == 0
    np.testing.assert_allclose(table["e1"], pd.read_parquet("shapes.parquet")["e1"], atol=2e-3)
    capsys.readouterr()
    assert main(["measure", "cube.fits", *words]) == 0
    assert "mean of 4 bands, with weights 0.308, 0.077, 0.308, 0.308; --band chooses one" in capsys.readouterr().out
    assert "cube.fits has 4 bands, no band 5; choose one from 1 to 4" in failure(
        capsys, "cube.fits", "--band", "5", *words
    )


def test_defects_are_counted(here, capsys, field):
    light = field[0].copy()
    y, x = np.indices(light.shape)
    light += np.minimum(3e5 * (1 + ((x - 125) ** 2 + (y - 125) ** 2) / 9.0) ** -3.0, 4e4).astype(np.float32)
    fits.writeto("star.fits", light)
    assert main(["measure", "star.fits", "--psf", "psf.fits", "--jobs", "1"]) == 0
    assert "; 1 saturated star: " in capsys.readouterr().out
