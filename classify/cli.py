"""The `darkmatter` command: finds out what is asked, does it, and tells how it went by its exit code.

Only the command that is asked for is imported, so that `darkmatter --help` answers at once.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from darkmatter_features import __version__
from darkmatter_features.errors import DarkmatterError

DONE, SOME_FAILED, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all done; done but for some skies; nothing could be done; stopped by the user."""

COMMANDS = {
    "simulate": "write a data set of simulated skies",
    "features": "measure every sky of a data set",
    "train": "train a model on measured skies",
    "tune": "search for settings of the training that do better",
    "evaluate": "score a trained model on a labelled data set",
    "predict": "say of each picture whether a lens is in it, and where",
    "heatmap": "draw the shear heatmap of skies",
    "locate": "find the lens of shape catalogues made elsewhere",
    "config": "show all settings, or check a file of them",
}
"""What each does; `classify.commands.NAME` holds its arguments and its work."""

DESCRIPTION = "Find dark matter in pictures of the sky, by the galaxies that line up around it."
EXAMPLE = """\
a first run, from nothing to a trained model:
  darkmatter simulate
  darkmatter features
  darkmatter train

`darkmatter COMMAND --help` tells more. Exit codes: 0 all done; 1 done, but some skies failed; 2 nothing could be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process when not given.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = build_parser(_command_in(words)).parse_args(words)
        return int(args.run(args))
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if "--debug" in words:
            traceback.print_exc()
        else:
            _complain(_one_line(error))
        return FAILED


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; of the sub-commands, the named one alone has its arguments, the others just their names.

    Parameters
    ----------
    command : str, optional
        One of `COMMANDS`.
    """
    parser = argparse.ArgumentParser("darkmatter", description=DESCRIPTION, epilog=EXAMPLE, formatter_class=_Formatter)
    parser.add_argument("--version", action="version", version=f"darkmatter {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    for each in (parser, shared):
        each.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
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
    """Keeps the lines of examples."""


def _command_in(words: Sequence[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, DarkmatterError):
        return text
    if isinstance(error, OSError) and error.filename is not None:
        path = error.filename2 or error.filename  # where a temporary file was to take its place, or what was asked for
        return f"{path}: {error.strerror}; look at the path, its permissions and the room on the disk"
    return f"unexpected {type(error).__name__}: {text} (--debug shows where)"


def _complain(text: str) -> None:
    sys.stderr.write(f"darkmatter: {text}\n")
