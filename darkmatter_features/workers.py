"""Work spread over processes here, or over the workers of a Dask cluster."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from darkmatter_features.errors import ConfigError

# How long a Dask scheduler may take to answer.
CONNECT_SECONDS = 10


def parallel(
    work: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int,
    dask: str | None = None,
    first_here: bool = False,
) -> Iterator[Any]:
    """Yield the results of `work` on each task, in their order.

    Parameters
    ----------
    work : callable
        A function of a module; what it returns must not depend on where it runs.
    tasks : iterable of tuples
        Its arguments: small things, such as paths.
    n_jobs : int
        Processes here, of one thread each; -1 for one a core.
    dask : str, optional
        Address of a Dask scheduler whose workers do it instead; they must see the same files.

    Raises
    ------
    ConfigError
        If `n_jobs` is 0, Dask is not installed or no scheduler answers.
    """
    if n_jobs == 0:
        raise ConfigError("the number of jobs must not be 0; give 1 or more, or -1 for one a core")
    if dask is not None:
        yield from _on_dask(work, tasks, dask)
    elif n_jobs == 1:
        yield from (work(*task) for task in tasks)
    else:
        tasks = iter(tasks)
        if first_here:
            yield from (work(*task) for task in islice(tasks, 1))
        yield from _on_processes(work, tasks, n_jobs)


def _on_processes(work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], n_jobs: int) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config

    here = Path.cwd()
    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=n_jobs, return_as="generator")(delayed(_work_in)(here, work, task) for task in tasks)


def _work_in(folder: Path, work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Do the work where its relative paths lead right: processes are used again, and may stand elsewhere."""
    os.chdir(folder)
    return work(*task)


def _on_dask(work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ConfigError("Dask is not installed; install it with: pip install 'darkmatter[dask]'") from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{address}: no Dask scheduler answers there ({error}); start one, or leave --dask out"
        ) from None
    with client:
        for future in [client.submit(work, *task, pure=False) for task in tasks]:
            yield future.result()
