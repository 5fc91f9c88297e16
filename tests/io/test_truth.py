"""Truth of simulated skies: what is written is read back, and other files are rejected."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.dataset import image_path
from darkmatter_features.io.truth import (
    CONDITION_COLUMNS,
    OBJECT_COLUMNS,
    TRUTH_COLUMNS,
    psf_path,
    read_galaxy_truth,
    read_object_truth,
    read_sky_truth,
    truth_path,
    write_galaxy_truth,
    write_sky_truth,
)

NAN = np.nan


@pytest.fixture
def build(tmp_path):
    """Return a function that writes files into a folder and returns the folder."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def test_written_galaxy_truth_is_read_back(tmp_path, rng):
    image = image_path(tmp_path, "training", 3)
    x, y = rng.uniform(0, 512, (2, 40))
    e1, e2 = rng.normal(0, 0.2, (2, 40))
    write_galaxy_truth(tmp_path, image, x, y, e1, e2)
    truth = read_galaxy_truth(tmp_path, image)
    for name, values, half_digit in (("x", x, 5e-5), ("y", y, 5e-5), ("e1", e1, 5e-6), ("e2", e2, 5e-6)):
        assert_allclose(truth[name], values, rtol=0, atol=1.001 * half_digit)


def test_truth_of_a_sky_without_galaxies_is_empty(tmp_path):
    write_galaxy_truth(tmp_path, "training-00000.png", [], [], [], [])
    assert {name: values.shape for name, values in read_galaxy_truth(tmp_path, "training-00000.png").items()} == {
        "x": (0,),
        "y": (0,),
        "e1": (0,),
        "e2": (0,),
    }


def test_written_objects_are_read_back_and_galaxies_are_those_that_are_no_stars(tmp_path, rng):
    values = rng.normal(0, 0.2, (len(TRUTH_COLUMNS), 7))
    objects = {name: rng.uniform(0, 20, 7) for name in OBJECT_COLUMNS} | {"is_star": [0, 1, 0, 0, 1, 1, 0]}
    write_galaxy_truth(tmp_path, "a.fits", *values, objects)
    found = read_object_truth(tmp_path, "a.fits")
    assert tuple(found) == (*TRUTH_COLUMNS, *OBJECT_COLUMNS)
    for name, expected in (*zip(TRUTH_COLUMNS, values), *objects.items()):
        assert_allclose(found[name], expected, rtol=0, atol=5.1e-5)
    galaxies = read_galaxy_truth(tmp_path, "a.fits")
    for name in TRUTH_COLUMNS:
        assert_array_equal(galaxies[name], found[name][[0, 2, 3, 6]])


def test_the_psf_lies_beside_the_truth(tmp_path):
    assert psf_path(tmp_path, "training/a.fits.gz") == tmp_path / "truth" / "a.psf.fits"


def test_truth_saved_by_a_spreadsheet_is_read(build):
    root = build({"truth/a.csv": b"\xef\xbb\xbfx,y,e1,e2\r\n1,2,0.3,-0.4\r\n"})
    assert read_galaxy_truth(root, "a.png")["e2"] == [-0.4]


def test_truth_of_a_compressed_fits_image_has_its_stem(tmp_path):
    assert truth_path(tmp_path, "training/training-00001.fits.gz") == tmp_path / "truth" / "training-00001.csv"


def test_lens_and_properties_are_empty_where_there_are_none(tmp_path):
    files = [image_path(tmp_path, "training", index) for index in range(2)]
    write_sky_truth(tmp_path, files, [NAN, 3], [NAN, 4], [NAN, 0.125])
    assert (tmp_path / "truth" / "skies.csv").read_text() == (
        "file,row,column,strength,density,area,brightness,psf_sigma,elongation,alignment\n"
        "training/training-00000.png,,,,,,,,,\n"
        "training/training-00001.png,3.0000,4.0000,0.1250,,,,,,\n"
    )


def test_written_sky_truth_is_read_back(tmp_path, rng):
    files = [image_path(tmp_path, "validation", index) for index in range(3)]
    conditions = rng.uniform(0.5, 150, (3, 6))
    write_sky_truth(tmp_path, files, [NAN, 3, 4], [NAN, 5, 6], [NAN, 0.1, 0.2], conditions)
    truth = read_sky_truth(tmp_path)
    assert list(truth) == [f"validation/validation-0000{index}.png" for index in range(3)]
    assert_allclose([[sky[name] for name in CONDITION_COLUMNS] for sky in truth.values()], conditions, atol=5.01e-5)
    assert_array_equal([sky["strength"] for sky in truth.values()], [NAN, 0.1, 0.2])
    assert_array_equal([sky["column"] for sky in truth.values()], [NAN, 5, 6])


def test_sky_truth_without_properties_is_read(build):
    """Data sets that were simulated before the properties were recorded have no columns of them."""
    root = build({"truth/skies.csv": "file,row,column,strength\ntraining/a.png,1,2,0.3\ntraining/b.png,,,\n"})
    truth = read_sky_truth(root)
    assert truth["training/a.png"]["strength"] == 0.3
    assert np.isnan([truth["training/a.png"][name] for name in CONDITION_COLUMNS]).all()
    assert np.isnan(list(truth["training/b.png"].values())).all()


@pytest.mark.parametrize("content", ["row,column\n1,2\n", "file,row\na.png,north\n", "file,row\na.png\n"])
def test_sky_truth_that_is_not_a_table_is_rejected(build, content):
    with pytest.raises(DatasetError, match=r"truth/skies\.csv is not a table file,row,column.*simulate"):
        read_sky_truth(build({"truth/skies.csv": content}))


@pytest.mark.parametrize("content", ["x,y\n1,2\n", "x,y,e1,e2\n1,2,3,east\n", "x,y,e1,e2\n1,2,3\n"])
def test_truth_with_other_columns_is_rejected(build, content):
    root = build({"truth/a.csv": content})
    with pytest.raises(DatasetError, match=r"truth/a\.csv is not a table of numbers x,y,e1,e2; simulate"):
        read_galaxy_truth(root, "a.png")


def test_missing_truth_is_rejected(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read as CSV: No such file"):
        read_galaxy_truth(tmp_path, "a.png")
