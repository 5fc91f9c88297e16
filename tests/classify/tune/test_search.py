"""The search for settings: its losses, its continuation and its files."""

import shlex
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from classify.cli import main
from classify.config import TrainConfig
from classify.config_file import SECTIONS, Config
from classify.metrics import log_loss
from classify.plots.tuning import draw_search
from classify.tables.feature_table import FeatureTable, labelled
from classify.train import train
from classify.trees.boosting import boost
from classify.tune import search as search_module
from classify.tune.search import Tuned, features_of, tune
from classify.tune.space import SPACES, Space, Span, boosting_scorer
from classify.tune.study import Trial
from darkmatter_features.errors import ConfigError, DarkmatterError
from darkmatter_features.features.batch import extract_dataset
from tests.support.synthetic import split_rows, write_features, write_frame, write_images

QUICK = Config(train=TrainConfig(n_folds=2, n_repeats=1, max_rounds=20, block=10))


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    root = tmp_path_factory.mktemp("tune")
    return write_features(root / "features", root, n_training=80, n_validation=20)


def search(features, storage, n_trials, **options) -> Tuned:
    return tune(features, config=QUICK, n_trials=n_trials, storage=storage, **options)


def test_the_first_trial_has_the_settings_given_and_its_loss_is_the_out_of_fold_one(features, tmp_path):
    tuned = search(features, tmp_path / "s", 1)
    x, y = labelled(FeatureTable.read(features).split("training"))
    boosted = boost(x, y, x[:0], y[:0], config=QUICK.train)
    (trial,) = tuned.trials
    assert trial.settings == {name: getattr(QUICK.train, name) for name in SPACES["train"].spans}
    assert trial.loss == pytest.approx(min(line.held_out_loss for line in boosted.history))
    assert tuned.config == QUICK
    assert tuned.check is None


def test_losses_of_the_skies_give_the_error_of_the_log_loss(features, tmp_path):
    with boosting_scorer(features, 1) as score:
        losses = score(QUICK)
    (trial,) = search(features, tmp_path / "s", 1).trials
    assert trial.error == pytest.approx(losses.std() / np.sqrt(80))
    assert (losses > 0).all()


def test_a_continued_search_finds_the_trials_of_an_uninterrupted_one(features, tmp_path):
    full = search(features, tmp_path / "one", 12)
    for n_trials in (3, 11, 12):
        continued = search(features, tmp_path / "two", n_trials)
    assert continued.trials == full.trials
    assert (continued.n_new, full.n_new) == (1, 12)
    assert len({tuple(trial.settings.values()) for trial in full.trials}) == 12


def test_the_best_is_the_lowest_and_is_written_for_training(features, tmp_path):
    tuned = search(features, tmp_path / "s", 6)
    assert tuned.best.loss == min(trial.loss for trial in tuned.trials)
    written = Config.read(features / "tuned.toml")
    assert written == tuned.config
    assert {name: getattr(written.train, name) for name in tuned.best.settings} == tuned.best.settings
    assert written.train.max_rounds == 20


def test_another_seed_draws_other_trials(features, tmp_path):
    one, two = (search(features, tmp_path / str(seed), 3, seed=seed).trials for seed in (1, 2))
    assert one[0] == two[0]
    assert one[1] != two[1]


def test_the_validation_split_is_not_seen(features, tmp_path):
    frame = FeatureTable.read(features).frame
    other = frame.assign(label=frame["label"].where(frame["split"] == "training", 1 - frame["label"]))
    other = pd.concat([other[other["split"] == "training"], other[other["split"] == "validation"][:3]])
    elsewhere = write_frame(tmp_path / "other", tmp_path, other.reset_index(drop=True))
    assert search(elsewhere, tmp_path / "a", 3).trials == search(features, tmp_path / "b", 3).trials


def test_the_check_uses_new_folds(features, tmp_path):
    tuned = search(features, tmp_path / "s", 8)
    assert tuned.best is not tuned.trials[0]
    with boosting_scorer(features, 1) as score:
        start, best = (
            score(replace(each, train=replace(each.train, seed=2))) for each in (QUICK, tuned.config)
        )  # fmt: skip
    assert tuned.check.start == pytest.approx(start.mean())
    assert tuned.check.gain == pytest.approx((start - best).mean())
    assert tuned.check.error == pytest.approx((start - best).std() / np.sqrt(80))
    assert tuned.check.best != pytest.approx(tuned.best.loss, abs=1e-9)


