"""One command that is ended by a signal at some moment, and run again."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from faults.world import DARKMATTER, Command, files_in

MAX_SECONDS = 30.0
"""Time after which a process that has not ended is killed, seconds."""

LEFT_SECONDS = 3.0
"""Time after the end of a command at which its processes are counted, seconds."""

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
"""Exit code of a command after each signal."""

CHANGING = ("run.json", "events", ".html", ".sqlite3")
"""Parts of the names of files that contain times or paths of their own."""


class Outcome(NamedTuple):
    """What one fault did.

    Attributes
    ----------
    command, signal : str
        Names of the command and of the signal.
    moment : float
        When the signal was sent, seconds after the start.
    code : int
        Exit code; 0 where the command was done before.
    seconds : float
        Time from the signal to the end.
    lines : tuple of str
        Lines on standard error that are no progress.
    n_left : int
        Processes that still ran :data:`LEFT_SECONDS` later.
    stray : tuple of str
        Files that were left, after the second run, and are not of an undisturbed one.
    other : tuple of str
        Files with other bytes than those of an undisturbed run, or missing.
    """

    command: str
    signal: str
    moment: float
    code: int
    seconds: float
    lines: tuple[str, ...]
    n_left: int
    stray: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    @property
    def defects(self) -> list[str]:
        """What is not as it should be, in words."""
        number = signal.Signals[self.signal]
        found = []
        if self.code not in (0, CODES[number]):
            found.append(f"exit code {self.code}")
        if number is not signal.SIGKILL and self.code and len(self.lines) != 1:
            found.append(f"{len(self.lines)} lines: {self.lines[:3]}")
        if number is not signal.SIGKILL and self.seconds > 2.0:
            found.append(f"{self.seconds:.1f} s to the end")
        if self.n_left:
            found.append(f"{self.n_left} processes left")
        return found + [f"stray {name}" for name in self.stray] + [f"other bytes {name}" for name in self.other]


def start(command: Command, root: Path, out: Path, *, again: bool = False) -> subprocess.Popen[str]:
    """Start a command in a session of its own, as a terminal does."""
    words = [word.replace("OUT", str(out)) for word in (*command.words, *(command.again if again else ()))]
    return subprocess.Popen(
        [*DARKMATTER, *words], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def prepare(command: Command, root: Path, out: Path) -> None:
    """Make the empty output folder of a command."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if command.seed:
        shutil.copytree(root / command.seed, out / command.seed)


def undisturbed(command: Command, root: Path, out: Path) -> float:
    """Run a command, and return its duration, seconds."""
    prepare(command, root, out)
    begun = time.monotonic()
    process = start(command, root, out)
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command.name}: exit code {process.returncode}: {errors}")
    return time.monotonic() - begun


def disturbed(
    command: Command, root: Path, out: Path, number: signal.Signals, moment: float, reference: Path | None
) -> Outcome:
    """Send a signal to a command, run it again, and compare the files with those of an undisturbed run."""
    prepare(command, root, out)
    process = start(command, root, out)
    time.sleep(moment)
    sent = time.monotonic()
    if process.poll() is None:
        # A terminal sends Ctrl+C to all processes; others send a signal to the one that was started.
        os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    try:
        code = process.wait(timeout=MAX_SECONDS)
    except subprocess.TimeoutExpired:
        code = -1000
        process.kill()
        process.wait()
    seconds = time.monotonic() - sent
    time.sleep(LEFT_SECONDS)
    left = processes_of(process.pid)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert process.stderr is not None
    lines = tuple(
        line for line in process.stderr.read().splitlines() if "elapsed" not in line and "compiling" not in line
    )
    process.stderr.close()
    found = Outcome(command.name, number.name, moment, code, seconds, lines, len(left))
    if reference is None:
        return found
    second = start(command, root, out, again=True)
    _, errors = second.communicate()
    if second.returncode:
        return found._replace(other=(f"the second run: {second.returncode}, {errors.splitlines()[-1:]}",))
    ours, theirs = set(files_in(out)), set(files_in(reference))
    stray = tuple(str(name) for name in sorted(ours - theirs))
    return found._replace(stray=stray, other=tuple(_different(out, reference, ours, theirs)))


def _different(out: Path, reference: Path, ours: set[Path], theirs: set[Path]) -> list[str]:
    missing = [str(name) for name in sorted(theirs - ours)]
    compared = [name for name in sorted(ours & theirs) if not any(part in str(name) for part in CHANGING)]
    return missing + [str(name) for name in compared if _content(out, name) != _content(reference, name)]


def _content(folder: Path, name: Path) -> bytes:
    """Return the bytes of a file; tables record the command, in which the folder has another name."""
    return (folder / name).read_bytes().replace(str(folder).encode(), b"OUT")


def processes_of(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields: Any = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(folder.name))
    return found
