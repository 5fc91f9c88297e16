"""Tasks run by the workers of a Dask cluster."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from darkmatter_features import __version__
from darkmatter_features.errors import ConfigError, WorkerError, install_command, path_text
from darkmatter_features.urls import url_of_path

LOG = logging.getLogger(__name__)
"""Log of what is waited for; Python writes its warnings to standard error where nothing else is arranged."""

CONNECT_SECONDS = 10
"""Maximum time to connect to a Dask scheduler, seconds."""

CLOSE_SECONDS = 2
"""Maximum time to take leave of a scheduler, seconds: it may be lost."""

LOOK_SECONDS = 1.0
"""Interval at which a wait for a result looks for workers, seconds."""

NOTICE_SECONDS, REPEAT_SECONDS = 1.5, 60.0
"""Times after which a wait for a scheduler or for workers is reported first, and again, seconds."""

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
        Function of a module, or a partial one, whose own arguments are sent once.
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

    Notes
    -----
    A scheduler without workers is waited for, which a warning in the log of this module reports.
    """
    try:
        from distributed import CancelledError, Client
        from distributed.scheduler import KilledWorker
    except ModuleNotFoundError:
        raise ConfigError(f"Dask is not installed; install it: {install_command('dask')}") from None
    with _quiet():
        try:
            with _reported(f"{address}: waiting for the Dask scheduler"):
                client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{address}: no Dask scheduler responds ({error}); start one there, or leave out --dask"
            ) from None
        try:
            watch = _Watch(client, address)
            for task, future in _submitted(client, work, tasks):
                try:
                    result = watch.result(future)
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
    shared = client.submit(_same, work, pure=False) if isinstance(work, partial) else work
    for task in tasks:
        caller = (folder, __version__, _file_here(task))
        under_way.append((task, client.submit(_work_there, caller, shared, task, pure=False)))
        if len(under_way) >= MAX_UNDER_WAY:
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()


class _Watch:
    """Waits for results, and reports that there are no workers.

    Parameters
    ----------
    client : distributed.Client
        Client of the scheduler.
    address : str
        Address of the scheduler, for the message.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._start()

    def _start(self) -> None:
        self._since, self._due = time.monotonic(), NOTICE_SECONDS

    def result(self, future: Any) -> Any:
        """Return the result of a task."""
        self._start()
        while not future.done():
            try:
                return future.result(timeout=LOOK_SECONDS)
            except TimeoutError:  # of this wait, or of the task, which is done then
                self._look()
        return future.result()

    def _look(self) -> None:
        with suppress(OSError):  # of a lost scheduler, which ends the wait for the result too
            if self._client.nthreads():
                self._start()
            elif time.monotonic() - self._since >= self._due:
                LOG.warning(
                    "%s: the Dask scheduler has no workers; waiting for one (dask worker %s)", self._address,
                    self._address,
                )  # fmt: skip
                self._due = time.monotonic() - self._since + REPEAT_SECONDS


@contextmanager
def _reported(line: str) -> Iterator[None]:
    """Log a line if the block takes longer than :data:`NOTICE_SECONDS`."""
    timer = threading.Timer(NOTICE_SECONDS, LOG.warning, (line,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _same(work: Callable[..., Any]) -> Callable[..., Any]:
    return work


def _file_here(task: tuple[Any, ...]) -> Path | None:
    """Return the first path among the arguments of a task if it is a file, and no copy: workers make their own."""
    flat = (each for value in task for each in (value if isinstance(value, list | tuple) else [value]))
    path = next((each for each in flat if isinstance(each, Path)), None)
    return path if path is not None and url_of_path(path) is None and path.is_file() else None


def _work_there(caller: tuple[Path, str, Path | None], work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Run a task on a worker, in the caller's working folder."""
    folder, version, file = caller
    if version != __version__:
        raise ConfigError(f"a Dask worker has darkmatter {__version__}, and this is {version}; install the same there")
    try:
        os.chdir(folder)
    except OSError:
        raise ConfigError(
            f"{path_text(folder)}: a Dask worker does not see this folder; start the workers where they see the same "
            "files under the same paths"
        ) from None
    if file is not None and not file.exists():
        raise ConfigError(
            f"{path_text(file)}: a Dask worker does not see this file; start the workers where they see the same files "
            "under the same paths (DARKMATTER_CACHE gives a folder for downloads that all see)"
        )
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
