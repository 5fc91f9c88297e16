"""Tasks distributed over processes on this machine, or over the workers of a Dask cluster."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any

from darkmatter_features.cluster import on_dask
from darkmatter_features.errors import ConfigError, WorkerError
from darkmatter_features.processes import end_pool, n_workers, pool_of, submit

N_TRIES = 2
"""Number of times that a task is tried on its own."""

TASKS_PER_PROCESS = 2
"""Tasks that a process has at most: one that it runs, and the next one."""

LOST = "its process ended unexpectedly, twice: out of memory, or a crash of a library"
"""Reason of the failure of a task whose process was lost."""

Lost = Callable[[tuple[Any, ...]], Any]


def parallel(
    work: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int,
    dask: str | None = None,
    first_here: bool = False,
    before: Sequence[Callable[[], object]] = (),
    lost: Lost | None = None,
) -> Iterator[Any]:
    """Yield the results of `work` for each task, in the order of the tasks.

    Parameters
    ----------
    work : callable
        Function of a module. Its results must not depend on the process in which it runs.
    tasks : iterable of tuples
        Arguments of `work`, small objects such as paths.
    n_jobs : int
        Number of processes on this machine, of one thread each; -1 for one per core. A list of one task is run in the
        calling process.
    dask : str, optional
        Address of a Dask scheduler whose workers run the tasks instead, see
        :func:`~darkmatter_features.cluster.on_dask`. They need access to the same files.
    first_here : bool
        Run the first task in the calling process, and start processes only when it is done. Use it where the first task
        compiles kernels: the processes then load the machine code from disk. Without effect where the calling process
        runs all tasks or Dask runs them.
    before : sequence of callables
        Functions of modules, without arguments, that the processes call beside each other before the first task is
        drawn: each may compile other kernels, and all tasks load them from disk. An unexpected end of a process is
        ignored. Without effect where `first_here` would be.
    lost : callable, optional
        Function of the arguments of a task whose process ended unexpectedly, twice, that returns a result in its place;
        an error when not given. Without effect where the calling process runs all tasks.

    Yields
    ------
    object
        Result of `work` for one task.

    Raises
    ------
    ConfigError
        If `n_jobs` is 0, Dask is not installed, or no scheduler responds.
    WorkerError
        If a task's process ended unexpectedly, twice, and `lost` is not given, or the scheduler is lost.

    Notes
    -----
    When a process ends unexpectedly, all of them are replaced, and each task that was under way is tried on its own,
    twice at most. When the calling process is killed, the others end within two seconds. A task that ended workers of
    Dask is tried on its own as well, on this machine.

    joblib restarts a process that has grown by more than 300 MB if psutil is installed. Imports, compiled kernels and
    networks take as much, and a restart can block for ever while another process sends a result: the processes are
    therefore never restarted.
    """
    if n_jobs == 0:
        raise ConfigError("the number of jobs must not be 0; give 1 or more, or -1 for one a core")
    if dask is not None:
        yield from on_dask(work, tasks, dask, lambda task: run_alone(work, task, lost))
    elif n_workers(n_jobs) == 1 or (isinstance(tasks, Sized) and len(tasks) <= 1):
        yield from (work(*task) for task in tasks)
    else:
        if before:
            deque(_on_processes(_call, ((function,) for function in before), n_jobs, lambda task: None), maxlen=0)
        remaining = iter(tasks)
        yield from (work(*task) for task in islice(remaining, int(first_here)))
        yield from _on_processes(work, remaining, n_jobs, lost)


def _call(function: Callable[[], object]) -> None:
    function()


def _on_processes(
    work: Callable[..., Any], tasks: Iterator[tuple[Any, ...]], n_jobs: int, lost: Lost | None
) -> Iterator[Any]:
    """Yield the results; tasks that were under way when a process was lost are run one by one."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    under_way: deque[tuple[Any, ...]] = deque()

    def drawn() -> Iterator[tuple[Any, ...]]:
        for task in tasks:
            under_way.append(task)
            yield task

    is_done = False
    while not is_done:
        try:
            for result in _results(work, drawn(), n_jobs):
                under_way.popleft()
                yield result
            is_done = True
        except BrokenProcessPool:
            while under_way:
                yield run_alone(work, under_way.popleft(), lost)


def run_alone(work: Callable[..., Any], task: tuple[Any, ...], lost: Lost | None = None) -> Any:
    """Return the result of one task, run in a process while no other task is.

    Parameters
    ----------
    work, task
        Function of a module, and its arguments.
    lost : callable, optional
        Function of the arguments that returns a result in its place if the process ends unexpectedly.

    Raises
    ------
    WorkerError
        If the process ends unexpectedly, and `lost` is not given.
    """
    from joblib.externals.loky.process_executor import BrokenProcessPool

    for _ in range(N_TRIES):
        try:
            return next(_results(work, iter([task]), 2))
        except BrokenProcessPool:
            continue
    if lost is not None:
        return lost(task)
    raise WorkerError(f"{_first_path(task)}{LOST}; give it more memory, or --jobs 1 to see it crash")


def _first_path(task: tuple[Any, ...]) -> str:
    """Return the first path among the arguments of a task for a message, "" without one."""
    flat = (each for value in task for each in (value if isinstance(value, list | tuple) else [value]))
    return next((f"{each}: " for each in flat if isinstance(each, Path)), "")


def _results(work: Callable[..., Any], tasks: Iterator[tuple[Any, ...]], n_jobs: int) -> Iterator[Any]:
    """Yield the results in the order of the tasks, each of which is drawn when a process will soon be free for it."""
    n = n_workers(n_jobs)
    pool = pool_of(n)
    waiting: deque[Future[Any]] = deque()
    try:
        while True:
            while waiting and waiting[0].done():
                yield waiting.popleft().result()
            n_under_way = sum(not each.done() for each in waiting)
            for task in islice(tasks, TASKS_PER_PROCESS * n - n_under_way):
                waiting.append(submit(pool, _work_in, Path.cwd(), work, task))
            if not waiting:
                return
            wait([each for each in waiting if not each.done()], return_when=FIRST_COMPLETED)
    finally:
        if waiting:  # after an error or an interrupt, or where no more is needed
            end_pool(pool, waiting)


def _work_in(folder: Path, work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Run a task in the caller's working folder: processes are reused, and may be in another one."""
    os.chdir(folder)
    return work(*task)


def release_workers() -> None:
    """End the idle processes of `parallel`, before other work that needs the memory they hold.

    The next use of :func:`parallel` starts new ones.
    """
    from joblib.externals.loky import get_reusable_executor

    if multiprocessing.active_children():
        get_reusable_executor(reuse=True).shutdown(wait=True)


def threaded(work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], *, n_threads: int) -> Iterator[Any]:
    """Yield the results of `work` for each task, in the order of the tasks, from threads of this process.

    Parameters
    ----------
    work : callable
        Function that spends its time in compiled kernels or transforms, which let other threads run.
    tasks : iterable of tuples
        Arguments of `work`. A task is drawn when a thread is free: no more than `n_threads` are in memory.
    n_threads : int
        Number of threads; 1 for none but the calling one.
    """
    if n_threads <= 1:
        yield from (work(*task) for task in tasks)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        under_way: deque[Future[Any]] = deque()
        for task in tasks:
            under_way.append(pool.submit(work, *task))
            if len(under_way) == n_threads:
                yield under_way.popleft().result()
        yield from (each.result() for each in under_way)
