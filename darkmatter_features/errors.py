"""Errors raised on purpose: each is one line that says what, which file, what was found, and the remedy."""


class DarkmatterError(Exception):
    """Something the user can mend; the command prints it as one line."""


class ConfigError(DarkmatterError):
    """A setting that is unknown, of the wrong type or out of range."""


class DatasetError(DarkmatterError):
    """A data set whose folders, labels or lens positions do not fit together."""


class SkyError(DarkmatterError):
    """A picture that cannot be read, or in which nothing can be measured."""


class TableError(DarkmatterError):
    """A table that is missing, incomplete, or made with another configuration."""


class ModelError(DarkmatterError):
    """A model bundle that is missing, damaged, or made for another configuration."""


def failure_reason(error: Exception, *, debug: bool = False) -> str:
    """Return the reason, in one line, that the row of a failed sky or catalogue holds.

    Parameters
    ----------
    error : Exception
        Error raised while the sky was processed. One that is no :class:`DarkmatterError` is unforeseen, and its type is
        named.
    debug : bool
        Raise an unforeseen error, with its traceback, instead of returning its reason.
    """
    if isinstance(error, DarkmatterError):
        return " ".join(str(error).split())
    if debug:
        raise error
    return " ".join(f"unexpected {type(error).__name__}: {error}".split())
