"""Galaxies of the maps: those of the features while these belong to model and images, or else measured again."""

import json
import os
import shutil

import pytest

from classify.cli import main
from classify.config import TrainConfig
from classify.report.run_data import RunData
from classify.train import train
from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.batch import extract_dataset
from tests.support.synthetic import draw_sky, write_images


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a data set, its features, and a run."""
    root = tmp_path_factory.mktemp("measured")
    write_images(root / "data", split="training", n=8)
    write_images(root / "data", n=2)
    extract_dataset(root / "data", root / "features", n_jobs=1)
    train(root / "features", root / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=10))
    return root


@pytest.fixture
def copied(made, tmp_path):
    """Return a copy of the folder that a test may change, with the times of the images."""
    root = tmp_path / "copy"
    shutil.copytree(made, root)
    record = json.loads((root / "run" / "run.json").read_text())
    record |= {"features": str(root / "features")}
    (root / "run" / "run.json").write_text(json.dumps(record))
    return root


def test_galaxies_of_the_features_are_those_of_the_maps(made):
    measured = RunData.read(made / "run").measured
    assert len(measured.catalogs) == 2
    assert measured.origin == f"those of {made / 'features'}"


def test_a_data_set_that_was_moved_whole_is_the_same(copied):
    assert len(RunData.read(copied / "run", data=copied / "data").measured.catalogs) == 2


def test_other_images_of_the_same_names_are_measured_again(copied, rng, capsys):
    draw_sky(copied / "data" / "validation" / "validation-00001.png", rng)
    words = ["report", str(copied / "run"), "--data", str(copied / "data"), "--jobs", "1"]
    assert main(words) == 0
    assert "galaxies of the maps: measured again for this page: the images or labels" in capsys.readouterr().out
    assert "measured again for this page" in (copied / "run" / "report.html").read_text(encoding="utf-8")
    measured = RunData.read(copied / "run", data=copied / "data").measured
    assert measured.catalogs == {}
    assert len(measured.evidence) == 10


def test_an_image_of_another_time_is_measured_again(copied):
    os.utime(copied / "data" / "validation" / "validation-00001.png", (1, 1))
    assert RunData.read(copied / "run", data=copied / "data").measured.catalogs == {}


def test_features_with_other_settings_are_not_used(copied):
    extract_dataset(copied / "data", copied / "features", config=MeasureConfig(n_pixels=9), n_jobs=1)
    measured = RunData.read(copied / "run").measured
    assert measured.catalogs == {}
    assert measured.evidence.empty
    assert "other settings" in measured.origin


def test_features_that_are_gone_are_not_used(copied):
    shutil.rmtree(copied / "features")
    assert "there are no features" in RunData.read(copied / "run").measured.origin
