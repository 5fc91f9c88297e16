"""Tasks distributed over processes and over a Dask cluster."""

import multiprocessing
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from darkmatter_features import cluster
from darkmatter_features.errors import ConfigError
from darkmatter_features.workers import parallel, release_workers, threaded

TASKS = [(k, 3) for k in range(7)]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("first_here", [False, True])
@pytest.mark.parametrize("n_tasks", [0, 1, 7])
def test_results_are_in_the_order_of_the_tasks(n_jobs, first_here, n_tasks):
    found = parallel(pow, iter(TASKS[:n_tasks]), n_jobs=n_jobs, first_here=first_here)
    assert list(found) == [k**3 for k in range(n_tasks)]


@pytest.mark.parametrize(("n_jobs", "first_here", "n_here"), [(1, False, 5), (2, False, 0), (2, True, 1)])
def test_processes_run_all_tasks_but_the_first_if_that_is_kept_here(n_jobs, first_here, n_here):
    processes = list(parallel(os.getpid, [()] * 5, n_jobs=n_jobs, first_here=first_here))
    assert [process == os.getpid() for process in processes] == [True] * n_here + [False] * (5 - n_here)


def noted(folder, name):
    (folder / f"{name}-{os.getpid()}").touch()


@pytest.mark.parametrize(("n_jobs", "n_noted"), [(1, 0), (2, 2)])
def test_processes_are_prepared_beside_each_other_before_the_first_task_is_drawn(n_jobs, n_noted, tmp_path):
    def tasks():
        assert len(list(tmp_path.iterdir())) == n_noted
        yield from TASKS[:2]

    before = [partial(noted, tmp_path, name) for name in ("one", "other")]
    assert list(parallel(pow, tasks(), n_jobs=n_jobs, before=before)) == [0, 1]
    assert str(os.getpid()) not in {path.name.split("-")[1] for path in tmp_path.iterdir()}


def test_an_end_of_a_process_in_its_preparation_is_ignored():
    assert list(parallel(pow, iter(TASKS[:2]), n_jobs=2, before=[partial(os._exit, 1)])) == [0, 1]


def test_a_single_task_is_run_here():
    assert list(parallel(os.getpid, [()], n_jobs=2)) == [os.getpid()]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_keep_the_order_of_tasks_and_draw_no_more_than_they_run(n_threads):
    drawn, done = [], []

    def tasks():
        for k in range(7):
            drawn.append(k)
            assert len(drawn) - len(done) <= n_threads
            yield k, 3

    found = threaded(pow, tasks(), n_threads=n_threads)
    for k in range(7):
        assert next(found) == k**3
        done.append(k)
    assert next(found, None) is None


@pytest.mark.parametrize("n_tasks", [0, 1, 7])
def test_no_jobs_are_refused_at_any_number_of_tasks(n_tasks):
    with pytest.raises(ConfigError, match=r"^the number of jobs must not be 0; give 1 or more, or -1 for one a core$"):
        list(parallel(pow, TASKS[:n_tasks], n_jobs=0))


def test_no_process_gets_a_task_before_the_first_is_done():
    drawn = []
    results = parallel(pow, (drawn.append(task) or task for task in TASKS), n_jobs=2, first_here=True)
    assert next(results) == 0
    assert drawn == TASKS[:1]
    assert list(results) == [k**3 for k in range(1, 7)]


def test_relative_paths_start_from_the_working_folder_of_the_caller(tmp_path, monkeypatch):
    for folder in ("first", "second"):  # the second call reuses the processes of the first
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        (tmp_path / folder / "name.txt").write_text(folder)
        assert list(parallel(Path.read_text, [(Path("name.txt"),)] * 2, n_jobs=2)) == [folder] * 2


def test_dask_gives_the_same_results():
    """It runs in a separate process, since a cluster leaves threads and open sockets behind."""
    code = """
from distributed import LocalCluster
from darkmatter_features.workers import parallel, threaded
if __name__ == "__main__":
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        print(list(parallel(pow, [(k, 3) for k in range(7)], n_jobs=1, dask=cluster.scheduler_address)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([k**3 for k in range(7)])


def test_missing_scheduler_is_reported(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
    with pytest.raises(ConfigError, match=r"no Dask scheduler responds .*; start one there"):
        list(parallel(pow, TASKS, n_jobs=1, dask="tcp://127.0.0.1:9"))


def test_missing_dask_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'darkmatter-lensing\[dask\]'"):
        list(parallel(pow, TASKS, n_jobs=1, dask="tcp://127.0.0.1:9"))


def grown():
    """Keep 350 MB from the second call on, and return the process after the delay between two checks of its memory."""
    if len(kept) < 2:
        kept.append(b"x" * (len(kept) * 350_000_000))
    time.sleep(1.1)
    return os.getpid()


kept = []
"""Memory that a process keeps."""


def test_released_processes_end_and_the_next_tasks_get_new_ones():
    before = set(parallel(os.getpid, [()] * 4, n_jobs=2))
    release_workers()
    assert not multiprocessing.active_children()
    after = set(parallel(os.getpid, [()] * 4, n_jobs=2))
    assert not after & (before | {os.getpid()})


def test_a_process_that_has_grown_is_not_restarted():
    from joblib.externals.loky import process_executor

    assert process_executor._USE_PSUTIL, "joblib checks no memory, or by another name"
    assert len(set(parallel(grown, [()] * 6, n_jobs=2))) == 2
