"""The origin of a run in its report: versions, and commands that make the run again."""

import json
import platform
import shlex

import numpy as np
import pytest

from classify.cli import build_parser
from classify.cnn.config import CnnConfig
from classify.commands import train as train_command
from classify.config import TrainConfig
from classify.config_file import Config
from classify.report.origin import FILE, NOT_RECORDED, commands, provenance, settings, settings_file
from classify.report.run_data import RunData
from classify.report.run_report import write_report
from classify.train import train
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ModelError
from tests.support.synthetic import write_features

MEASURE = MeasureConfig(n_pixels=9, split_colors=False, psf_sigma=1.25)
TRAIN = TrainConfig(n_folds=2, n_repeats=1, max_rounds=10, seed=20261126, subset=87.5, learning_rate=1e-3)
CNN = CnnConfig(epochs=3, uncertain_fraction=0.2, seed=7)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run of which settings of each section differ from their defaults, in a folder with a space."""
    root = tmp_path_factory.mktemp("a run")
    origin = {"config": MEASURE.to_dict(), "config_fingerprint": MEASURE.fingerprint()}
    features = write_features(root / "features", root / "data", n_training=60, n_validation=6, **origin)
    train(features, root / "run", config=TRAIN, cnn="auto", cnn_config=CNN)
    return root / "run"


def parsed(line):
    program, *words = shlex.split(line)
    assert program == "darkmatter"
    return build_parser(words[0]).parse_args(words)


def test_the_commands_are_parsed_to_the_settings_of_the_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read = RunData.read(run)
    (tmp_path / FILE).write_text(settings_file(read))
    features, training, report = map(parsed, commands(read))
    assert (features.data, features.out, Config.read(features.config).measure) == (read.dataset, read.features, MEASURE)
    assert (training.features, training.out, training.cnn) == (read.features, run, "auto")
    assert train_command._config(training) == TRAIN
    assert train_command._cnn_config(training) == CNN
    assert report.folder == run


def test_the_page_has_the_file_and_the_commands(run, visit, tmp_path):
    page = write_report(run, tmp_path / "report.html", n_jobs=1).path
    tab = visit(f"file://{page}")
    assert tab.locator("#settings-file").inner_text().strip() == settings_file(RunData.read(run)).strip()
    assert tab.locator("#commands").inner_text().strip().splitlines() == commands(RunData.read(run))
    assert "epochs = 3" in tab.locator("#settings-file").inner_text()
    changed = {
        each["name"] for each in settings(RunData.read(run)) if each["group"] == "cnn" and not each["is_default"]
    }
    assert changed == {"epochs", "uncertain_fraction", "seed"}


def test_default_settings_need_no_file(trained):
    read = RunData.read(trained)
    assert settings_file(read) == ""
    assert not any("--config" in line or "--cnn" in line for line in commands(read))


def test_a_folder_with_the_name_of_a_flag_is_parsed(trained, monkeypatch):
    monkeypatch.chdir(trained.parent)
    trained.parent.joinpath("-x").symlink_to(trained)
    assert parsed(commands(RunData.read("-x"))[2]).folder.name == "-x"


def test_versions_are_recorded_by_the_training_and_shown(run):
    versions = json.loads((run / "run.json").read_text())["versions"]
    assert versions["darkmatter"] == __version__
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert {"numba", "lightgbm", "scikit-learn", "scipy"} <= set(versions)
    assert f"numpy {np.__version__}" in dict(provenance(RunData.read(run)))["trained with"]


def changed(run, tmp_path, change):
    """Return a copy of a run whose record was changed by a function."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in run.iterdir():
        (copy / path.name).symlink_to(path)
    record = json.loads((run / "run.json").read_text())
    (copy / "run.json").unlink()
    (copy / "run.json").write_text(json.dumps(change(record)))
    return copy


def test_a_run_of_an_earlier_version_has_no_versions(run, tmp_path):
    keys = ("dataset", "features")
    read = RunData.read(changed(run, tmp_path, lambda record: {key: record[key] for key in keys}))
    assert dict(provenance(read))["trained with"] == NOT_RECORDED
    assert read.cnn_config is None


@pytest.mark.parametrize(
    "entry",
    [
        {"versions": [1]},
        {"versions": {"numpy": 1}},
        {"cnn": "maybe"},
        {"cnn_config": {"epochs": "3"}},
        {"cnn_config": 3},
    ],
)
def test_a_damaged_record_is_named(run, tmp_path, entry):
    with pytest.raises(ModelError, match=r"run\.json cannot be used .*darkmatter train"):
        RunData.read(changed(run, tmp_path, lambda record: record | entry))
