"""The `darkmatter` command.

It imports the module of the given sub-command alone, which keeps `darkmatter --help` fast.
"""

import argparse
import logging
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from classify.ending import Ending
from darkmatter_features import __version__
from darkmatter_features.errors import DarkmatterError, file_error
from darkmatter_features.urls import with_urls

DONE, SOME_FAILED, FAILED = 0, 1, 2
"""Exit codes: all skies done; some skies failed; nothing done. After a signal, see `classify.ending`."""

COMMANDS = {
    "simulate": "write a data set of simulated skies",
    "explore": "look at a data set before training, and find its faults",
    "features": "measure every sky of a data set",
    "train": "train a model on measured skies",
    "tune": "search for settings with a lower loss",
    "evaluate": "compute the metrics of a trained model on a labelled data set",
    "predict": "predict for each image whether it contains a lens, and where",
    "report": "write a run, or a list of candidates, as one HTML page",
    "view": "show a run or images in the browser",
    "heatmap": "draw the shear heatmap of each image",
    "adapt": "fit a run to unlabelled skies of another kind",
    "measure": "write the shape catalogue of an image with noise",
    "check": "find conventions and defects of a shape catalogue",
    "locate": "find the lens in a shape catalogue made elsewhere",
    "candidates": "list all lenses in a shape catalogue made elsewhere",
    "config": "show all settings, or check a settings file",
}
"""Summaries of the commands; the arguments of each are in `classify.commands.NAME`."""

DESCRIPTION = "Find dark-matter lenses in images of the sky by the alignment of galaxies around them."
EXAMPLE = """\
first run, from simulated images to a trained model:
  darkmatter simulate
  darkmatter features
  darkmatter train

`darkmatter COMMAND --help` lists the arguments of a command.
Exit codes: 0 all skies done; 1 some skies failed; 2 nothing done; 130 interrupted, 143 terminated.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments. When not given, they are those of the process, which ends soon after a signal, see
        :class:`~classify.ending.Ending`.

    Returns
    -------
    int
        `DONE`, `SOME_FAILED` or `FAILED`; 128 and the number of a signal.
    """
    ending = Ending()
    _write_notices()
    try:
        if argv is None:
            ending.watch()
        code = _run(list(sys.argv[1:] if argv is None else argv), ending)
        ending.is_over = True
    except KeyboardInterrupt:
        return ending.end()
    return code


class _Notices(logging.Handler):
    """Handler that writes a line of a log above the progress on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message."""
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def _write_notices() -> None:
    """Write the warnings in the log of the library, such as what it waits for, to standard error."""
    log = logging.getLogger("darkmatter_features")
    if not any(isinstance(each, _Notices) for each in log.handlers):
        log.addHandler(_Notices(logging.WARNING))


def _run(words: list[str], ending: Ending) -> int:
    try:
        args = build_parser(_command_in(words)).parse_args(words)
        args.words = words
        code = int(args.run(args))
    except Exception as error:
        if ending.number is not None:  # a library raised another error in place of the interrupt
            raise KeyboardInterrupt from None
        if "--debug" in words:
            traceback.print_exc()
        else:
            _print_error(_one_line(error))
        return FAILED
    if ending.number is not None and code in (SOME_FAILED, FAILED):
        raise KeyboardInterrupt
    return code


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser, with the arguments of one sub-command and the names of the others.

    Parameters
    ----------
    command : str, optional
        Name of the sub-command, one of `COMMANDS`.
    """
    parser = argparse.ArgumentParser("darkmatter", description=DESCRIPTION, epilog=EXAMPLE, formatter_class=_Formatter)
    parser.add_argument("--version", action="version", version=f"darkmatter {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    for each in (parser, shared):
        each.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="print the traceback of an error"
        )
    parser.set_defaults(debug=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        own: dict[str, Any] = {"parents": [shared], "formatter_class": _Formatter}
        subparser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", **own)
        if name == command:
            module = import_module(f"classify.commands.{name}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help formatter that keeps the line breaks of examples."""


def _command_in(words: Sequence[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, DarkmatterError):
        return with_urls(text)
    if isinstance(error, OSError) and (reason := file_error(error)) is not None:
        return reason
    return f"unexpected {type(error).__name__}: {text} (--debug prints the traceback)"


def _print_error(text: str) -> None:
    sys.stderr.write(f"darkmatter: {text}\n")
