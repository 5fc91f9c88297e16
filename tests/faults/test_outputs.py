"""Output folders that are removed while a command works, and disks that are full: one line at the next write."""

import re
import shutil
import sys
from contextlib import contextmanager

import pytest

from classify.cli import main
from classify.commands.progress import Progress
from classify.config_file import Config
from classify.train import train
from classify.tune.search import tune
from darkmatter_features.errors import OutputError
from tests.support.shape_tables import galaxies
from tests.support.synthetic import trained_run, write_features, write_images

REMOVED = ": the folder was removed while the command wrote to it; run the command again"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Small inputs of the commands."""
    root = tmp_path_factory.mktemp("faults")
    trained_run(root, write_images(root / "data", n=6))
    (root / "catalogs").mkdir()
    for k in range(3):
        galaxies(seed=k).to_csv(root / "catalogs" / f"{k}.csv", index=False)
    return root


@pytest.fixture
def removing(monkeypatch):
    """Remove a folder when the first unit of work is done."""
    monkeypatch.setattr("darkmatter_features.features.extract.CHUNK", 1)

    def remove(folder):
        original, calls = Progress.__call__, []

        def report(self, done, total, note=""):
            calls.append(done)
            original(self, done, total, note)
            if done == 1:
                shutil.rmtree(folder)

        monkeypatch.setattr(Progress, "__call__", report)
        return calls

    return remove


COMMANDS = {
    "simulate": ("out", "out/training", "simulate out --training 3 --validation 1 --jobs 1"),
    "features": ("out", "out/.parts", "features DATA/data --out out --jobs 1"),
    "predict": ("out", "out", "predict DATA/run DATA/data/validation --out out/p.csv --jobs 1"),
    "heatmap": ("out", "out", "heatmap DATA/data/validation --run DATA/run --out out --jobs 1"),
    "explore": ("out", "out", "explore DATA/data --out out/e.html --jobs 1"),
    "locate": ("out", "out", "locate DATA/catalogs/*.csv --out out/l.csv --randomizations 0 --jobs 1"),
    "pictures": ("out", "out", "locate DATA/catalogs/*.csv --out l.csv --pictures out --randomizations 0 --jobs 1"),
    "candidates": ("out", "out", "candidates DATA/catalogs/*.csv --out out --randomizations 0 --jobs 1"),
}
"""Folder that is removed, folder that the line names, and arguments."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_removed_folder_is_noticed_at_the_next_write(world, tmp_path, monkeypatch, capsys, removing, name):
    monkeypatch.chdir(tmp_path)
    removed, named, words = COMMANDS[name]
    calls = removing(removed)
    assert main(words.replace("DATA", str(world)).split()) == 2
    written = capsys.readouterr()
    errors = [line for line in written.err.splitlines() if line.startswith(("darkmatter:", "failed:"))]
    assert errors == [f"darkmatter: {named}{REMOVED}"]
    assert max(calls) <= 2
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    root = tmp_path_factory.mktemp("table")
    return write_features(root / "features", root, n_training=40, n_validation=10)


def test_a_removed_run_is_noticed_at_the_next_write(table, tmp_path):
    run, lines = tmp_path / "run", []

    def report(line):
        lines.append(line)
        shutil.rmtree(run)

    config = Config().train.fast()
    with pytest.raises(OutputError, match=f"^{run.as_posix()}/.unfinished{REMOVED}$"):
        train(table, run, config=config, report=report)
    assert len(lines) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_folder", [True, False])
def test_removed_trials_are_noticed_after_the_trial(table, tmp_path, is_folder):
    (tmp_path / "deep").mkdir()
    storage = tmp_path / "deep" / "trials.sqlite3"

    def progress(done, total, note):
        if done == 1:
            shutil.rmtree(storage.parent) if is_folder else storage.unlink()

    config = Config(train=Config().train.fast())
    with pytest.raises(OutputError, match=rf"^{storage.as_posix()}: the trials cannot be stored \(.*\); check that"):
        tune(table, config=config, n_trials=3, storage=storage, progress=progress)


# Disks


@contextmanager
def files_limited_to(size):
    """Limit the size of files, bytes: the system then refuses writes as to a full disk, those of a log too."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it would be cut, and read later
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = writes_none


@pytest.mark.parametrize(
    ("size", "words", "named"),
    [
        (3000, "simulate out --training 2 --validation 1 --jobs 1", r"out/truth/\S+\.csv|out/training/\S+\.png"),
        (3000, "features DATA/data --out out --jobs 1", r"out/\.parts/\w+\.parquet"),
        (300, "train TABLE --out out --n-folds 2 --n-repeats 1 --max-rounds 10 --cnn off", r"out/?\S*"),
        (300, "tune TABLE --storage out/trials.sqlite3 --trials 1", r"out/trials\.sqlite3"),
        (100, "predict DATA/run DATA/data/validation --out out/p.csv --jobs 1", r"out/p\.csv"),
        (3000, "heatmap DATA/data/validation --run DATA/run --out out --jobs 1", r"out/\S+\.png"),
        (3000, "explore DATA/data --out out/e.html --jobs 1", r"out/e\.html"),
        (3000, "report DATA/run --out out/r.html --jobs 1", r"out/r\.html"),
        (100, "locate DATA/catalogs/*.csv --out out/l.csv --randomizations 0 --jobs 1", r"out/l\.csv"),
        (3000, "candidates DATA/catalogs/*.csv --out out --randomizations 0 --jobs 1", r"out/\d/\S+"),
        (100, "check DATA/catalogs/0.csv --json out/c.json", r"out/c\.json"),
    ],
    ids=lambda value: str(value).split()[0],
)  # fmt: skip
def test_a_full_disk_is_one_line_with_the_file(world, table, tmp_path, monkeypatch, capsys, size, words, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    words = words.replace("DATA", str(world)).replace("TABLE", str(table))
    with files_limited_to(size):
        code = main(words.split())
    errors = [line for line in capsys.readouterr().err.splitlines() if "elapsed" not in line]
    assert (code, len(errors)) == (2, 1), errors
    assert re.fullmatch(rf"darkmatter: ({named}): .*(File too large|disk|full).*; (check|name) .*", errors[0]), errors
    assert not list(tmp_path.rglob("*.tmp"))
