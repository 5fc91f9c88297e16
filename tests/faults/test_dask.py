"""A Dask cluster whose workers are killed, stopped or run out of memory, and whose scheduler is lost."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from classify.adaptation import skies as adapted_skies
from classify.cli import main
from darkmatter_features import cluster as cluster_module
from darkmatter_features import workers
from darkmatter_features.errors import ConfigError, WorkerError
from darkmatter_features.urls import path_of_url
from darkmatter_features.workers import parallel
from tests.faults import chores
from tests.faults.processes import ROOT, ended, started, until
from tests.support.shape_tables import galaxies
from tests.support.synthetic import trained_run, write_images

pytest.importorskip("distributed", reason="Dask is not installed (the extra dask)")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals end processes in another way there")

SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "False",
    "OMP_NUM_THREADS": "1",
}


@contextmanager
def running(folder, n_workers):
    """Run a scheduler and workers on this machine; yield the address and the process of the scheduler."""
    with scheduling(folder) as (address, scheduler, add_worker):
        for _ in range(n_workers):
            add_worker()
        yield address, scheduler


@contextmanager
def scheduling(folder):
    """Run a scheduler on this machine; yield its address, its process, and a function that starts a worker."""
    env = os.environ | SETTINGS | {chores.ON_A_WORKER: "yes"} | {"PYTHONPATH": str(ROOT)}
    file = folder / "scheduler.json"
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, "env": env}
    place = ["--host", "127.0.0.1", "--scheduler-file", str(file)]
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", *place]
    processes = [subprocess.Popen(words, start_new_session=True, **output)]
    try:
        until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        words = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard"]
        words += [
            "--memory-limit",
            str(chores.MEMORY_LIMIT),
            "--local-directory",
            str(folder),
            "--scheduler-file",
            str(file),
        ]
        add_worker = lambda: processes.append(subprocess.Popen(words, start_new_session=True, **output))  # noqa: E731
        yield json.loads(file.read_text())["address"], processes[0], add_worker
    finally:
        for process in reversed(processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running(tmp_path_factory.mktemp("dask"), 2) as (address, _):
        yield address


def run(work, tasks, cluster, **options):
    return list(parallel(work, tasks, n_jobs=1, dask=cluster, **options))


@pytest.mark.parametrize("work", [chores.killed_at_first, chores.stopped_at_first])
def test_the_task_of_a_lost_worker_is_run_by_another(cluster, tmp_path, work):
    assert run(work, [(k, str(tmp_path)) for k in range(5)], cluster) == [0, 1, 4, 9, 16]


def test_a_task_that_kills_its_process_here_too_fails_alone(monkeypatch):
    """The cluster stands for one on which all workers die at the task."""
    monkeypatch.setattr(workers, "on_dask", lambda work, tasks, address, killed: map(killed, tasks))
    assert list(parallel(chores.kill_itself, [(3,)], n_jobs=1, dask="here", lost=lambda task: -task[0])) == [-3]


def test_a_task_that_needs_more_memory_than_a_worker_has_is_run_on_its_own(cluster):
    assert run(chores.hungry, [(k,) for k in range(3)], cluster, lost=lambda task: None) == [0, 1, 4]


def test_relative_paths_start_from_the_working_folder_of_the_caller(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(run(Path.cwd, [()] * 2, cluster)) == {tmp_path}


def test_another_version_of_a_worker_is_one_line(cluster, monkeypatch):
    monkeypatch.setattr("darkmatter_features.cluster.__version__", "9.9")
    with pytest.raises(
        ConfigError, match=r"^a Dask worker has darkmatter \S+, and this is 9\.9; install the same there$"
    ):
        run(pow, [(2, 3)], cluster)


def test_a_folder_that_workers_do_not_see_is_one_line(cluster, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    (tmp_path / "mine").rmdir()
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "mine")
    with pytest.raises(ConfigError, match=r"mine: a Dask worker does not see this folder; start the workers where"):
        run(pow, [(2, 3)], cluster)


def test_a_lost_scheduler_is_one_line_and_results_before_it_are_kept(tmp_path):
    with running(tmp_path, 1) as (address, scheduler):
        found = []

        def collect():
            for each in parallel(chores.square_and_wait, [(k,) for k in range(5)], n_jobs=1, dask=address):
                found.append(each)
                if len(found) == 3:
                    os.killpg(scheduler.pid, signal.SIGKILL)

        with pytest.raises(
            WorkerError, match=rf"^{address}: the Dask scheduler was lost; start it and the command again"
        ):
            collect()
        assert found == [0, 1, 4]


def test_a_file_that_workers_do_not_see_is_one_line(cluster, tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    monkeypatch.setattr(Path, "is_file", lambda path: True)  # as where the workers are on another machine
    with pytest.raises(ConfigError, match=r"none\.png: a Dask worker does not see this file; .*DARKMATTER_CACHE"):
        run(str, [(tmp_path / "none.png",)], cluster)
    assert run(str, [(tmp_path / "a.png",)], cluster) == [str(tmp_path / "a.png")]
    copy = tmp_path / path_of_url("s3://bucket/a.png")
    assert run(str, [(copy,)], cluster) == [str(copy)]


def test_an_error_of_a_task_is_raised_though_it_is_that_of_a_wait(cluster):
    with pytest.raises(TimeoutError, match="of the task"):
        run(chores.time_out, [()], cluster)


def test_the_arguments_of_a_partial_function_reach_the_workers(cluster):
    assert run(partial(pow, 2), [(k,) for k in range(5)], cluster) == [1, 2, 4, 8, 16]


COMMAND = """
import sys
from classify.cli import main
sys.stderr = open(sys.argv.pop(), "w", buffering=1)
sys.exit(main())
"""


def test_a_scheduler_without_workers_is_waited_for_in_few_words(tmp_path, world, monkeypatch, caplog):
    """The command says so, Ctrl+C ends it, and another one goes on when a worker comes."""
    with scheduling(tmp_path) as (address, _, add_worker):
        notice = f"{address}: the Dask scheduler has no workers; waiting for one (dask worker {address})"
        words = ["locate", world / "catalogs" / "0.csv", "--out", tmp_path / "l.csv", "--dask", address]
        with started(COMMAND, *words, tmp_path / "errors") as process:
            until((tmp_path / "errors").exists)
            until(lambda: notice in (tmp_path / "errors").read_text().splitlines())
            os.kill(process.pid, signal.SIGINT)
            assert ended(process)[0] == 128 + signal.SIGINT
        monkeypatch.setattr(cluster_module, "NOTICE_SECONDS", 0.0)
        monkeypatch.setattr(cluster_module, "LOOK_SECONDS", 0.1)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(run, pow, [(k, 2) for k in range(3)], address)
            until(lambda: notice in caplog.messages)
            add_worker()
            assert waiting.result() == [0, 1, 4]
        assert caplog.messages.count(notice) == 1


ADAPTIVE = """
from distributed import LocalCluster
from darkmatter_features.workers import parallel
if __name__ == "__main__":
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="100ms")
        print(list(parallel(pow, [(k, 3) for k in range(7)], n_jobs=1, dask=cluster.scheduler_address)))
