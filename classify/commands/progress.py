"""Progress of long work, on standard error: a rewritten line on a terminal, sparse plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

REDRAW_SECONDS = 0.1
"""Between two states of the rewritten line."""
N_LINES = 10
"""Most plain lines: one for each tenth of the work."""


class Progress:
    """Shows how much is done, how quickly, and how much time is left.

    Parameters
    ----------
    work : str
        What is being done.
    unit : str
        What is counted.
    notice : callable, optional
        Asked once, when there is work to begin: a line to write before it, or None.
    stream : text file, optional
        Where to write; standard error when not given.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        work: str,
        *,
        unit: str = "skies",
        notice: Callable[[], str | None] | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._unit, self._notice = work, unit, notice
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._start = clock()
        self._first: tuple[float, int] | None = None  # when, and how much an earlier run had already done
        self._drawn = float("-inf")
        self._tenths = 0
        self._width = 0
        self._note = ""
        self._is_open = False

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` are done, and a note on how it goes."""
        self._note = f"; {note}" if note else ""
        if self._first is None:
            self._first = self._clock(), done
            self._begin(done, total)
        if self._stream.isatty():
            self._rewrite(done, total)
        else:
            self._write_tenth(done, total)

    def _begin(self, done: int, total: int) -> None:
        line = self._notice() if self._notice is not None and done < total else None
        if line is not None:
            self._stream.write(line + "\n")
            self._stream.flush()

    def stop(self) -> None:
        """End the rewritten line of work that stops before all is done."""
        if self._is_open:
            self._stream.write("\n")
            self._is_open = False

    def _rewrite(self, done: int, total: int) -> None:
        now = self._clock()
        if done < total and now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = now
        text = self._text(done, total)
        self._stream.write("\r" + text.ljust(self._width) + ("\n" if done >= total else ""))
        self._is_open = done < total
        self._stream.flush()
        self._width = len(text)

    def _write_tenth(self, done: int, total: int) -> None:
        tenths = N_LINES * done // total if total else N_LINES
        if tenths > self._tenths:
            self._tenths = tenths
            self._stream.write(self._text(done, total) + "\n")
            self._stream.flush()

    def _text(self, done: int, total: int) -> str:
        seconds = self._clock() - self._start
        rate = self._rate(done)
        if done >= total:
            speed = f" ({_told(rate)} {self._unit}/s)" if rate > 0 else ""
            return f"{self._work}: {total} {self._unit} in {duration(seconds)}{speed}{self._note}"
        left = duration((total - done) / rate) if rate > 0 else "?"
        return f"{self._work}: {done}/{total} {self._unit}, {_told(rate)} {self._unit}/s, {left} left{self._note}"

    def _rate(self, done: int) -> float:
        """Return what is done a second since the first state, or since the start if this is the first."""
        now = self._clock()
        since, before = self._first or (now, 0)
        if now == since:
            since, before = self._start, 0
        return (done - before) / (now - since) if now > since else 0.0


def _told(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 1 or rate == 0 else f"{rate:.2g}"


def duration(seconds: float) -> str:
    """Return seconds in words.

    Examples
    --------
    >>> duration(8.4), duration(75), duration(7300)
    ('8 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
