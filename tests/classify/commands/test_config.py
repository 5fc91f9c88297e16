"""The configuration file, and `darkmatter config`."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from classify.cli import build_parser, main
from classify.config import TrainConfig
from classify.config_file import SECTIONS, Config
from classify.model import LensModel
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.table import read_table
from tests.support.synthetic import write_features, write_images


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "settings.toml").write_text(text)
        return tmp_path / "settings.toml"

    return write


def shown(capsys, *argv):
    assert main(["config", "--show", *map(str, argv)]) == 0
    return capsys.readouterr().out


def test_the_shown_settings_read_back_as_the_same(capsys, written):
    assert Config.read(written(shown(capsys))) == Config()


def test_settings_merged_with_the_defaults_read_back_as_the_same(capsys, written):
    text = "[train]\nlearning_rate = 1e-4\nseed = 7\n[measure]\nsplit_colors = false\ngrid_spacing = 8\n"
    config = Config.read(written(text))
    assert config == Config(
        measure=MeasureConfig(split_colors=False, grid_spacing=8), train=TrainConfig(learning_rate=1e-4, seed=7)
    )
    again = Config.read(written(shown(capsys, written(text))))
    assert again == config
    assert again.measure.fingerprint() == config.measure.fingerprint()


def test_every_setting_is_shown_below_its_description(capsys):
    lines = shown(capsys).splitlines()
    for section in (MeasureConfig, TrainConfig):
        for name, field in section.declared().items():
            index = next(i for i, line in enumerate(lines) if line.startswith(f"{name} = "))
            assert field.description in lines[index - 1]


def test_the_default_is_shown_beside_another_value(capsys, written):
    text = shown(capsys, written("[train]\nnum_leaves = 5\n"))
    assert "num_leaves = 5  # default: 7\n" in text
    assert text.count("# default: ") == 1


def test_without_a_file_the_defaults_are_shown(capsys):
    assert main(["config"]) == 0
    assert capsys.readouterr().out == shown(capsys)


def test_a_checked_file_is_compared_with_the_defaults(capsys, written):
    path = written("[measure]\nn_pixels = 12\nmin_galaxies = 10\n[train]\nlearning_rate = 0.1\n")
    assert main(["config", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: valid; 2 settings differ from their defaults",
        "  [measure] n_pixels = 12 (default 8)",
        "  [train] learning_rate = 0.1 (default 0.03)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "n_pixels = 12",
            "setting 'n_pixels' stands in no section; put its section, such as [measure], on a line above",
        ),
        ("[mesure]", "unknown section [mesure]; did you mean 'measure'?"),
        ("[train]\nn_pixels = 12", "[train]: setting 'n_pixels' belongs to [measure]; move it there"),
        ("[cnn]\nhard_share = 0.1", "[cnn]: setting 'hard_share' is now 'uncertain_fraction'; rename it"),
        ("[cnn]\nplace_weight = 0.1", "[cnn]: setting 'place_weight' is now 'position_weight'; rename it"),
        ("[cnn]\npairs = 2", "[cnn]: setting 'pairs' is now 'n_spin2'; rename it"),
        ("[cnn]\nsingles = 2", "[cnn]: setting 'singles' is now 'n_spin0'; rename it"),
        ("[train]\nnum_leafs = 7", "[train]: unknown setting 'num_leafs'; did you mean 'num_leaves'?"),
        ("[train]\nnum_leaves = '7'", "[train]: num_leaves must be a whole number from 2 to 1024, got '7'"),
        ("[[train]]\nnum_leaves = 7", "stands in no section"),
        ("[train", "not a TOML file"),
    ],
)
@pytest.mark.parametrize("command", ["config", "features", "train"])
def test_a_bad_file_is_refused_by_every_command_in_one_line(capsys, written, command, text, expected):
    path = written(text)
    argv = [command, str(path)] if command == "config" else [command, "nowhere", "--config", str(path)]
    assert main(argv) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"darkmatter: {path}")
    assert expected in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        "[cnn]\nlearning_rate = 0", "[cnn]\nlearning_rate = 3", "[cnn]\nepochs = -1", "[cnn]\nbatch_size = 0",
        "[cnn]\nn_folds = 1", "[cnn]\nwidth = 0", "[cnn]\nreach = 1000", "[cnn]\nweight_decay = -0.1",
        "[train]\nlearning_rate = 0", "[train]\nnum_leaves = 1", "[train]\nn_folds = 1000000",
        "[measure]\npsf_sigma = 1e9", "[measure]\ngrid_spacing = 0", "[measure]\nmin_galaxies = 10000000",
        f"[measure]\ngrid_spacing = 1{400 * '0'}",
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_by_name(capsys, written, line):
    path = written(line)
    assert main(["config", str(path)]) == 2
    message = capsys.readouterr().err
    section, setting = line.split("\n")
    assert message.startswith(f"darkmatter: {path}, {section}: {setting.split()[0]} must be a ")
    assert message.count("\n") == 1


NUMBERS = [
    (section, name) for section in SECTIONS.values() for name, field in section.declared().items()
    if field.annotation is not bool
]  # fmt: skip


@pytest.mark.parametrize(("section", "name"), NUMBERS)
def test_every_number_is_bounded_on_both_sides(section, name):
    """Values within the bounds, the bounds included, are accepted; values beyond them are refused."""
    field = section.declared()[name]
    kind = field.annotation
    bounds = {key: getattr(each, key) for each in field.metadata for key in ("gt", "ge", "le") if hasattr(each, key)}
    step = 1 if kind is int else 1e-9
    lowest, high = bounds["gt"] + step if "gt" in bounds else bounds["ge"], bounds["le"]
    assert getattr(section(**{name: kind(lowest)}), name) == lowest
    assert getattr(section(**{name: kind(high)}), name) == high
    for beyond in (lowest - 2 * step, 2 * high + 1):
        with pytest.raises(ConfigError, match=f"^{name} must be a "):
            section(**{name: kind(beyond)})
    assert 2 * high + 1 < 1e10


def test_one_file_serves_measuring_and_training(written, tmp_path):
    data = write_images(write_images(tmp_path / "data", n=4), split="training", n=12)
    path = written(
        "[measure]\ngrid_spacing = 16\n[train]\nn_folds = 2\nn_repeats = 1\nmax_rounds = 5\nmin_data_in_leaf = 2\n"
    )
    features, run = tmp_path / "features", tmp_path / "run"
    assert main(["features", str(data), "--out", str(features), "--config", str(path), "--jobs", "1"]) == 0
    _, metadata = read_table(features / "features.parquet", kind="features")
    assert metadata["config"]["grid_spacing"] == 16
    assert main(["train", str(features), "--out", str(run), "--config", str(path)]) == 0
    model = LensModel.load(run)
    assert model.config == MeasureConfig(grid_spacing=16)
    assert (model.training["n_folds"], model.training["max_rounds"]) == (2, 5)


def test_features_measured_with_other_settings_than_the_file_are_refused(capsys, written, tmp_path):
    features = write_features(tmp_path / "features", tmp_path, n_training=20, n_validation=4)
    path = written("[measure]\nn_pixels = 12\n")
    assert main(["train", str(features), "--out", str(tmp_path / "run"), "--config", str(path)]) == 2
    assert f"measured with 8; run `darkmatter features --config {path}`" in capsys.readouterr().err


def test_flags_override_fast_and_fast_overrides_the_file(written, tmp_path):
    features = write_features(tmp_path / "features", tmp_path, n_training=20, n_validation=4)
    path = written("[train]\nnum_leaves = 5\nmax_rounds = 700\nseed = 9\n")
    run = import_module("classify.commands.train")
    argv = ["train", str(features), "--config", str(path)]

    def config(*more):
        return run._config(build_parser("train").parse_args([*argv, *more]))

    base = TrainConfig(num_leaves=5, max_rounds=700, seed=9)
    assert config() == base
    assert config("--fast") == base.fast()
    assert config("--fast", "--subset", "80", "--seed", "2") == replace(base.fast(), subset=80.0, seed=2)


@pytest.mark.parametrize("percent", ["0", "-1", "101", "nan"])
def test_a_bad_subset_is_one_line(capsys, tmp_path, percent):
    assert main(["train", str(tmp_path), "--subset", percent]) == 2
    message = capsys.readouterr().err
    assert message.startswith("darkmatter: subset must be a number above 0 and up to 100, got ")
    assert message.count("\n") == 1


def test_numbers_survive_the_file(written):
    values = np.random.default_rng(0).uniform(1e-4, 1, 50)
    for value in values:
        config = Config(train=TrainConfig(learning_rate=float(value)))
        assert Config.read(written(config.to_toml())) == config
    with pytest.raises(ConfigError):
        Config(train=TrainConfig(learning_rate=-1.0))
