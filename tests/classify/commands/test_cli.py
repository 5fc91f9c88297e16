"""The command: its output, its files and its exit codes."""

import json
import os
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from classify import cli
from classify.cli import COMMANDS, build_parser, main
from classify.commands import defaults, report_failures
from classify.config import TrainConfig
from classify.explain.contributions import largest_contributions
from classify.model import LensModel
from classify.trees.boosting import HistoryLine
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.plots import heatmap as plots
from darkmatter_features.simulation import simulate_dataset
from tests.support.plain_figures import PLAIN_FIGURES
from tests.support.synthetic import draw_sky, split_rows, trained_run, write_features, write_frame, write_images

QUICK = ["--n-folds", "2", "--n-repeats", "1", "--max-rounds", "10"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cli")
    with PLAIN_FIGURES.drawn():
        trained_run(root, write_images(root / "data", n=6))
    return root


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exit_of(argv: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    return ended.value.code


HEAVY = {
    "numpy", "scipy", "pandas", "pyarrow", "numba", "lightgbm", "sklearn", "matplotlib", "astropy", "photutils",
    "skimage", "joblib", "torch", "optuna", "pydantic", "tqdm",
}  # fmt: skip
"""Packages whose import takes 0.02 s to 2 s, against 0.03 s of `darkmatter --help`."""


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_no_heavy_package(flag):
    code = (
        "import sys\nfrom classify.cli import main\n"
        f"try: main(['{flag}'])\nexcept SystemExit: print('modules', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split("modules")[-1].split()
    assert "argparse" in modules
    assert not HEAVY & set(modules)
    assert not {name for name in modules if name.startswith("classify.commands")}


def test_a_command_imports_heavy_packages():
    code = "import sys; from classify.cli import build_parser; build_parser('train'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "lightgbm", "pydantic", "tqdm"} <= set(done.stdout.split())


def test_the_package_runs_as_the_command():
    shown = subprocess.run(
        [sys.executable, "-m", "classify", "config", "--show"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert shown.stdout.startswith("# Settings of darkmatter")


def test_help_names_every_command_and_version_the_version(capsys):
    assert exit_of(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out and summary in out for name, summary in COMMANDS.items())
    assert exit_of(["--version"]) == 0
    assert capsys.readouterr().out.startswith("darkmatter 0.")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(name, capsys):
    assert exit_of([name, "--help"]) == 0
    out = capsys.readouterr().out
    examples = [shlex.split(line) for line in out.split("example:")[1].splitlines() if line.strip()]
    assert examples
    for words in examples:
        assert words[:2] == ["darkmatter", name]
        build_parser(name).parse_args(words[1:])


@pytest.mark.parametrize(
    "argv", [[], ["trian"], ["predict"], ["simulate", "--preset", "moon"], ["train", "--block", "x"]]
)
def test_bad_arguments_end_with_2(argv):
    assert exit_of(argv) == 2


def test_defaults_are_those_of_the_functions():
    args = build_parser("simulate").parse_args(["simulate"])
    given = defaults(simulate_dataset)
    assert (args.training, args.validation) == (given["n_training"], given["n_validation"])
    assert (args.preset, args.seed, args.jobs) == (given["preset"], given["seed"], given["n_jobs"])


def test_training_flags_reach_the_settings():
    run = import_module("classify.commands.train")
    parse = build_parser("train").parse_args
    assert run._config(parse(["train"])) == TrainConfig()
    assert run._config(parse(["train", "--fast"])) == TrainConfig().fast()
    assert (
        run._config(parse(["train", "--fast", "--seed", "4", "--lambda-l2", "0"]))
        == TrainConfig(seed=4, lambda_l2=0.0).fast()
    )


def test_commands_by_hand_find_each_others_results(here, capsys):
    assert main(["simulate", "--training", "6", "--validation", "4", "--jobs", "1"]) == 0
    assert len(Dataset.open("data").splits[0]) == 6
    assert main(["features", "--jobs", "1"]) == 0
    labels = pd.read_csv("data/training-labels.csv")["n-lenses"]
    assert set(labels) == {0, 1}
    assert main(["train", *QUICK]) == 0
    assert main(["report", "--jobs", "1"]) == 0
    assert "4 of 4 skies with image and maps" in capsys.readouterr().out
    assert main(["evaluate", "--jobs", "1"]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert Path("runs/default/validation-samples.png").exists()


def test_train_prints_a_line_a_block_and_the_metrics(trained, here, capsys):
    assert main(["train", str(trained / "features"), "--out", "run", "--block", "5", *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["round", "training", "out", "of", "fold", "accuracy", "AUC", "log", "loss"]
    history = pd.read_csv("run/history.csv")
    for line, row in zip(lines[2:4], history.itertuples(index=False)):
        assert [float(word) for word in line.split()] == pytest.approx([*row], abs=6e-5)
    assert any(line.startswith("median_offset_px") for line in lines)
    assert lines[-1].endswith(": darkmatter report run")


def test_training_without_labelled_validation_skies_prints_no_metrics(tmp_path, capsys):
    features = write_features(tmp_path / "features", tmp_path, n_training=60, n_validation=0)
    assert main(["train", str(features), "--out", str(tmp_path / "run"), *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("no metrics: ") for line in lines)
    assert not any(line.startswith("auc") for line in lines)


def test_evaluate_writes_one_flat_object(trained, here, capsys):
    argv = ["evaluate", str(trained / "run"), str(trained / "data"), "--json", "m.json", "--jobs", "1"]
    assert main(argv) == 0
    metrics = json.loads(Path("m.json").read_text())
    assert metrics["n"] == 6
    assert {"auc", "auc_lo", "auc_hi", "recall_at_1pct_fpr", "median_offset_px", "within_40px"} <= set(metrics)
    assert all(isinstance(value, int | float) or value is None for value in metrics.values())


def test_predict_ends_with_1_when_a_sky_failed_and_names_it(trained, here, capsys):
    draw_sky(here / "good.png", np.random.default_rng(0))
    (here / "bad.png").write_bytes(b"no picture")
    assert main(["predict", str(trained / "run"), "good.png", "bad.png", "--jobs", "1"]) == 1
    assert "bad.png" in capsys.readouterr().err
    assert pd.read_csv("predictions.csv")["error"].notna().tolist() == [False, True]
    assert main(["predict", str(trained / "run"), "good.png", "--jobs", "1"]) == 0
    assert main(["predict", str(trained / "run"), "bad.png", "--jobs", "1"]) == 2


def test_heatmaps_are_drawn_beside_the_run_or_here(trained, here, capsys):
    draw_sky(here / "good.png", np.random.default_rng(0))
    assert main(["heatmap", "good.png", "missing.png", "--jobs", "1"]) == 1
    assert [path.name for path in Path("heatmaps").iterdir()] == ["good.png"]
    run = trained / "run"
    stale = run / "heatmaps" / "wrong-of-an-earlier-run.png"
    stale.parent.mkdir()
    stale.touch()
    argv = ["heatmap", "--run", str(run), "--examples", "3", "--jobs", "1"]
    assert main([*argv, "--data", "nowhere"]) == 2
    assert stale.exists()
    assert main(argv) == 0
    names = [path.name for path in (run / "heatmaps").iterdir()]
    assert len(names) == 3
    assert stale.name not in names


def test_a_template_is_drawn_with_a_run_and_without(trained, here, capsys):
    assert main(["heatmap", "--template", "--run", str(trained / "run"), "--out", "of-run"]) == 0
    assert (here / "of-run" / "template.png").read_bytes() == (trained / "run" / "template.png").read_bytes()
    assert f"of {trained / 'run'}" in capsys.readouterr().out
    assert main(["heatmap", "--template"]) == 0
    assert (here / "heatmaps" / "template.png").exists()
    assert "the default" in capsys.readouterr().out


def test_heatmaps_show_the_evidence_and_its_null_and_on_request_the_p_value(trained, here, monkeypatch):
    drawn = []

    def heatmap(*args, **options):
        drawn.append(options)
        return plots.heatmap(*args, **options)

    monkeypatch.setattr("classify.plots.heatmaps.heatmap", heatmap)
    draw_sky(here / "good.png", np.random.default_rng(0))
    for flags in ([], ["--p-value", "--randomizations", "9"]):
        assert main(["heatmap", "good.png", "--run", str(trained / "run"), "--jobs", "1", *flags]) == 0
    assert [options["p_value"] is None for options in drawn] == [True, False]
    assert drawn[1]["p_value"] * 10 == pytest.approx(round(drawn[1]["p_value"] * 10))
    model = LensModel.load(trained / "run")
    sky = read_sky("good.png")
    assert drawn[0]["verdict"] == model.predict(sky)
    catalog, template = measure(sky, model.config), model.template
    assert drawn[0]["evidence"].log_bayes_factor_shear == lens_evidence(catalog, template).log_bayes_factor_shear
    assert (
        drawn[0]["null"].log_bayes_factor_shear == lens_evidence(catalog, template, cross=True).log_bayes_factor_shear
    )
    np.testing.assert_array_equal(drawn[0]["matched"], matched_filter(catalog, template, model.config))


def test_heatmaps_without_a_run_show_the_window_and_no_null(here, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "classify.plots.heatmaps.heatmap", lambda *args, **options: drawn.append(options) or plots.heatmap(*args)
    )
    draw_sky(here / "good.png", np.random.default_rng(0))
    assert main(["heatmap", "good.png", "--jobs", "1"]) == 0
    assert [drawn[0][name] for name in ("matched", "null", "verdict")] == [None, None, None]
    assert drawn[0]["evidence"] is not None


def test_explained_predictions_list_the_largest_contributions(trained, here, capsys):
    draw_sky(here / "good.png", np.random.default_rng(0))
    (here / "bad.png").write_bytes(b"no picture")
    assert main(["predict", str(trained / "run"), "good.png", "bad.png", "--explain", "--jobs", "1"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "unlike" not in line]
    assert [line.split(": ")[0] for line in lines] == ["good.png", "predictions-explained.csv", "predictions.csv"]
    table = pd.read_csv("predictions-explained.csv")
    assert lines[0] == f"good.png: {largest_contributions(table.iloc[0])}"
    assert table["image"].tolist() == ["good.png"]
    probability = pd.read_csv("predictions.csv")["probability"][0]
    assert expit(table.drop(columns="image").sum(axis=1)[0]) == pytest.approx(probability, abs=1e-4)


def test_heatmap_without_skies_names_the_remedy(here, capsys):
    assert main(["heatmap"]) == 2
    assert "--examples" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "nowhere"],
        ["evaluate", "nowhere"],
        ["predict", "nowhere", "sky.png"],
        ["features", "nowhere"],
        ["features", "--config", "nowhere.toml"],
        ["heatmap", "--examples", "3"],
        ["heatmap", "--p-value", "--randomizations", "0", "sky.png"],
        ["simulate", "--training", "0", "--validation", "0"],
        ["train", "--n-folds", "1"],
    ],
)
def test_an_impossible_call_ends_with_2_and_one_line(here, capsys, argv):
    assert main(argv) == 2
    message = capsys.readouterr().err
    assert message.startswith("darkmatter: ")
    assert message.count("\n") == 1


def raising(error: BaseException) -> type:
    class Module:
        @staticmethod
        def add_arguments(parser: object) -> None:
            pass

        @staticmethod
        def run(args: object) -> int:
            raise error

    return Module


@pytest.mark.parametrize(
    ("argv", "has_traceback"), [(["train"], False), (["train", "--debug"], True), (["--debug", "train"], True)]
)
def test_a_traceback_is_shown_on_demand_only(monkeypatch, capsys, argv, has_traceback):
    monkeypatch.setattr(cli, "import_module", lambda name: raising(ValueError("of two\nlines")))
    assert main(argv) == 2
    message = capsys.readouterr().err
    assert ("Traceback" in message) is has_traceback
    if not has_traceback:
        assert message == "darkmatter: unexpected ValueError: of two lines (--debug prints the traceback)\n"


PLACES = {
    "simulate": ["{}", "--training", "1", "--validation", "0"],
    "features": ["{root}/data", "--out", "{}"],
    "train": ["{root}/features", "--out", "{}"],
    "heatmap": ["sky.png", "--out", "{}"],
    "locate": ["shapes.csv", "--pictures", "{}"],
    "candidates": ["shapes.csv", "--out", "{}"],
    "predict": ["{root}/run", "sky.png", "--out", "{}/p.csv"],
    "evaluate": ["{root}/run", "{root}/data", "--json", "{}/m.json"],
}


def at(command, place, root):
    return [command, *(word.format(place, root=root) for word in PLACES[command])]


@pytest.mark.parametrize("command", PLACES)
@pytest.mark.parametrize("place", ["file", "file/deeper"])
def test_a_folder_that_cannot_be_is_refused_before_any_work(trained, here, capsys, command, place):
    (here / "file").touch()
    assert main(at(command, place, trained)) == 2
    written = capsys.readouterr()
    assert written.err == f"darkmatter: {place} cannot be a folder, because file is a file; name another\n"
    assert not written.out


@pytest.mark.parametrize("command", PLACES)
def test_a_folder_without_permission_is_refused_before_any_work(trained, here, capsys, command, monkeypatch):
    (here / "mine").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path("mine"))  # root may write everywhere
    assert main(at(command, "mine/deeper", trained)) == 2
    assert "cannot be written: no permission in mine; change it" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "evaluate", "locate"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_any_work(trained, here, capsys, command):
    (here / "mine.csv").mkdir()
    argv = {"locate": ["locate", "shapes.csv", "--out", "{}"]}.get(command) or at(command, "{}", trained)
    assert main([word.replace("{}/p.csv", "{}").replace("{}/m.json", "{}").format("mine.csv") for word in argv]) == 2
    message = "darkmatter: mine.csv is a folder; name a file in it, such as mine.csv/out.csv\n"
    assert capsys.readouterr().err == message


def test_the_error_of_a_temporary_file_names_its_destination(monkeypatch, capsys):
    error = PermissionError(13, "Permission denied", ".p.csv.12.tmp", None, "p.csv")
    monkeypatch.setattr(cli, "import_module", lambda name: raising(error))
    assert main(["train"]) == 2
    assert capsys.readouterr().err.startswith("darkmatter: p.csv: Permission denied; check the path")


def test_a_failed_sky_is_reported_with_its_path_once(capsys):
    failures = [("a/b.png", "b.png: 10 x 10 pixels"), ("a/c.png", "a/c.png is empty"), ("a/d.png", "too few")]
    assert report_failures(failures, 1) == 1
    assert capsys.readouterr().err.splitlines() == [
        "failed: a/b.png: 10 x 10 pixels", "failed: a/c.png is empty", "failed: a/d.png: too few",
    ]  # fmt: skip


def test_undefined_metrics_are_unknown(tmp_path, capsys):
    frame = pd.concat([split_rows(split, 60, np.random.default_rng(1)) for split in ("training", "validation")])
    features = write_frame(tmp_path / "features", tmp_path, frame.assign(lens_row=np.nan, lens_column=np.nan))
    assert main(["train", str(features), "--out", str(tmp_path / "run"), *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split(maxsplit=1) == ["within_40px", "unknown"] for line in lines)
    assert any(line.startswith("auc") and "unknown" not in line for line in lines)


def test_an_interrupt_is_one_line_and_130(monkeypatch, capsys):
    monkeypatch.setattr(cli, "import_module", lambda name: raising(KeyboardInterrupt()))
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "darkmatter: interrupted\n"


def test_no_jobs_draw_no_heatmaps(here, capsys):
    for name in ("one.png", "two.png"):
        draw_sky(here / name, np.random.default_rng(0))
    assert main(["heatmap", "one.png", "two.png", "--jobs", "0"]) == 2
    assert (
        capsys.readouterr().err
        == "darkmatter: the number of jobs must not be 0; give 1 or more, or -1 for one a core\n"
    )


def test_a_history_line_without_validation_is_printed_as_nan(capsys):
    report = import_module("classify.commands.train")._Report()
    report(HistoryLine(20, 0.5, 0.6, *[float("nan")] * 3))
    assert "nan" in capsys.readouterr().out.splitlines()[-1]
