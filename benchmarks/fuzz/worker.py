"""Processes that read inputs within bounds of time and memory, and the outcome of each input."""

import os
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzz.seeds import Seed

from darkmatter_features.errors import DarkmatterError

MEMORY = 2**30
"""Memory that reading one input may take, bytes."""

SECONDS = 2.0
"""Time of a processor that reading one input may take, seconds."""

WALL_SECONDS = 60.0
"""Time by the clock, seconds: the machine may be busy with other work."""

MAX_MESSAGE = 1000
"""Maximum length of a message, characters, without the names of files."""

REFUSED, ACCEPTED = "refused", "accepted"
"""Outcomes that are right; all others are kinds of defects."""

_FORBIDDEN = ("subprocess.Popen", "os.system", "socket.connect", "os.remove", "os.rename", "shutil.rmtree", "os.mkdir")


class Reader:
    """A process that reads inputs one after the other; it is started again after a defect that ends it."""

    def __init__(self, seeds: list[Seed]) -> None:
        self._seeds, self._process, self._pipe = seeds, None, None
        self._context: Any = get_context("spawn")

    def outcome(self, kind: str, path: Path, digest: str | None) -> tuple[str, str]:
        """Return the outcome of an input and its message.

        Parameters
        ----------
        kind : str
            Reader of the input.
        path : Path
            Mutated file.
        digest : str or None
            What an accepted input must give; None if it may give anything.
        """
        if self._process is None:
            self._start()
        self._pipe.send((kind, path, digest))
        used, start = _cpu_seconds(self._process.pid), time.monotonic()
        while not self._pipe.poll(0.1):
            spent = _cpu_seconds(self._process.pid) - used
            if not self._process.is_alive():
                break
            if spent > SECONDS or time.monotonic() - start > WALL_SECONDS:
                self.stop()
                return "hang", f"no end after {spent:.1f} s"
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            code, self._process = self._process.exitcode, None
            return "crash", f"exit code {code}"

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(other, self._seeds), daemon=True)
        self._process.start()
        other.close()
        self._pipe.recv()


def work(pipe: Connection, seeds: list[Seed]) -> None:
    """Read the inputs that come through a pipe, after the seeds, which load libraries and compile kernels."""
    from fuzz.readers import READERS

    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(seeds[0].folder)
    for seed in seeds:
        READERS[seed.kind](seed.path)
    outside: list[str] = []
    watch(outside)
    pipe.send("ready")
    while True:
        try:
            kind, path, digest = pipe.recv()
        except EOFError:
            return
        outside[:] = []
        with _Bounds(path.parents[1]):
            found = _read(READERS[kind], path, digest)
        pipe.send(("outside", outside[0]) if outside else found)


def _read(reader: Any, path: Path, digest: str | None) -> tuple[str, str]:
    """Return the outcome of an input in this process."""
    try:
        value = repr(reader(path))
    except DarkmatterError as error:
        return _judged(error, path)
    except BaseException as error:  # an exit too
        return "exception", f"{type(error).__name__}: {error}"[:300]
    return (ACCEPTED, "") if digest in (None, value) else ("wrong", f"{value[:100]} in place of {digest[:100]}")


def _judged(error: DarkmatterError, path: Path) -> tuple[str, str]:
    """Return whether a refusal is one line that names a file, without an exhausted memory behind it."""
    message = str(error)
    causes = list(_causes(error))
    folder = path.parents[1] if path.parent.name == "model" else path.parent
    if any(isinstance(cause, MemoryError) for cause in causes):
        return "memory", message[:300]
    if str(folder) not in message and path.name not in message:
        return "unnamed", message[:300]
    if "\n" in message or len(message.replace(str(folder), "")) > MAX_MESSAGE:
        return "long", message[:300]
    return REFUSED, message[:300]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Bounds:
    """Bounds of the memory of this process, and the folder whose files may be read."""

    folder = ""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __enter__(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
        _Bounds.folder = self._folder

    def __exit__(self, *_: object) -> None:
        _Bounds.folder = ""
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def watch(outside: list[str]) -> None:
    """Record, in a list, files outside of the folder of the input that are opened or changed, and other processes."""
    programs = tuple(map(os.path.realpath, (sys.prefix, sys.base_prefix, Path(__file__).parents[2], *sys.path[1:])))
    system = ("/proc", "/sys", "/dev", "/usr", "/lib")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not _Bounds.folder:
            return
        if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            folder, _Bounds.folder = _Bounds.folder, ""
            path = os.path.realpath(os.fsdecode(arguments[0]))
            _Bounds.folder = folder
            is_written = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if not path.startswith((folder, *(() if is_written else (*programs, *system)), "/dev/null")):
                outside.append(f"{'wrote' if is_written else 'read'} {path}")
        elif event in _FORBIDDEN:
            outside.append(f"{event} {arguments[:1]}"[:200])

    sys.addaudithook(hook)


def _cpu_seconds(pid: int) -> float:
    """Return the time of a processor that a process has taken, seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
