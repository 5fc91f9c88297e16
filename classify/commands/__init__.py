"""The commands, a module each: `add_arguments(parser)` declares, `run(args)` does and returns the exit code.

What the commands share is here: default places, flags that several have, how failures are told.
"""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from classify.cli import DONE, FAILED, SOME_FAILED
from classify.cnn import DECIDES, MODES
from darkmatter_features.errors import ConfigError

DATA, FEATURES, RUN = Path("data"), Path("features"), Path("runs/default")
"""Where things go, and are looked for, when nothing is said; `make` uses the same."""


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults in a function's signature: there and nowhere else they are declared."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def add_jobs(parser: argparse.ArgumentParser, default: int) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "--jobs", type=int, default=default, metavar="N", help="processes; -1: one a core (%(default)s)"
    )


def add_cnn(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--cnn`` to a command that judges."""
    parser.add_argument(
        "--cnn", choices=MODES, default=default,
        help="whether networks take the CNN stage at uncertain skies: auto takes it where the run has one (%(default)s)",
    )  # fmt: skip


def add_example(parser: argparse.ArgumentParser, *lines: str) -> None:
    """Put an example below a command's help."""
    parser.epilog = "\n".join(["example:", *(f"  {line}" for line in lines)])


def check_file(path: Path | None) -> None:
    """Refuse, before any work, a file that could not be written when it is done; None is no file.

    Raises
    ------
    ConfigError
        If it is a folder, or its folder could not be made or written to.
    """
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it, such as {path / 'out'}{path.suffix}")
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Refuse, before any work, a folder that could not be made or written to.

    Raises
    ------
    ConfigError
        It names what stands in the way.
    """
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir():
        raise ConfigError(f"{path} cannot be a folder, as {there} is a file; name another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{path} cannot be written to: no permission in {there}; mend that or name another")


def say(text: str) -> None:
    """Write a line to standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def describe_cnn_stage(cnn: str, *, has_cnn_stage: bool, decided_by: Sequence[str] | None = None) -> str:
    """Say whether there was the CNN stage and, by what each sky was decided, at how many."""
    if has_cnn_stage:
        n_hard = "" if decided_by is None else f"{decided_by.count(DECIDES)} "
        return f"CNN stage at {n_hard}uncertain skies"
    return "no CNN stage (--cnn off)" if cnn == "off" else "no CNN stage (the run has none)"


def tell_failures(failures: Sequence[tuple[str, str]], n_done: int) -> int:
    """Name each sky that failed, with its reason, and return the exit code."""
    for sky, reason in failures:
        sys.stderr.write(f"failed: {_named(sky, reason)}\n")
    if not failures:
        return DONE
    return SOME_FAILED if n_done else FAILED


def _named(sky: str, reason: str) -> str:
    """Return the reason with the whole path of the sky in it, once."""
    return reason if sky in reason else f"{sky}: {reason.removeprefix(f'{Path(sky).name}: ')}"


def tell_metrics(metrics: Mapping[str, float]) -> None:
    """Write the metrics as a table, with their 95 % bounds."""
    from classify.metrics import KEYS

    if not metrics["n"]:
        say("nothing to score: no sky there has both a label and a measurement")
        return
    say(f"{'skies':<20} {metrics['n']:.0f}")
    for key in KEYS:
        bounds = f"({metrics[f'{key}_lo']:.4g} to {metrics[f'{key}_hi']:.4g})"
        say(f"{key:<20} " + ("not known" if isnan(metrics[key]) else f"{metrics[key]:<8.4g} {bounds}"))
