"""Processes that end unexpectedly: workers, and the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from darkmatter_features.errors import WorkerError
from darkmatter_features.workers import parallel, run_alone
from tests.faults.processes import ROOT, is_alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals end processes in another way there")

MAX_SECONDS = 5.0
"""Maximum time that workers outlive the process that started them, seconds."""


def square(k, marks):
    """Return k squared; an odd task's first process is killed, the one of task 4 each time."""
    mark = Path(marks) / str(k)
    if k == 4 or (k % 2 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return k * k


def test_tasks_of_a_lost_process_are_run_again_and_the_others_are_kept(tmp_path):
    tasks = [(k, str(tmp_path)) for k in range(9)]
    found = list(parallel(square, tasks, n_jobs=2, lost=lambda task: -task[0]))
    assert found == [0, 1, 4, 9, -4, 25, 36, 49, 64]


def test_a_task_that_kills_its_process_twice_is_an_error_in_one_line(tmp_path):
    with pytest.raises(
        WorkerError, match=r"^its process ended unexpectedly, twice: .*; give it more memory, or --jobs 1"
    ):
        list(parallel(square, [(4, str(tmp_path)), (2, str(tmp_path))], n_jobs=2))


def kill_at(path):
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_error_names_the_first_file_of_the_task(tmp_path):
    with pytest.raises(WorkerError, match=r"^sky\.png: its process"):
        run_alone(kill_at, ([Path("sky.png"), Path("b.png")],))


LEADER = """
import os, sys, time
from pathlib import Path
from darkmatter_features.workers import parallel
from tests.faults.test_lost_workers import report_and_sleep
list(parallel(report_and_sleep, [(sys.argv[1],)] * 4, n_jobs=2))
"""


def report_and_sleep(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(120)


def test_workers_end_soon_after_the_process_that_started_them_is_killed(tmp_path):
    leader = subprocess.Popen([sys.executable, "-c", LEADER, str(tmp_path)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60.0
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        assert len(workers) == 2
        assert leader.pid not in workers
    finally:
        leader.kill()
        leader.wait()
    deadline = time.monotonic() + MAX_SECONDS
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
