"""Tasks run by the workers of a Dask cluster."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkmatter_features import __version__
from darkmatter_features.errors import ConfigError, WorkerError, install_command, path_text

CONNECT_SECONDS = 10
"""Maximum time to connect to a Dask scheduler, seconds."""

CLOSE_SECONDS = 2
"""Maximum time to take leave of a scheduler, seconds: it may be lost."""

MAX_UNDER_WAY = 2000
"""Maximum number of tasks that are sent to the scheduler or whose results wait there."""


def on_dask(
    work: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    address: str,
    killed: Callable[[tuple[Any, ...]], Any],
) -> Iterator[Any]:
    """Yield the results of `work` for each task, in the order of the tasks, computed by the workers of a cluster.

    Parameters
    ----------
    work : callable
        Function of a module.
    tasks : iterable of tuples
        Its arguments.
    address : str
        Address of the scheduler. Workers may come and go: a task whose worker is lost is run by another one.
    killed : callable
        Function of a task that ended one worker after the other, as by its need of memory; returns its result.

    Raises
    ------
    ConfigError
        If Dask is not installed, no scheduler responds, or a worker has another version or other files.
    WorkerError
        If the scheduler is lost.
    """
    try:
        from distributed import CancelledError, Client
        from distributed.scheduler import KilledWorker
    except ModuleNotFoundError:
        raise ConfigError(f"Dask is not installed; install it: {install_command('dask')}") from None
    with _quiet():
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{address}: no Dask scheduler responds ({error}); start one there, or leave out --dask"
            ) from None
        try:
            for task, future in _submitted(client, work, tasks):
                try:
                    result = future.result()
                except KilledWorker:
                    result = killed(task)
                except CancelledError:
                    raise WorkerError(
                        f"{address}: the Dask scheduler was lost; start it and the command again: files that are done "
                        "are kept"
                    ) from None
                yield result
        finally:
            client.close(timeout=CLOSE_SECONDS)


def _submitted(
    client: Any, work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each task and its future, which is released when the next one is drawn."""
    under_way: deque[tuple[tuple[Any, ...], Any]] = deque()
    folder = Path.cwd()
    for task in tasks:
        under_way.append((task, client.submit(_work_there, folder, __version__, work, task, pure=False)))
        if len(under_way) >= MAX_UNDER_WAY:
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()


def _work_there(folder: Path, version: str, work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Run a task on a worker, in the caller's working folder."""
    if version != __version__:
        raise ConfigError(f"a Dask worker has darkmatter {__version__}, and this is {version}; install the same there")
    try:
        os.chdir(folder)
    except OSError:
        raise ConfigError(
            f"{path_text(folder)}: a Dask worker does not see this folder; start the workers where they see the same "
            "files under the same paths"
        ) from None
    return work(*task)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the log of the client: what matters is raised as an error of one line."""
    logs = [logging.getLogger(name) for name in ("distributed.client", "distributed.core")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)
