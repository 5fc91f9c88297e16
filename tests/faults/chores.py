"""Tasks for workers, in a module that imports little: each worker loads it."""

import os
import signal
import time
from pathlib import Path

MEMORY_LIMIT = 900_000_000
"""Memory above which the nanny of a worker kills it, bytes."""

ON_A_WORKER = "DARKMATTER_TEST_WORKER"
"""Environment variable that is set on the workers of the cluster."""


def at_first(k, marks):
    """Return whether this is the first try of task 1."""
    mark = Path(marks) / "tried"
    is_first = k == 1 and not mark.exists()
    if is_first:
        mark.touch()
    return is_first


def killed_at_first(k, marks):
    if at_first(k, marks):
        os.kill(os.getpid(), signal.SIGKILL)
    return k * k


def stopped_at_first(k, marks):
    if at_first(k, marks):
        os.kill(os.getpid(), signal.SIGSTOP)
    return k * k


def kill_itself(k):
    os.kill(os.getpid(), signal.SIGKILL)


def hungry(k):
    """Need more memory than a worker may have, but no more than this machine has."""
    if k == 1:
        kept = b"x" * MEMORY_LIMIT
        if ON_A_WORKER in os.environ:
            time.sleep(600)
        del kept
    return k * k


def square_and_wait(k):
    time.sleep(0.05 if k < 3 else 600)
    return k * k


def time_out():
    raise TimeoutError("of the task")
