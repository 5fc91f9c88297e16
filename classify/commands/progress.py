"""Progress of long work on standard error, by tqdm: a bar on a terminal, at most ten plain lines elsewhere."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from darkmatter_features.io.table import check_made, make_folder

N_LINES = 10
"""Maximum number of plain lines: one for each tenth of the work."""
PLAIN = "{desc}: {n_fmt}/{total_fmt}{unit}, {rate_noinv_fmt}, {elapsed} elapsed, {remaining} left{postfix}"
"""Format of a plain line; times are minutes:seconds."""


class Progress:
    """Display of the work done, its rate and the time left.

    Parameters
    ----------
    work : str
        Name of the work.
    unit : str
        Unit of the work, plural.
    notice : callable, optional
        Function that returns a line to write before the work begins, or None; called once.
    folder : Path, optional
        Folder of the output, made by the first call if it is missing. If it is removed later, a call raises an
        OutputError: the work would be in vain.
    stream : text file, optional
        Output; standard error when not given.
    """

    def __init__(
        self,
        work: str,
        *,
        unit: str = "skies",
        notice: Callable[[], str | None] | None = None,
        folder: Path | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._notice, self._folder = notice, folder
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._options: dict[str, Any] = {"desc": work, "unit": f" {unit}", "smoothing": 0, "miniters": 1}
        if not self._is_terminal:
            self._options |= {"file": io.StringIO(), "bar_format": PLAIN}
        self._bar: Any = None
        self._tenths = 0

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Display that `done` of `total` units are done; the first call excludes earlier work from the rate.

        After the end of one work, another begins.
        """
        if self._folder is not None:
            make_folder(self._folder) if self._bar is None else check_made(self._folder)
        if self._bar is None:
            self._write(self._notice() if self._notice is not None and done < total else None)
        if self._bar is None or (self._bar.n >= self._bar.total and done < total):
            self._bar, self._tenths = tqdm(**{"file": self._stream, **self._options}, total=total, initial=done), 0
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
        tenths = N_LINES * done // total if total else N_LINES
        if not self._is_terminal and tenths > self._tenths:
            self._tenths = tenths
            self._write(str(self._bar))
        if done >= total:
            self.stop()

    def stop(self) -> None:
        """Close the bar, also before all is done."""
        if self._bar is not None:
            self._bar.close()

    def _write(self, line: str | None) -> None:
        if line is not None:
            self._stream.write(line + "\n")
            self._stream.flush()
