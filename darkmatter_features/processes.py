"""The processes on this machine that run tasks: their start, their environment and their end."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import resource_tracker
from typing import Any, cast

ALL_CORES = -1
"""Number of jobs that stands for one per core."""

WATCH_SECONDS = 1.0
"""Interval at which a process checks that the one that started it is alive, seconds."""

HAND_OUT_SECONDS = 1.0
"""Time within which the thread of a pool hands out the tasks that it was given, seconds."""

IDLE_SECONDS = 300
"""Time after which an idle process ends, seconds."""

THREADED = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
ONE_THREAD = {**{f"{name}_NUM_THREADS": "1" for name in THREADED}, "VECLIB_MAXIMUM_THREADS": "1"}
"""Environment in which libraries start no threads."""


def n_workers(n_jobs: int) -> int:
    """Return the number of processes that `n_jobs` stands for, 1 or more."""
    if n_jobs in (0, 1):
        return 1
    from joblib import effective_n_jobs

    return int(effective_n_jobs(n_jobs))


def pool_of(n: int) -> Any:
    """Return a pool of n processes, the same one as long as it works."""
    from joblib.externals.loky import get_reusable_executor

    start = {"initializer": _begin, "initargs": (os.getpid(),), "env": ONE_THREAD}
    return get_reusable_executor(max_workers=n, timeout=IDLE_SECONDS, **start)


def submit(pool: Any, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    """Return the future result of a call in one of the processes, which are started where they are missing."""
    with _without_interrupts():
        return cast("Future[Any]", pool.submit(work, *arguments))


def begin_processes(n_jobs: int, module: str) -> None:
    """Start processes for later tasks, which import a module while the calling process does other work.

    Parameters
    ----------
    n_jobs : int
        Number of processes, as for :func:`~darkmatter_features.workers.parallel`; none are started for 1.
    module : str
        Name of the module that will give the work.
    """
    n = n_workers(n_jobs)
    if n > 1:
        pool = pool_of(n)
        for _ in range(n):
            submit(pool, import_module, module)


def end_pool(pool: Any, under_way: Iterable["Future[Any]"]) -> None:
    """Kill the processes of a pool and what they have under way.

    The thread of the pool that hands out tasks would report an error for one that it has not handed out yet.
    """
    end = time.monotonic() + HAND_OUT_SECONDS
    while time.monotonic() < end and not all(each.running() or each.done() for each in under_way):
        time.sleep(0.005)
    pool.shutdown(kill_workers=True)


def end_workers() -> None:
    """Kill the processes that run tasks, for a process that ends at once."""
    for process in multiprocessing.active_children():
        with suppress(ProcessLookupError):
            if process.pid is not None:
                os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that never get the signal of Ctrl+C: it is for the one that started them, which ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start would clear the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(leader: int) -> None:
    """Prepare a process for tasks."""
    from joblib.externals.loky import process_executor

    process_executor._USE_PSUTIL = False  # no restart, see `workers.parallel`
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(leader,), name="darkmatter-watch", daemon=True).start()


def _end_after(leader: int) -> None:
    """End this process when the one that started it has ended: nobody waits for its results."""
    while os.getppid() == leader:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