def test_an_interrupt_leaves_the_best_so_far_and_the_trial_is_made_again(features, tmp_path, monkeypatch):
    full = search(features, tmp_path / "one", 4)
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return boost(*args, **kwargs)

    monkeypatch.setattr("classify.tune.space.boost", interrupted)
    stopped = search(features, tmp_path / "two", 4)
    assert stopped.is_interrupted
    assert stopped.trials == full.trials[:2]
    monkeypatch.undo()
    assert search(features, tmp_path / "two", 4).trials == full.trials


def test_an_interrupt_of_the_first_trial_leaves_it_to_be_made_again(features, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("classify.tune.space.boost", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(features, tmp_path / "s", 2)
    monkeypatch.undo()
    assert search(features, tmp_path / "s", 2).trials == search(features, tmp_path / "whole", 2).trials


def test_a_killed_search_continues(features, tmp_path):
    path = tmp_path / "s"
    full = search(features, tmp_path / "whole", 4)
    search(features, path, 3)
    with sqlite3.connect(path) as connection:
        connection.execute("update trials set state = 'RUNNING' where number = 2")
    connection.close()
    assert search(features, path, 4).trials == full.trials


def test_no_trial_is_begun_when_time_is_up(features, tmp_path, monkeypatch):
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr(search_module.time, "monotonic", lambda: next(now))
    tuned = search(features, tmp_path / "s", 50, timeout=25)
    assert len(tuned.trials) == 2
    assert not tuned.is_interrupted


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"config": replace(QUICK, train=replace(QUICK.train, n_folds=3))}, "other settings"),
        ({"seed": 2}, "other seed"),
    ],
)
def test_trials_of_another_search_are_not_continued(features, tmp_path, change, expected):
    search(features, tmp_path / "s", 1)
    with pytest.raises(ConfigError, match=f"{expected}; name another file by --storage"):
        tune(features, **{"config": QUICK, "storage": tmp_path / "s", "n_trials": 2, **change})


def test_trials_of_other_features_are_not_continued(features, tmp_path):
    other = write_features(tmp_path / "other", tmp_path, n_training=80, n_validation=20, seed=8)
    search(features, tmp_path / "s", 1)
    with pytest.raises(ConfigError, match="other features"):
        search(other, tmp_path / "s", 2)


def test_a_file_that_holds_no_trials_is_refused(features, tmp_path):
    (tmp_path / "s").write_text("no data base, and more than a hundred bytes long" * 5)
    with pytest.raises(ConfigError, match=r"s: no file of trials \(.*\); name another by --storage"):
        search(features, tmp_path / "s", 1)


def test_any_path_is_possible(features, tmp_path):
    path = tmp_path / "a b?c#d%e{f}" / "tune.sqlite3"
    search(features, path, 1)
    assert path.is_file()


def test_trials_are_kept_as_numbers_and_text(features, tmp_path):
    """Nothing in the file could run code when read: no column holds bytes."""
    search(features, tmp_path / "s", 2)
    connection = sqlite3.connect(tmp_path / "s")
    names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    assert "trials" in names
    for name in names:
        for row in connection.execute(f"select * from {name}"):
            assert not any(isinstance(value, bytes) for value in row)
    connection.close()


def test_a_whole_number_for_a_float_setting_is_searched_as_a_float(features, tmp_path):
    config = replace(QUICK, train=replace(QUICK.train, lambda_l2=5))
    trials = tune(features, config=config, storage=tmp_path / "s", n_trials=3).trials
    assert trials == search(features, tmp_path / "t", 3).trials
    assert any(trial.settings["lambda_l2"] % 1 for trial in trials)


