"""A folder that one process writes to: a second one is refused at once, and the error names the first."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from darkmatter_features.errors import ConfigError, path_text

MIN_AGE = 10.0
"""Minimum age of a lock without a holder's name to be taken over, seconds: its writer was killed."""


class Holder(NamedTuple):
    """Process that holds a folder.

    Attributes
    ----------
    host : str
        Name of its machine.
    pid : int
        Its number there.
    since : str
        When it took the folder, ISO 8601 in UTC.
    ticks : int or None
        When the process was started, clock ticks of the machine; None where that is unknown. Numbers of processes are
        used again.
    """

    host: str
    pid: int
    since: str
    ticks: int | None

    def is_alive(self) -> bool:
        """Return whether the process may still run: one of another machine always may."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return self.ticks is None or _ticks(self.pid) in (None, self.ticks)


@contextmanager
def held(folder: str | Path) -> Iterator[None]:
    """Hold a folder while a block writes to it.

    The lock is a file beside the folder, ``.NAME.lock``, that names the process. That of a process that has ended is
    taken over. Where no file can be written there, nothing is held.

    Parameters
    ----------
    folder : str or Path
        Folder, which may not exist yet.

    Raises
    ------
    ConfigError
        If another process holds it.
    """
    folder = Path(folder).absolute()
    lock = folder.with_name(f".{folder.name}.lock")
    is_taken = _take(lock, folder)
    try:
        yield
    finally:
        if is_taken:
            lock.unlink(missing_ok=True)


def _take(lock: Path, folder: Path) -> bool:
    """Write the lock, or return False where no file can be written."""
    for _ in range(3):  # another process may take over the same stale lock
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            _remove_stale(lock, folder)
            continue
        except OSError:
            return False
        with os.fdopen(file, "w", encoding="utf-8") as text:
            json.dump(_this_process()._asdict(), text)
        return True
    raise ConfigError(f"{path_text(folder)}: other processes write to it; wait for them, or name another folder")


def _remove_stale(lock: Path, folder: Path) -> None:
    """Remove the lock of a process that has ended.

    Raises
    ------
    ConfigError
        If the process runs, or may run.
    """
    try:
        holder, age = _holder(lock), time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return  # released meanwhile
    if holder is None and age < MIN_AGE:
        raise ConfigError(f"{path_text(folder)}: another process begins to write to it; name another folder")
    if holder is not None and holder.is_alive():
        elsewhere = holder.host != socket.gethostname()
        remedy = f"if that has ended, delete {path_text(lock)}" if elsewhere else "wait for it, or name another folder"
        raise ConfigError(
            f"{path_text(folder)}: process {holder.pid} on {holder.host} writes to it since {holder.since}; {remedy}"
        )
    aside = lock.with_name(f"{lock.name}.{os.getpid()}")
    try:
        os.replace(lock, aside)
        aside.unlink()
    except FileNotFoundError:
        return


def _holder(lock: Path) -> Holder | None:
    """Return the holder that a lock names; None if it names none."""
    try:
        return Holder(**json.loads(lock.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None


def _this_process() -> Holder:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(socket.gethostname(), os.getpid(), now, _ticks(os.getpid()))


def _ticks(pid: int) -> int | None:
    """Return when a process was started, clock ticks since the start of the machine; None where that is unknown."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
