"""The commands, a module for each: `add_arguments(parser)` declares the arguments, `run(args)` returns the exit code.

This module has their shared parts: default folders, common flags, and the report of failures and metrics.
"""

import argparse
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from classify.cli import DONE, FAILED, SOME_FAILED
from classify.cnn import DECIDES, MODES
from darkmatter_features.errors import ConfigError, escaped
from darkmatter_features.urls import is_url, without_password

MAX_NAMED = 5
"""Maximum number of skies unlike the training skies that are named in the output."""

DATA = Path("data")
"""Default folder of a data set; `make` uses the same three folders."""
FEATURES = Path("features")
"""Default folder of features."""
RUN = Path("runs/default")
"""Default folder of a run."""


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the default values in the signature of a function, by name."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def as_place(text: str) -> str | Path:
    """Return a URL as text, and anything else as a path."""
    return text if is_url(text) else Path(text)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add ``DATA``, a folder or a URL."""
    parser.add_argument(
        "data", type=as_place, nargs="?", default=DATA, metavar="DATA",
        help="data set: a folder with folders of images or zip files, or the URL of one, as gs://, s3:// or https:// "
        "(%(default)s)",
    )  # fmt: skip


def add_jobs(parser: argparse.ArgumentParser, default: int) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=default,
        metavar="N",
        help="number of processes; -1 for one per core (%(default)s)",
    )


def add_dask(parser: argparse.ArgumentParser) -> None:
    """Add ``--dask``."""
    parser.add_argument(
        "--dask", metavar="ADDRESS",
        help="address of a Dask scheduler whose workers do the work, instead of --jobs, and see the same files (none)",
    )  # fmt: skip


def add_cnn(parser: argparse.ArgumentParser, default: str | None, *, shown: str = "%(default)s") -> None:
    """Add ``--cnn`` to a command that gives verdicts; `shown` is its default in the help, where None is not given."""
    parser.add_argument(
        "--cnn", choices=MODES, default=default,
        help=f"CNN stage at uncertain skies; auto applies it if the run has one ({shown})",
    )  # fmt: skip


def add_example(parser: argparse.ArgumentParser, *lines: str) -> None:
    """Add examples below the help of a command."""
    parser.epilog = "\n".join(["example:", *(f"  {line}" for line in lines)])


def check_file(path: Path | None) -> None:
    """Raise an error, before any work, if an output file cannot be written; None is no file.

    Raises
    ------
    ConfigError
        If it is a folder, or its folder cannot be made or written to.
    """
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it, such as {path / 'out'}{path.suffix}")
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Raise an error, before any work, if an output folder cannot be made or written to.

    Raises
    ------
    ConfigError
        It names the file or the folder that prevents it.
    """
    existing = next(each for each in (path, *path.parents) if each.exists())
    if not existing.is_dir():
        raise ConfigError(f"{path} cannot be a folder, because {existing} is a file; name another")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"{path} cannot be written: no permission in {existing}; change it or name another")


def print_line(text: str) -> None:
    """Write a line to standard output and flush it."""
    sys.stdout.write(escaped(text) + "\n")
    sys.stdout.flush()


def describe_cnn_stage(without_cnn: str | None, decided_by: Sequence[str] | None = None) -> str:
    """Return a note on the use of the CNN stage, with the number of its skies if `decided_by` is given."""
    if without_cnn is not None:
        return f"no CNN stage ({without_cnn})"
    n_uncertain = "" if decided_by is None else f"{decided_by.count(DECIDES)} "
    return f"CNN stage at {n_uncertain}uncertain skies"


def describe_unlike(table: Any) -> list[str]:
    """Return a line for each of the first skies of a table that are unlike the training skies, and their number."""
    unlike = table[table["unlike"].fillna(0).astype(bool)]
    lines = [
        f"{row.image}: unlike the training skies, "
        f"{'verdict withheld' if isnan(row.probability) else 'probability drawn towards the prior'} ({row.reason})"
        for row in unlike.head(MAX_NAMED).itertuples()
    ]
    if len(unlike) > MAX_NAMED:
        lines.append(f"{len(unlike)} of {len(table)} skies are unlike the training skies; see the column unlike")
    return lines


def add_part(parser: argparse.ArgumentParser) -> None:
    """Declare the option that chooses an extension of FITS files."""
    parser.add_argument(
        "--hdu", metavar="EXT", help="extension of all FITS files: a name, NAME,VERSION, a number, or * for each image "
        "of the sky; FILE[EXT] for one file (default: by name and content)",
    )  # fmt: skip


def describe_notes(notes: Sequence[tuple[str, str]], n_images: int) -> list[str]:
    """Return a line for each of the first choices (image, choice) made in reading images, and their number."""
    lines = [f"{image}: {note}" for image, note in notes[:MAX_NAMED]]
    if len(notes) > MAX_NAMED:
        lines.append(f"{len(notes)} of {n_images} images were read by such a choice")
    return lines


def command_of(args: argparse.Namespace) -> str:
    """Return the command whose arguments these are, as it was given, for a record; without passwords of URLs."""
    return shlex.join(["darkmatter", *map(without_password, getattr(args, "words", []))])


def report_failures(failures: Sequence[tuple[str, str]], n_done: int) -> int:
    """Print each failed sky with the reason, and return the exit code."""
    for sky, reason in failures:
        sys.stderr.write(f"failed: {_named(escaped(sky), escaped(reason))}\n")
    if not failures:
        return DONE
    return SOME_FAILED if n_done else FAILED


def _named(sky: str, reason: str) -> str:
    """Return the reason with the path of the sky, once."""
    return reason if sky in reason else f"{sky}: {reason.removeprefix(f'{Path(sky).name}: ')}"


def print_metrics(metrics: Mapping[str, float]) -> None:
    """Print the metrics as a table with their 95 % bounds."""
    from classify.metrics import KEYS

    if not metrics["n"]:
        print_line("no metrics: no sky has both a label and a measurement")
        return
    print_line(f"{'skies':<20} {metrics['n']:.0f}")
    for key in KEYS:
        bounds = f"({metrics[f'{key}_lo']:.4g} to {metrics[f'{key}_hi']:.4g})"
        print_line(f"{key:<20} " + ("unknown" if isnan(metrics[key]) else f"{metrics[key]:<8.4g} {bounds}"))
    if metrics.get("n_unlike"):
        unlike, withheld = metrics["n_unlike"], metrics["n_withheld"]
        print_line(f"{'unlike':<20} {unlike:.0f} skies unlike the training skies; {withheld:.0f} verdicts withheld")