def test_a_section_is_searched_and_scored_by_its_entry(features, tmp_path, monkeypatch):
    """A further section needs no more than this entry."""

    @contextmanager
    def scorer(folder, n_jobs):
        assert folder == features
        yield lambda config: np.full(5, (config.train.patience - 60) ** 2.0)

    monkeypatch.setitem(SPACES, "train", Space({"patience": Span(10, 200)}, scorer))
    tuned = search(features, tmp_path / "s", 30)
    assert tuned.trials[0].settings == {"patience": 100}
    assert abs(tuned.config.train.patience - 60) < 15
    assert isinstance(tuned.config.train.patience, int)


def test_a_value_outside_of_the_span_widens_it_and_one_without_logarithm_is_refused(features, tmp_path):
    assert Span(2, 31, is_log=True).around("num_leaves", 64) == Span(2, 64, is_log=True)
    assert Span(2, 31).around("num_leaves", 7) == Span(2, 31)
    config = replace(QUICK, train=replace(QUICK.train, lambda_l2=0.0))
    with pytest.raises(ConfigError, match=r"lambda_l2 = 0.0 cannot start a logarithmic search; start from"):
        tune(features, config=config, storage=tmp_path / "s")


@pytest.mark.parametrize("section", SPACES)
def test_spans_lie_within_the_ranges_of_the_settings(section):
    kind = SECTIONS[section]
    for name, span in SPACES[section].spans.items():
        default = kind.declared()[name].default
        assert span.low <= default <= span.high
        for value in (span.low, span.high):
            kind(**{name: type(default)(value)})


def test_settings_of_the_maps_are_searched_without_the_images(tmp_path):
    data = write_images(write_images(tmp_path / "data", split="training", n=12), n=2)
    extract_dataset(data, tmp_path / "features", n_jobs=1)
    for path in (data / "training").iterdir():
        path.unlink()
    config = Config(train=TrainConfig(n_folds=2, n_repeats=1, max_rounds=5, min_data_in_leaf=2))
    tuned = tune(tmp_path / "features", section="measure", config=config, n_trials=3, n_jobs=1)
    assert set(tuned.best.settings) == {"smallest_scale", "grid_spacing"}
    assert tuned.config.train == config.train
    assert len({trial.settings["smallest_scale"] for trial in tuned.trials}) == 3


def test_a_run_stands_for_the_features_it_was_trained_on(features, tmp_path):
    train(features, tmp_path / "run", config=QUICK.train)
    tuned = tune(tmp_path / "run", config=QUICK, n_trials=1)
    assert features_of(tmp_path / "run") == features.resolve()
    assert [path.name for path in tuned.files] == ["tuned.toml", "tuning-train.png"]
    assert (tmp_path / "run" / "tune.sqlite3").is_file()
    assert all(path.parent == tmp_path / "run" for path in tuned.files)
    assert tuned.files[0].is_file()


def test_features_without_labels_are_refused(tmp_path):
    frame = split_rows("training", 6, np.random.default_rng(0)).assign(label=pd.array([pd.NA] * 6, dtype="Int8"))
    with pytest.raises(DarkmatterError, match="no labelled training skies"):
        tune(write_frame(tmp_path / "features", tmp_path, frame), n_trials=1)


def trials_of(losses, values):
    return tuple(Trial({"num_leaves": value, "lambda_l2": 1.0}, loss, 0.1) for loss, value in zip(losses, values))


SPANS = {"num_leaves": Span(2, 31, is_log=True), "lambda_l2": Span(0.1, 100.0, is_log=True)}


def labelled_panels(figure):
    """Return the panels of a figure by their label on the x axis."""
    return {axes.get_xlabel(): axes for axes in figure.axes}


def test_the_figure_shows_the_lowest_loss_so_far_and_a_slice_for_each_setting():
    losses, leaves = [0.5, 0.52, 0.4, 9.0, 0.45], [7, 3, 9, 2, 12]
    panels = labelled_panels(draw_search("train", trials_of(losses, leaves), SPANS))
    history = panels["trial"]
    assert history.lines[0].get_ydata().tolist() == [0.5, 0.5, 0.4, 0.4, 0.4]
    assert history.get_ylim()[1] < 1  # the loss of 9 would hide the differences of the others
    assert all(float(tick).is_integer() for tick in history.get_xticks())
    assert [name for name in panels if name.startswith("[")] == ["[train] lambda_l2", "[train] num_leaves"]
    dots = panels["[train] num_leaves"].collections[0].get_offsets()
    np.testing.assert_array_equal(dots, np.transpose([leaves, losses]))
    assert panels["[train] num_leaves"].get_xscale() == "log"


