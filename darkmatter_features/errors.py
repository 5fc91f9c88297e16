"""Errors that the user can correct: each is one line with the file, the defect and the remedy."""

import os
import re
from pathlib import PurePath

from darkmatter_features.urls import url_of_path, with_urls, without_password


class DarkmatterError(Exception):
    """Error that the user can correct; commands print it as one line."""


class ConfigError(DarkmatterError):
    """Setting that is unknown, of the wrong type or out of range."""


class DatasetError(DarkmatterError):
    """Data set whose folders, labels or lens positions are inconsistent."""


class SkyError(DarkmatterError):
    """Image that cannot be read or measured."""


class TableError(DarkmatterError):
    """Table that is missing, incomplete, or made with another configuration."""


class ModelError(DarkmatterError):
    """Model bundle that is missing, damaged, or made for another configuration."""


class TrainingError(DarkmatterError):
    """Training whose loss is not a number."""


class WorkerError(DarkmatterError):
    """Process that ended unexpectedly while it worked on a task."""


class OutputError(DarkmatterError):
    """Output that cannot be written, as to a full disk or a folder that was removed: it concerns all skies."""


MAX_SHOWN = 200
"""Maximum length of a value from a file in a message, characters."""


def shown(value: object) -> str:
    r"""Return a value from a file for a message: on one line, and shortened where it is long.

    Examples
    --------
    >>> shown("two\nlines")
    'two lines'
    >>> len(shown(list(range(1000))))
    200
    """
    try:
        text = str(value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints, or a list nested too deep
        text = f"a huge {type(value).__name__}"
    text = "".join(each if each.isprintable() else " " for each in text[: 2 * MAX_SHOWN])
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


_SURROGATE = re.compile("[\ud800-\udfff]")


def escaped(text: str) -> str:
    r"""Return text that tables and pages can hold: bytes of a file name that are no UTF-8 are written as ``\xff``.

    Examples
    --------
    >>> escaped(b"sky-\xff.png".decode("utf-8", "surrogateescape"))
    'sky-\\xff.png'
    """
    return _SURROGATE.sub(lambda found: _escape(ord(found[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def path_text(path: PurePath) -> str:
    """Return a path as all tables have it: with slashes, see :func:`escaped`; that of the copy of a URL as the URL."""
    url = url_of_path(path)
    return escaped(path.as_posix() if url is None else without_password(url))


DISTRIBUTION = "darkmatter-lensing"
"""Name of the distribution, for pip: `darkmatter` is another project on the Python Package Index."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra of this distribution."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


UNFORESEEN = "unexpected"
"""First word of the reason of an unforeseen failure."""


def file_error(error: OSError) -> str | None:
    """Return one line on an error of the system with a file, with the remedy; None where the error names no file."""
    if error.filename is None:
        return None
    path = error.filename2 or error.filename  # destination of a temporary file, or the file itself
    return escaped(f"{os.fsdecode(path)}: {error.strerror}; check the path, its permissions and the free disk space")


def failure_reason(error: Exception, *, debug: bool = False) -> str:
    """Return the reason for which a sky or a catalogue failed, in one line; raise an :class:`OutputError` again.

    Parameters
    ----------
    error : Exception
        Error raised while the sky was processed. If it is no :class:`DarkmatterError`, it is unforeseen, and the reason
        includes its type.
    debug : bool
        Raise an unforeseen error, with its traceback, instead of returning its reason.
    """
    if isinstance(error, OutputError):
        raise error
    if isinstance(error, DarkmatterError):
        return with_urls(escaped(" ".join(str(error).split())))
    if debug:
        raise error
    if isinstance(error, OSError) and (reason := file_error(error)) is not None:
        return f"{UNFORESEEN} error of the system: {reason}"
    return with_urls(escaped(" ".join(f"{UNFORESEEN} {type(error).__name__}: {error}".split())))
