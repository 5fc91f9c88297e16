"""Folder of the cache, for what is extracted from zip files or downloaded, and its locks."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkmatter_features.errors import DatasetError

CACHE_VARIABLE = "DARKMATTER_CACHE"
"""Environment variable with the folder of the cache; it replaces that of the user."""


def given_cache_folder() -> Path | None:
    """Return the folder that `DARKMATTER_CACHE` gives, absolute; None if it is not set."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).expanduser().absolute() if given else None


def cache_folder() -> Path:
    """Return the folder of the cache: that of `DARKMATTER_CACHE`, or one in the cache folder of the user."""
    from platformdirs import user_cache_path

    return given_cache_folder() or user_cache_path("darkmatter", appauthor=False)


def is_writable(folder: Path) -> bool:
    """Return whether a folder exists, or can be made, and files can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of the cache; wait until no other process holds it.

    Raises
    ------
    DatasetError
        If the folder cannot be made or written to.
    """
    from filelock import FileLock

    if not is_writable(folder):
        raise DatasetError(f"{folder} cannot be written; set {CACHE_VARIABLE} to a folder that can")
    with FileLock(folder / ".lock"):
        yield


def check_space(folder: Path, n_bytes: int, purpose: str) -> None:
    """Raise a DatasetError if the disk of a folder has less space than `n_bytes`."""
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        found = f"{purpose} needs {n_bytes / 1e9:.3g} GB, but {folder} has {free / 1e9:.3g} GB"
        raise DatasetError(f"{found}; free disk space, or set {CACHE_VARIABLE} to another disk")
