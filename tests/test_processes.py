"""The processes that run tasks on this machine."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from darkmatter_features.processes import begin_processes
from darkmatter_features.workers import parallel, release_workers

ROOT = Path(__file__).parents[1]


def process_with(module):
    return os.getpid(), module in sys.modules


def test_processes_that_began_early_have_the_module_and_run_the_tasks():
    release_workers()
    begin_processes(2, "darkmatter_features.features.statistics")
    found = list(parallel(process_with, [("darkmatter_features.features.statistics",)] * 4, n_jobs=2))
    assert any(has for _, has in found)
    assert os.getpid() not in {process for process, _ in found}


def test_one_job_begins_no_process():
    release_workers()
    begin_processes(1, "darkmatter_features.features.statistics")
    assert not multiprocessing.active_children()


def test_libraries_start_no_threads_in_a_process():
    assert list(parallel(os.getenv, [("OPENBLAS_NUM_THREADS",)] * 2, n_jobs=2)) == ["1", "1"]


def test_processes_end_where_a_task_fails():
    processes = set(parallel(os.getpid, [()] * 4, n_jobs=2))
    with pytest.raises(ValueError, match="x"):
        list(parallel(int, [("x",), ("1",), ("2",), ("3",)], n_jobs=2))
    assert not processes & set(parallel(os.getpid, [()] * 4, n_jobs=2))


def fails_at(k, number):
    time.sleep(0.01)
    if k == number:
        raise ValueError(f"task {number}")
    return k


@pytest.mark.parametrize("number", [2, 5])
def test_a_task_that_fails_is_the_only_error(number, monkeypatch):
    """The thread that hands out the tasks must not miss one that it has not handed out yet."""
    others = []
    monkeypatch.setattr(threading, "excepthook", others.append)
    for _ in range(3):
        with pytest.raises(ValueError, match=f"task {number}"):
            list(parallel(fails_at, ((k, number) for k in range(40)), n_jobs=2))
    time.sleep(0.05)
    assert not others


def test_no_task_goes_on_where_the_next_one_cannot_be_drawn(tmp_path):
    def tasks():
        yield from ((tmp_path / str(k),) for k in range(3))
        raise ValueError("no more")

    list(parallel(os.getpid, [()] * 2, n_jobs=2))  # the processes are there
    with pytest.raises(ValueError, match="no more"):
        list(parallel(written_late, tasks(), n_jobs=2))
    time.sleep(0.5)
    assert not list(tmp_path.iterdir())


def written_late(path):
    time.sleep(0.3)
    path.touch()


def test_an_early_error_of_features_does_not_wait_for_the_processes(tmp_path):
    """A module that takes a minute to import stands for a slow machine."""
    (tmp_path / "data").mkdir()
    code = (
        "import sys, classify.commands.features as command; command.BATCH = 'slow_import'; "
        "from classify.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    (tmp_path / "slow_import.py").write_text("import time; time.sleep(60)")
    given = [sys.executable, "-c", code, "features", "data", "--config", "none.toml", "--jobs", "2"]
    paths = os.pathsep.join([str(ROOT), str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        given, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 2
    assert done.stderr.startswith("darkmatter: none.toml")
    assert done.stderr.count("\n") == 1
