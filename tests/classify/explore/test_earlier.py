"""`darkmatter explore --features`: galaxies that were measured earlier, of the same images and settings."""

import json
import os
import shutil

import numpy as np
import pytest

from classify.cli import DONE, FAILED, main
from tests.classify.explore.planted import write_drawings


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a data set and its features."""
    root = tmp_path_factory.mktemp("made")
    write_drawings(root / "data", np.random.default_rng(4))
    assert main(["features", str(root / "data"), "--out", str(root / "features"), "--jobs", "1"]) == DONE
    return root


@pytest.fixture
def copy(made, tmp_path):
    """Return a copy, whose files have the same times of change."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def explored(root, *words):
    """Explore with the features beside a data set; return the exit code and the JSON object, or None."""
    out = root / "found.json"
    words = map(
        str, (root / "data", "--features", root / "features", "--out", root / "page.html", "--json", out, *words)
    )
    code = main(["explore", *words, "--jobs", "1"])
    return code, json.loads(out.read_text()) if out.exists() else None


def refused(root, capsys, *words):
    """Return the one line of an error; there is no page."""
    capsys.readouterr()
    assert explored(root, *words) == (FAILED, None)
    assert not (root / "page.html").exists()
    (line,) = capsys.readouterr().err.splitlines()
    return line


def settings(root, text):
    path = root / "settings.toml"
    path.write_text(f"[measure]\n{text}\n")
    return path


def test_galaxies_are_not_measured_again(copy, monkeypatch):
    """The copy has another folder than the data set of which the features were made."""
    monkeypatch.setattr("classify.explore.look.measure", lambda *_: (_ for _ in ()).throw(AssertionError("measured")))
    code, found = explored(copy, "--debug")
    assert code == DONE
    monkeypatch.undo()
    out = copy / "anew.json"
    words = ["--out", copy / "page.html", "--json", out, "--jobs", "1"]
    assert main(["explore", str(copy / "data"), *map(str, words)]) == DONE
    assert found == json.loads(out.read_text())


def test_another_image_of_the_same_name_is_refused(copy, capsys):
    first, second, *_ = sorted((copy / "data" / "training").iterdir())
    first.write_bytes(second.read_bytes())
    line = refused(copy, capsys)
    assert "not made of" in line
    assert "run `darkmatter features` again, or leave out --features" in line


def test_an_image_of_the_same_size_with_another_time_of_change_is_refused(copy, capsys):
    """FITS files of one shape have one size."""
    os.utime(next((copy / "data" / "training").iterdir()), (1e9, 1e9))
    assert "times of change" in refused(copy, capsys)


@pytest.mark.parametrize("change", ["add", "remove"])
def test_more_or_fewer_images_are_refused(copy, capsys, change):
    last = max((copy / "data" / "validation").iterdir())
    if change == "add":
        shutil.copy2(last, last.with_name("validation-00009.png"))
    else:
        last.unlink()
    for path in (copy / "data").glob("*.csv"):
        path.unlink()
    assert "not made of" in refused(copy, capsys)


def test_changed_labels_are_refused(copy, capsys):
    path = copy / "data" / "training-labels.csv"
    path.write_text(path.read_text().replace("1,1\n", "1,0\n", 1))
    assert "labels" in refused(copy, capsys)


def test_images_of_other_names_are_refused(copy, capsys):
    shutil.rmtree(copy / "data")
    (write_drawings(copy / "other", np.random.default_rng(5)) / "training").rename(copy / "other" / "train")
    (copy / "other" / "train").rename(copy / "train")
    (copy / "data").mkdir()
    (copy / "train").rename(copy / "data" / "train")
    assert "give the features made of it" in refused(copy, capsys)


def test_other_settings_are_refused_by_name(copy, capsys):
    line = refused(copy, capsys, "--config", settings(copy, "n_pixels = 5\nthreshold_fraction = 0.2"))
    assert "measured with threshold_fraction 0.1, not 0.2, n_pixels 8, not 5" in line
    assert "leave out --config" in line


def test_the_same_settings_in_a_file_are_accepted(copy):
    assert explored(copy, "--config", settings(copy, "n_pixels = 8"))[0] == DONE


def test_skies_without_features_are_measured_with_the_settings_of_the_features(copy):
    """A sky that failed, here by a minimum number of galaxies, fails again: it is not measured with the defaults."""
    config = settings(copy, f"min_galaxies = {explored(copy)[1]['n_galaxies_median'] + 1:.0f}")
    words = ["features", str(copy / "data"), "--out", str(copy / "features"), "--config", str(config), "--jobs", "1"]
    main(words)
    n_failed = len((copy / "features" / "failures.csv").read_text().splitlines()) - 1
    assert 0 < n_failed < 12
    assert explored(copy)[1]["n_failed"] == n_failed


def test_features_of_another_version_are_refused(copy, capsys, monkeypatch):
    monkeypatch.setattr("classify.explore.earlier.__version__", "9.9")
    assert "made by version" in refused(copy, capsys)


def test_a_folder_without_features_is_refused(copy, capsys):
    (copy / "features" / "features.parquet").unlink()
    assert "features.parquet is not a file" in refused(copy, capsys)
