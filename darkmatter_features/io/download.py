"""Downloads of many files at once by fsspec: each appears whole or not at all, and a killed one is continued."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.cache import check_space
from darkmatter_features.urls import url_of_path, without_password

N_CONNECTIONS = 8
"""Number of files that are downloaded at once."""

BLOCK_BYTES = 8 * 2**20
"""Bytes of a range request: 8 MiB take longer than the request itself."""

CHUNK_BYTES = 2**20
"""Bytes that are written at once."""

N_ATTEMPTS = 3
"""Number of attempts to download a file."""

RETRY_SECONDS = 0.5
"""Time before the second attempt, seconds; it grows with each."""

_NETWORK = {
    "ClientConnectionError", "ClientPayloadError", "HTTPClientError", "ConnectionError", "TimeoutError", "gaierror",
    "TransportError",
}  # fmt: skip
"""Names of the errors of a connection in aiohttp, botocore, google-auth and Python."""


class FetchError(DatasetError):
    """Remote data set that cannot be read.

    Attributes
    ----------
    is_network, is_permission : bool
        Whether the network, or a lack of permission, is the reason.
    """

    is_network = False
    is_permission = False


@dataclass(frozen=True)
class RemoteFile:
    """File of a remote data set.

    Attributes
    ----------
    name : str
        Path in the data set, with forward slashes.
    path : str
        Path in the remote file system.
    version : str
        Digest of what the server gives for its version; empty if nothing.
    size : int or None
        Size, bytes; None if unknown.
    """

    name: str
    path: str
    version: str
    size: int | None

    def as_list(self) -> list[Any]:
        """Return the attributes, for JSON."""
        return list(astuple(self))

    def part(self, root: Path) -> Path:
        """Return the path of the part that is downloaded so far."""
        target = root / self.name
        return target.with_name(f".{target.name}.{self.version or 'unknown'}.part")

    def is_complete(self, root: Path) -> bool:
        """Return whether a copy contains the file, in its size."""
        try:
            return (root / self.name).stat().st_size == self.size or self.size is None
        except OSError:
            return False

    def n_bytes(self, root: Path) -> int:
        """Return the number of bytes of it in a copy."""
        for path in (root / self.name, self.part(root)):
            if path.is_file():
                return path.stat().st_size
        return 0

    def remove(self, root: Path) -> None:
        """Remove it from a copy."""
        (root / self.name).unlink(missing_ok=True)
        self.part(root).unlink(missing_ok=True)


def is_http(filesystem: Any) -> bool:
    """Return whether a file system of fsspec is a web server."""
    return "http" in filesystem.protocol


def failure(url: str, error: BaseException) -> FetchError:
    """Return the error of fsspec or its packages as one line with the remedy, without a password in the URL."""
    chain = list(_chain(error))
    status = {getattr(each, "status", None) or vars(each).get("code") for each in chain}
    is_server_error = any(isinstance(each, int) and each >= 500 for each in status)
    names = {kind.__name__ for each in chain for kind in type(each).__mro__}
    reason = without_password(" ".join(str(chain[-1]).split())[:200]) or type(chain[-1]).__name__
    url = without_password(url)
    if status & {401, 403} or "PermissionError" in names:
        remedy = """give credentials, such as FSSPEC_S3='{"anon": false}' or FSSPEC_GS='{"token": "google_default"}'"""
        found = FetchError(f"{url} cannot be read: no permission ({reason}); check the URL, or {remedy}")
        found.is_permission = True
    elif "FileNotFoundError" in names and not (names & _NETWORK or is_server_error):
        found = FetchError(f"{url} does not exist: no such bucket, folder or file ({reason}); check the URL")
    else:
        found = FetchError(f"{url} cannot be downloaded ({reason}); check the network and the URL")
        found.is_network = bool(names & _NETWORK) or not status & {404, 410}
    return found


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def download(
    filesystem: Any,
    files: Sequence[RemoteFile],
    root: Path,
    *,
    url: str,
    progress: Callable[[int, int], None] | None = None,
    skips_refused: bool = False,
) -> None:
    """Download the files that a copy lacks.

    Parameters
    ----------
    filesystem : fsspec.AbstractFileSystem
        Remote file system.
    files : sequence of RemoteFile
        Files of the data set.
    root : Path
        Folder of the copy.
    url : str
        URL of the data set, for messages.
    progress : callable, optional
        Function called with the megabytes in the copy and their total.
    skips_refused : bool
        Whether a file that does not exist, or may not be read, is left out.

    Raises
    ------
    DatasetError
        If a file cannot be downloaded or written. What was downloaded is kept.
    """
    lacking = [file for file in files if not file.is_complete(root)]
    meter = _Meter(sum(file.n_bytes(root) for file in files), sum(file.size or 0 for file in files), progress)
    stop = threading.Event()
    pool = ThreadPoolExecutor(N_CONNECTIONS)
    try:
        root.mkdir(parents=True, exist_ok=True)
        check_space(root, sum((file.size or 0) - file.n_bytes(root) for file in lacking), without_password(url))
        tasks = [pool.submit(_download_file, filesystem, file, root, url, meter, stop) for file in lacking]
        for task in as_completed(tasks):
            try:
                task.result()
            except FetchError as error:
                if error.is_network or not skips_refused:
                    raise
    except OSError as error:
        found = f"{without_password(url)} cannot be copied to {root}: {error.strerror or error}"
        raise DatasetError(f"{found}; check permissions and disk space") from None
    finally:  # also where the user interrupts
        stop.set()
        pool.shutdown(cancel_futures=True)
    meter.finish()


class _Meter:
    """Count of the bytes downloaded by all threads, reported in megabytes."""

    def __init__(self, done: int, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._progress = done, progress
        self._n_total = max(1, -(-total // 10**6))
        self._lock = threading.Lock()
        self.add(0)

    def add(self, n_bytes: int) -> None:
        with self._lock:
            self._done += n_bytes
            if self._progress is not None:
                self._progress(min(self._done // 10**6, self._n_total - 1), self._n_total)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self._n_total, self._n_total)


def _download_file(
    filesystem: Any, file: RemoteFile, root: Path, url: str, meter: _Meter, stop: threading.Event
) -> None:
    """Download a file, in several attempts."""
    part = file.part(root)
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, N_ATTEMPTS + 1):
        try:
            _continue(filesystem, file, part, meter, stop)
            break
        except _LocalError as error:
            raise error.reason from None
        except Exception as error:
            found = failure(url_of_path(PurePath(file.name)) or f"{url.rstrip('/')}/{file.name}", error)
            if attempt == N_ATTEMPTS or not found.is_network or stop.wait(RETRY_SECONDS * attempt):
                kept = FetchError(f"{found}; what was downloaded is kept for the same command")
                kept.is_network, kept.is_permission = found.is_network, found.is_permission
                raise kept from None
    if not stop.is_set():
        os.replace(part, root / file.name)


class _LocalError(Exception):
    """Error of the local disk."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _continue(filesystem: Any, file: RemoteFile, part: Path, meter: _Meter, stop: threading.Event) -> None:
    """Append to a part what it lacks; begin again where the version is unknown or the server has no ranges."""
    offset = part.stat().st_size if part.exists() else 0
    if offset and (not file.version or file.size is None or offset > file.size):
        offset = _truncate(part, offset, meter)
    if offset and offset == file.size:
        return
    try:
        _append(filesystem, file, part, offset, meter, stop)
    except ValueError:  # of fsspec, for a web server without range requests
        if not offset:
            raise
        _append(filesystem, file, part, _truncate(part, part.stat().st_size, meter), meter, stop)
    n_bytes = part.stat().st_size
    if not stop.is_set() and file.size is not None and n_bytes != file.size:
        _truncate(part, n_bytes, meter)
        raise ConnectionError(f"{n_bytes} bytes came, {file.size} were expected")


def _truncate(part: Path, n_bytes: int, meter: _Meter) -> int:
    part.unlink()
    meter.add(-n_bytes)
    return 0


def _append(filesystem: Any, file: RemoteFile, part: Path, offset: int, meter: _Meter, stop: threading.Event) -> None:
    """Append the bytes from `offset` on; one request streams a whole file from a web server."""
    block = 0 if is_http(filesystem) and not offset else BLOCK_BYTES
    with _opened(part) as target, filesystem.open(file.path, "rb", block_size=block) as source:
        if offset:
            source.seek(offset)
        while not stop.is_set() and (chunk := source.read(CHUNK_BYTES)):
            try:
                target.write(chunk)
            except OSError as error:
                raise _LocalError(error) from None
            meter.add(len(chunk))


def _opened(part: Path) -> BinaryIO:
    try:
        return part.open("ab")
    except OSError as error:
        raise _LocalError(error) from None
