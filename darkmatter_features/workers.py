"""Tasks distributed over processes on this machine, or over the workers of a Dask cluster."""

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from pathlib import Path
from typing import Any

from darkmatter_features.errors import ConfigError, install_command

CONNECT_SECONDS = 10
"""Maximum time to connect to a Dask scheduler, seconds."""


def parallel(
    work: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int,
    dask: str | None = None,
    first_here: bool = False,
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
        Address of a Dask scheduler whose workers run the tasks instead. They need access to the same files.
    first_here : bool
        Run the first task in the calling process, and start processes only when it is done. Use it where the first task
        compiles kernels: the processes then load the machine code from disk. Without effect where the calling process
        runs all tasks or Dask runs them.

    Yields
    ------
    object
        Result of `work` for one task.

    Raises
    ------
    ConfigError
        If `n_jobs` is 0, Dask is not installed, or no scheduler responds.

    Notes
    -----
    joblib restarts a process that has grown by more than 300 MB if psutil is installed. Imports, compiled kernels and
    networks take as much, and a restart can block for ever while another process sends a result: the processes are
    therefore never restarted.
    """
    if n_jobs == 0:
        raise ConfigError("the number of jobs must not be 0; give 1 or more, or -1 for one a core")
    if dask is not None:
        yield from _on_dask(work, tasks, dask)
    elif n_jobs == 1 or (isinstance(tasks, Sized) and len(tasks) <= 1):
        yield from (work(*task) for task in tasks)
    else:
        remaining = iter(tasks)
        yield from (work(*task) for task in islice(remaining, int(first_here)))
        yield from _on_processes(work, remaining, n_jobs)


def _on_processes(work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], n_jobs: int) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config

    folder = Path.cwd()
    with parallel_config(backend="loky", inner_max_num_threads=1):
        run = Parallel(n_jobs=n_jobs, return_as="generator")
        yield from run(delayed(_work_in)(folder, work, task) for task in tasks)


def _work_in(folder: Path, work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Run a task in the caller's working folder: processes are reused, and may be in another one."""
    from joblib.externals.loky import process_executor

    process_executor._USE_PSUTIL = False  # no restart, see `parallel`
    os.chdir(folder)
    return work(*task)


def _on_dask(work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ConfigError(f"Dask is not installed; install it: {install_command('dask')}") from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{address}: no Dask scheduler responds ({error}); start one there, or leave out --dask"
        ) from None
    with client:
        for future in [client.submit(work, *task, pure=False) for task in tasks]:
            yield future.result()
