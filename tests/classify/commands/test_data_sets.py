"""The command on a data set in zip files and behind a URL: its results are those on the folder."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from classify.cli import main
from classify.cnn.train_stage import StageInputs, _inputs
from classify.tables.feature_table import FeatureTable
from darkmatter_features.io.dataset import Dataset
from tests.support.data_sets import write_zip, zip_folder
from tests.support.servers import serve
from tests.support.synthetic import write_images

TABLES = ("features.parquet", "catalogs.parquet")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DARKMATTER_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **_: tmp_path / "cache" / name)
    return tmp_path / "cache" / "darkmatter"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a data set, `data`, and its tables, `features`."""
    root = tmp_path_factory.mktemp("plain")
    write_images(root / "data", split="training", n=12, seed=1)
    write_images(root / "data", split="validation", n=4, seed=2)
    assert main(["features", str(root / "data"), "--out", str(root / "features"), "--jobs", "1"]) == 0
    return root


@pytest.fixture
def zipped(plain, tmp_path):
    """Return a data set of which both splits are zip files."""
    data = shutil.copytree(plain / "data", tmp_path / "zipped")
    zip_folder(data / "training")
    zip_folder(data / "validation")
    return data


def assert_same_tables(folder, plain):
    for name in TABLES:
        assert_frame_equal(pd.read_parquet(folder / name), pd.read_parquet(plain / "features" / name))
    assert (folder / "template.json").read_bytes() == (plain / "features" / "template.json").read_bytes()


def test_features_of_zip_files_are_those_of_the_folder(plain, zipped, tmp_path, capsys):
    assert main(["features", str(zipped), "--out", "tables", "--jobs", "2"]) == 0
    assert_same_tables(tmp_path / "tables", plain)
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("extract training.zip: 12/12 images") for line in lines)
    assert sum(line.startswith("extract validation.zip: ") for line in lines) <= 10


def test_tables_are_kept_where_the_cache_is_made_again(zipped, tmp_path, capsys):
    assert main(["features", str(zipped), "--out", "tables", "--jobs", "1"]) == 0
    time = (tmp_path / "tables" / "features.parquet").stat().st_mtime_ns
    shutil.rmtree(zipped / ".darkmatter-cache")
    assert main(["features", str(zipped), "--out", "tables", "--jobs", "1"]) == 0
    assert (tmp_path / "tables" / "features.parquet").stat().st_mtime_ns == time


@pytest.mark.parametrize("is_zipped", [True, False])
def test_features_of_a_url_are_those_of_the_folder(plain, zipped, tmp_path, cache, capsys, is_zipped):
    pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")
    with serve(zipped if is_zipped else plain / "data") as served:
        assert main(["features", served.url, "--out", "tables", "--jobs", "1"]) == 0
    assert_same_tables(tmp_path / "tables", plain)
    assert "download: 1/1 MB" in capsys.readouterr().err
    assert list(cache.glob("datasets/127.0.0.1-*/data/training-labels.csv"))
    assert main(["features", served.url, "--out", "tables", "--jobs", "1"]) == 0  # without the server
    assert "download" not in capsys.readouterr().err


def test_a_model_is_trained_evaluated_and_drawn_from_zip_files(zipped, tmp_path, capsys):
    assert main(["features", str(zipped), "--out", "tables", "--jobs", "1"]) == 0
    quick = ["--n-folds", "2", "--n-repeats", "1", "--max-rounds", "10"]
    shutil.rmtree(zipped / ".darkmatter-cache")
    assert main(["train", "tables", "--out", "run", *quick]) == 0
    assert "not drawn" not in capsys.readouterr().out
    assert (tmp_path / "run" / "validation-samples.png").exists()
    assert main(["evaluate", "run", str(zipped), "--jobs", "1"]) == 0
    assert main(["heatmap", "--run", "run", "--examples", "3", "--jobs", "1"]) == 0
    assert len(list((tmp_path / "run" / "heatmaps").glob("*.png"))) == 3


def test_networks_read_their_cut_outs_from_zip_files(zipped):
    assert main(["features", str(zipped), "--out", "tables", "--jobs", "1"]) == 0
    shutil.rmtree(zipped / ".darkmatter-cache")
    table = FeatureTable.read("tables")
    splits = table.split("training"), table.split("validation")
    given = StageInputs(Path("tables"), table.dataset, table.template, *splits, np.zeros(12))
    assert list(_inputs(given, 1, None)) == [name for split in splits for name in split["sky"]]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("gs://bucket", "pip install 'darkmatter-lensing[remote]'"),
        ("https://127.0.0.1:9/skies", "cannot be downloaded"),
        ("sky://data", "Protocol not known"),
    ],
)
def test_a_url_that_cannot_be_read_is_one_line(data, found, capsys, monkeypatch):
    pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")
    monkeypatch.setitem(sys.modules, "gcsfs.core", None)
    for command in (["features", data], ["heatmap", "--examples", "1", "--data", data]):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"darkmatter: {data} ")
        assert found in line


def test_a_damaged_zip_file_is_one_line(zipped, capsys):
    (zipped / "validation.zip").write_bytes(b"PK")
    assert main(["features", str(zipped)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"darkmatter: {zipped / 'validation.zip'} is damaged")


def test_simulated_skies_are_not_written_over_zip_files(tmp_path, capsys):
    pytest.importorskip("galsim")
    write_zip(tmp_path / "data" / "training.zip", {"a.png": b""})
    (tmp_path / "data" / "training-labels.csv").write_text("mine")
    assert main(["simulate", "data", "--training", "1", "--validation", "0"]) == 2
    assert "already holds a data set: training.zip; choose another" in capsys.readouterr().err
    assert (tmp_path / "data" / "training-labels.csv").read_text() == "mine"


def test_the_names_of_skies_do_not_depend_on_the_cache(zipped):
    dataset = Dataset.open(zipped)
    assert dataset.relative(dataset.training.files[3]) == "training/training-00003.png"


def test_skies_like_those_of_a_survey_are_written_by_the_command(tmp_path, capsys):
    pytest.importorskip("galsim")
    few = ["--training", "1", "--validation", "0", "--jobs", "1"]
    assert main(["simulate", "data", "--preset", "survey", "--like", "des", "--mirrored", *few]) == 0
    assert sorted(path.name for path in (tmp_path / "data" / "truth").iterdir()) == [
        "skies.csv", "training-00000.csv", "training-00000.psf.fits"
    ]  # fmt: skip
    assert main(["simulate", "other", "--like", "des", *few]) == 2
    assert "are of the preset survey, not seed" in capsys.readouterr().err
