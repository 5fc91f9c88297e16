import numpy as np
from numpy.testing import assert_allclose

from darkmatter_features.dataset import (
    picture_path,
    read_galaxy_truth,
    truth_path,
    write_galaxy_truth,
    write_labels,
    write_sky_truth,
)


def test_galaxy_truth_comes_back(tmp_path, rng):
    picture = picture_path(tmp_path, "training", 3)
    x, y = rng.uniform(0, 512, (2, 40))
    e1, e2 = rng.normal(0, 0.2, (2, 40))
    write_galaxy_truth(tmp_path, picture, x, y, e1, e2)
    truth = read_galaxy_truth(tmp_path, picture)
    for name, values, half_digit in (("x", x, 5e-5), ("y", y, 5e-5), ("e1", e1, 5e-6), ("e2", e2, 5e-6)):
        assert_allclose(truth[name], values, rtol=0, atol=1.001 * half_digit)


def test_a_sky_without_galaxies_has_a_truth(tmp_path):
    write_galaxy_truth(tmp_path, "training-00000.png", [], [], [], [])
    assert {
        name: values.shape for name, values in read_galaxy_truth(tmp_path, "training-00000.png").items()
    } == {"x": (0,), "y": (0,), "e1": (0,), "e2": (0,)}


def test_truth_of_a_compressed_fits_picture_is_named_by_its_stem(tmp_path):
    assert (
        truth_path(tmp_path, "training/training-00001.fits.gz") == tmp_path / "truth" / "training-00001.csv"
    )


def test_labels_and_lenses_are_written_as_the_layout_says(tmp_path):
    write_labels(tmp_path, "training", [0, 1, 0], [np.nan, 10.5, np.nan], [np.nan, 400.25, np.nan])
    assert (tmp_path / "training-labels.csv").read_text() == "sky-id,n-lenses\n0,0\n1,1\n2,0\n"
    assert (tmp_path / "training-lenses.csv").read_text() == "sky-id,row,column\n1,10.500,400.250\n"


def test_truth_of_skies_is_empty_where_there_is_no_lens(tmp_path):
    files = [picture_path(tmp_path, "training", index) for index in range(2)]
    write_sky_truth(tmp_path, files, [np.nan, 3], [np.nan, 4], [np.nan, 0.125])
    assert (tmp_path / "truth" / "skies.csv").read_text() == (
        "file,row,column,strength\ntraining/training-00000.png,,,\ntraining/training-00001.png,3.0000,4.0000,0.1250\n"
    )
