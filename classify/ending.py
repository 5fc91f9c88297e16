"""The end of a command by a signal, as of Ctrl+C: soon, in one line, whatever library is at work.

Python runs its handlers between two instructions of its own, and the main thread may spend many seconds within one
call of LightGBM or PyTorch. A thread therefore learns of the signal by a socket, and ends the process when the main
thread has not done so. Files appear whole or not at all, so that nothing is lost but what is under way.
"""

import atexit
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

GRACE_SECONDS = 0.8
"""Time that the main thread has to end the command itself after a signal, seconds."""

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of an interrupted command; after another signal, 128 and its number."""

SIGNALS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "ended, since its terminal was closed"}
"""Signals that end a command, and the line that reports each."""


class Ending:
    """The signal that ends the command, if one has come.

    Attributes
    ----------
    number : int or None
        Number of the first signal; None before.
    is_over : bool
        Whether the command is done: a signal no longer raises an error in the main thread.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_over = False
        self._is_reported = threading.Lock()

    @property
    def code(self) -> int:
        """Exit code."""
        return INTERRUPTED if self.number is None else 128 + self.number

    def report(self) -> None:
        """Write one line, once: to the file of standard error itself, whose buffer another thread may hold."""
        if not self._is_reported.acquire(blocking=False):
            return
        name = signal.Signals(self.code - 128).name
        line = f"darkmatter: {SIGNALS[name]}\n"
        if self.number is None:
            sys.stderr.write(line)
        else:
            os.write(2, line.encode())

    def end(self) -> int:
        """Report the signal, and end this process at once if it is watched: libraries take seconds to leave it.

        Returns
        -------
        int
            Exit code, where the process goes on.
        """
        self.report()
        if self.number is not None:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            end_now(self.code)
        return self.code

    def watch(self) -> None:
        """End this process soon after one of :data:`SIGNALS`, with the code above; a second signal ends it at once.

        The first one raises a KeyboardInterrupt in the main thread, which must call this function. Signals that the
        process ignores, as one in the background may ignore Ctrl+C, are still ignored.
        """
        numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        sys.unraisablehook = _unless_interrupted
        _quiet_resource_tracker()
        threading.Thread(
            target=self._end_after, args=(receiver, sender, set(numbers)), name="darkmatter-ending", daemon=True
        ).start()
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, self._interrupt)
        atexit.register(_ignore, numbers)  # the first one that is registered is called last

    def _interrupt(self, number: int, frame: Any) -> None:
        is_first, self.number = self.number is None, self.number or number
        if is_first and not self.is_over:
            raise KeyboardInterrupt

    def _end_after(self, receiver: socket.socket, sender: socket.socket, numbers: set[int]) -> NoReturn:
        """Wait for a signal, and end the process after the grace or at the second one."""
        number = _next_signal(receiver, numbers)
        receiver.settimeout(GRACE_SECONDS)
        with suppress(TimeoutError):
            _next_signal(receiver, numbers)
        self.number = self.number or number
        self.report()
        end_now(self.code)


def _ignore(numbers: list[int]) -> None:
    """Ignore signals while Python frees its memory, where it would end by them in place of the code of the command."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _next_signal(receiver: socket.socket, numbers: set[int]) -> int:
    """Return the number of the next signal among these; others are handled elsewhere."""
    while (number := receiver.recv(1)[0]) not in numbers:
        pass
    return number


def end_now(code: int) -> NoReturn:
    """End this process and those that work for it."""
    processes = sys.modules.get("darkmatter_features.processes")  # no import: the main thread may hold its lock
    if processes is not None:
        processes.end_workers()
    os._exit(code)


def _unless_interrupted(error: Any) -> None:
    """Write an error that Python cannot raise, unless it is the interrupt: the process ends by itself."""
    if not issubclass(error.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(error)


def _quiet_resource_tracker() -> None:
    """Suppress a warning of the process that cleans up after joblib where this one ends at once."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join([*([before] if before else []), "ignore:resource_tracker:UserWarning"])
