"""Processes under test: their start, a moment at which they are busy, and their end."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 120.0
"""Generous limit for whatever must happen at all."""


@contextmanager
def started(code, *words, **options):
    """Run Python code in a session of its own, with Ctrl+C as in a terminal; kill what is left of it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
        **{"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)} | options,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process):
    """Wait for a process, and return its exit code and the lines of standard error."""
    _, errors = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, errors.splitlines()


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
