"""The processes that run tasks on this machine."""

import multiprocessing
import os
import sys

import pytest

from darkmatter_features.processes import begin_processes
from darkmatter_features.workers import parallel, release_workers


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