def test_the_importances_are_shown_with_enough_trials_and_are_largest_for_the_decisive_setting():
    leaves = [7, 3, 9, 2, 12, 5, 30, 20, 11, 4, 25, 15]
    trials = trials_of([0.4 + abs(n - 11) / 30 for n in leaves], leaves)
    bars = labelled_panels(draw_search("train", trials, SPANS))["importance, fraction of the sum"]
    widths = dict(
        zip([label.get_text() for label in bars.get_yticklabels()], [bar.get_width() for bar in bars.patches])
    )
    assert set(widths) == set(SPANS)
    assert widths["num_leaves"] > widths["lambda_l2"]
    assert sum(widths.values()) == pytest.approx(1)


def test_the_figure_leaves_the_state_of_pyplot_unchanged():
    before = dict(mpl.rcParams)
    draw_search("train", trials_of([0.5], [7]), SPANS)
    assert dict(mpl.rcParams) == before
    assert not plt.get_fignums()


def write_config(tmp_path):
    (tmp_path / "quick.toml").write_text(QUICK.to_toml())
    return str(tmp_path / "quick.toml")


def test_the_command_prints_the_best_settings_and_training_uses_them(features, tmp_path, capsys):
    argv = ["tune", str(features), "--config", write_config(tmp_path), "--storage", str(tmp_path / "s")]
    assert main([*argv, "--trials", "3"]) == 0
    assert main([*argv, "--trials", "5"]) == 0
    out, progress = capsys.readouterr()
    assert "trials of [train]: 5, 2 of them new; log loss by cross-validation" in out
    assert "learning_rate          0.03 -> " in out
    assert "tune: 5/5 trials, " in progress
    assert "Trial" not in progress  # of Optuna's own log
    assert main(["train", str(features), "--out", str(tmp_path / "run"), "--config", str(features / "tuned.toml")]) == 0


@pytest.mark.figures
def test_the_printed_command_quotes_paths_with_spaces(tmp_path, capsys):
    features = write_features(tmp_path / "my features", tmp_path, n_training=40, n_validation=4)
    assert main(["tune", str(features), "--config", write_config(tmp_path), "--trials", "1"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if ": for `" in line)
    words = shlex.split(line.split("`")[1])
    assert words == ["darkmatter", "train", str(features), "--config", str(features / "tuned.toml")]


def test_an_interrupted_command_prints_the_best_so_far_and_ends_with_130(features, tmp_path, capsys, monkeypatch):
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return boost(*args, **kwargs)

    monkeypatch.setattr("classify.tune.space.boost", interrupted)
    argv = ["tune", str(features), "--config", write_config(tmp_path), "--storage", str(tmp_path / "s")]
    assert main([*argv, "--trials", "3"]) == 130
    assert capsys.readouterr().out.startswith("interrupted; trials of [train]: 1, 1 of them new")


@pytest.mark.parametrize("argv", [["--trials", "0"], ["--timeout", "0"], ["--timeout", "nan"]])
def test_bad_numbers_are_one_line(features, capsys, argv):
    assert main(["tune", str(features), *argv]) == 2
    message = capsys.readouterr().err
    assert message.startswith("darkmatter: the ")
    assert message.count("\n") == 1


def test_a_folder_of_neither_features_nor_a_run_is_refused(tmp_path, capsys):
    assert main(["tune", str(tmp_path)]) == 2
    assert "holds neither features nor a run; make them with" in capsys.readouterr().err


def test_missing_optuna_is_an_error_with_the_remedy():
    code = "import sys; sys.modules['optuna'] = None; from classify.cli import main; sys.exit(main(['tune']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'darkmatter-lensing[tune]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_losses_average_to_the_log_loss_of_the_metrics(features):
    x, y = labelled(FeatureTable.read(features).split("training"))
    boosted = boost(x, y, x[:0], y[:0], config=QUICK.train)
    with boosting_scorer(features, 1) as score:
        assert score(QUICK).mean() == pytest.approx(log_loss(y, 1 / (1 + np.exp(-boosted.held_out))))