"""


def test_workers_that_come_when_there_is_work_do_it():
    done = subprocess.run([sys.executable, "-c", ADAPTIVE], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == str([k**3 for k in range(7)])


# Commands


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    trained_run(root, write_images(root / "data", n=4))
    (root / "catalogs").mkdir()
    for k in range(2):
        galaxies(seed=k).to_csv(root / "catalogs" / f"{k}.csv", index=False)
    return root


COMMANDS = {
    "simulate": "simulate OUT --training 2 --validation 1",
    "features": "features data --out OUT",
    "predict": "predict run data/validation --out OUT/p.csv",
    "adapt": "predict run data/validation --adapt --out OUT/p.csv",
    "locate": "locate catalogs/*.csv --out OUT/l.csv --randomizations 4",
    "candidates": "candidates catalogs/*.csv --out OUT --randomizations 4",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_write_the_same_bytes(cluster, world, tmp_path, monkeypatch, name):
    """In one folder after the other, since some files hold the command."""
    monkeypatch.setattr(adapted_skies, "MIN_SKIES", 4)
    written = []
    for words in (["--jobs", "1"], ["--dask", cluster]):
        monkeypatch.chdir(world)
        argv = [word.replace("OUT", str(tmp_path / "out")) for word in COMMANDS[name].split()]
        assert main([*argv, *words]) == 0
        files = [path for path in sorted((tmp_path / "out").rglob("*")) if path.is_file() and path.suffix != ".ecsv"]
        written.append({path.name: path.read_bytes() for path in files})
        (tmp_path / "out").rename(tmp_path / f"done-{len(written)}")
    assert written[0] == written[1]
    assert written[0]
